//! Keys and aliases as they are kept.

use std::fmt;

use domain::time::Timestamp;
use p256::ecdsa::SigningKey;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::super::{
    aws_json::{AwsError, Blob},
    random,
};

/// The one algorithm of the one kind of signing key.
pub(super) const ALGORITHM: &str = "ECDSA_SHA_256";

/// A key as it is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Key {
    pub(super) material: Material,
    pub(super) description: String,
    pub(super) created: Timestamp,
    /// Whether it is said to rotate; nothing here does.
    #[serde(default)]
    pub(super) rotates: bool,
}

/// The kinds of keys there are.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Material {
    /// `ECC_NIST_P256` for `SIGN_VERIFY`.
    P256(PrivateKey),
    /// `SYMMETRIC_DEFAULT` for `ENCRYPT_DECRYPT`: AES-256. It can be made and named; no operation
    /// uses it yet.
    Symmetric(Blob),
}

impl Key {
    /// Its `KeySpec`.
    pub(crate) fn spec(&self) -> &'static str {
        match self.material {
            Material::P256(_) => "ECC_NIST_P256",
            Material::Symmetric(_) => "SYMMETRIC_DEFAULT",
        }
    }

    /// Has it said of it whether it rotates.
    pub(crate) const fn set_rotation(&mut self, rotates: bool) {
        self.rotates = rotates;
    }

    /// Its `KeyUsage`.
    pub(super) fn usage(&self) -> &'static str {
        match self.material {
            Material::P256(_) => "SIGN_VERIFY",
            Material::Symmetric(_) => "ENCRYPT_DECRYPT",
        }
    }

    /// What signs, if the key may.
    pub(super) fn signing(&self) -> Result<&SigningKey, AwsError> {
        match &self.material {
            Material::P256(private) => Ok(&private.0),
            Material::Symmetric(_) => {
                let message = "The key's usage is ENCRYPT_DECRYPT, which is not valid for signing.";
                Err(AwsError::new("InvalidKeyUsageException", message))
            }
        }
    }
}

/// A P-256 private key, on disk as the base64 of its scalar, never shown.
#[derive(Clone)]
pub(super) struct PrivateKey(pub(super) SigningKey);

impl PrivateKey {
    pub(super) fn generate() -> Result<Self, AwsError> {
        loop {
            // Fails, once in 2^32, for a number that is zero or not below the group's order: FIPS
            // 186-5 A.2.2 draws again.
            if let Ok(key) = SigningKey::from_slice(&random::bytes::<32>()?) {
                return Ok(Self(key));
            }
        }
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey")
    }
}

impl Serialize for PrivateKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Blob(self.0.to_bytes().to_vec()).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for PrivateKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Blob(scalar) = Blob::deserialize(deserializer)?;
        SigningKey::from_slice(&scalar)
            .map(Self)
            .map_err(|_| D::Error::custom("not a P-256 private key"))
    }
}

/// What an alias stands for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Alias {
    /// A key's id.
    pub(crate) target: String,
    pub(super) created: Timestamp,
}
