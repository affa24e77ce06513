//! The operator's tools, for a deployed or a local stack: onboarding and decisions, signing keys,
//! peppers, and the doctor. They link no function.

pub mod doctor;
pub mod peppers;
pub mod signing_keys;
pub mod tenants;
