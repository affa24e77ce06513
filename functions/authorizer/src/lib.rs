//! Guards every call at the gateway: thin adapters of API Gateway's events and answers around the
//! [`Guard`], which decides.
//!
//! Three ways lead out of it, and the gateway turns each into one answer: a policy (allow, or deny
//! with a code from a closed vocabulary: 403), the error `Unauthorized` (the one static 401), any
//! other error (503).

mod answer;
mod events;
mod settings;

#[cfg(test)]
mod tests;

use credentials::pepper::PepperSource;
use guard::Guard;
use runtime::{Ambient, Env, StartError};
use serde_json::Value;
use store::{Store, Tables};
use web::proxy::TrustedProxy;

pub use self::{
    answer::AuthorizerError,
    settings::{HttpApiResponse, Settings},
};

/// The authorizer of one deployment: its guard, and the form of its answers.
#[derive(Debug)]
pub struct Authorizer {
    guard: Guard,
    settings: Settings,
}

/// Answers one authorizer event, of whichever shape.
///
/// # Errors
/// What the gateway turns into 401 or 503: see [`AuthorizerError`].
pub async fn handle(authorizer: &Authorizer, mut event: Value) -> Result<Value, AuthorizerError> {
    let Authorizer { guard, settings } = authorizer;
    let source_ip_trust = guard.resolve_source_ip(&mut event).await;
    let event = events::read(event, settings.http_api_response).map_err(answer::unknown_event)?;
    answer::of(
        guard
            .authorize(event.request.with_source_ip_trust(source_ip_trust))
            .await,
        &event.form,
        settings.usage_key.as_deref(),
    )
}

/// An authorizer as the environment sets it up, with keys and feed read ahead of the first call.
///
/// # Errors
/// When a setting is missing or wrong. A table that does not answer is no such error: every call
/// asks again.
pub async fn start(env: &Env, ambient: &Ambient) -> Result<Authorizer, StartError> {
    let (settings, form) = (guard::Settings::read(env)?, Settings::read(env)?);
    let tables = Tables {
        core: settings.core_table.clone(),
        feed: settings.feed_table.clone(),
        // An authorizer makes no change that has an audit event.
        audit: String::new(),
    };
    let entropy = ambient.entropy.clone();
    let store = Store::new(&ambient.aws, tables, ambient.clock.clone(), move || {
        entropy.guid()
    });
    let peppers = settings
        .pepper_secret
        .as_deref()
        .map(|secret| PepperSource::new(&ambient.aws, secret, ambient.clock.clone()));
    let guard = Guard::new(settings, store, peppers, ambient.clock.clone())
        .with_trusted_proxy(TrustedProxy::read(env, ambient)?);
    guard.warm().await;
    Ok(Authorizer {
        guard,
        settings: form,
    })
}
