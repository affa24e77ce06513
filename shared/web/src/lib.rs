//! What HTTP functions need: the error dialects, strict extractors, the caller, idempotency keys,
//! the trusted proxy, the line of a refusal, the described parts of the published document, and the
//! Lambda adapter.

pub mod caller;
pub mod dialect;
pub mod extract;
pub mod idempotency;
pub mod lambda;
pub mod openapi;
pub mod proxy;
pub mod refusal;
pub mod request;
