//! Black-box tests over HTTP, by route. One binary: every further one costs seconds and megabytes.

mod applications;
mod audit;
mod auth_token;
mod bad_input;
mod bank_applications;
mod banks;
mod credentials;
mod estate;
mod keys_revoke;
mod leak;
mod minted;
mod oauth_token;
mod organization_applications;
mod organizations;
mod readme;
mod revocation;
mod routes;
mod scope_catalogue;
mod secret_scanning;
mod stopped_keys;
mod tables;
mod template;
mod tenancy;
mod well_known;
mod whoami;
mod whoami_authorizer;
