//! What the operations share, and how each learns who calls.

use std::{fmt, ops::Deref, sync::Arc};

use authorizer::{Cause, Decision, Guard, Request, Settings};
use axum::{
    extract::FromRequestParts,
    http::{header::AUTHORIZATION, request::Parts},
};
use domain::{
    confer::Conferrer,
    error::{Error, Kind},
    key::{Effective, Key},
    scope::Catalogue,
    secret::Brand,
    time::{Clock, Timestamp},
};
use store::{Store, Tables};
use web::{Edge, Entropy, Env, StartError, dialect::Management, pepper::PepperSource, request::Facts};

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

/// The one route of the management function's own guard: what a token may do is decided by each operation.
const ANY_ROUTE: &str = "$default";

fn guard(env: &Env, store: &Store, clock: &Clock) -> Result<Guard, StartError> {
    let env = env.clone().with("LATCHKEY_ACCEPTED_KINDS", "sandbox,live").with("LATCHKEY_ROUTES", r#"{"$default": []}"#);
    Ok(Guard::new(Settings::read(&env)?, store.clone(), clock.clone()))
}

impl Deref for Api {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl Api {
    pub(crate) fn open(env: &Env, edge: &Edge) -> Result<Self, StartError> {
        let tables = Tables::of(|name| env.required(name))?;
        let entropy = edge.entropy.clone();
        let store = Store::new(&edge.aws, tables, edge.clock.clone(), move || entropy.guid());
        Ok(Self(Arc::new(Inner {
            guard: guard(env, &store, &edge.clock)?,
            store,
            peppers: PepperSource::new(&edge.aws, env.required("LATCHKEY_PEPPER_SECRET")?),
            catalogue: web::env::catalogue(env)?,
            brand: web::env::brand(env)?,
            entropy: edge.entropy.clone(),
            clock: edge.clock.clone(),
        })))
    }

    /// The caller of a request that no authorizer vouched for.
    async fn authenticate(&self, parts: &Parts) -> Result<web::caller::Caller, Error> {
        let facts = Facts::of(&parts.extensions);
        let mut headers = parts.headers.get_all(AUTHORIZATION).iter();
        let authorization = headers.next().filter(|_| headers.next().is_none()).and_then(|value| value.to_str().ok());
        let request =
            Request::new(authorization, facts.source_ip, ANY_ROUTE, facts.request_time).with_id(facts.request_id.clone());
        match self.guard.authorize(request).await {
            Decision::Allow(context) => web::caller::Caller::read(&context.fields(), facts),
            Decision::Deny(denial) => Err(Error::new(
                match denial.cause {
                    Cause::IpNotAllowed => Kind::IpNotAllowed,
                    Cause::IpUnknown => Kind::IpUnknown,
                    Cause::InsufficientScope => Kind::InsufficientScope,
                    Cause::Forbidden => Kind::Forbidden,
                },
                denial.cause.message(),
            )),
            Decision::Unauthorized(_) => Err(Error::unauthenticated()),
            Decision::Unavailable(_) => Err(Error::temporarily_unavailable()),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// The caller's own key as it is now: what it may confer depends on it, and a key that stopped confers nothing. Changes that
    /// confer are made through [`Store::on_behalf_of`] it, so that it still works when they happen.
    pub(crate) async fn conferring_key(&self, caller: &Caller) -> Result<Key, Error> {
        let key = self.store.key(caller.client_id).await?.ok_or_else(Error::unauthenticated)?;
        match key.effective(&self.store.gates(&key).await?, self.now()) {
            Effective::Active => Ok(key),
            _ => Err(Error::unauthenticated()),
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
    /// Refuses a `bank_guid` where it means nothing, but from a bank's token, which may send it with anything (CYB-4).
    pub(crate) fn require_no_bank(&self, named: bool, reason: &str) -> Result<(), Error> {
        if named && self.owner.bank().is_none() { Err(Error::field("bank_guid", reason)) } else { Ok(()) }
    }

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
        Ok(Self(api.authenticate(parts).await?))
    }
}
