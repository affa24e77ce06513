//! What the operations share, and how each learns who calls.

use std::{fmt, ops::Deref, sync::Arc};

use axum::{
    extract::{FromRequestParts, MatchedPath},
    http::{Method, request::Parts},
};
use credentials::pepper::PepperSource;
use domain::{
    error::Error,
    gate::OrganizationGate,
    ids::{ClientId, Guid},
    key_mode::KeyMode,
    operation::Operation,
    role::Role,
    scope::Catalogue,
    secret::{Brand, PlainSecret, Secret},
    time::{Clock, Timestamp},
};
use guard::{Guard, Settings};
use runtime::{Ambient, Entropy, Env, StartError};
use store::{CallerSnapshot, KeyIdentity, KeyView, Store, Tables, TokenCarried};
use web::dialect::Management;

/// The state of the function; cheap to clone.
#[derive(Clone)]
pub(crate) struct Api(Arc<Inner>);

/// What an [`Api`] holds.
pub(crate) struct Inner {
    pub(crate) store: Store,
    pub(crate) peppers: PepperSource,
    pub(crate) catalogue: Arc<Catalogue>,
    pub(crate) brand: Brand,
    pub(crate) entropy: Entropy,
    /// Where people accept invitations, if the deployment has such a place.
    pub(crate) portal_url: Option<String>,
    clock: Clock,
    /// Authenticates every call by the bearer that it carries, whatever the gateway's authorizer
    /// found: whoever may invoke this function is nobody by that alone (LEAK-12).
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
            catalogue: Arc::new(runtime::env::catalogue(env)?),
            brand: runtime::env::brand(env)?,
            entropy: ambient.entropy.clone(),
            portal_url: runtime::env::portal_url(env)?,
            clock: ambient.clock.clone(),
        })))
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// What the caller is and holds at this moment ([`Store::caller_snapshot`]).
    pub(crate) async fn caller_snapshot(&self, caller: &Caller) -> Result<CallerSnapshot, Error> {
        self.store
            .caller_snapshot(&caller.identity(), &self.catalogue)
            .await
    }

    /// Refuses what its operation does not reach at all, by what the caller holds at this moment.
    pub(crate) async fn require_now(
        &self,
        caller: &Caller,
        operation: Operation,
    ) -> Result<(), Error> {
        caller.require(operation)?;
        self.caller_snapshot(caller)
            .await?
            .authority()
            .require(operation)
    }

    /// The key that a path names, for an operation of this caller ([`Store::view_key`]).
    pub(crate) async fn view_key(
        &self,
        caller: &Caller,
        operation: Operation,
        text: &str,
    ) -> Result<KeyView, Error> {
        let client_id = web::extract::client_id(text)?;
        self.store
            .view_key(&caller.identity(), &self.catalogue, operation, client_id)
            .await
    }

    /// The gate of an organization: the caller's own was read with the caller.
    pub(crate) async fn gate_of(
        &self,
        caller: &CallerSnapshot,
        organization: Guid,
    ) -> Result<OrganizationGate, Error> {
        if caller.authority().organization() == organization {
            return Ok(caller.gates().organization.clone());
        }
        let found = self.store.organization(organization).await?;
        Ok(found.ok_or_else(Error::not_found)?.gate)
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

    /// Refuses what its operation does not reach at all, by what the guard knew of the caller.
    pub(crate) fn require(&self, operation: Operation) -> Result<(), Error> {
        self.reach(operation).map(drop)
    }

    /// What names the items that say what the caller may do now.
    pub(crate) fn identity(&self) -> KeyIdentity {
        KeyIdentity {
            client_id: self.client_id,
            owner: self.owner,
            organization: self.organization,
            secret: self.sid,
            token: self.jti.map(|_| TokenCarried {
                scopes: self.scopes.clone(),
                ip_allowlist: self.ip_allowlist.clone(),
                is_customer: self.customer.is_some(),
            }),
        }
    }
}

impl FromRequestParts<Api> for Caller {
    type Rejection = Management;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Management> {
        Ok(Self(api.guard.caller(parts, &route(parts)).await?))
    }
}
