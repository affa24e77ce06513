//! Who believes a token, in two steps: what never changes about it ([`Verifier::verify_signature`],
//! whose result may be cached while its key is trusted), and what depends on the reader and the
//! moment ([`Verified::check`], on every call).

use std::{collections::HashMap, fmt, time::Duration};

use domain::{feed::Rules, key_mode::KeyMode, time::Timestamp};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, errors::ErrorKind};

use crate::{ALGORITHM, Claims, Jwk, MAX_TOKEN, NotAKey, header::Header, members::Members};

/// How far the issuer's clock may be ahead of the reader's: `nbf` and `iat` may lie this much in
/// the future. `exp` has no such allowance: a token dies when it says so.
pub const CLOCK_SKEW: Duration = Duration::from_secs(5);

/// Why a token is not believed. For the log line; callers answer all of them with the same 401.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VerificationError {
    /// Longer than [`MAX_TOKEN`]; not parsed.
    TooLong,
    /// Not three base64url parts with a JSON header.
    Malformed,
    /// The header's `typ` is not `at+jwt` (RFC 9068 §4): an ID token, say.
    WrongType,
    /// The header has `crit`; no extension is understood (RFC 7515 §4.1.11).
    Critical,
    /// The header says that the payload is not what a JWS of claims has: `b64` is false (RFC 7797
    /// §7), or it has `zip`, `enc` or a nested token's `cty`.
    OtherPayload,
    /// The header has no `kid`.
    NoKeyId,
    /// The `kid` is none that is trusted. It may have been published since.
    UnknownKey,
    /// The header's `alg` is not the one of the key.
    WrongAlgorithm,
    /// The signature is not that of the key.
    BadSignature,
    /// The signature holds and the claims do not read as those of an access token.
    BadClaims,
    /// The header repeats a claim and says something else (RFC 7519 §5.3).
    HeaderContradictsClaims,
    /// The signing key is that of the other kind.
    KeyOfOtherKind,
    /// Another issuer's.
    WrongIssuer,
    /// Of a kind that this reader does not accept.
    WrongKind,
    /// For another audience.
    WrongAudience,
    /// At or past `exp`.
    Expired,
    /// Lives longer than any token may.
    TooLongLived,
    /// Before `nbf` or `iat`, by more than [`CLOCK_SKEW`].
    NotYetValid,
}

impl VerificationError {
    /// A word for the log.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::TooLong => "token_too_long",
            Self::Malformed => "token_malformed",
            Self::WrongType => "token_wrong_type",
            Self::Critical => "token_critical_header",
            Self::OtherPayload => "token_other_payload",
            Self::NoKeyId => "token_without_key_id",
            Self::UnknownKey => "token_key_unknown",
            Self::WrongAlgorithm => "token_wrong_algorithm",
            Self::BadSignature => "token_bad_signature",
            Self::BadClaims => "token_bad_claims",
            Self::HeaderContradictsClaims => "token_header_contradicts_claims",
            Self::KeyOfOtherKind => "token_key_of_other_kind",
            Self::WrongIssuer => "token_wrong_issuer",
            Self::WrongKind => "token_wrong_kind",
            Self::WrongAudience => "token_wrong_audience",
            Self::Expired => "token_expired",
            Self::TooLongLived => "token_too_long_lived",
            Self::NotYetValid => "token_not_yet_valid",
        }
    }
}

impl fmt::Display for VerificationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a reader accepts: one issuer, and the audience of each kind that it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    issuer: String,
    sandbox: Option<String>,
    live: Option<String>,
}

impl Expected {
    /// Accepts nothing yet.
    #[must_use]
    pub fn of_issuer(issuer: impl Into<String>) -> Self {
        Self {
            issuer: issuer.into(),
            sandbox: None,
            live: None,
        }
    }

    /// Also accepts tokens of this kind, for this audience.
    #[must_use]
    pub fn accepting(mut self, kind: KeyMode, audience: impl Into<String>) -> Self {
        let slot = match kind {
            KeyMode::Sandbox => &mut self.sandbox,
            KeyMode::Live => &mut self.live,
        };
        *slot = Some(audience.into());
        self
    }

    /// The audience of tokens of this kind, if they are accepted.
    #[must_use]
    pub fn audience(&self, kind: KeyMode) -> Option<&str> {
        match kind {
            KeyMode::Sandbox => self.sandbox.as_deref(),
            KeyMode::Live => self.live.as_deref(),
        }
    }

    /// The kinds that are accepted.
    pub fn kinds(&self) -> impl Iterator<Item = KeyMode> {
        KeyMode::ALL
            .into_iter()
            .filter(|kind| self.audience(*kind).is_some())
    }
}

/// Claims under a signature that holds. Says nothing yet of issuer, audience and time: see
/// [`Verified::check`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    claims: Claims,
    kid: String,
}

impl Verified {
    /// What the token says.
    #[must_use]
    pub const fn claims(&self) -> &Claims {
        &self.claims
    }

    /// Whether this reader takes it at this moment: issuer, kind, audience, `exp`, `nbf`, `iat`, in
    /// this order.
    ///
    /// # Errors
    /// The first that does not hold.
    pub fn check(&self, expected: &Expected, now: Timestamp) -> Result<(), VerificationError> {
        let claims = &self.claims;
        if claims.iss != expected.issuer {
            return Err(VerificationError::WrongIssuer);
        }
        let audience = expected
            .audience(claims.env)
            .ok_or(VerificationError::WrongKind)?;
        if claims.aud != audience {
            return Err(VerificationError::WrongAudience);
        }
        if now >= claims.exp {
            return Err(VerificationError::Expired);
        }
        // What the revocation feed forgets rests on this (domain::feed::Rules): a longer token
        // could outlive its revocation.
        if claims.exp > claims.iat + Rules::STANDARD.longest_token {
            return Err(VerificationError::TooLongLived);
        }
        if now + CLOCK_SKEW < claims.nbf.max(claims.iat) {
            return Err(VerificationError::NotYetValid);
        }
        Ok(())
    }
}

/// The trusted keys, each of one kind.
#[derive(Clone, Default)]
pub struct Verifier(HashMap<String, Trusted>);

#[derive(Clone)]
struct Trusted {
    kind: KeyMode,
    key: DecodingKey,
}

impl Verifier {
    /// Trusts these keys, each for tokens of its kind alone.
    ///
    /// # Errors
    /// When one key is to be trusted for both kinds: a token of one could pass as the other's.
    pub fn new(keys: impl IntoIterator<Item = (KeyMode, Jwk)>) -> Result<Self, NotAKey> {
        let mut trusted = HashMap::new();
        for (kind, jwk) in keys {
            let (x, y) = jwk.coordinates();
            let key = DecodingKey::from_ec_components(x, y).map_err(|_| NotAKey::UNREADABLE)?;
            let before = trusted.insert(jwk.kid().to_owned(), Trusted { kind, key });
            if before.is_some_and(|before| before.kind != kind) {
                return Err(NotAKey::OF_BOTH_KINDS);
            }
        }
        Ok(Self(trusted))
    }

    /// Believes a token's header and signature, and reads its claims.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn verify_signature(&self, token: &str) -> Result<Verified, VerificationError> {
        if token.len() > MAX_TOKEN {
            return Err(VerificationError::TooLong);
        }
        let header = Header::read(token)?;
        let kid = header.check()?;
        let trusted = self.0.get(kid).ok_or(VerificationError::UnknownKey)?;
        if header.algorithm() != Some(ALGORITHM) {
            return Err(VerificationError::WrongAlgorithm);
        }
        let decoded = jsonwebtoken::decode::<Members>(token, &trusted.key, &signature_alone());
        let claims = decoded
            .map_err(|error| verification_error(error.kind()))?
            .claims;
        if header.contradicts(&claims) {
            return Err(VerificationError::HeaderContradictsClaims);
        }
        let claims: Claims = claims.read().map_err(|_| VerificationError::BadClaims)?;
        if claims.env == trusted.kind {
            Ok(Verified {
                claims,
                kid: kid.to_owned(),
            })
        } else {
            Err(VerificationError::KeyOfOtherKind)
        }
    }

    /// Whether no key is trusted at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the key that signed it is still trusted: asked of everything that comes out of a
    /// cache, so that a retired key takes its tokens with it.
    #[must_use]
    pub fn trusts(&self, verified: &Verified) -> bool {
        self.0
            .get(&verified.kid)
            .is_some_and(|trusted| trusted.kind == verified.claims.env)
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// `jsonwebtoken` checks the signature by the algorithm of our keys, and no claim: its clock is the
/// ambient one, and its checks pass over a claim that is absent. [`Claims`] requires all of them
/// and [`Verified::check`] compares them.
fn signature_alone() -> Validation {
    let mut validation = Validation::new(Algorithm::ES256);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    validation
}

fn verification_error(error: &ErrorKind) -> VerificationError {
    match error {
        ErrorKind::InvalidSignature => VerificationError::BadSignature,
        ErrorKind::InvalidAlgorithm => VerificationError::WrongAlgorithm,
        // The header has been read: what is left are the claims.
        ErrorKind::Json(_) => VerificationError::BadClaims,
        _ => VerificationError::Malformed,
    }
}
