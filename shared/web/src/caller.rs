//! Who calls, as the authorizer found out. The authorizer writes this context, the gateway carries
//! it, functions read it.

use std::{collections::BTreeMap, net::IpAddr, str::FromStr};

use domain::{
    allowlist::Allowlist,
    audit::{Actor, Origin},
    error::{Error, Kind},
    ids::{ClientId, Guid, SecretId},
    key::Owner,
    key_mode::KeyMode,
    operation::{Operation, Reach},
    role::Role,
    scope::ScopeSet,
    time::Timestamp,
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
    pub kind: KeyMode,
    /// What the token may do; of a person what they could do when the authorizer looked.
    pub scopes: ScopeSet,
    /// The role of a person, who calls by a personal key (CBM-1), when the authorizer looked.
    pub role: Option<Role>,
    /// The customer that a customer's token acts for (CYB-8).
    pub customer: Option<Guid>,
    /// The token; a personal key is sent itself and has none.
    pub jti: Option<Guid>,
    /// The secret that obtained the token, or that was sent.
    pub sid: SecretId,
    /// When the credential ends, where that is known.
    pub expires_at: Option<Timestamp>,
    /// The allowlist sealed into the token; of a personal key its own.
    pub ip_allowlist: Allowlist,
    /// From where this call comes.
    pub source_ip: Option<IpAddr>,
    /// The gateway's id of this call.
    pub request_id: Option<String>,
}

impl Caller {
    /// The caller of a request that passed a gateway's authorizer; nothing when no authorizer was
    /// asked.
    ///
    /// # Errors
    /// [`Kind::AuthenticationFailed`] when the context is not one that our authorizer writes:
    /// nothing is assumed.
    pub fn of(extensions: &Extensions) -> Result<Option<Self>, Error> {
        let context = match extensions.get::<RequestContext>() {
            Some(RequestContext::ApiGatewayV1(context)) => Some(&context.authorizer),
            Some(RequestContext::ApiGatewayV2(context)) => context.authorizer.as_ref(),
            _ => None,
        };
        let Some(fields) = context
            .map(|context| &context.fields)
            .filter(|fields| !fields.is_empty())
        else {
            return Ok(None);
        };
        let fields = fields
            .iter()
            .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
            .collect();
        Self::read(&fields, Facts::of(extensions)).map(Some)
    }

    /// Reads the context's members.
    ///
    /// # Errors
    /// [`Kind::AuthenticationFailed`] when one is missing or malformed.
    pub fn read(fields: &BTreeMap<String, String>, facts: Facts) -> Result<Self, Error> {
        fn member<T: FromStr>(fields: &BTreeMap<String, String>, name: &str) -> Result<T, Error> {
            optional(fields, name)?.ok_or_else(Error::unauthenticated)
        }
        fn optional<T: FromStr>(
            fields: &BTreeMap<String, String>,
            name: &str,
        ) -> Result<Option<T>, Error> {
            fields
                .get(name)
                .map(|text| text.parse().map_err(|_| Error::unauthenticated()))
                .transpose()
        }
        let list: Vec<&str> = fields
            .get("ip_allowlist")
            .map(|list| list.split(',').collect())
            .unwrap_or_default();
        let caller = Self {
            client_id: member(fields, "client_id")?,
            owner: member(fields, "owner")?,
            organization: member(fields, "organization")?,
            kind: member(fields, "environment")?,
            scopes: member(fields, "scopes")?,
            role: optional(fields, "role")?,
            customer: optional(fields, "customer")?,
            jti: optional(fields, "jti")?,
            sid: member(fields, "sid")?,
            expires_at: optional(fields, "expires_at")?,
            ip_allowlist: Allowlist::parse_sealed(&list).map_err(|_| Error::unauthenticated())?,
            source_ip: facts.source_ip,
            request_id: facts.request_id,
        };
        let bank = caller.owner.bank().map(|bank| bank.to_string());
        // A person has a role and no token; a machine has a token and no role.
        let consistent = caller.owner.user().is_some() == caller.role.is_some()
            && caller.role.is_some() == caller.jti.is_none();
        if fields.get("bank") == bank.as_ref() && consistent {
            Ok(caller)
        } else {
            Err(Error::unauthenticated())
        }
    }

    /// Whether both are one credential, whatever either was found to hold.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        (self.client_id, self.owner, self.organization, self.kind)
            == (other.client_id, other.owner, other.organization, other.kind)
            && (self.customer, self.jti, self.sid) == (other.customer, other.jti, other.sid)
    }

    /// The person who calls.
    #[must_use]
    pub const fn user(&self) -> Option<Guid> {
        self.owner.user()
    }

    /// Whether it is one of the platform's own people.
    #[must_use]
    pub fn is_staff(&self) -> bool {
        self.role.is_some_and(Role::is_staff)
    }

    /// How far an operation reaches for this caller (`operations.csv`).
    ///
    /// # Errors
    /// [`Kind::InsufficientScope`] that names the scopes, [`Kind::Forbidden`].
    pub fn reach(&self, operation: Operation) -> Result<Reach, Error> {
        if self.customer.is_some() {
            return Err(Error::new(
                Kind::Forbidden,
                "A customer's token is for the APIs that the platform guards",
            ));
        }
        operation.rule().reach(self.role, &self.scopes)
    }

    /// Where a change of this caller comes from, for its audit event.
    #[must_use]
    pub fn origin(&self) -> Origin {
        let client_id = self.client_id.to_string();
        let actor = match (self.user(), self.jti) {
            (Some(guid), _) => Actor::User { guid, client_id },
            (None, jti) => Actor::Key {
                client_id,
                jti: jti.map(|jti| jti.to_string()).unwrap_or_default(),
            },
        };
        Origin {
            source_ip: self.source_ip,
            request_id: self.request_id.clone(),
            ..Origin::of(actor)
        }
    }
}
