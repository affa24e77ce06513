//! Tokens: secrets in, short-lived KMS-signed access tokens out, and what the world needs to verify
//! them. The only function that signs (LEAK-5).

mod auth_token;
mod authenticate;
mod caller;
mod customer_tokens;
mod introspect;
mod introspection_client;
mod issue;
mod jwks;
mod metadata;
mod oauth_token;
mod openapi;
mod parameters;
mod revoke_token;
mod settings;
mod signer;

use std::sync::Arc;

use axum::{
    Router,
    routing::{get, post},
};
use credentials::pepper::PepperSource;
use domain::{key_mode::KeyMode, scope::Catalogue, time::Clock};
use guard::Guard;
use runtime::{Ambient, Entropy, Env, StartError};
use store::{Store, Tables};
use web::{
    dialect::{self, Management, OAuth},
    lambda::catch_panics_and_timeouts,
};

pub use self::openapi::openapi;
use self::{settings::Settings, signer::Signer};

/// What the handlers share.
struct Tokens {
    settings: Settings,
    catalogue: Catalogue,
    store: Store,
    peppers: PepperSource,
    /// Knows what access tokens and personal keys are and whether they work: of those who call by
    /// one, and of those that are asked about.
    guard: Guard,
    sandbox: Signer,
    live: Signer,
    jwks: jwks::Kept,
    clock: Clock,
    entropy: Entropy,
}

type Shared = axum::extract::State<Arc<Tokens>>;

impl Tokens {
    const fn signer(&self, kind: KeyMode) -> &Signer {
        match kind {
            KeyMode::Sandbox => &self.sandbox,
            KeyMode::Live => &self.live,
        }
    }
}

/// The function's router, over what `env` names.
///
/// # Errors
/// A setting that is missing or wrong.
pub fn start(env: &Env, ambient: &Ambient) -> Result<Router, StartError> {
    let settings = Settings::read(env)?;
    let kms = signer::client(&ambient.aws);
    let entropy = ambient.entropy.clone();
    let store = Store::new(
        &ambient.aws,
        Tables::of(|name| env.required(name))?,
        ambient.clock.clone(),
        move || entropy.guid(),
    );
    let peppers = PepperSource::new(
        &ambient.aws,
        env.required("LATCHKEY_PEPPER_SECRET")?,
        ambient.clock.clone(),
    );
    let tokens = Tokens {
        guard: caller::guard(env, &store, &peppers, &ambient.clock)?,
        catalogue: runtime::env::catalogue(env)?,
        store,
        peppers,
        sandbox: Signer::new(
            kms.clone(),
            KeyMode::Sandbox,
            ambient.clock.clone(),
            &settings.sandbox_signing_keys,
        ),
        live: Signer::new(
            kms,
            KeyMode::Live,
            ambient.clock.clone(),
            &settings.live_signing_keys,
        ),
        jwks: jwks::kept(ambient.clock.clone()),
        clock: ambient.clock.clone(),
        entropy: ambient.entropy.clone(),
        settings,
    };
    Ok(router(tokens))
}

fn router(tokens: Tokens) -> Router {
    let oauth = Router::new()
        .route("/oauth/token", post(oauth_token::create))
        .route("/oauth/introspect", post(introspect::introspect))
        .route("/oauth/revoke", post(revoke_token::revoke))
        .route("/v1/auth/token", post(auth_token::create))
        .method_not_allowed_fallback(dialect::no_such_oauth_method);
    let others = Router::new()
        .route("/api/customer_tokens", post(customer_tokens::create))
        .route("/.well-known/jwks.json", get(jwks::read))
        .route(
            "/.well-known/oauth-authorization-server",
            get(metadata::read),
        )
        .method_not_allowed_fallback(dialect::no_such_method);
    let (oauth, others) = (
        catch_panics_and_timeouts::<OAuth, _>(oauth),
        catch_panics_and_timeouts::<Management, _>(others),
    );
    oauth
        .merge(others)
        .fallback(dialect::no_such_path)
        .with_state(Arc::new(tokens))
}
