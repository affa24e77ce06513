//! Secrets: minting them, matching presented ones against stored hashes, and the values in Secrets
//! Manager that this takes. The only crate of the platform that reads the peppers and the proofs of
//! the trusted proxy.

pub mod matching;
pub mod mint;
pub mod pepper;
pub mod proofs;

mod proof_secret;

pub use self::proof_secret::{Held, ProofSecret};
