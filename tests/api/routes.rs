//! What each route answers: for those who call the API.

pub(crate) mod auth_token;
pub(crate) mod bad_input;
pub(crate) mod bank_applications;
pub(crate) mod banks;
pub(crate) mod customer_tokens;
pub(crate) mod incidents;
pub(crate) mod introspect;
pub(crate) mod keys;
pub(crate) mod oauth_token;
pub(crate) mod openapi;
pub(crate) mod organization_applications;
pub(crate) mod organizations;
pub(crate) mod owner_keys;
pub(crate) mod revoke_token;
pub(crate) mod users;
pub(crate) mod well_known;
pub(crate) mod whoami;
