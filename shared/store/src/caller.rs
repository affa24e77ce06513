//! On whose authority a change rests. What a credential delegates must not outlive the moment at
//! which it was stopped, however the two race: so the transaction of a change holds only while what
//! was found of its caller still stands.

use std::{fmt, sync::Arc};

use aws_sdk_dynamodb::types::{AttributeValue, ConditionCheck};
use domain::{
    allowlist::Allowlist,
    authority::{CallerAuthority, Presented, TokenGrant},
    gate::Gates,
    ids::{ClientId, Guid, SecretId},
    key::{Key, NotWorking, Owner},
    scope::{Catalogue, ScopeSet},
    time::Timestamp,
    user::User,
};

use crate::{
    Store,
    error::StoreError,
    gates::GateRecord,
    item_keys::{self, ItemKey},
    reading::Reading,
    transaction::Transaction,
};

/// Who calls by a key, as they were authenticated: what names the items that say what they may do
/// now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyIdentity {
    /// The key.
    pub client_id: ClientId,
    /// Whose it is.
    pub owner: Owner,
    /// The tenant.
    pub organization: Guid,
    /// The secret that obtained its token, or that it sent.
    pub secret: SecretId,
    /// What its token carries; a personal key is sent itself.
    pub token: Option<TokenCarried>,
}

/// What a token carries of its key's authority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenCarried {
    /// Its scopes.
    pub scopes: ScopeSet,
    /// The allowlist that is sealed into it.
    pub ip_allowlist: Allowlist,
    /// Whether it acts for a customer (CYB-8).
    pub is_customer: bool,
}

/// A caller as they were read: what they are and hold, and the versions of what says so.
#[derive(Clone)]
pub struct CallerSnapshot {
    identity: KeyIdentity,
    catalogue: Arc<Catalogue>,
    authority: CallerAuthority,
    key: Key,
    gates: Gates,
    versions: Vec<(ItemKey, u64)>,
    /// The caller is still valid, but what it may do changed since the decision.
    changed: bool,
}

/// Why there is no snapshot of a caller.
pub(crate) enum NoCaller {
    /// Their credential does not work.
    NotWorking(NotWorking),
    /// They could not be read.
    Unread(StoreError),
}

impl From<StoreError> for NoCaller {
    fn from(error: StoreError) -> Self {
        Self::Unread(error)
    }
}

impl From<NoCaller> for domain::error::Error {
    fn from(why: NoCaller) -> Self {
        match why {
            NoCaller::NotWorking(why) => why.into(),
            NoCaller::Unread(error) => error.into(),
        }
    }
}

impl From<NoCaller> for StoreError {
    fn from(why: NoCaller) -> Self {
        match why {
            NoCaller::NotWorking(_) => Self::CallerStopped,
            NoCaller::Unread(error) => error,
        }
    }
}

impl Store {
    /// What a caller is and holds at this moment, whatever the authorizer saw some seconds ago: a
    /// stopped caller delegates nothing. Changes that rest on it are made through
    /// [`Store::on_behalf_of`] it, so that it still stands when they happen.
    ///
    /// # Errors
    /// The 401 of a caller whose credential does not work (403 where the plan has no personal
    /// keys), and what any read can meet.
    pub async fn caller_snapshot(
        &self,
        identity: &KeyIdentity,
        catalogue: &Arc<Catalogue>,
    ) -> Result<CallerSnapshot, domain::error::Error> {
        let mut reading = Reading::of(self);
        reading.read(identity.items()).await?;
        Ok(CallerSnapshot::read(&mut reading, identity, catalogue, self.now()).await?)
    }

    /// The same caller, read again: something about them has changed since.
    pub(crate) async fn read_again(
        &self,
        before: &CallerSnapshot,
    ) -> Result<CallerSnapshot, StoreError> {
        let mut reading = Reading::of(self);
        reading.read(before.identity.items()).await?;
        let CallerSnapshot {
            identity,
            catalogue,
            authority,
            ..
        } = before;
        let again = CallerSnapshot::read(&mut reading, identity, catalogue, self.now()).await?;
        // A change of the caller's own key is decided again on what that key is by then, yet on the
        // caller as it was at first: without this it would undo what narrowed the key in between.
        let changed = before.changed || !again.authority.may_what(authority);
        Ok(CallerSnapshot { changed, ..again })
    }
}

impl KeyIdentity {
    /// Where the items stand that are known of it.
    pub(crate) fn items(&self) -> Vec<ItemKey> {
        let user = self.owner.user().map(item_keys::user);
        [
            item_keys::key(self.client_id),
            item_keys::gate(self.organization),
        ]
        .into_iter()
        .chain(user)
        .collect()
    }
}

impl CallerSnapshot {
    /// The caller of whom the items have been read, but for whom their secret was shown.
    pub(crate) async fn read(
        reading: &mut Reading<'_>,
        identity: &KeyIdentity,
        catalogue: &Arc<Catalogue>,
        now: Timestamp,
    ) -> Result<Self, NoCaller> {
        let key_at = item_keys::key(identity.client_id);
        let stopped = || NoCaller::Unread(StoreError::CallerStopped);
        let key: Key = reading.get(&key_at)?.ok_or_else(stopped)?;
        if (key.organization, key.owner) != (identity.organization, identity.owner) {
            return Err(stopped());
        }
        let key = reading.store().with_first_use(key).await?;
        let gate_at = item_keys::gate(identity.organization);
        let gate: GateRecord = reading.get(&gate_at)?.ok_or_else(stopped)?;
        let minters: Vec<_> = key.minters().map(item_keys::user).collect();
        reading.read(minters.clone()).await?;
        let user_at = identity.owner.user().map(item_keys::user);
        let user: Option<User> = match &user_at {
            Some(at) => reading.get(at)?,
            None => None,
        };
        let mut versions = vec![(key_at, key.version), (gate_at, gate.version)];
        versions.extend(user_at.zip(user.as_ref().map(|user| user.version)));
        let minters = reading.users(minters)?;
        let shown_to = key.secrets.shown_to(identity.secret);
        let rests_on = minters
            .iter()
            .filter(|user| shown_to.people().any(|minter| minter.user == user.guid));
        versions.extend(rests_on.map(|user| (item_keys::user(user.guid), user.version)));
        let gates = Gates {
            organization: gate.gate,
            user,
            minters,
        };
        let authority =
            CallerAuthority::of_key(&key, &gates, &identity.presented(), catalogue, now)
                .map_err(NoCaller::NotWorking)?;
        Ok(Self {
            identity: identity.clone(),
            catalogue: Arc::clone(catalogue),
            authority,
            key,
            gates,
            versions,
            changed: false,
        })
    }

    /// What the caller is and holds.
    #[must_use]
    pub const fn authority(&self) -> &CallerAuthority {
        &self.authority
    }

    /// The caller's organization's gate, and the user of a personal key.
    #[must_use]
    pub const fn gates(&self) -> &Gates {
        &self.gates
    }

    pub(crate) const fn identity(&self) -> &KeyIdentity {
        &self.identity
    }

    pub(crate) const fn catalogue(&self) -> &Arc<Catalogue> {
        &self.catalogue
    }

    /// Whether the transaction changes something that the caller's authority rests on, and was
    /// decided on another version of it than this: then that version may have taken something from
    /// the caller, who is to be read again.
    pub(crate) fn is_stale(&self, transaction: &Transaction) -> bool {
        self.versions.iter().any(|(at, version)| {
            let replaced = transaction.replaces(at);
            replaced.is_some_and(|replaced| replaced != *version)
        })
    }

    /// The transaction, under the condition that the caller has not changed. What the transaction
    /// itself changes is guarded by the version that it was decided on
    /// ([`CallerSnapshot::is_stale`]).
    pub(crate) fn guard(
        &self,
        mut transaction: Transaction,
        table: &str,
        now: Timestamp,
    ) -> Result<Transaction, StoreError> {
        if self
            .key
            .works(self.identity.secret, &self.gates, now)
            .is_err()
        {
            return Err(StoreError::CallerStopped);
        }
        if self.changed {
            return Err(StoreError::CallerChanged);
        }
        for (at, version) in &self.versions {
            if !transaction.touches(at) {
                let unchanged = ConditionCheck::builder()
                    .condition_expression("version = :version")
                    .expression_attribute_values(
                        ":version",
                        AttributeValue::N(version.to_string()),
                    );
                transaction =
                    transaction.check(table, at.clone(), unchanged, StoreError::CallerStopped)?;
            }
        }
        Ok(transaction)
    }
}

impl KeyIdentity {
    fn presented(&self) -> Presented<'_> {
        Presented {
            secret: self.secret,
            token: self.token.as_ref().map(|token| TokenGrant {
                scopes: &token.scopes,
                ip_allowlist: &token.ip_allowlist,
                is_customer: token.is_customer,
            }),
        }
    }
}

impl fmt::Debug for CallerSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CallerSnapshot({:?})", self.authority)
    }
}
