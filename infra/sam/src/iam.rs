//! AWS's rules for who may do what, pure: policy documents in, a decision about one request out.
//!
//! The embedded services ask this before they act for a function, so that a permission that the
//! template lacks is missed on a laptop. What of a document is not understood is refused when the
//! document is read, never passed over: an element, an operator or a condition key that were
//! ignored here would seem to protect.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html>

mod condition;
mod decision;
mod error;
mod pattern;
mod permission;
mod policy;
mod principal;
mod request;
#[cfg(test)]
mod tests;

pub use self::{
    decision::{AccessDenied, Resource, decide},
    error::PolicyError,
    permission::Permission,
    policy::Policy,
    principal::Principal,
    request::{Context, Request},
};
