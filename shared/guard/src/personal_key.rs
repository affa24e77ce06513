//! A personal key as it was read (CBM-1): everything that a decision about it needs, beside the
//! clock, the feed and the request.

use domain::{
    feed::{Credential, Feed, Footprint, Validity},
    gate::Gates,
    ids::{Guid, SecretId},
    key::{Key, NotWorking, Term},
    role::Role,
    scope::{Catalogue, ScopeSet},
    time::Timestamp,
};

use crate::{
    context::Context,
    decision::{CredentialError, DenyReason, KeyError, Unauthorized},
};

/// A key whose secret was presented, its user and its organization's gate. What they are at a
/// moment is asked at that moment.
#[derive(Clone, Debug)]
pub struct PersonalKey {
    key: Key,
    gates: Gates,
    /// The secret that was presented.
    secret: SecretId,
    /// What its user could do when it was read. Whatever changes that drops the reading.
    scopes: ScopeSet,
    /// Who else was shown the secret.
    minters: Vec<Guid>,
}

/// The people who were shown the secret and are not its user.
pub(crate) fn minters(key: &Key, secret: SecretId) -> Vec<Guid> {
    let people = key.secrets.shown_to(secret).people();
    people.map(|minter| minter.user).collect()
}

/// What the feed may name about a personal key that is presented by this secret.
pub(crate) fn credential<'a>(key: &Key, secret: SecretId, minters: &'a [Guid]) -> Credential<'a> {
    Credential {
        client_id: key.client_id,
        secret,
        token: None,
        user: key.owner.user(),
        minters,
        owner: None,
        organization: key.organization,
        kind: key.kind,
        key_created: key.created_at,
        parents: &[],
    }
}

impl PersonalKey {
    /// The key whose secret `secret` was presented; nothing when it is no personal key, whose
    /// secrets are no bearer credentials.
    #[must_use]
    pub fn new(key: Key, gates: Gates, secret: SecretId, catalogue: &Catalogue) -> Option<Self> {
        let user = key.owner.user()?;
        // It acts for its own user or, if that one is not there, for nobody.
        let is_its_user = |found: &domain::user::User| {
            found.guid == user && found.organization == key.organization
        };
        let gates = Gates {
            user: gates.user.filter(is_its_user),
            ..gates
        };
        let scopes = gates
            .user
            .as_ref()
            .map(|user| user.scopes(catalogue, key.kind))
            .unwrap_or_default();
        let minters = minters(&key, secret);
        Some(Self {
            key,
            gates,
            secret,
            scopes,
            minters,
        })
    }

    /// The key.
    #[must_use]
    pub const fn key(&self) -> &Key {
        &self.key
    }

    /// The secret that was presented.
    #[must_use]
    pub const fn secret(&self) -> SecretId {
        self.secret
    }

    /// What its user could do when it was read.
    #[must_use]
    pub const fn scopes(&self) -> &ScopeSet {
        &self.scopes
    }

    /// The role of its user, if that one is known.
    #[must_use]
    pub fn role(&self) -> Option<Role> {
        self.gates.user.as_ref().map(|user| user.role)
    }

    /// Whether it works, by the feed.
    pub(crate) fn validity(&self, feed: &Feed, earliest: Timestamp, latest: Timestamp) -> Validity {
        feed.validity(&self.credential(), earliest, latest)
    }

    /// What the feed knows about it.
    pub(crate) fn footprint(&self, feed: &Feed) -> Footprint {
        feed.footprint(&self.credential())
    }

    fn credential(&self) -> Credential<'_> {
        credential(&self.key, self.secret, &self.minters)
    }

    /// Why it does not work at `now`.
    pub(crate) fn credential_error(&self, now: Timestamp) -> Option<CredentialError> {
        let error = match self.key.works(self.secret, &self.gates, now).err()? {
            NotWorking::NoPersonalKeys | NotWorking::AwaitsKyb => {
                return Some(CredentialError::Denied(DenyReason::PlanUpgradeRequired));
            }
            NotWorking::SecretEnded => KeyError::SecretEnded,
            NotWorking::MinterEnded(_) => KeyError::MinterEnded,
            NotWorking::Deactivated => KeyError::Deactivated,
            NotWorking::Expired => KeyError::Expired,
            NotWorking::Revoked => KeyError::Revoked,
        };
        Some(CredentialError::Unauthorized(Unauthorized::Key(error)))
    }

    /// How the presented secret stands at `now`: the key's own item says it, whatever the table's
    /// TTL did to the secret's.
    pub(crate) fn term(&self, now: Timestamp) -> Option<Term> {
        self.key.secrets.term(self.secret, now)
    }

    /// Whether the presented secret ends by the first use of the one that followed it, which was
    /// not used when the key was read.
    pub(crate) fn awaits_first_use(&self) -> bool {
        let previous = self.key.secrets.previous;
        previous.is_some_and(|previous| previous.id == self.secret && previous.awaits_first_use())
    }

    /// When the presented secret was made.
    pub(crate) fn secret_made_at(&self) -> Timestamp {
        let secrets = &self.key.secrets;
        secrets
            .previous
            .filter(|previous| previous.id == self.secret)
            .map_or(secrets.current.created_at, |made| made.created_at)
    }

    /// What the guarded API learns of it at `now`.
    pub(crate) fn context(&self, now: Timestamp) -> Context {
        let ends = [
            self.key.expires_at,
            self.term(now).and_then(|term| term.ends_at),
        ];
        Context {
            organization: self.key.organization,
            client_id: self.key.client_id,
            owner: self.key.owner,
            customer: None,
            scopes: self.scopes.clone(),
            role: self.role(),
            environment: self.key.kind,
            jti: None,
            sid: self.secret,
            ip_allowlist: self.key.ip_allowlist.clone(),
            expires_at: ends.into_iter().flatten().min(),
        }
    }
}
