//! What the operations share, and how each learns who calls.

use std::{fmt, ops::Deref, sync::Arc};

use authorizer::Guard;
use axum::{extract::FromRequestParts, http::request::Parts};
use domain::{
    confer::Conferrer,
    error::Error,
    key::{Effective, Key},
    scope::Catalogue,
    secret::Brand,
    time::{Clock, Timestamp},
};
use store::Store;
use web::{Edge, Entropy, Env, StartError, caller, dialect::Management, pepper::PepperSource};

/// The state of the function; cheap to clone.
#[derive(Clone)]
pub(crate) struct Api(Arc<Inner>);

/// What an [`Api`] holds.
pub(crate) struct Inner {
    pub(crate) store: Store,
    pub(crate) peppers: PepperSource,
    pub(crate) catalogue: Catalogue,
    pub(crate) brand: Brand,
    pub(crate) entropy: Entropy,
    clock: Clock,
    /// Authenticates calls that come through no gateway authorizer (`cargo lambda watch`, or a gateway attached without
    /// one): the same decision, made here.
    guard: Guard,
}

impl Deref for Api {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl Api {
    pub(crate) fn open(env: &Env, edge: &Edge) -> Result<Self, StartError> {
        let tables = store::Tables {
            core: env.required("LATCHKEY_CORE_TABLE")?.into(),
            feed: env.required("LATCHKEY_FEED_TABLE")?.into(),
            audit: env.required("LATCHKEY_AUDIT_TABLE")?.into(),
        };
        let entropy = edge.entropy.clone();
        Ok(Self(Arc::new(Inner {
            store: Store::new(&edge.aws, tables, edge.clock.clone(), move || entropy.guid()),
            peppers: PepperSource::new(&edge.aws, env.required("LATCHKEY_PEPPER_SECRET")?),
            catalogue: web::env::catalogue(env)?,
            brand: web::env::brand(env)?,
            entropy: edge.entropy.clone(),
            clock: edge.clock.clone(),
            guard: Guard::for_management(env, edge)?,
        })))
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// The caller's own key as it is now: what it may confer depends on it, and a key that stopped confers nothing.
    pub(crate) async fn conferring_key(&self, caller: &Caller) -> Result<Key, Error> {
        let key = self.store.key(caller.client_id).await?.ok_or_else(caller::unauthenticated)?;
        match key.effective(&self.store.gates(&key).await?, self.now()) {
            Effective::Active => Ok(key),
            _ => Err(caller::unauthenticated()),
        }
    }
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Api")
    }
}

/// The authenticated caller of an operation.
pub(crate) struct Caller(web::caller::Caller);

impl Deref for Caller {
    type Target = web::caller::Caller;

    fn deref(&self) -> &web::caller::Caller {
        &self.0
    }
}

impl Caller {
    /// What this caller may confer, given its key as it is now.
    pub(crate) fn conferrer<'a>(&'a self, key: &'a Key) -> Conferrer<'a> {
        Conferrer { key, scopes: &self.scopes, ip_allowlist: &self.ip_allowlist }
    }
}

impl FromRequestParts<Api> for Caller {
    type Rejection = Management;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Management> {
        if let Some(caller) = web::caller::Caller::of(&parts.extensions)? {
            return Ok(Self(caller));
        }
        Ok(Self(api.guard.authenticate(parts).await?))
    }
}
