//! The management API: organizations, their people and banks, and the keys of all three. One file
//! per operation; every operation authorises for itself, whatever the gateway in front of it
//! checked.

mod api;
mod banks;
mod docs;
mod idempotent;
mod incidents;
mod keys;
mod openapi;
mod organizations;
mod owner_keys;
mod users;

use axum::{
    Router,
    routing::{get, post, put},
};
use runtime::{Ambient, Env, StartError};
use web::{
    dialect::{self, Management},
    lambda::catch_panics_and_timeouts,
};

use self::{
    api::Api,
    owner_keys::{BankApplications, OrganizationApplications},
};
pub use self::{docs::document::ISSUER, openapi::openapi};

/// The function's router, over what `env` names.
///
/// # Errors
/// A setting that is missing or wrong.
pub fn start(env: &Env, ambient: &Ambient) -> Result<Router, StartError> {
    Ok(router(
        Api::open(env, ambient)?,
        env.required("LATCHKEY_ISSUER")?,
    ))
}

fn router(api: Api, issuer: &str) -> Router {
    let routes = Router::new()
        .route(
            "/api/organizations",
            get(organizations::list::list).post(organizations::create::create),
        )
        .route(
            "/api/organizations/{guid}",
            get(organizations::read::read).patch(organizations::update::update),
        )
        .route(
            "/api/organizations/{guid}/kyb",
            put(organizations::kyb::kyb),
        )
        .route(
            "/api/organizations/{guid}/plan",
            put(organizations::plan::plan),
        )
        .route(
            "/api/banks",
            get(banks::list::list).post(banks::create::create),
        )
        .route(
            "/api/banks/{guid}",
            get(banks::read::read).patch(banks::update::update),
        )
        .route(
            "/api/users",
            get(users::list::list).post(users::create::create),
        )
        .route(
            "/api/users/{guid}",
            get(users::read::read)
                .patch(users::update::update)
                .delete(users::disable::disable),
        )
        .route("/api/incidents/revoke", post(incidents::revoke::revoke))
        .merge(owner_keys::routes::<BankApplications>())
        .merge(owner_keys::routes::<OrganizationApplications>())
        .merge(keys::routes())
        .merge(docs::routes(issuer))
        .fallback(dialect::no_such_path)
        .method_not_allowed_fallback(dialect::no_such_method);
    catch_panics_and_timeouts::<Management, _>(routes).with_state(api)
}
