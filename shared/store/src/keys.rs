//! Keys and their secrets.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{
    audit::{Action, Origin},
    error::Error,
    gate::Gates,
    ids::{ClientId, Guid},
    key::{Key, Owner},
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

/// A key as it is stored.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct KeyRecord {
    #[serde(flatten)]
    pub(crate) key: Key,
    /// Whether the newest change of state may not have reached every reader of the feed yet: then repeating it writes its entry
    /// again. Else repeating it writes nothing, so that nobody floods the feed with entries that say nothing new.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) unannounced: bool,
}

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

    pub(crate) async fn key_record(&self, client_id: ClientId) -> Result<Option<KeyRecord>, StoreError> {
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
        let mut attempt = 0;
        loop {
            let KeyRecord { key, unannounced } = self.key_record(client_id).await?.ok_or_else(Error::not_found)?;
            let next = decide(key.clone())?;
            let changes = differences(&key, &next);
            if changes.is_empty() {
                return Ok(key);
            }
            let record = KeyRecord { key: next.clone(), unannounced };
            let written = self.commit(|now| {
                Transaction::default()
                    .replace(&self.tables.core, record::write(positions::key(client_id), &record)?, key.version)?
                    .audit(self, now, key.organization, Action::KeyUpdate, &client_id, origin, changes.clone())
            });
            let written = written.await;
            if !self.decides_anew(&written, &mut attempt).await {
                return written.map(|()| next).map_err(Error::from);
            }
        }
    }
}
