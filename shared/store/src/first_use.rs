//! The first use of a personal key's new secret, from which on the previous one's grace runs.
//!
//! Authorizers see it, and may change no key (LEAK-5). So each that sees one puts an item of
//! nothing but a primary key: which secret, and when. Such an item cannot be changed, since another
//! put over it is the same one, and none of them deletes it. The earliest counts, so that more of
//! them never let a secret live longer. Keys are given out as these items make them, and the next
//! change of a key writes that into it.

use aws_sdk_dynamodb::types::{AttributeValue, Update};
use domain::{
    ids::{ClientId, SecretId},
    key::{Key, Previous},
    time::Timestamp,
};
use tokio::task::JoinSet;

use crate::{
    Store,
    error::StoreError,
    item_keys::{self, ItemKey},
    record,
    transaction::Transaction,
};

/// How many keys' first uses are read at once.
const AT_ONCE: usize = 50;

impl Store {
    /// Notes that a personal key's secret is used now. Whoever reads the key from now on knows it.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: then it may be noted or not, and noting it again is safe.
    pub async fn note_first_use(
        &self,
        client_id: ClientId,
        used: SecretId,
    ) -> Result<(), StoreError> {
        let note = item_keys::use_of_secret(client_id, used, self.now());
        let put = self
            .client
            .put_item()
            .table_name(&self.tables.core)
            .set_item(Some(note.into_key()));
        put.send().await.map(drop).map_err(StoreError::unavailable)
    }

    /// The key as it is since the first use of its current secret, where one is noted.
    pub(crate) async fn with_first_use(&self, key: Key) -> Result<Key, StoreError> {
        let Some(used) = key.awaits_note_of() else {
            return Ok(key);
        };
        // In a box, since it is large and rare.
        let first = Box::pin(self.first_use(key.client_id, used)).await?;
        Ok(match first {
            Some(at) => key.with_first_use(at, self.now()),
            None => key,
        })
    }

    pub(crate) async fn with_first_use_if_any(
        &self,
        key: Option<Key>,
    ) -> Result<Option<Key>, StoreError> {
        match key {
            Some(key) => self.with_first_use(key).await.map(Some),
            None => Ok(None),
        }
    }

    /// As [`Store::with_first_use`], for keys in the same order.
    pub(crate) async fn with_first_uses(&self, mut keys: Vec<Key>) -> Result<Vec<Key>, StoreError> {
        let waiting: Vec<_> = (0..keys.len())
            .filter(|index| keys[*index].awaits_note_of().is_some())
            .collect();
        for some in waiting.chunks(AT_ONCE) {
            let mut readings = JoinSet::new();
            for index in some.iter().copied() {
                let (store, key) = (self.clone(), keys[index].clone());
                readings.spawn(async move { (index, store.with_first_use(key).await) });
            }
            for (index, key) in readings.join_all().await {
                keys[index] = key?;
            }
        }
        Ok(keys)
    }

    /// A key as changes are decided on it, and what its next change must write beside it: when the
    /// hash of the secret that got its end by a first use may be swept.
    pub(crate) async fn resolved_key(&self, key: Key) -> Result<(Key, Transaction), StoreError> {
        let resolved = self.with_first_use(key.clone()).await?;
        let end = |key: &Key| {
            key.secrets
                .previous
                .and_then(|it: Previous| it.expires_at())
        };
        let sweep = match (key.secrets.previous, end(&key), end(&resolved)) {
            (Some(previous), None, Some(at)) => self.sweep_secret(
                Transaction::default(),
                item_keys::secret(key.client_id, previous.id),
                at,
            )?,
            _ => Transaction::default(),
        };
        Ok((resolved, sweep))
    }

    /// Has a secret's hash swept after its end.
    pub(crate) fn sweep_secret(
        &self,
        transaction: Transaction,
        secret: ItemKey,
        end: Timestamp,
    ) -> Result<Transaction, StoreError> {
        let sweep = Update::builder()
            .update_expression("SET #expires = :expires")
            .condition_expression("attribute_exists(PK)")
            .expression_attribute_names("#expires", record::EXPIRES)
            .expression_attribute_values(":expires", record::expires(end));
        transaction.update(&self.tables.core, secret, sweep, StoreError::Changed)
    }

    /// The earliest use of the secret that is noted.
    async fn first_use(
        &self,
        client_id: ClientId,
        secret: SecretId,
    ) -> Result<Option<Timestamp>, StoreError> {
        let prefix = item_keys::uses_of_secret(secret);
        let query = self
            .client
            .query()
            .table_name(&self.tables.core)
            .consistent_read(true)
            .limit(1)
            .key_condition_expression("PK = :uses AND begins_with(SK, :secret)")
            .expression_attribute_values(":uses", AttributeValue::S(item_keys::uses(client_id)))
            .expression_attribute_values(":secret", AttributeValue::S(prefix.clone()));
        let found = query.send().await.map_err(StoreError::unavailable)?;
        Ok(found.items().first().map(|item| {
            let ItemKey { sk, .. } = ItemKey::of(item);
            item_keys::time_of_use(sk.strip_prefix(&prefix).unwrap_or_default())
        }))
    }
}
