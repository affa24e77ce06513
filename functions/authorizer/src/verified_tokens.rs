//! Tokens whose signature was verified, so that it is verified once (architecture.md, the hot path).

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};

use aws_lc_rs::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use domain::time::Timestamp;
use jwt::{Refusal, Verified, Verifier};

use crate::bearer::Bearer;

/// Tokens that are remembered; the oldest go first. At 4 KB of claims each, some megabytes at most.
const CAPACITY: usize = 2_000;

type Digest = [u8; SHA256_OUTPUT_LEN];

/// Verified claims by the SHA-256 digest of their token; the token itself is not kept.
///
/// It remembers that a signature held, and nothing else: expiry, audience, the signing key's standing, revocation, address
/// and route are judged anew on each call.
#[derive(Debug, Default)]
pub(crate) struct VerifiedTokens(Mutex<Remembered>);

#[derive(Debug, Default)]
struct Remembered {
    by_digest: HashMap<Digest, Arc<Verified>>,
    /// In the order they came. A digest stays here until its turn, even if its token is gone.
    order: VecDeque<Digest>,
}

impl VerifiedTokens {
    /// The claims of a token: as they were found before, while the key that signed it is trusted, or else by its signature.
    pub(crate) fn verify(&self, token: &Bearer, keys: &Verifier, now: Timestamp) -> Result<Arc<Verified>, Refusal> {
        let digest = digest_of(token);
        if let Some(verified) = self.get(&digest, now).filter(|verified| keys.trusts(verified)) {
            return Ok(verified);
        }
        let verified = Arc::new(keys.verify_signature(token.expose())?);
        if verified.claims().exp > now {
            self.put(digest, &verified);
        }
        Ok(verified)
    }

    fn get(&self, digest: &Digest, now: Timestamp) -> Option<Arc<Verified>> {
        let mut remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let verified = Arc::clone(remembered.by_digest.get(digest)?);
        if verified.claims().exp > now {
            return Some(verified);
        }
        remembered.by_digest.remove(digest);
        None
    }

    fn put(&self, digest: Digest, verified: &Arc<Verified>) {
        let mut remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.by_digest.insert(digest, Arc::clone(verified)).is_none() {
            remembered.order.push_back(digest);
        }
        while remembered.order.len() > CAPACITY {
            if let Some(oldest) = remembered.order.pop_front() {
                remembered.by_digest.remove(&oldest);
            }
        }
    }
}

fn digest_of(token: &Bearer) -> Digest {
    let mut bytes = [0; SHA256_OUTPUT_LEN];
    bytes.copy_from_slice(digest(&SHA256, token.expose().as_bytes()).as_ref());
    bytes
}
