//! Guards every call at the gateway: one pure [`decide`] behind thin adapters of API Gateway's events.
//!
//! It decides from memory. A [`Guard`] keeps the trusted signing keys, the tokens whose signature it has verified, the personal
//! keys whose secrets it has looked up, and the revocation feed; what it cannot know it does not allow. Three ways lead out of it, and the gateway turns each into one
//! answer: a policy (allow, or deny with a code from a closed vocabulary: 403), the error `Unauthorized` (the one static
//! 401), any other error (503).

mod answer;
mod bearer;
mod caller;
mod context;
mod decide;
mod decision;
mod events;
mod feed_reader;
mod flight;
mod flights;
mod guard;
mod inspect;
mod keys;
mod log;
mod memory;
mod personal_key;
mod personal_keys;
mod request;
mod routes;
mod settings;
mod verified_tokens;

#[cfg(test)]
mod tests;

use credentials::pepper::PepperSource;
use serde_json::Value;
use store::{Store, Tables};
use web::proxy::TrustedProxy;

pub use answer::Refused;
pub use bearer::{Bearer, NoBearer};
pub use context::Context;
pub use decide::{Presented, decide};
pub use decision::{Cause, Decision, Denial, KeyRefusal, Unauthorized, Unavailable};
pub use guard::Guard;
pub use inspect::Inspection;
pub use personal_key::PersonalKey;
pub use request::{Request, Route};
pub use routes::Routes;
pub use settings::{HttpApiResponse, Settings};

/// Answers one authorizer event, of whichever shape.
///
/// # Errors
/// What the gateway turns into 401 or 503: see [`Refused`].
pub async fn handle(guard: &Guard, mut event: Value) -> Result<Value, Refused> {
    let judged = guard.settle(&mut event).await;
    let event = events::read(event, guard.settings().http_api_response).map_err(log::unknown_event)?;
    answer::of(guard.authorize(event.request.judged(judged)).await, &event.form, guard.settings().usage_key.as_deref())
}

/// A guard as the environment sets it up, with keys and feed read ahead of the first call.
///
/// # Errors
/// When a setting is missing or wrong. A table that does not answer is no such error: every call asks again.
pub async fn start(env: &runtime::Env, edge: &runtime::Edge) -> Result<Guard, runtime::StartError> {
    let settings = Settings::read(env)?;
    // Without the audit table's name nothing that would need it is begun: see `Settings::audit_table`.
    let audit = settings.audit_table.clone().unwrap_or_default();
    let tables = Tables { core: settings.core_table.clone(), feed: settings.feed_table.clone(), audit };
    let entropy = edge.entropy.clone();
    let store = Store::new(&edge.aws, tables, edge.clock.clone(), move || entropy.guid());
    let peppers = settings.pepper_secret.as_deref().map(|secret| PepperSource::new(&edge.aws, secret, edge.clock.clone()));
    let guard = Guard::new(settings, store, peppers, edge.clock.clone()).behind(TrustedProxy::read(env, edge)?);
    guard.warm().await;
    Ok(guard)
}
