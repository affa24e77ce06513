//! The peppers under which secrets are hashed (product.md §1, Secret format).

use std::{collections::BTreeMap, fmt};

use aws_lc_rs::hmac;
use zeroize::Zeroizing;

/// Every pepper by its version. A hash of version n is HMAC(pₙ, … HMAC(p₁, secret)): an old hash is brought up to date
/// without the secret.
pub struct Peppers(BTreeMap<u32, Zeroizing<Vec<u8>>>);

impl Peppers {
    /// Reads the value of the Secrets Manager secret: a JSON object of version (1, 2, … without a gap) to pepper, each of
    /// at least 32 bytes.
    ///
    /// # Errors
    /// One sentence that never shows the value.
    pub fn parse(value: &str) -> Result<Self, &'static str> {
        const EXPECTED: &str = "the pepper secret is not a JSON object of versions 1, 2, … to texts of at least 32 bytes";
        let read: BTreeMap<u32, String> = serde_json::from_str(value).map_err(|_| EXPECTED)?;
        let peppers: BTreeMap<_, _> =
            read.into_iter().map(|(version, text)| (version, Zeroizing::new(text.into_bytes()))).collect();
        let gapless = peppers.keys().copied().eq(1..=u32::try_from(peppers.len()).map_err(|_| EXPECTED)?);
        if peppers.is_empty() || !gapless || peppers.values().any(|pepper| pepper.len() < 32) {
            return Err(EXPECTED);
        }
        Ok(Self(peppers))
    }

    /// The version that new hashes get.
    #[must_use]
    pub fn current(&self) -> u32 {
        self.0.last_key_value().map_or(0, |(version, _)| *version)
    }

    /// The hash of `secret` under the first `version` peppers; nothing when there is no such version.
    pub(crate) fn hash(&self, version: u32, secret: &[u8]) -> Option<[u8; 32]> {
        if version == 0 || version > self.current() {
            return None;
        }
        let mut digest = Zeroizing::new(secret.to_vec());
        for pepper in self.0.range(1..=version).map(|(_, pepper)| pepper) {
            let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, pepper), &digest);
            digest = Zeroizing::new(tag.as_ref().to_vec());
        }
        digest.as_slice().try_into().ok()
    }
}

impl fmt::Debug for Peppers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Peppers({} versions)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_value_is_refused_and_never_shown() {
        let long = "p".repeat(32);
        for value in
            ["", "{}", "[]", &format!(r#"{{"2":"{long}"}}"#), r#"{"1":"short"}"#, &format!(r#"{{"1":"{long}","3":"{long}"}}"#)]
        {
            assert!(Peppers::parse(value).is_err(), "{value}");
        }
        let peppers = Peppers::parse(&format!(r#"{{"1":"{long}"}}"#)).unwrap();
        assert!(!format!("{peppers:?}").contains(&long));
    }

    #[test]
    fn a_hash_is_rolled_forward_without_the_secret() {
        let (one, two) = ("1".repeat(32), "2".repeat(32));
        let peppers = Peppers::parse(&format!(r#"{{"1":"{one}","2":"{two}"}}"#)).unwrap();
        let first = peppers.hash(1, b"secret").unwrap();
        let nested = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, two.as_bytes()), &first);
        assert_eq!(peppers.hash(2, b"secret").unwrap(), nested.as_ref());
        assert_eq!(peppers.hash(3, b"secret"), None);
        assert_eq!(peppers.hash(0, b"secret"), None);
    }
}
