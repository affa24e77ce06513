//! What the operations share, and how each learns who calls.

use std::{fmt, ops::Deref, sync::Arc, time::Duration};

use axum::{
    Json,
    extract::{FromRequestParts, MatchedPath},
    http::{Method, StatusCode, request::Parts},
    response::{IntoResponse, Response},
};
use credentials::pepper::PepperSource;
use domain::{
    allowlist::Allowlist,
    delegate::Delegator,
    error::{Error, Kind},
    ids::{ClientId, Guid},
    key::Effective,
    key_mode::KeyMode,
    operation::Operation,
    role::Role,
    scope::{Catalogue, ScopeSet},
    secret::{Brand, PlainSecret, Secret},
    time::{Clock, Timestamp},
};
use guard::{Guard, Settings};
use runtime::{Ambient, Entropy, Env, StartError};
use serde::Serialize;
use store::{Behalf, IdempotencyRecord, Store, StoreError, Tables};
use web::{dialect::Management, idempotency};

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
    /// Where people accept invitations, if the deployment has such a place.
    pub(crate) portal_url: Option<String>,
    clock: Clock,
    /// Authenticates calls that come through no gateway authorizer (`cargo lambda watch`, or a
    /// gateway attached without one): the same decision, made here.
    guard: Guard,
}

/// The management function's own guard decides by the table that the gateway's authorizer has.
fn guard(
    env: &Env,
    store: &Store,
    peppers: &PepperSource,
    clock: &Clock,
) -> Result<Guard, StartError> {
    let env = env
        .clone()
        .with("LATCHKEY_ACCEPTED_KINDS", "sandbox,live")
        .with("LATCHKEY_ROUTES", "operations");
    Ok(Guard::new(
        Settings::read(&env)?,
        store.clone(),
        Some(peppers.clone()),
        clock.clone(),
    ))
}

/// The route of a request as that table has it; nothing in it is none. A HEAD is a GET without the
/// answer's body (RFC 9110 §9.3.2).
fn route(parts: &Parts) -> String {
    let method = if parts.method == Method::HEAD {
        &Method::GET
    } else {
        &parts.method
    };
    format!(
        "{method} {}",
        parts
            .extensions
            .get::<MatchedPath>()
            .map_or("", MatchedPath::as_str)
    )
}

impl Deref for Api {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl Api {
    pub(crate) fn open(env: &Env, ambient: &Ambient) -> Result<Self, StartError> {
        let tables = Tables::of(|name| env.required(name))?;
        let entropy = ambient.entropy.clone();
        let store = Store::new(&ambient.aws, tables, ambient.clock.clone(), move || {
            entropy.guid()
        });
        let peppers = PepperSource::new(
            &ambient.aws,
            env.required("LATCHKEY_PEPPER_SECRET")?,
            ambient.clock.clone(),
        );
        Ok(Self(Arc::new(Inner {
            guard: guard(env, &store, &peppers, &ambient.clock)?,
            store,
            peppers,
            catalogue: runtime::env::catalogue(env)?,
            brand: runtime::env::brand(env)?,
            entropy: ambient.entropy.clone(),
            portal_url: runtime::env::portal_url(env)?,
            clock: ambient.clock.clone(),
        })))
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// What the caller is and holds at this moment, whatever the authorizer saw some seconds ago: a
    /// stopped caller delegates nothing. Changes that rest on it are made through
    /// [`Store::on_behalf_of`] it, so that it still stands when they happen.
    pub(crate) async fn caller_authority(&self, caller: &Caller) -> Result<CallerAuthority, Error> {
        let key = self
            .store
            .key(caller.client_id)
            .await?
            .ok_or_else(Error::unauthenticated)?;
        let gates = self.store.gates(&key).await?;
        match key.effective(&gates, self.now()) {
            Effective::Active => {}
            Effective::Inactive if key.owner.user().is_some() => {
                return Err(Error::plan_upgrade_required());
            }
            _ => return Err(Error::unauthenticated()),
        }
        if key.secrets.term(caller.sid, self.now()).is_none() {
            return Err(Error::unauthenticated());
        }
        let user = gates.user;
        let scopes = user.as_ref().map_or_else(
            || caller.scopes.clone(),
            |user| user.scopes(&self.catalogue, key.kind),
        );
        let ip_allowlist = if user.is_some() {
            key.ip_allowlist.clone()
        } else {
            caller.ip_allowlist.clone()
        };
        Ok(CallerAuthority {
            role: user.as_ref().map(|user| user.role),
            scopes,
            ip_allowlist,
            behalf: Behalf {
                key,
                user,
                secret: caller.sid,
            },
        })
    }

    /// The organization that a list is about ([`Caller::organization_of`]); one that staff name and
    /// that is not there is a 404.
    pub(crate) async fn organization_of(
        &self,
        caller: &Caller,
        named: Option<&str>,
    ) -> Result<Guid, Error> {
        let organization = caller.organization_of(named)?;
        if caller.is_staff() && self.store.organization(organization).await?.is_none() {
            return Err(Error::not_found());
        }
        Ok(organization)
    }

    /// A key's new secret: its text, to be shown once, and what is stored of it.
    pub(crate) async fn mint(
        &self,
        kind: KeyMode,
        client_id: ClientId,
    ) -> Result<(PlainSecret, Secret), Error> {
        credentials::mint::mint(
            &self.peppers,
            &self.brand,
            &self.entropy,
            kind,
            client_id,
            self.now(),
        )
        .await
    }

    /// Whether this create was made before, under its `Idempotency-Key`; what it makes now is
    /// to be called `target`. Asked after the caller was authorised and before anything is decided.
    pub(crate) async fn check_idempotency(
        &self,
        caller: &Caller,
        parts: &Parts,
        body: &[u8],
        target: impl ToString,
    ) -> Result<Outcome, Error> {
        let Some(key) = idempotency::key(&parts.headers)? else {
            return Ok(Outcome::Created(None));
        };
        let record = IdempotencyRecord {
            principal: caller
                .user()
                .map_or_else(|| caller.client_id.to_string(), |user| user.to_string()),
            key: key.to_owned(),
            fingerprint: idempotency::fingerprint(&parts.method, parts.uri.path(), body),
            target: target.to_string(),
            ends: self.now() + Duration::from_hours(idempotency::HOURS),
        };
        self.made_before(record).await
    }

    /// What became of a create: it stands, or another request of the same `Idempotency-Key` was
    /// quicker.
    pub(crate) async fn resolve(
        &self,
        created: Result<(), StoreError>,
        record: Option<IdempotencyRecord>,
    ) -> Result<Outcome, Error> {
        match (created, record) {
            (Err(StoreError::Replayed), Some(record)) => self.made_before(record).await,
            (created, record) => created
                .map(|()| Outcome::Created(record))
                .map_err(Error::from),
        }
    }

    async fn made_before(&self, record: IdempotencyRecord) -> Result<Outcome, Error> {
        match self.store.replayed(&record).await? {
            Some(made) if made.fingerprint == record.fingerprint => {
                Ok(Outcome::Replayed(made.target))
            }
            Some(_) => Err(idempotency::reused()),
            None => Ok(Outcome::Created(Some(record))),
        }
    }
}

/// What the caller is and holds at a moment.
pub(crate) struct CallerAuthority {
    /// On whose behalf it makes changes.
    pub(crate) behalf: Behalf,
    pub(crate) role: Option<Role>,
    pub(crate) scopes: ScopeSet,
    pub(crate) ip_allowlist: Allowlist,
}

impl CallerAuthority {
    /// Refuses what its operation does not reach at all, by the role and scopes of this moment.
    pub(crate) fn require(&self, operation: Operation) -> Result<(), Error> {
        operation.rule().reach(self.role, &self.scopes).map(drop)
    }

    /// Refuses a person whom `allowed_scopes` leave less than these: of what no machine does, a
    /// role alone would decide, and whoever is narrowed would not be. Staff hold no scopes.
    pub(crate) fn require_all(&self, scopes: &[&str]) -> Result<(), Error> {
        if self.role.is_some_and(Role::is_staff)
            || scopes.iter().all(|scope| self.scopes.has(scope))
        {
            return Ok(());
        }
        Err(Error::new(
            Kind::InsufficientScope,
            format!("This needs the scope {}", scopes.join(" and the scope ")),
        ))
    }

    /// What it may delegate.
    pub(crate) fn delegator(&self) -> Delegator<'_> {
        Delegator {
            key: &self.behalf.key,
            role: self.role,
            scopes: &self.scopes,
            ip_allowlist: &self.ip_allowlist,
        }
    }
}

/// What became of a create under its `Idempotency-Key`.
pub(crate) enum Outcome {
    /// It is the first: it is created, or to be created, with this record; nothing where the header
    /// was not sent.
    Created(Option<IdempotencyRecord>),
    /// It was made before, and this is what it made.
    Replayed(String),
}

/// The answer to a create that was made before: the thing as it is now, without a secret, and
/// marked.
pub(crate) fn replayed(thing: impl Serialize) -> Response {
    (
        StatusCode::CREATED,
        [
            ("cache-control", "no-store"),
            ("idempotency-replayed", "true"),
        ],
        Json(thing),
    )
        .into_response()
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
    /// Refuses a `bank_guid` where it means nothing, but from a bank's token, which may send it
    /// with anything (CYB-4).
    pub(crate) fn require_no_bank(&self, named: bool, reason: &str) -> Result<(), Error> {
        if named && self.owner.bank().is_none() {
            Err(Error::field("bank_guid", reason))
        } else {
            Ok(())
        }
    }

    /// The organization that a list is about: the caller's own, or the one that staff name by
    /// `organization_guid`.
    pub(crate) fn organization_of(&self, named: Option<&str>) -> Result<Guid, Error> {
        match (self.is_staff(), named) {
            (false, None) => Ok(self.organization),
            (false, Some(_)) => Err(Error::field(
                "organization_guid",
                "is a parameter of platform staff alone",
            )),
            (true, None) => Err(Error::field(
                "organization_guid",
                "is required of platform staff: name the organization",
            )),
            (true, Some(text)) => {
                let guid = text
                    .parse()
                    .map_err(|reason: &str| Error::field("organization_guid", reason))?;
                if self.sees_organization(guid) {
                    Ok(guid)
                } else {
                    Err(Error::not_found())
                }
            }
        }
    }

    /// Whether the caller may know of this organization and what it has: its own; staff any
    /// customer's, and the platform's own people security alone.
    pub(crate) fn sees_organization(&self, guid: Guid) -> bool {
        match self.role {
            Some(role) if role.is_staff() => guid != Guid::PLATFORM || role == Role::Security,
            _ => guid == self.organization,
        }
    }

    /// Whether the caller may know of what is of this organization and kind; staff of both kinds.
    pub(crate) fn sees(&self, organization: Guid, kind: KeyMode) -> bool {
        self.sees_organization(organization) && (self.is_staff() || kind == self.kind)
    }

    /// Refuses what its operation does not reach at all.
    pub(crate) fn require(&self, operation: Operation) -> Result<(), Error> {
        self.reach(operation).map(drop)
    }
}

impl FromRequestParts<Api> for Caller {
    type Rejection = Management;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Management> {
        if let Some(caller) = web::caller::Caller::of(&parts.extensions)? {
            return Ok(Self(caller));
        }
        Ok(Self(api.guard.caller(parts, &route(parts)).await?))
    }
}
