//! `/api/incidents`: what is done when a credential has leaked (LEAK-8).

mod order;
mod radius;
pub(crate) mod revoke;
