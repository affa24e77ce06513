//! On whose authority a change rests. What a credential delegates must not outlive the moment at
//! which it was stopped, however the two race: so the transaction of a change holds only while what
//! was found of its caller still stands.

use aws_sdk_dynamodb::types::{AttributeValue, ConditionCheck};
use domain::{
    gate::Gates,
    ids::SecretId,
    key::{Effective, Key},
    time::Timestamp,
    user::User,
};

use crate::{
    Store,
    error::StoreError,
    gates::GateRecord,
    item_keys::{self, ItemKey},
    record,
    transaction::Transaction,
};

/// Whose authority a change rests on, as it was read when the change was decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Behalf {
    /// The caller's key.
    pub key: Key,
    /// The caller, of a personal key.
    pub user: Option<User>,
    /// The secret that obtained its token, or that it sent.
    pub secret: SecretId,
}

/// The caller's key and gates as they were read, and the versions that must not have changed since.
pub(crate) struct CallerSnapshot {
    key: Key,
    gates: Gates,
    versions: Vec<(ItemKey, u64)>,
    /// The caller is still valid, but its role, scopes, expiry or allowlist changed since the
    /// decision.
    changed: bool,
    secret: SecretId,
}

impl Store {
    /// Reads the key and gates of the caller that this store acts for; nothing when its changes are
    /// the operator's.
    pub(crate) async fn caller_snapshot(&self) -> Result<Option<CallerSnapshot>, StoreError> {
        let Some(behalf) = self.behalf.as_deref() else {
            return Ok(None);
        };
        let key_at = item_keys::key(behalf.key.client_id);
        let gate_at = item_keys::gate(behalf.key.organization);
        let user_at = behalf.key.owner.user().map(item_keys::user);
        let wanted = [&key_at, &gate_at]
            .into_iter()
            .chain(&user_at)
            .cloned()
            .collect::<Vec<_>>();
        let mut found = self.read_items(&wanted).await?;
        let key: Key = found
            .remove(&key_at)
            .map(record::read)
            .transpose()?
            .ok_or(StoreError::CallerStopped)?;
        let gate: GateRecord = found
            .remove(&gate_at)
            .map(record::read)
            .transpose()?
            .ok_or(StoreError::CallerStopped)?;
        let user: Option<User> = user_at
            .as_ref()
            .and_then(|at| found.remove(at))
            .map(record::read)
            .transpose()?;
        let authority = |user: &User| (user.role, user.allowed_scopes.clone());
        let narrowed = behalf
            .user
            .as_ref()
            .is_some_and(|before| user.as_ref().map(authority) != Some(authority(before)));
        // A change of the caller's own key is decided again on what that key is by then, yet on the
        // caller as it was at first: without this it would undo what narrowed the key in between.
        let bounds = |key: &Key| (key.expires_at, key.ip_allowlist.clone());
        let changed = narrowed || bounds(&behalf.key) != bounds(&key);
        let mut versions = vec![(key_at, key.version), (gate_at, gate.version)];
        versions.extend(user_at.zip(user.as_ref().map(|user| user.version)));
        let gates = Gates {
            organization: gate.gate,
            user,
        };
        Ok(Some(CallerSnapshot {
            key,
            gates,
            versions,
            changed,
            secret: behalf.secret,
        }))
    }
}

impl CallerSnapshot {
    /// The transaction, under the condition that the caller has not changed. What the transaction
    /// itself changes is guarded by the version that it was decided on, which was read before this.
    pub(crate) fn guard(
        &self,
        mut transaction: Transaction,
        table: &str,
        now: Timestamp,
    ) -> Result<Transaction, StoreError> {
        if self.key.effective(&self.gates, now) != Effective::Active
            || self.key.secrets.term(self.secret, now).is_none()
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
