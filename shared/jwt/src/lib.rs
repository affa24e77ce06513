//! Access tokens (RFC 9068): what they say, how a KMS signature becomes part of one, and who
//! believes them.
//!
//! Three parts, so that each function takes only what it needs: [`unsigned`] and [`assemble`]
//! around a KMS `Sign` (the `tokens` function alone can make that call), [`Jwk`] for what is
//! published, [`Verifier`] for what is presented. Nothing here knows AWS, waits, or reads a clock.

mod claims;
mod header;
mod jwk;
mod members;
mod signing;
mod verifier;

#[cfg(test)]
mod tests;

pub use self::{
    claims::Claims,
    jwk::{Jwk, NotAKey},
    signing::{SigningError, assemble, unsigned},
    verifier::{CLOCK_SKEW, Expected, VerificationError, Verified, Verifier},
};

/// Bytes a token may have (docs/requirements.md, Tokens). What is longer is refused before it is
/// parsed, and never issued.
pub const MAX_TOKEN: usize = 4096;

/// The `typ` of an access token (RFC 9068 §2.1), as it is written; the reader also takes the long
/// form.
const TYPE: &str = "at+jwt";

/// The one algorithm (RFC 7518 §3.4): ECDSA over P-256 with SHA-256, as KMS `ECC_NIST_P256` signs.
const ALGORITHM: &str = "ES256";
