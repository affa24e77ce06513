//! Issues an access token to a key that proved itself.

use domain::{error::Error, kind::Kind, scope::ScopeSet, time::Timestamp};
use jwt::Claims;

use crate::{Tokens, authenticate::Authenticated};

/// A token and what its answer says of it.
pub(crate) struct Issued {
    pub(crate) access_token: String,
    /// Seconds until it expires.
    pub(crate) expires_in: i64,
    pub(crate) scopes: ScopeSet,
}

impl Tokens {
    /// Signs a token with the key's allowlist sealed in (CYB-6). It is issued as of the moment the key was read: whatever
    /// happened to the key since reaches the token through the revocation feed, which names the key, not the time.
    pub(crate) async fn issue(&self, authenticated: &Authenticated, requested: Option<&str>) -> Result<Issued, Error> {
        let Authenticated { key, secret, now } = authenticated;
        let scopes = self.catalogue.issue(&key.scopes, requested)?;
        let iat = Timestamp::from_seconds(now.seconds());
        let ends = [Some(iat + self.settings.lifetime), key.expires_at, secret.expires_at];
        let exp = ends.into_iter().flatten().min().unwrap_or(iat);
        let expires_in = exp.seconds() - iat.seconds();
        if expires_in < 1 {
            return Err(Error::invalid_client());
        }
        let claims = Claims {
            iss: self.settings.issuer.clone(),
            aud: self.settings.audience(key.kind).to_owned(),
            jti: self.entropy.guid(),
            client_id: key.client_id,
            sid: secret.id,
            org: key.organization,
            owner: key.owner,
            env: key.kind,
            key_created: key.created_at,
            scope: scopes.clone(),
            ip_allowlist: key.ip_allowlist.clone(),
            iat,
            nbf: iat,
            exp: Timestamp::from_seconds(exp.seconds()),
        };
        // Of both kinds, since an authorizer that has just read the published keys does not look for another one at once.
        // Only its own kind's must be published; what goes wrong with the other is in the log.
        let (sandbox, live) = tokio::join!(self.sandbox.publish(&self.store, *now), self.live.publish(&self.store, *now));
        match key.kind {
            Kind::Sandbox => sandbox?,
            Kind::Live => live?,
        };
        let access_token = self.signer(key.kind).sign(&self.store, &claims, *now).await?;
        Ok(Issued { access_token, expires_in, scopes })
    }
}
