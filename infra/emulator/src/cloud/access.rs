//! Who may do what to the embedded services: each function has access keys of its own, and each of
//! its requests is held against the policies of its role, of the tables and secrets, and of the
//! keys that these are sealed under, all from the template.
//!
//! The account's root, which the operator's commands and the stack itself use, needs no policy of
//! its own. Key policies bind it as they do on AWS, and a Deny of a resource does too. Under
//! `cargo lambda watch` one environment serves all functions: for the access key that stands for
//! every function at once no policy is evaluated.
//!
//! Differs from AWS: there are no service control policies, permission boundaries, session
//! policies, grants or temporary credentials; nobody calls from another account; a changed policy
//! counts at once.

pub(super) mod api;
pub(super) mod authority;
mod calls;
mod dynamodb;
mod expressions;
pub(super) mod front;
mod lambda;
mod rules;
pub(super) mod signature;

pub use self::{
    authority::{AccessKey, Authority, EVERY_FUNCTION, Seen},
    rules::{Granted, Rules},
};
