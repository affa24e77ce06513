//! The peppers under which secrets are hashed (docs/requirements.md, Secret format).

use std::{collections::BTreeMap, fmt, ops::RangeInclusive};

use aws_lc_rs::hmac;
use zeroize::Zeroizing;

/// Every pepper by its version. A hash of version n is HMAC(pₙ, … HMAC(p₁, secret)): an old hash is
/// brought up to date without the secret.
pub struct Peppers(BTreeMap<u32, Zeroizing<Vec<u8>>>);

impl Peppers {
    /// Reads the value of the Secrets Manager secret: a JSON object of version (1, 2, … without a
    /// gap) to pepper, each of at least 32 bytes.
    ///
    /// # Errors
    /// One sentence that never shows the value.
    pub fn parse(value: &str) -> Result<Self, &'static str> {
        const EXPECTED: &str = "the pepper secret is not a JSON object of versions 1, 2, … to \
                                texts of at least 32 bytes";
        let read: BTreeMap<u32, String> = serde_json::from_str(value).map_err(|_| EXPECTED)?;
        let peppers: BTreeMap<_, _> = read
            .into_iter()
            .map(|(version, text)| (version, Zeroizing::new(text.into_bytes())))
            .collect();
        let gapless = peppers
            .keys()
            .copied()
            .eq(1..=u32::try_from(peppers.len()).map_err(|_| EXPECTED)?);
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

    /// The hash of `secret` under the first `version` peppers; nothing when there is no such
    /// version.
    pub(crate) fn hash(&self, version: u32, secret: &[u8]) -> Option<[u8; 32]> {
        if version == 0 || version > self.current() {
            return None;
        }
        self.nest(1..=version, secret)
    }

    /// A hash under `version` as it is under the newest pepper, made without the secret; nothing
    /// when there is no such version.
    pub(crate) fn bring_up_to_date(&self, version: u32, digest: &[u8; 32]) -> Option<[u8; 32]> {
        if version == 0 || version > self.current() {
            return None;
        }
        self.nest(version + 1..=self.current(), digest)
    }

    fn nest(&self, versions: RangeInclusive<u32>, innermost: &[u8]) -> Option<[u8; 32]> {
        let mut digest = Zeroizing::new(innermost.to_vec());
        for pepper in versions.filter_map(|version| self.0.get(&version)) {
            let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, pepper), &digest);
            digest = Zeroizing::new(tag.as_ref().to_vec());
        }
        digest.as_slice().try_into().ok()
    }

    /// The value of the Secrets Manager secret with one more pepper, and its version.
    ///
    /// # Errors
    /// One sentence that never shows the value: the new pepper is too short, or there are as many
    /// versions as there can be.
    pub fn with_another(&self, pepper: &str) -> Result<(u32, Zeroizing<String>), &'static str> {
        let version = self
            .current()
            .checked_add(1)
            .ok_or("there are as many versions as there can be")?;
        // A pepper is read from a JSON text, so that it is one.
        let mut texts = BTreeMap::new();
        for (version, pepper) in &self.0 {
            texts.insert(
                *version,
                std::str::from_utf8(pepper).map_err(|_| "a pepper is not a text")?,
            );
        }
        texts.insert(version, pepper);
        let value = serde_json::to_string(&texts)
            .map(Zeroizing::new)
            .map_err(|_| "the peppers cannot be written")?;
        Self::parse(&value).map(|_| (version, value))
    }

    /// Whether these peppers have all that the others have, and one more.
    #[must_use]
    pub fn is_with_another(&self, others: &Self) -> bool {
        self.0.len() == others.0.len() + 1
            && others
                .0
                .iter()
                .all(|(version, pepper)| self.0.get(version) == Some(pepper))
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
        for value in [
            "",
            "{}",
            "[]",
            &format!(r#"{{"2":"{long}"}}"#),
            r#"{"1":"short"}"#,
            &format!(r#"{{"1":"{long}","3":"{long}"}}"#),
        ] {
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
        assert_eq!(
            peppers.bring_up_to_date(1, &first),
            peppers.hash(2, b"secret")
        );
        let second = peppers.hash(2, b"secret").unwrap();
        assert_eq!(
            peppers.bring_up_to_date(2, &second),
            Some(second),
            "it is up to date"
        );
        assert_eq!(
            (
                peppers.bring_up_to_date(3, &second),
                peppers.bring_up_to_date(0, &second)
            ),
            (None, None)
        );
        assert_eq!(peppers.hash(3, b"secret"), None);
        assert_eq!(peppers.hash(0, b"secret"), None);
    }

    #[test]
    fn another_pepper_comes_beside_those_that_are_there() {
        let one = Peppers::parse(&format!(r#"{{"1":"{}"}}"#, "1".repeat(32))).unwrap();
        let (version, value) = one.with_another(&"2".repeat(64)).unwrap();
        let two = Peppers::parse(&value).unwrap();
        assert_eq!((version, two.current()), (2, 2));
        assert!(
            two.is_with_another(&one) && !one.is_with_another(&two) && !two.is_with_another(&two)
        );
        assert_eq!(one.hash(1, b"secret"), two.hash(1, b"secret"));
        let other = Peppers::parse(&format!(
            r#"{{"1":"{}","2":"{}"}}"#,
            "3".repeat(32),
            "2".repeat(64)
        ))
        .unwrap();
        assert!(!other.is_with_another(&one), "it has another first pepper");
        assert!(one.with_another("short").is_err());
    }
}
