//! Tokens: secrets in, short-lived KMS-signed access tokens out, and what the world needs to verify them. The only
//! function that signs (LEAK-5).

mod authenticate;
mod exchange;
mod issue;
mod jwks;
mod metadata;
mod oauth_token;
mod parameters;
mod settings;
mod signer;

use std::sync::Arc;

use axum::{
    Router,
    routing::{get, post},
};
use domain::{kind::Kind, scope::Catalogue, time::Clock};
use store::{Store, Tables};
use web::{
    Edge, Entropy, Env, StartError,
    dialect::{self, Management, OAuth},
    lambda::backstop,
    pepper::PepperSource,
};

use self::{settings::Settings, signer::Signer};

/// What the handlers share.
struct Tokens {
    settings: Settings,
    catalogue: Catalogue,
    store: Store,
    peppers: PepperSource,
    sandbox: Signer,
    live: Signer,
    jwks: jwks::Kept,
    clock: Clock,
    entropy: Entropy,
}

type Shared = axum::extract::State<Arc<Tokens>>;

impl Tokens {
    const fn signer(&self, kind: Kind) -> &Signer {
        match kind {
            Kind::Sandbox => &self.sandbox,
            Kind::Live => &self.live,
        }
    }
}

/// The function's router, over what `env` names.
///
/// # Errors
/// A setting that is missing or wrong.
pub fn start(env: &Env, edge: &Edge) -> Result<Router, StartError> {
    let settings = Settings::read(env)?;
    let kms = signer::client(&edge.aws);
    let entropy = edge.entropy.clone();
    let tokens = Tokens {
        catalogue: web::env::catalogue(env)?,
        store: Store::new(&edge.aws, Tables::of(|name| env.required(name))?, edge.clock.clone(), move || entropy.guid()),
        peppers: PepperSource::new(&edge.aws, env.required("LATCHKEY_PEPPER_SECRET")?),
        sandbox: Signer::new(kms.clone(), Kind::Sandbox, &settings.sandbox_signing_key),
        live: Signer::new(kms, Kind::Live, &settings.live_signing_key),
        jwks: jwks::Kept::default(),
        clock: edge.clock.clone(),
        entropy: edge.entropy.clone(),
        settings,
    };
    Ok(router(tokens))
}

fn router(tokens: Tokens) -> Router {
    let oauth = Router::new()
        .route("/oauth/token", post(oauth_token::create))
        .route("/v1/auth/token", post(exchange::create))
        .method_not_allowed_fallback(dialect::no_such_oauth_method);
    let documents = Router::new()
        .route("/.well-known/jwks.json", get(jwks::read))
        .route("/.well-known/oauth-authorization-server", get(metadata::read))
        .method_not_allowed_fallback(dialect::no_such_method);
    let (oauth, documents) = (backstop::<OAuth, _>(oauth), backstop::<Management, _>(documents));
    oauth.merge(documents).fallback(dialect::no_such_path).with_state(Arc::new(tokens))
}
