//! What the guarded API learns of its caller (CYB-4): the authorizer context, all text.

use std::collections::BTreeMap;

use domain::{
    allowlist::Allowlist,
    ids::{ClientId, Guid, SecretId},
    key::Owner,
    key_mode::KeyMode,
    role::Role,
    scope::ScopeSet,
    time::Timestamp,
};
use jwt::Claims;

/// The context of an allowed request. REST and WebSocket APIs pass it on as
/// `requestContext.authorizer.*`, HTTP APIs as `requestContext.authorizer.lambda.*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    /// The tenant.
    pub organization: Guid,
    /// The key, which is also the policy's principal.
    pub client_id: ClientId,
    /// Whose the key is; `bank` follows from it.
    pub owner: Owner,
    /// The customer that a customer's token acts for (CYB-8).
    pub customer: Option<Guid>,
    /// What the credential may do now.
    pub scopes: ScopeSet,
    /// What the person is who calls by a personal key.
    pub role: Option<Role>,
    /// Sandbox or live.
    pub environment: KeyMode,
    /// The token; a personal key is sent itself.
    pub jti: Option<Guid>,
    /// The secret that obtained the token, or that was sent.
    pub sid: SecretId,
    /// The allowlist sealed into the token, or the personal key's own: it bounds what the caller
    /// may delegate.
    pub ip_allowlist: Allowlist,
    /// When the credential ends, where that is known.
    pub expires_at: Option<Timestamp>,
}

impl From<&Claims> for Context {
    fn from(claims: &Claims) -> Self {
        Self {
            organization: claims.org,
            client_id: claims.client_id,
            owner: claims.owner,
            customer: claims.customer,
            scopes: claims.scope.clone(),
            role: None,
            environment: claims.env,
            jti: Some(claims.jti),
            sid: claims.sid,
            ip_allowlist: claims.ip_allowlist.clone(),
            expires_at: Some(claims.exp),
        }
    }
}

impl Context {
    /// The members as the gateway carries them, and `web::caller::Caller` reads them; what is
    /// absent is left out.
    #[must_use]
    pub fn fields(&self) -> BTreeMap<String, String> {
        let list: Vec<_> = self.ip_allowlist.entries().collect();
        let members = [
            ("organization", Some(self.organization.to_string())),
            ("client_id", Some(self.client_id.to_string())),
            ("owner", Some(self.owner.to_string())),
            ("bank", self.owner.bank().map(|bank| bank.to_string())),
            (
                "customer",
                self.customer.map(|customer| customer.to_string()),
            ),
            ("scopes", Some(self.scopes.to_string())),
            ("role", self.role.map(|role| role.to_string())),
            ("environment", Some(self.environment.to_string())),
            ("jti", self.jti.map(|jti| jti.to_string())),
            ("sid", Some(self.sid.to_string())),
            ("ip_allowlist", (!list.is_empty()).then(|| list.join(","))),
            ("expires_at", self.expires_at.map(|end| end.to_string())),
        ];
        members
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?)))
            .collect()
    }
}
