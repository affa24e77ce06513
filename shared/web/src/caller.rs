//! Who calls, as the authorizer found out. The authorizer writes this context, the gateway carries it, functions read it.

use std::{collections::BTreeMap, net::IpAddr, str::FromStr};

use domain::{
    allowlist::Allowlist,
    audit::{Actor, Origin},
    error::{Error, Kind as ErrorKind},
    ids::{ClientId, Guid, SecretId},
    key::Owner,
    kind::Kind,
    scope::ScopeSet,
};
use http::Extensions;
use lambda_http::request::RequestContext;

use crate::request::Facts;

/// The identity behind an authenticated call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The key.
    pub client_id: ClientId,
    /// Whose the key is.
    pub owner: Owner,
    /// The tenant.
    pub organization: Guid,
    /// Sandbox or live.
    pub kind: Kind,
    /// What the token may do.
    pub scopes: ScopeSet,
    /// The token.
    pub jti: Guid,
    /// The secret that obtained it.
    pub sid: SecretId,
    /// The allowlist sealed into the token.
    pub ip_allowlist: Allowlist,
    /// From where this call comes.
    pub source_ip: Option<IpAddr>,
    /// The gateway's id of this call.
    pub request_id: Option<String>,
}

impl Caller {
    /// The caller of a request that passed a gateway's authorizer; nothing when no authorizer was asked.
    ///
    /// # Errors
    /// [`ErrorKind::AuthenticationFailed`] when the context is not one that our authorizer writes: nothing is assumed.
    pub fn of(extensions: &Extensions) -> Result<Option<Self>, Error> {
        let context = match extensions.get::<RequestContext>() {
            Some(RequestContext::ApiGatewayV1(context)) => Some(&context.authorizer),
            Some(RequestContext::ApiGatewayV2(context)) => context.authorizer.as_ref(),
            _ => None,
        };
        let Some(fields) = context.map(|context| &context.fields).filter(|fields| !fields.is_empty()) else { return Ok(None) };
        let fields = fields.iter().filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect();
        Self::read(&fields, Facts::of(extensions)).map(Some)
    }

    /// Reads the context's members.
    ///
    /// # Errors
    /// [`ErrorKind::AuthenticationFailed`] when one is missing or malformed.
    pub fn read(fields: &BTreeMap<String, String>, facts: Facts) -> Result<Self, Error> {
        fn member<T: FromStr>(fields: &BTreeMap<String, String>, name: &str) -> Result<T, Error> {
            fields.get(name).and_then(|text| text.parse().ok()).ok_or_else(Error::unauthenticated)
        }
        let list: Vec<&str> = fields.get("ip_allowlist").map(|list| list.split(',').collect()).unwrap_or_default();
        let caller = Self {
            client_id: member(fields, "client_id")?,
            owner: member(fields, "owner")?,
            organization: member(fields, "organization")?,
            kind: member(fields, "environment")?,
            scopes: member(fields, "scopes")?,
            jti: member(fields, "jti")?,
            sid: member(fields, "sid")?,
            ip_allowlist: Allowlist::parse(&list).map_err(|_| Error::unauthenticated())?,
            source_ip: facts.source_ip,
            request_id: facts.request_id,
        };
        let bank = caller.owner.bank().map(|bank| bank.to_string());
        if fields.get("bank") == bank.as_ref() { Ok(caller) } else { Err(Error::unauthenticated()) }
    }

    /// Refuses a caller whose token has none of these scopes.
    ///
    /// # Errors
    /// [`ErrorKind::InsufficientScope`] that names them.
    pub fn require(&self, any_of: &[&str]) -> Result<(), Error> {
        if any_of.iter().any(|scope| self.scopes.has(scope)) {
            return Ok(());
        }
        Err(Error::new(ErrorKind::InsufficientScope, format!("This needs the scope {}", any_of.join(" or "))))
    }

    /// Where a change of this caller comes from, for its audit event.
    #[must_use]
    pub fn origin(&self) -> Origin {
        Origin {
            actor: Actor::Key { client_id: self.client_id.to_string(), jti: self.jti.to_string() },
            source_ip: self.source_ip,
            request_id: self.request_id.clone(),
        }
    }
}
