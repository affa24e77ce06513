//! Base62 of big-endian numbers, fixed width: digits, then upper case, then lower case, so that it
//! sorts as the number.

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Writes `number` (big-endian) in exactly `WIDTH` digits, or nothing if it does not fit.
#[must_use]
pub fn encode<const WIDTH: usize>(number: &[u8]) -> Option<[u8; WIDTH]> {
    let mut digits = [0_u8; WIDTH];
    for &byte in number {
        let mut carry = u32::from(byte);
        for digit in digits.iter_mut().rev() {
            carry += u32::from(*digit) * 256;
            *digit = u8::try_from(carry % 62).ok()?;
            carry /= 62;
        }
        if carry != 0 {
            return None;
        }
    }
    Some(digits.map(|digit| DIGITS[usize::from(digit)]))
}

/// Reads digits into a big-endian number of `BYTES` bytes, or nothing if a character is no digit or
/// it does not fit.
#[must_use]
pub fn decode<const BYTES: usize>(text: &[u8]) -> Option<[u8; BYTES]> {
    let mut number = [0_u8; BYTES];
    for &character in text {
        let mut carry = u32::from(value(character)?);
        for byte in number.iter_mut().rev() {
            carry += u32::from(*byte) * 62;
            *byte = u8::try_from(carry & 0xff).ok()?;
            carry >>= 8;
        }
        if carry != 0 {
            return None;
        }
    }
    Some(number)
}

fn value(character: u8) -> Option<u8> {
    match character {
        b'0'..=b'9' => Some(character - b'0'),
        b'A'..=b'Z' => Some(character - b'A' + 10),
        b'a'..=b'z' => Some(character - b'a' + 36),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_does_not_fit_is_refused() {
        assert_eq!(encode::<1>(&[61]), Some(*b"z"));
        assert_eq!(encode::<1>(&[62]), None);
        assert_eq!(decode::<16>(&[b'z'; 22]), None);
        assert_eq!(decode::<16>(b"-"), None);
    }

    proptest! {
        #[test]
        fn decode_undoes_encode(number: [u8; 16]) {
            let text = encode::<22>(&number).unwrap();
            prop_assert_eq!(decode::<16>(&text), Some(number));
        }

        #[test]
        fn text_sorts_as_the_number(a: [u8; 16], b: [u8; 16]) {
            prop_assert_eq!(encode::<22>(&a).cmp(&encode::<22>(&b)), a.cmp(&b));
        }
    }
}
