//! Black-box tests over HTTP, by route. One binary: every further one costs seconds and megabytes.

mod auth_token;
mod credentials;
mod leak;
mod oauth_token;
mod revocation;
mod template;
mod well_known;
mod whoami;
mod whoami_authorizer;
