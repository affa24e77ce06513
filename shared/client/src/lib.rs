//! A client of a Latchkey deployment: what the command line, the rotation function and the canary
//! speak to it with.
//!
//! It sends by the connector that the AWS SDK clients bring anyway: one TLS stack, one set of
//! roots. It repeats nothing by itself but a token request: who asked for a rotation and got no
//! answer must decide what that means.

mod answer;
mod deployment;
mod error;
mod session;

pub use self::{
    answer::Answer,
    deployment::{Deployment, sensitive},
    error::{Error, ErrorResponse},
    session::{Credential, Session},
};
