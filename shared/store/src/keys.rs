//! Keys and their secrets.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::{AttributeValue, Update};
use domain::{
    audit::{Action, Origin},
    error::Error,
    feed::Effect,
    gate::Gates,
    ids::{ClientId, Guid},
    key::{Key, Owner, State},
    kind::Kind,
    secret::Secret,
};
use serde::{Deserialize, Serialize};

use crate::{
    MAX_OF_A_KIND, Store,
    audit::differences,
    error::StoreError,
    positions::{self, Class},
    record,
    transaction::Transaction,
};

/// What an organization's list knows of a key: enough to filter and count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRow {
    /// The key.
    pub client_id: ClientId,
    /// Whose it is.
    pub owner: Owner,
    /// Sandbox or live.
    pub kind: Kind,
    /// Whether it was revoked.
    pub revoked: bool,
}

/// Times that a change is decided anew because the key changed in between.
const DECISIONS: u32 = 8;

impl Store {
    /// Stores a new key with its first secret.
    ///
    /// # Errors
    /// [`StoreError::LimitReached`], [`StoreError::Exists`], and what any change can meet.
    pub async fn create_key(&self, key: &Key, secret: &Secret, origin: &Origin) -> Result<(), StoreError> {
        let row = KeyRow { client_id: key.client_id, owner: key.owner, kind: key.kind, revoked: false };
        let core = &self.tables.core;
        self.commit(|now| {
            let row_at = positions::list_row(key.organization, Class::Key, key.created_at, key.client_id);
            let secret_item = record::write(positions::secret(key.client_id, secret.id), secret)?;
            Transaction::default()
                .create(core, record::write(positions::key(key.client_id), key)?)?
                .create(core, record::sweep_after(secret_item, secret.expires_at))?
                .create(core, record::write(row_at, &row)?)?
                .count(core, positions::count(key.organization, Class::Key), MAX_OF_A_KIND)?
                .audit(self, now, key.organization, Action::KeyCreate, &key.client_id, origin, differences(&(), key))
        })
        .await
    }

    /// The key as it is now; strongly consistent.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn key(&self, client_id: ClientId) -> Result<Option<Key>, StoreError> {
        self.read(positions::key(client_id)).await
    }

    /// The key and its secrets in one strongly consistent read; an ended secret may still be among them.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn key_with_secrets(&self, client_id: ClientId) -> Result<Option<(Key, Vec<Secret>)>, StoreError> {
        let answer = self
            .client
            .query()
            .table_name(&self.tables.core)
            .consistent_read(true)
            .key_condition_expression("PK = :key")
            .expression_attribute_values(":key", AttributeValue::S(positions::key_partition(client_id)))
            .send()
            .await
            .map_err(StoreError::unavailable)?;
        let is_key = |item: &record::Item| item.get("SK").and_then(|sk| sk.as_s().ok()).is_some_and(|sk| sk == positions::KEY);
        let (keys, secrets): (Vec<_>, Vec<_>) = answer.items.unwrap_or_default().into_iter().partition(is_key);
        let Some(key) = keys.into_iter().next() else { return Ok(None) };
        Ok(Some((record::read(key)?, secrets.into_iter().map(record::read).collect::<Result<_, _>>()?)))
    }

    /// The gates in front of a key, as they are now; strongly consistent.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when the key's organization is gone, and what any read can meet.
    pub async fn gates(&self, key: &Key) -> Result<Gates, StoreError> {
        let organization = self.read(positions::gate(key.organization)).await?;
        let organization =
            organization.ok_or_else(|| StoreError::Corrupt(format!("the organization of key {} has no gate", key.client_id)))?;
        Ok(Gates { organization })
    }

    /// Every key of an organization, in order of creation.
    ///
    /// # Errors
    /// What any read can meet.
    pub async fn key_rows(&self, organization: Guid) -> Result<Vec<KeyRow>, StoreError> {
        self.rows(organization, Class::Key).await
    }

    /// These keys as they are now, in the same order.
    ///
    /// # Errors
    /// What any read can meet.
    pub async fn keys(&self, client_ids: impl IntoIterator<Item = ClientId>) -> Result<Vec<Key>, StoreError> {
        self.read_all(client_ids.into_iter().map(positions::key).collect()).await
    }

    /// Changes a key to what `decide` makes of it, unless somebody changed it in between: then it is decided anew.
    /// A decision that changes nothing writes nothing.
    ///
    /// # Errors
    /// What `decide` refuses; the 404 of a key that is not there.
    pub async fn change_key(
        &self,
        client_id: ClientId,
        origin: &Origin,
        decide: impl Fn(Key) -> Result<Key, Error>,
    ) -> Result<Key, Error> {
        for attempt in 0..DECISIONS {
            let key = self.key(client_id).await?.ok_or_else(Error::not_found)?;
            let next = decide(key.clone())?;
            let changes = differences(&key, &next);
            if changes.is_empty() {
                return Ok(key);
            }
            let written = self.commit(|now| {
                Transaction::default()
                    .replace(&self.tables.core, record::write(positions::key(client_id), &next)?, key.version)?
                    .audit(self, now, key.organization, Action::KeyUpdate, &client_id, origin, changes.clone())
            });
            match written.await {
                Err(StoreError::Changed) => self.pause(attempt).await,
                result => return result.map(|()| next).map_err(Error::from),
            }
        }
        Err(StoreError::Changed.into())
    }

    /// Stops a key for now, or lets it work again, as `decide` says, and answers only once every reader of the feed will learn
    /// of it. A refused repetition makes sure again that readers learn of a stopped key: the first try may have become visible
    /// too late for that.
    ///
    /// # Errors
    /// What `decide` refuses; the 404 of a key that is not there.
    pub async fn switch_key(
        &self,
        client_id: ClientId,
        action: Action,
        origin: &Origin,
        decide: impl Fn(Key) -> Result<Key, Error>,
    ) -> Result<Key, Error> {
        for attempt in 0..DECISIONS {
            let key = self.key(client_id).await?.ok_or_else(Error::not_found)?;
            let next = match decide(key.clone()) {
                Ok(next) => next,
                Err(refused) => {
                    if key.state == State::Deactivated {
                        self.publish(key.subject(), effect(&key)).await?;
                    }
                    return Err(refused);
                }
            };
            let written = self.commit_reducing(key.subject(), effect(&next), |now, entry| {
                Transaction::default()
                    .replace(&self.tables.core, record::write(positions::key(client_id), &next)?, key.version)?
                    .entry(self, entry)?
                    .audit(self, now, key.organization, action, &client_id, origin, differences(&key, &next))
            });
            match written.await {
                Err(StoreError::Changed) => self.pause(attempt).await,
                result => return result.map(|()| next).map_err(Error::from),
            }
        }
        Err(StoreError::Changed.into())
    }

    /// Revokes a key, whatever else happens to it at the same moment, and answers only once every reader of the feed will
    /// learn of it. Repeating it changes nothing, and makes sure again that readers learn of it: the first try may have
    /// become visible too late for that.
    ///
    /// # Errors
    /// What any change can meet; then it may or may not have happened, and repeating it is safe.
    pub async fn revoke_key(&self, key: &Key, origin: &Origin) -> Result<(), StoreError> {
        let revoked = self.commit_reducing(key.subject(), Effect::Revoke, |now, entry| {
            let state = |state| serde_dynamo::to_attribute_value(state).map_err(|error| StoreError::Corrupt(error.to_string()));
            let update = Update::builder()
                .update_expression("SET #state = :revoked, updated_at = :now ADD version :one")
                .condition_expression("attribute_exists(PK) AND #state.#name <> :final")
                .expression_attribute_names("#state", "state")
                .expression_attribute_names("#name", "name")
                .expression_attribute_values(":revoked", state(State::Revoked { at: now })?)
                .expression_attribute_values(":final", AttributeValue::S("revoked".into()))
                .expression_attribute_values(":now", AttributeValue::S(now.to_string()))
                .expression_attribute_values(":one", AttributeValue::N("1".into()));
            let row = Update::builder()
                .update_expression("SET revoked = :true")
                .condition_expression("attribute_exists(PK)")
                .expression_attribute_values(":true", AttributeValue::Bool(true));
            let row_at = positions::list_row(key.organization, Class::Key, key.created_at, key.client_id);
            let changes = BTreeMap::from([("state".into(), serde_json::json!({"name": "revoked", "at": now}))]);
            Transaction::default()
                .update(&self.tables.core, positions::key(key.client_id), update, StoreError::Revoked)?
                .update(&self.tables.core, row_at, row, StoreError::NotFound)?
                .entry(self, entry)?
                .audit(self, now, key.organization, Action::KeyRevoke, &key.client_id, origin, changes)
        });
        match revoked.await {
            Err(StoreError::Revoked) => self.publish(key.subject(), Effect::Revoke).await,
            result => result,
        }
    }
}

/// What the feed says of a key that is in this state since this version.
const fn effect(key: &Key) -> Effect {
    match key.state {
        State::Active => Effect::Resume { version: key.version },
        State::Deactivated => Effect::Suspend { version: key.version },
        State::Revoked { .. } => Effect::Revoke,
    }
}
