//! Checks a client's secret: what it costs and what it answers is the same for every wrong one.

use credentials::matching;
use domain::{
    allowlist::Admission,
    error::{Error, Kind},
    ids::{ClientId, SecretId},
    key::{Key, NotWorking, Term},
    secret::PlainSecret,
    time::Timestamp,
};
use web::{
    proxy::SourceIpTrust,
    refusal::{self, Call, Outcome},
    request::Facts,
};

use crate::{Tokens, parameters::Parameters};

/// A key that proved itself, and the secret by which it did.
pub(crate) struct Authenticated {
    pub(crate) key: Key,
    /// The secret.
    pub(crate) sid: SecretId,
    /// When the secret ends, where that is known.
    pub(crate) secret_ends: Option<Timestamp>,
    /// When the key was read: what a token is issued as of.
    pub(crate) now: Timestamp,
}

impl Tokens {
    /// The key of the client that these parameters name and prove (RFC 6749 §2.3.1).
    pub(crate) async fn client(
        &self,
        parameters: &Parameters,
        facts: &Facts,
    ) -> Result<Authenticated, Error> {
        let Some(secret) = &parameters.client_secret else {
            return Err(refused("credential_absent", None, facts));
        };
        let Some(client_id) = &parameters.client_id else {
            return Err(Error::new(Kind::MalformedRequest, "client_id is missing"));
        };
        self.authenticate(Some(client_id), secret, facts).await
    }

    /// The key of a presented secret, if both work now and the key's list, as it stands now, admits
    /// the caller (CYB-6). The first use of a rotated key's new secret starts the grace of the
    /// previous one.
    pub(crate) async fn authenticate(
        &self,
        client_id: Option<&str>,
        secret: &str,
        facts: &Facts,
    ) -> Result<Authenticated, Error> {
        let presented = PlainSecret::parse(&self.settings.brand, secret)
            .map_err(|_| refused("credential_malformed", None, facts))?;
        let names = presented.client_id();
        if client_id.is_some_and(|client_id| client_id != names.to_string()) {
            return Err(refused("secret_of_other_client", Some(names), facts));
        }
        let refused = |reason| refused(reason, Some(names), facts);
        let now = (self.clock)();
        let (key, stored) = self
            .store
            .key_with_secrets(names)
            .await?
            .map_or((None, Vec::new()), |(key, stored)| (Some(key), stored));
        self.store.require_a_true_clock().await?;
        let sid = matching::matching(&self.peppers, &presented, &stored).await?;
        let (Some(key), Some(sid)) = (key, sid) else {
            return Err(refused("secret_wrong"));
        };
        if key.kind != presented.kind() {
            return Err(refused("secret_of_other_kind"));
        }
        let gates = self.store.gates(&key).await?;
        let term = key.works(sid, &gates, now).map_err(|why| {
            refused(match why {
                NotWorking::SecretEnded => "secret_ended",
                NotWorking::MinterEnded(_) => "minter_ended",
                NotWorking::AwaitsKyb | NotWorking::NoPersonalKeys => "key_inactive",
                NotWorking::Deactivated => "key_deactivated",
                NotWorking::Expired => "key_expired",
                NotWorking::Revoked => "key_revoked",
            })
        })?;
        match key.ip_allowlist.admission(facts.source_ip) {
            Admission::Admitted => {}
            // The next moment may know it.
            Admission::AddressUnknown if facts.source_ip_trust == SourceIpTrust::Undetermined => {
                log(
                    Outcome::Unavailable,
                    "address_undetermined",
                    Some(names),
                    facts,
                );
                return Err(Error::temporarily_unavailable());
            }
            Admission::AddressUnknown => {
                log(Outcome::Denied, "ip_unknown", Some(names), facts);
                return Err(Error::ip_not_allowed());
            }
            Admission::NotListed => {
                log(Outcome::Denied, "ip_not_allowed", Some(names), facts);
                return Err(Error::ip_not_allowed());
            }
        }
        refusal::note_client(names);
        // Only now: who does not have the secret learns nothing of whose key it is.
        if key.owner.user().is_some() {
            return Err(Error::new(Kind::UnauthorizedClient, BEARER_ONLY));
        }
        let Term {
            ends_at,
            starts_grace,
            ..
        } = term;
        if starts_grace {
            self.start_grace(&key, sid).await;
        }
        Ok(Authenticated {
            key,
            sid,
            secret_ends: ends_at,
            now,
        })
    }

    /// A grace that cannot be started now refuses nobody: the previous secret works until the next
    /// use of the new one starts it.
    async fn start_grace(&self, key: &Key, sid: SecretId) {
        if let Err(error) = self.store.start_grace(key.client_id, sid).await {
            tracing::warn!(
                cause = %error,
                client_id = %key.client_id,
                "the grace of a previous secret has not begun"
            );
        }
    }
}

/// CBM-1: a personal key is a bearer credential itself, with its user's role and scopes as they are
/// at each call; a token would keep what they were.
const BEARER_ONLY: &str =
    "A personal key gets no tokens: send its secret itself as Authorization: Bearer";

/// The one answer to every failed authentication; only the log tells why, in the guard's words
/// (`guard::Unauthorized::name`).
pub(crate) fn refused(reason: &str, client_id: Option<ClientId>, facts: &Facts) -> Error {
    log(Outcome::Unauthorized, reason, client_id, facts);
    Error::invalid_client()
}

fn log(outcome: Outcome, reason: &str, client_id: Option<ClientId>, facts: &Facts) {
    refusal::log(outcome, reason, client_id, &Call::from(facts));
}
