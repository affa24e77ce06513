//! The header of a token (RFC 7515 §4), as far as it is ours to check. What it may say more changes
//! nothing: a key that it names or holds is not trusted, and what it repeats of the claims must be
//! what they say.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;

use crate::{TYPE, VerificationError, members::Members};

/// The claims that a header may repeat (RFC 7519 §5.3).
const REPEATABLE: [&str; 3] = ["iss", "sub", "aud"];

/// The members of a token's header.
pub(crate) struct Header(Members);

impl Header {
    pub(crate) fn read(token: &str) -> Result<Self, VerificationError> {
        let parts: Vec<&str> = token.split('.').collect();
        let [header, _, _] = parts.as_slice() else {
            return Err(VerificationError::Malformed);
        };
        let json = URL_SAFE_NO_PAD
            .decode(header)
            .map_err(|_| VerificationError::Malformed)?;
        let header = Self(serde_json::from_slice(&json).map_err(|_| VerificationError::Malformed)?);
        // Without an algorithm it is no JWS (RFC 7515 §4.1.1).
        header.text("alg")?.ok_or(VerificationError::Malformed)?;
        Ok(header)
    }

    pub(crate) fn algorithm(&self) -> Option<&str> {
        self.0.get("alg").and_then(Value::as_str)
    }

    /// The `kid`, if everything that does not depend on the key holds.
    pub(crate) fn check(&self) -> Result<&str, VerificationError> {
        if !is_type_of_access_tokens(self.text("typ")?.unwrap_or_default()) {
            return Err(VerificationError::WrongType);
        }
        if self.0.get("crit").is_some() {
            return Err(VerificationError::Critical);
        }
        self.require_payload_of_claims()?;
        self.text("kid")?.ok_or(VerificationError::NoKeyId)
    }

    /// These members say how the payload is to be read. Whoever passes over them reads another one
    /// than was meant, so they are refused also where `crit` does not name them.
    fn require_payload_of_claims(&self) -> Result<(), VerificationError> {
        // RFC 7797 §6: `false` must stand in `crit`, and no JWT has it (§7). `true` is the default.
        match self.0.get("b64") {
            None | Some(Value::Bool(true)) => {}
            Some(Value::Bool(false)) => return Err(VerificationError::OtherPayload),
            Some(_) => return Err(VerificationError::Malformed),
        }
        // RFC 7516 §4.1.3 and §9: encrypted, and compressed before that.
        if ["zip", "enc"].iter().any(|name| self.0.get(name).is_some()) {
            return Err(VerificationError::OtherPayload);
        }
        // RFC 7519 §5.2: another token in the place of claims.
        let content_type = self.text("cty")?.unwrap_or_default();
        if without_application(content_type).eq_ignore_ascii_case("jwt") {
            return Err(VerificationError::OtherPayload);
        }
        Ok(())
    }

    /// Whether it repeats a claim and says something else.
    pub(crate) fn contradicts(&self, claims: &Members) -> bool {
        REPEATABLE.iter().any(|name| {
            let repeated = self.0.get(name);
            repeated.is_some() && repeated != claims.get(name)
        })
    }

    /// A member that is a text where it is there.
    fn text(&self, name: &str) -> Result<Option<&str>, VerificationError> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(VerificationError::Malformed),
        }
    }
}

fn is_type_of_access_tokens(typ: &str) -> bool {
    // RFC 9068 §4.
    without_application(typ).eq_ignore_ascii_case(TYPE)
}

/// RFC 7515 §4.1.9: media types compare without case, and `application/` may be left out.
fn without_application(media_type: &str) -> &str {
    media_type
        .get(.."application/".len())
        .filter(|prefix| prefix.eq_ignore_ascii_case("application/"))
        .map_or(media_type, |prefix| &media_type[prefix.len()..])
}
