//! Public keys as they are published (RFC 7517) and trusted.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use p256::{PublicKey, elliptic_curve::sec1::ToSec1Point, pkcs8::DecodePublicKey};
use serde::{Deserialize, Serialize};

use crate::ALGORITHM;

/// A P-256 public key for ES256. It cannot exist with a point off the curve, for another algorithm
/// or use, or under a `kid` that is not its RFC 7638 thumbprint: a table row that says otherwise is
/// refused, never trusted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Jwk {
    x: String,
    y: String,
    kid: String,
}

/// Something is no P-256 signing key. Says which part is wrong, never what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAKey(&'static str);

impl NotAKey {
    pub(crate) const UNREADABLE: Self = Self("the verifier cannot read it");
    pub(crate) const OF_BOTH_KINDS: Self = Self("it is published for sandbox and for live");
}

impl fmt::Display for NotAKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not an ES256 public key: {}", self.0)
    }
}

impl std::error::Error for NotAKey {}

impl Jwk {
    /// Reads a DER `SubjectPublicKeyInfo`, as KMS `GetPublicKey` answers it.
    ///
    /// # Errors
    /// When it is no P-256 public key.
    pub fn from_spki(der: &[u8]) -> Result<Self, NotAKey> {
        let key = PublicKey::from_public_key_der(der)
            .map_err(|_| NotAKey("the DER is no P-256 SubjectPublicKeyInfo"))?;
        Self::of(&key)
    }

    /// The key's name: its RFC 7638 thumbprint.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The coordinates, base64url, for the verifier.
    pub(crate) fn coordinates(&self) -> (&str, &str) {
        (&self.x, &self.y)
    }

    fn of(key: &PublicKey) -> Result<Self, NotAKey> {
        let point = key.to_sec1_point(false);
        // Uncompressed: 0x04, then both coordinates (SEC 1 §2.3.3).
        let [4, coordinates @ ..] = point.as_bytes() else {
            return Err(NotAKey("the point is not uncompressed"));
        };
        let (x, y) = coordinates.split_at(coordinates.len() / 2);
        let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
        // RFC 7638 §3: the required members alone, in the order of their names, without white
        // space.
        let thumbprint = digest(
            &SHA256,
            format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#).as_bytes(),
        );
        Ok(Self {
            x,
            y,
            kid: URL_SAFE_NO_PAD.encode(thumbprint),
        })
    }
}

#[derive(Serialize, Deserialize)]
struct Written {
    kty: String,
    crv: String,
    x: String,
    y: String,
    kid: String,
    #[serde(rename = "use")]
    usage: String,
    alg: String,
}

impl From<Jwk> for Written {
    fn from(Jwk { x, y, kid }: Jwk) -> Self {
        Self {
            kty: "EC".into(),
            crv: "P-256".into(),
            x,
            y,
            kid,
            usage: "sig".into(),
            alg: ALGORITHM.into(),
        }
    }
}

impl TryFrom<Written> for Jwk {
    type Error = NotAKey;

    fn try_from(written: Written) -> Result<Self, NotAKey> {
        if written.kty != "EC" || written.crv != "P-256" {
            return Err(NotAKey("kty and crv are not EC and P-256"));
        }
        if written.alg != ALGORITHM || written.usage != "sig" {
            return Err(NotAKey("alg and use are not ES256 and sig"));
        }
        let mut point = vec![4];
        for coordinate in [&written.x, &written.y] {
            let bytes = URL_SAFE_NO_PAD
                .decode(coordinate)
                .map_err(|_| NotAKey("a coordinate is not base64url"))?;
            if bytes.len() != 32 {
                return Err(NotAKey("a coordinate is not of 32 bytes"));
            }
            point.extend(bytes);
        }
        let key = PublicKey::from_sec1_bytes(&point)
            .map_err(|_| NotAKey("the point is not on the curve"))?;
        let key = Self::of(&key)?;
        if key.kid == written.kid {
            Ok(key)
        } else {
            Err(NotAKey("kid is not its thumbprint"))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The P-256 key of RFC 7517 §A.1; its thumbprint was computed apart from this code.
    const RFC_X: &str = "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4";
    const RFC_Y: &str = "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM";

    fn written() -> serde_json::Value {
        json!({"kty": "EC", "crv": "P-256", "x": RFC_X, "y": RFC_Y, "use": "sig", "alg": "ES256",
            "kid": "cn-I_WNMClehiVp51i_0VpOENW1upEerA8sEam5hn-s"})
    }

    #[test]
    fn a_published_key_reads_back_with_its_thumbprint_as_kid() {
        let key: Jwk = serde_json::from_value(written()).unwrap();
        assert_eq!(key.kid(), written()["kid"]);
        assert_eq!(serde_json::to_value(&key).unwrap(), written());
    }

    #[test]
    fn anything_but_an_es256_key_under_its_own_thumbprint_is_refused() {
        for (member, value) in [
            ("kty", "oct"),
            ("crv", "P-384"),
            ("alg", "HS256"),
            ("use", "enc"),
            ("kid", "another"),
            ("x", RFC_Y),
            ("y", "AAAA"),
            ("y", "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM="),
        ] {
            let mut key = written();
            key[member] = value.into();
            assert!(
                serde_json::from_value::<Jwk>(key).is_err(),
                "{member} {value}"
            );
        }
        for member in ["kty", "crv", "x", "y", "kid", "use", "alg"] {
            let mut key = written();
            key.as_object_mut().unwrap().remove(member);
            assert!(
                serde_json::from_value::<Jwk>(key).is_err(),
                "without {member}"
            );
        }
    }

    #[test]
    fn what_is_no_p256_key_in_der_is_refused() {
        for der in [&[][..], &[0x30, 0x00], b"-----BEGIN PUBLIC KEY-----"] {
            assert!(Jwk::from_spki(der).is_err());
        }
    }
}
