//! Who calls, where that is told by a token or a personal key and not by a client's secret.

use axum::http::request::Parts;
use credentials::pepper::PepperSource;
use domain::{error::Error, time::Clock};
use guard::{Guard, Settings};
use runtime::{Env, StartError};
use store::Store;
use web::caller::Caller;

use crate::Tokens;

/// The one route of this function's own guard: what a caller may do is decided by each operation.
const ANY_ROUTE: &str = "$default";

/// A guard that admits credentials of both kinds.
pub(crate) fn guard(
    env: &Env,
    store: &Store,
    peppers: &PepperSource,
    clock: &Clock,
) -> Result<Guard, StartError> {
    let env = env
        .clone()
        .with("LATCHKEY_ACCEPTED_KINDS", "sandbox,live")
        .with("LATCHKEY_ROUTES", r#"{"$default": []}"#);
    Ok(Guard::new(
        Settings::read(&env)?,
        store.clone(),
        Some(peppers.clone()),
        clock.clone(),
    ))
}

impl Tokens {
    /// The caller who holds the bearer credential of this request, whatever the gateway's
    /// authorizer found.
    pub(crate) async fn bearer(&self, parts: &Parts) -> Result<Caller, Error> {
        self.guard.caller(parts, ANY_ROUTE).await
    }
}
