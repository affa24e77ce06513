//! What the guarded API learns of its caller (CYB-4): the authorizer context, all text.

use std::collections::BTreeMap;

use domain::{
    allowlist::Allowlist,
    ids::{ClientId, Guid, SecretId},
    key::Owner,
    kind::Kind,
    scope::ScopeSet,
    time::Timestamp,
};
use jwt::Claims;

/// The context of an allowed request. REST and WebSocket APIs pass it on as `requestContext.authorizer.*`, HTTP APIs as
/// `requestContext.authorizer.lambda.*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    /// The tenant.
    pub organization: Guid,
    /// The key, which is also the policy's principal.
    pub client_id: ClientId,
    /// Whose the key is; `bank` follows from it.
    pub owner: Owner,
    /// What the token may do.
    pub scopes: ScopeSet,
    /// Sandbox or live.
    pub environment: Kind,
    /// The token.
    pub jti: Guid,
    /// The secret that obtained it.
    pub sid: SecretId,
    /// The allowlist sealed into the token, which bounds what it may confer.
    pub ip_allowlist: Allowlist,
    /// When the token dies.
    pub expires_at: Timestamp,
}

impl From<&Claims> for Context {
    fn from(claims: &Claims) -> Self {
        Self {
            organization: claims.org,
            client_id: claims.client_id,
            owner: claims.owner,
            scopes: claims.scope.clone(),
            environment: claims.env,
            jti: claims.jti,
            sid: claims.sid,
            ip_allowlist: claims.ip_allowlist.clone(),
            expires_at: claims.exp,
        }
    }
}

impl Context {
    /// The members as the gateway carries them, and `web::caller::Caller` reads them; what is absent is left out.
    #[must_use]
    pub fn fields(&self) -> BTreeMap<String, String> {
        let always = [
            ("organization", self.organization.to_string()),
            ("client_id", self.client_id.to_string()),
            ("owner", self.owner.to_string()),
            ("scopes", self.scopes.to_string()),
            ("environment", self.environment.to_string()),
            ("jti", self.jti.to_string()),
            ("sid", self.sid.to_string()),
            ("expires_at", self.expires_at.to_string()),
        ];
        let list: Vec<_> = self.ip_allowlist.entries().collect();
        let bank = self.owner.bank().map(|bank| ("bank", bank.to_string()));
        let list = (!list.is_empty()).then(|| ("ip_allowlist", list.join(",")));
        always.into_iter().chain(bank).chain(list).map(|(name, value)| (name.to_owned(), value)).collect()
    }
}
