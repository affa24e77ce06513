//! Secrets: their format, their hash, their check (docs/requirements.md, Secret format; LEAK-1).

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::{
    base62,
    ids::{ClientId, SecretId},
    key_mode::KeyMode,
    pepper::Peppers,
    time::Timestamp,
};

/// A secret in the clear: `<brand>_<live|test>_<client id, 22><random, 43><checksum, 6>`. It cannot
/// be printed, compared, cloned or serialised, and its memory is zeroed when it goes.
pub struct PlainSecret {
    text: Zeroizing<String>,
    client_id: ClientId,
    kind: KeyMode,
}

const RANDOM: usize = 43;
const CHECKSUM: usize = 6;

impl PlainSecret {
    /// Makes the secret of a key from 256 random bits.
    #[must_use]
    pub fn mint(
        brand: &Brand,
        kind: KeyMode,
        client_id: ClientId,
        random: &Zeroizing<[u8; 32]>,
    ) -> Self {
        let mut text = Zeroizing::new(format!("{}_{}_{client_id}", brand.0, kind.secret_tag()));
        push(&mut text, base62::encode::<RANDOM>(random.as_slice()));
        let checksum = checksum(&text);
        push(&mut text, checksum);
        Self {
            text,
            client_id,
            kind,
        }
    }

    /// Reads a presented secret: brand, kind, alphabet, length and checksum, before anything is
    /// looked up.
    ///
    /// # Errors
    /// Nothing but that it is not one: the text is never repeated.
    pub fn parse(brand: &Brand, text: &str) -> Result<Self, NotASecret> {
        let (kind, rest) = KeyMode::ALL
            .into_iter()
            .find_map(|kind| {
                Some((
                    kind,
                    text.strip_prefix(brand.0.as_str())?
                        .strip_prefix('_')?
                        .strip_prefix(kind.secret_tag())?
                        .strip_prefix('_')?,
                ))
            })
            .ok_or(NotASecret)?;
        if rest.len() != ClientId::LENGTH + RANDOM + CHECKSUM || !rest.is_ascii() {
            return Err(NotASecret);
        }
        let (body, sum) = text.split_at(text.len() - CHECKSUM);
        let random = &rest[ClientId::LENGTH..ClientId::LENGTH + RANDOM];
        if checksum(body).is_none_or(|expected| expected != sum.as_bytes())
            || base62::decode::<32>(random.as_bytes()).is_none()
        {
            return Err(NotASecret);
        }
        let client_id = rest[..ClientId::LENGTH].parse().map_err(|_| NotASecret)?;
        Ok(Self {
            text: Zeroizing::new(text.to_owned()),
            client_id,
            kind,
        })
    }

    /// The key that it says it belongs to.
    #[must_use]
    pub const fn client_id(&self) -> ClientId {
        self.client_id
    }

    /// The kind that it says it has.
    #[must_use]
    pub const fn kind(&self) -> KeyMode {
        self.kind
    }

    /// The keyed hash under the newest pepper: the only form that is ever stored.
    ///
    /// # Errors
    /// When there is no pepper at all.
    pub fn hash(&self, peppers: &Peppers) -> Result<SecretHash, NoSuchPepper> {
        let pepper_version = peppers.current();
        let digest = peppers
            .hash(pepper_version, self.text.as_bytes())
            .ok_or(NoSuchPepper)?;
        Ok(SecretHash {
            digest: Digest(digest),
            pepper_version,
        })
    }

    /// Shows the text, once: to the person who asked for it, in the answer that made it (CYB-2).
    #[must_use]
    pub fn expose(self) -> Zeroizing<String> {
        self.text
    }
}

/// The random digits and the checksum always fit their widths; were that ever wrong, the secret
/// would come out short and match nothing.
fn push<const WIDTH: usize>(text: &mut String, digits: Option<[u8; WIDTH]>) {
    text.extend(digits.into_iter().flatten().map(char::from));
}

fn checksum(body: &str) -> Option<[u8; CHECKSUM]> {
    base62::encode(&crc32fast::hash(body.as_bytes()).to_be_bytes())
}

/// Whether a secret of any deployment may stand in `text`: what is kept or shown must not hold one
/// (LEAK-1).
#[must_use]
pub(crate) fn looks_like_one(text: &str) -> bool {
    KeyMode::ALL.into_iter().any(|kind| {
        text.split(&format!("_{}_", kind.secret_tag()))
            .skip(1)
            .any(|rest| rest.bytes().take_while(u8::is_ascii_alphanumeric).count() >= RANDOM)
    })
}

/// A presented text is not a secret of this deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotASecret;

/// A hash names a pepper version that Secrets Manager does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoSuchPepper;

impl fmt::Display for NoSuchPepper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a secret's hash names a pepper version that the pepper secret does not have")
    }
}

impl std::error::Error for NoSuchPepper {}

/// The word that begins every secret of a deployment, so that a scanner recognises them: 2 to 12
/// lower-case letters.
#[derive(Clone, Debug)]
pub struct Brand(String);

impl Brand {
    /// # Errors
    /// One sentence that says what is expected.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if (2..=12).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_lowercase()) {
            Ok(Self(text.to_owned()))
        } else {
            Err("must be 2 to 12 lower-case letters")
        }
    }

    /// The regular expression by which a secret scanner finds this deployment's secrets.
    #[must_use]
    pub fn pattern(&self) -> String {
        format!(
            r"\b{}_(?:live|test)_[0-9A-Za-z]{{{}}}\b",
            self.0,
            ClientId::LENGTH + RANDOM + CHECKSUM
        )
    }
}

/// A keyed hash as it is stored, with the version of the newest pepper in it.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretHash {
    digest: Digest,
    pepper_version: u32,
}

impl SecretHash {
    /// Whether `presented` is the secret that was hashed; in constant time.
    ///
    /// # Errors
    /// When the pepper of this hash is missing: an outage, not a wrong secret.
    pub fn matches(
        &self,
        presented: &PlainSecret,
        peppers: &Peppers,
    ) -> Result<bool, NoSuchPepper> {
        let digest = peppers
            .hash(self.pepper_version, presented.text.as_bytes())
            .ok_or(NoSuchPepper)?;
        Ok(digest.ct_eq(&self.digest.0).into())
    }

    /// The version of the newest pepper in it.
    #[must_use]
    pub const fn pepper_version(&self) -> u32 {
        self.pepper_version
    }

    /// The same secret's hash under the newest pepper, made without the secret.
    ///
    /// # Errors
    /// When the pepper of this hash is missing.
    pub fn brought_up_to_date(&self, peppers: &Peppers) -> Result<Self, NoSuchPepper> {
        let digest = peppers
            .bring_up_to_date(self.pepper_version, &self.digest.0)
            .ok_or(NoSuchPepper)?;
        Ok(Self {
            digest: Digest(digest),
            pepper_version: peppers.current(),
        })
    }

    /// A hash that nothing matches, for the client that does not exist: checking it costs what
    /// checking a real one does.
    #[must_use]
    pub fn decoy(peppers: &Peppers) -> Self {
        Self {
            digest: Digest([0; 32]),
            pepper_version: peppers.current(),
        }
    }
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretHash(pepper {})", self.pepper_version)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Digest([u8; 32]);

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl serde::de::Visitor<'_> for Bytes {
            type Value = Digest;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("32 bytes")
            }

            fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Digest, E> {
                bytes
                    .try_into()
                    .map(Digest)
                    .map_err(|_| E::custom("a hash is not of 32 bytes"))
            }
        }
        deserializer
            .deserialize_bytes(Bytes)
            .map_err(D::Error::custom)
    }
}

/// One of a key's secrets as it is stored. Whether it works, and until when, stands in the key
/// (`key::Secrets`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secret {
    /// Named by the tokens that it obtains.
    pub id: SecretId,
    /// The keyed hash.
    pub hash: SecretHash,
    /// When it was made.
    pub created_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ids::Guid;

    fn peppers() -> Peppers {
        Peppers::parse(&format!(r#"{{"1":"{}"}}"#, "p".repeat(32))).unwrap()
    }

    fn minted(seed: u8) -> PlainSecret {
        PlainSecret::mint(
            &Brand::parse("lk").unwrap(),
            KeyMode::Live,
            ClientId::of(Guid::from_bytes([7; 16])),
            &Zeroizing::new([seed; 32]),
        )
    }

    #[test]
    fn has_the_published_format() {
        let text = minted(255).expose();
        assert_eq!(text.len(), "lk_live_".len() + 22 + 43 + 6);
        assert!(text.starts_with("lk_live_"));
        assert!(Brand::parse("lk").unwrap().pattern().contains("{71}"));
    }

    #[test]
    fn only_the_same_secret_matches() {
        let peppers = peppers();
        let hash = minted(1).hash(&peppers).unwrap();
        assert_eq!(hash.matches(&minted(1), &peppers), Ok(true));
        assert_eq!(hash.matches(&minted(2), &peppers), Ok(false));
        assert_eq!(
            SecretHash::decoy(&peppers).matches(&minted(1), &peppers),
            Ok(false)
        );
    }

    proptest! {
        #[test]
        fn a_mistyped_secret_is_refused_before_any_read(
            seed: u8,
            at in 0_usize..79,
            with in "[0-9A-Za-z_]",
        ) {
            let brand = Brand::parse("lk").unwrap();
            let text = minted(seed).expose();
            prop_assert!(PlainSecret::parse(&brand, &text).is_ok());
            let mut typo = text.to_string();
            typo.replace_range(at..=at, &with);
            prop_assert_eq!(PlainSecret::parse(&brand, &typo).is_ok(), typo == text.as_str());
        }

        #[test]
        fn any_text_is_refused_without_a_panic(text: String) {
            prop_assert!(PlainSecret::parse(&Brand::parse("lk").unwrap(), &text).is_err());
        }
    }
}
