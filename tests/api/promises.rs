//! What holds across routes: revocation, secrecy, tenancy, limits.

pub(crate) mod audit;
pub(crate) mod feed_at_scale;
pub(crate) mod feed_budget;
pub(crate) mod first_use;
pub(crate) mod flood;
pub(crate) mod invocation;
pub(crate) mod leak;
pub(crate) mod look_ups;
pub(crate) mod many_keys;
pub(crate) mod races;
pub(crate) mod rate_limits;
pub(crate) mod restored_backup;
pub(crate) mod revocation;
pub(crate) mod scope_catalogue;
pub(crate) mod secret_scanning;
pub(crate) mod segments;
pub(crate) mod stopped_keys;
pub(crate) mod tenancy;
pub(crate) mod trusted_proxy;
