//! The management API: organizations, banks, and their keys. One file per operation; every operation authorises for
//! itself, whatever the gateway in front of it checked.

mod api;
mod applications;
mod banks;
mod docs;
mod keys;
mod openapi;
mod organizations;

use axum::{
    Router,
    routing::{get, post},
};
use web::{
    Edge, Env, StartError,
    dialect::{self, Management},
    lambda::backstop,
};

use self::{
    api::Api,
    applications::{BankApplications, OrganizationApplications},
};

pub use self::{docs::document::ISSUER, openapi::openapi};

/// The function's router, over what `env` names.
///
/// # Errors
/// A setting that is missing or wrong.
pub fn start(env: &Env, edge: &Edge) -> Result<Router, StartError> {
    Ok(router(Api::open(env, edge)?, env.required("LATCHKEY_ISSUER")?))
}

fn router(api: Api, issuer: &str) -> Router {
    let routes = Router::new()
        .route("/api/organizations", get(organizations::list::list))
        .route("/api/organizations/{guid}", get(organizations::read::read).patch(organizations::update::update))
        .route("/api/banks", get(banks::list::list).post(banks::create::create))
        .route("/api/banks/{guid}", get(banks::read::read).patch(banks::update::update))
        .merge(applications::routes::<BankApplications>())
        .merge(applications::routes::<OrganizationApplications>())
        .merge(keys::routes())
        .merge(docs::routes(issuer))
        .fallback(dialect::no_such_path)
        .method_not_allowed_fallback(dialect::no_such_method);
    backstop::<Management, _>(routes).with_state(api)
}
