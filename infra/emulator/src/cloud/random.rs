//! The operating system's randomness. Keys and identifiers of the cloud start here, as they do in
//! AWS.

use aws_lc_rs::rand;

/// The operating system gave no random bytes.
#[derive(Debug)]
pub(super) struct NoRandomness;

/// Unpredictable bytes.
#[expect(
    clippy::disallowed_methods,
    reason = "the embedded cloud is outside the program, where AWS would draw"
)]
pub(super) fn bytes<const N: usize>() -> Result<[u8; N], NoRandomness> {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).map_err(|_| NoRandomness)?;
    Ok(bytes)
}

/// A version 4 UUID (RFC 9562 §5.4), the form of a KMS key id and a secret's version id.
pub(super) fn uuid() -> Result<String, NoRandomness> {
    let bits = u128::from_be_bytes(bytes()?);
    let bits = bits & !(0xf << 76) & !(0b11 << 62) | (4 << 76) | (0b10 << 62);
    let hex = format!("{bits:032x}");
    Ok([
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ]
    .join("-"))
}

/// So many characters of an alphabet of at most 256, each equally likely.
pub(super) fn text(alphabet: &[char], length: usize) -> Result<String, NoRandomness> {
    // Bytes at or above the last multiple of the alphabet's size would favour its first characters.
    let fair = 256 - 256 % alphabet.len();
    let mut text = String::with_capacity(length);
    let mut left = length;
    while left > 0 {
        for byte in bytes::<64>()?
            .map(usize::from)
            .into_iter()
            .filter(|byte| *byte < fair)
            .take(left)
        {
            text.push(alphabet[byte % alphabet.len()]);
            left -= 1;
        }
    }
    Ok(text)
}

/// `A` to `Z`, `a` to `z`, `0` to `9`.
pub(super) fn alphanumeric() -> Vec<char> {
    ('A'..='Z').chain('a'..='z').chain('0'..='9').collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_says_its_version_and_variant() {
        let uuid = uuid().unwrap();
        assert_eq!(uuid.len(), 36);
        assert_eq!(&uuid[14..15], "4");
        assert!("89ab".contains(&uuid[19..20]), "{uuid}");
    }

    #[test]
    fn text_has_the_length_asked_for_and_only_the_alphabet() {
        let text = text(&['x', 'y', 'z'], 1000).unwrap();
        assert_eq!(text.len(), 1000);
        assert!(
            ['x', 'y', 'z'].iter().all(|c| text.contains(*c))
                && !text.contains(|c| !"xyz".contains(c))
        );
    }
}
