//! Tokens whose signature was verified, so that it is verified once
//! (docs/requirements.md, The hot path).

use std::sync::Arc;

use domain::time::Timestamp;
use jwt::{VerificationError, Verified, Verifier};

use crate::{
    bearer::Bearer,
    memory::{Digest, Memory},
};

/// Verified claims by the digest of their token.
///
/// It remembers that a signature held, and nothing else: expiry, audience, trust in the signing
/// key, revocation, address and route are evaluated on each call.
#[derive(Debug, Default)]
pub struct VerifiedTokens(Memory<Verified>);

impl VerifiedTokens {
    /// The claims of a token: as they were found before, while the key that signed it is trusted,
    /// or else by its signature.
    pub(crate) fn verify(
        &self,
        token: &Bearer,
        keys: &Verifier,
        now: Timestamp,
    ) -> Result<Arc<Verified>, VerificationError> {
        let digest = Digest::of(token.expose());
        if let Some(verified) = self.0.get(&digest, |verified| {
            verified.claims().exp > now && keys.trusts(verified)
        }) {
            return Ok(verified);
        }
        let verified = Arc::new(keys.verify_signature(token.expose())?);
        if verified.claims().exp > now {
            self.0.put(digest, &verified);
        }
        Ok(verified)
    }
}
