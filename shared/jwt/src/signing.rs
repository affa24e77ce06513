//! Around a KMS `Sign`: what is signed, and how the signature joins it.
//!
//! `jsonwebtoken` signs only with keys in this process, so the compact form (RFC 7515 §7.1) is put
//! together by hand.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use p256::ecdsa::Signature;
use serde::Serialize;

use crate::{ALGORITHM, Claims, MAX_TOKEN, TYPE};

/// Characters that a signature adds: a full stop and 64 bytes in base64url.
const SIGNATURE: usize = 1 + 86;

/// A token cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SigningError {
    /// It would be longer than [`MAX_TOKEN`].
    TooLong,
    /// What KMS answered is no ECDSA signature over P-256 in DER.
    BadSignature,
    /// The claims cannot be written as JSON.
    Unwritable,
}

impl fmt::Display for SigningError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "the token would be longer than 4096 bytes",
            Self::BadSignature => "the signature is no P-256 signature in DER",
            Self::Unwritable => "the claims cannot be written as JSON",
        })
    }
}

impl std::error::Error for SigningError {}

#[derive(Serialize)]
struct Header<'a> {
    typ: &'static str,
    alg: &'static str,
    kid: &'a str,
}

/// The signing input: its SHA-256 digest is what KMS signs (`ECDSA_SHA_256`, message type
/// `DIGEST`).
///
/// # Errors
/// [`SigningError::TooLong`] before the call to KMS is paid for.
pub fn unsigned(kid: &str, claims: &Claims) -> Result<String, SigningError> {
    let header = part(&Header {
        typ: TYPE,
        alg: ALGORITHM,
        kid,
    })?;
    let unsigned = format!("{header}.{}", part(claims)?);
    if unsigned.len() + SIGNATURE > MAX_TOKEN {
        Err(SigningError::TooLong)
    } else {
        Ok(unsigned)
    }
}

/// The token: the signing input with the signature that KMS made of it. KMS answers DER, a JWS has
/// R‖S (RFC 7518 §3.4).
///
/// # Errors
/// [`SigningError::BadSignature`], or [`SigningError::TooLong`].
pub fn assemble(unsigned: String, der_signature: &[u8]) -> Result<String, SigningError> {
    let signature = Signature::from_der(der_signature).map_err(|_| SigningError::BadSignature)?;
    let mut token = unsigned;
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature.to_bytes(), &mut token);
    if token.len() > MAX_TOKEN {
        Err(SigningError::TooLong)
    } else {
        Ok(token)
    }
}

fn part(value: &impl Serialize) -> Result<String, SigningError> {
    serde_json::to_vec(value)
        .map(|json| URL_SAFE_NO_PAD.encode(json))
        .map_err(|_| SigningError::Unwritable)
}
