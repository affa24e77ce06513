//! Checks a presented secret: what it costs and what it answers is the same for every wrong one.

use domain::{
    allowlist::Admission,
    error::Error,
    key::{Effective, Key},
    secret::{NoSuchPepper, PlainSecret, Secret, SecretHash},
    time::Timestamp,
};
use web::request::Facts;

use crate::Tokens;

/// A key that proved itself, and the secret by which it did.
pub(crate) struct Authenticated {
    pub(crate) key: Key,
    pub(crate) secret: Secret,
    /// When the key was read: what a token is issued as of.
    pub(crate) now: Timestamp,
}

impl Tokens {
    /// The key of a presented secret, if both work now and the key's list, as it stands now, admits the caller (CYB-6).
    pub(crate) async fn authenticate(
        &self,
        client_id: Option<&str>,
        secret: &str,
        facts: &Facts,
    ) -> Result<Authenticated, Error> {
        let presented = PlainSecret::parse(&self.settings.brand, secret).map_err(|_| refused("not a secret", None, facts))?;
        let names = presented.client_id();
        if client_id.is_some_and(|client_id| client_id != names.to_string()) {
            return Err(refused("client_id is not the secret's", None, facts));
        }
        let client_id = Some(names.to_string());
        let refused = |reason| refused(reason, client_id.as_deref(), facts);
        let now = (self.clock)();
        let (key, secrets) =
            self.store.key_with_secrets(names).await?.map_or((None, Vec::new()), |(key, secrets)| (Some(key), secrets));
        self.store.require_a_true_clock().await?;
        let secret = self.matching(&presented, secrets, now).await?;
        let (Some(key), Some(secret)) = (key, secret) else { return Err(refused("unknown client or wrong secret")) };
        if key.kind != presented.kind() {
            return Err(refused("wrong kind"));
        }
        match key.effective(&self.store.gates(&key).await?, now) {
            Effective::Active => {}
            Effective::Inactive => return Err(refused("key is inactive")),
            Effective::Deactivated => return Err(refused("key is deactivated")),
            Effective::Expired => return Err(refused("key is expired")),
            Effective::Revoked => return Err(refused("key is revoked")),
        }
        if key.ip_allowlist.admission(facts.source_ip) != Admission::Admitted {
            tracing::info!(reason = "ip_not_allowed", client_id, source_ip = ?facts.source_ip, request_id = facts.request_id, "refused");
            return Err(Error::ip_not_allowed());
        }
        Ok(Authenticated { key, secret, now })
    }

    /// The stored secret that was presented and still works. Every stored hash is checked, and where there is none a
    /// decoy, so that an unknown client costs what a known one does.
    async fn matching(&self, presented: &PlainSecret, secrets: Vec<Secret>, now: Timestamp) -> Result<Option<Secret>, Error> {
        let mut peppers = self.peppers.peppers().await?;
        if secrets.iter().any(|secret| secret.hash.matches(presented, &peppers) == Err(NoSuchPepper)) {
            peppers = self.peppers.reread().await?;
        }
        let missing = |error: NoSuchPepper| {
            tracing::error!(cause = %error, "a secret cannot be checked");
            Error::temporarily_unavailable()
        };
        if secrets.is_empty() {
            SecretHash::decoy(&peppers).matches(presented, &peppers).map_err(missing)?;
        }
        let mut matching = None;
        for secret in secrets {
            if secret.hash.matches(presented, &peppers).map_err(missing)? {
                matching = Some(secret);
            }
        }
        Ok(matching.filter(|secret| secret.works_at(now)))
    }
}

/// The one answer to every failed authentication; only the log tells why.
pub(crate) fn refused(reason: &str, client_id: Option<&str>, facts: &Facts) -> Error {
    tracing::info!(reason, client_id, source_ip = ?facts.source_ip, request_id = facts.request_id, "refused");
    Error::invalid_client()
}
