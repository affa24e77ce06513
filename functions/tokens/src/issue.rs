//! Issues access tokens: to a key that proved itself, and to a customer on behalf of one.

use std::time::Duration;

use domain::{
    allowlist::Allowlist,
    error::Error,
    feed::Parent,
    ids::{Guid, SecretId},
    key::Key,
    key_mode::KeyMode,
    scope::ScopeSet,
    time::Timestamp,
};
use jwt::Claims;

use crate::{Tokens, authenticate::Authenticated};

/// What a token is made of, beside what the settings say.
pub(crate) struct Draft<'a> {
    pub(crate) key: &'a Key,
    /// The secret that it rests on.
    pub(crate) sid: SecretId,
    pub(crate) scopes: ScopeSet,
    /// From where it may be used.
    pub(crate) ip_allowlist: Allowlist,
    /// The customer that it acts for, and the bank's token that obtained it (CYB-8).
    pub(crate) customer: Option<(Guid, Parent)>,
    /// The ends of the key, the secret and the parent; it outlives none of them.
    pub(crate) ends: [Option<Timestamp>; 3],
    /// When what it rests on was read.
    pub(crate) now: Timestamp,
}

/// A token and what its answer says of it.
pub(crate) struct Issued {
    pub(crate) access_token: String,
    /// Seconds until it expires.
    pub(crate) expires_in: i64,
    pub(crate) scopes: ScopeSet,
}

impl Tokens {
    /// A token of the client, with the key's allowlist sealed in (CYB-6).
    pub(crate) async fn issue(
        &self,
        authenticated: &Authenticated,
        requested: Option<&str>,
    ) -> Result<Issued, Error> {
        let Authenticated {
            key,
            sid,
            secret_ends,
            now,
        } = authenticated;
        let draft = Draft {
            key,
            sid: *sid,
            scopes: self.catalogue.issue(&key.scopes, requested)?,
            ip_allowlist: key.ip_allowlist.clone(),
            customer: None,
            ends: [key.expires_at, *secret_ends, None],
            now: *now,
        };
        self.issue_token(draft)
            .await?
            .ok_or_else(Error::invalid_client)
    }

    /// Signs a token; nothing when it would be over before it is there. It is issued as of the
    /// moment its key was read: whatever happened to the key since reaches the token through the
    /// revocation feed, which names the key, not the time.
    pub(crate) async fn issue_token(&self, draft: Draft<'_>) -> Result<Option<Issued>, Error> {
        let Draft {
            key,
            sid,
            scopes,
            ip_allowlist,
            customer,
            ends,
            now,
        } = draft;
        let iat = Timestamp::from_seconds(now.seconds());
        let exp = expiry(iat, self.settings.lifetime, ends);
        let expires_in = exp.seconds() - iat.seconds();
        if expires_in < 1 {
            return Ok(None);
        }
        let (customer, parent) = customer.unzip();
        let claims = Claims {
            iss: self.settings.issuer.clone(),
            aud: self.settings.audience(key.kind).to_owned(),
            jti: self.entropy.guid(),
            client_id: key.client_id,
            sid,
            org: key.organization,
            owner: key.owner,
            customer,
            parent,
            env: key.kind,
            key_created: key.created_at,
            scope: scopes.clone(),
            ip_allowlist,
            iat,
            nbf: iat,
            exp,
        };
        // Of both kinds, since an authorizer that has looked for an unknown key does not look for
        // another one for three seconds. Only its own kind's must be published; what goes wrong
        // with the other is in the log. One after the other, in one order everywhere: where both
        // kinds name one key, the second must find it published.
        let (sandbox, live) = (
            self.sandbox.begin(&self.store).await,
            self.live.begin(&self.store).await,
        );
        match key.kind {
            KeyMode::Sandbox => sandbox?,
            KeyMode::Live => live?,
        }
        let access_token = self
            .signer(key.kind)
            .sign_with_kms(&self.store, &claims)
            .await?;
        Ok(Some(Issued {
            access_token,
            expires_in,
            scopes,
        }))
    }
}

/// The least of the lifetime and every end (docs/requirements.md, Tokens), in whole seconds,
/// rounded down.
fn expiry(iat: Timestamp, lifetime: Duration, ends: [Option<Timestamp>; 3]) -> Timestamp {
    let least = ends
        .into_iter()
        .flatten()
        .fold(iat + lifetime, Timestamp::min);
    Timestamp::from_seconds(least.seconds())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_ends_with_the_first_thing_that_it_rests_on() {
        let iat = Timestamp::from_seconds(1_000);
        let lifetime = Duration::from_mins(30);
        let at = |seconds| Some(Timestamp::from_seconds(seconds));
        assert_eq!(
            expiry(iat, lifetime, [None, None, None]),
            Timestamp::from_seconds(2_800)
        );
        for place in 0..3 {
            let mut ends = [at(2_000), at(2_000), at(2_000)];
            ends[place] = Some(Timestamp::from_millis(1_500_999));
            assert_eq!(
                expiry(iat, lifetime, ends),
                Timestamp::from_seconds(1_500),
                "never later than the end, {place}"
            );
        }
        assert_eq!(
            expiry(iat, lifetime, [at(9_000), None, at(9_000)]),
            Timestamp::from_seconds(2_800)
        );
    }
}
