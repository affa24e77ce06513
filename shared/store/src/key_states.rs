//! Changes of a key's state: each with its feed entry, and answered only once every reader of the feed will learn of it.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::{AttributeValue, Update};
use domain::{
    audit::{Action, Origin},
    error::Error,
    feed::Effect,
    ids::ClientId,
    key::{Key, State},
};

use crate::{
    Store,
    audit::differences,
    error::StoreError,
    keys::KeyRecord,
    positions::{self, Class},
    record,
    transaction::Transaction,
};

impl Store {
    /// Stops a key for now, or lets it work again, as `decide` says. A refused repetition makes sure that readers learn of the
    /// state that stands: the first try may have become visible too late for that.
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
        let mut attempt = 0;
        loop {
            let KeyRecord { key, unannounced } = self.key_record(client_id).await?.ok_or_else(Error::not_found)?;
            let next = match decide(key.clone()) {
                Ok(next) => next,
                Err(refused) => {
                    if unannounced {
                        self.announce(&key).await?;
                    }
                    return Err(refused);
                }
            };
            let record = KeyRecord { key: next.clone(), unannounced: true };
            let written = self.commit_reducing(key.subject(), effect(&next), |now, entry| {
                Transaction::default()
                    .replace(&self.tables.core, record::write(positions::key(client_id), &record)?, key.version)?
                    .entry(self, entry)?
                    .audit(self, now, key.organization, action, &client_id, origin, differences(&key, &next))
            });
            let written = written.await;
            if written.is_ok() {
                self.mark_announced(&next).await;
            }
            if !self.decides_anew(&written, &mut attempt).await {
                return written.map(|()| next).map_err(Error::from);
            }
        }
    }

    /// Revokes a key, whatever else happens to it at the same moment. Repeating it changes nothing, and makes sure that readers
    /// learn of it where that is not certain yet.
    ///
    /// # Errors
    /// What any change can meet; then it may or may not have happened, and repeating it is safe.
    pub async fn revoke_key(&self, key: &Key, origin: &Origin) -> Result<(), StoreError> {
        let revoked = self.commit_reducing(key.subject(), Effect::Revoke, |now, entry| {
            let state = |state| serde_dynamo::to_attribute_value(state).map_err(|error| StoreError::Corrupt(error.to_string()));
            let update = Update::builder()
                .update_expression("SET #state = :revoked, updated_at = :now, unannounced = :true ADD version :one")
                .condition_expression("attribute_exists(PK) AND #state.#name <> :final")
                .expression_attribute_names("#state", "state")
                .expression_attribute_names("#name", "name")
                .expression_attribute_values(":revoked", state(State::Revoked { at: now })?)
                .expression_attribute_values(":final", AttributeValue::S("revoked".into()))
                .expression_attribute_values(":now", AttributeValue::S(now.to_string()))
                .expression_attribute_values(":true", AttributeValue::Bool(true))
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
            Err(StoreError::Revoked) => {}
            Ok(()) => {
                self.mark_announced(&Key { state: State::Revoked { at: self.now() }, ..key.clone() }).await;
                return Ok(());
            }
            Err(error) => return Err(error),
        }
        let KeyRecord { key, unannounced } = self.key_record(key.client_id).await?.ok_or(StoreError::NotFound)?;
        if unannounced { self.announce(&key).await } else { Ok(()) }
    }

    /// Makes sure that every reader of the feed will learn of the state that a key has.
    async fn announce(&self, key: &Key) -> Result<(), StoreError> {
        self.publish(key.subject(), effect(key)).await?;
        self.mark_announced(key).await;
        Ok(())
    }

    /// Remembers that every reader will learn of the state that a key has. Where that fails, or the key has changed since, the
    /// next repetition writes an entry more than it had to.
    async fn mark_announced(&self, key: &Key) {
        let mark = self
            .client
            .update_item()
            .table_name(&self.tables.core)
            .set_key(Some(positions::key(key.client_id).into_key()))
            .update_expression("REMOVE unannounced");
        let mark = match key.state {
            // Final, whatever the version: a revoke does not know which one it made.
            State::Revoked { .. } => mark
                .condition_expression("#state.#name = :final")
                .expression_attribute_names("#state", "state")
                .expression_attribute_names("#name", "name")
                .expression_attribute_values(":final", AttributeValue::S("revoked".into())),
            State::Active | State::Deactivated => mark
                .condition_expression("version = :version")
                .expression_attribute_values(":version", AttributeValue::N(key.version.to_string())),
        };
        if let Err(error) = mark.send().await {
            tracing::debug!(error = domain::error::causes(&error), client_id = %key.client_id, "a key stays marked as unannounced");
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
