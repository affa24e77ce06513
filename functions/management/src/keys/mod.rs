//! `/api/keys`: every key, whatever its owner.

pub(crate) mod revoke;
