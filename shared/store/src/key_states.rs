//! Changes of a key's state: each with its feed entry, and answered only once every reader of the
//! feed will learn of it.

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
    change::{Change, ClearOutboxWhen},
    error::StoreError,
    item_keys::{self, Class},
    record,
    transaction::{MAX_REDUCING_ATTEMPTS, Transaction},
};

impl Store {
    /// Stops a key for now, or lets it work again, as `decide` says. A refused repetition makes
    /// sure that readers learn of the state that stands: the first try may have become visible too
    /// late for that.
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
        self.update(&item_keys::key(client_id), action, origin, |key: Key| {
            let next = decide(key)?;
            let feed_changes = vec![(next.subject(), effect(&next))];
            Ok(Some(Change {
                next,
                feed_changes,
                also: Transaction::default(),
            }))
        })
        .await
    }

    /// Revokes a key, whatever else happens to it at the same moment. Repeating it changes nothing,
    /// and makes sure that readers learn of it where that is not certain yet.
    ///
    /// # Errors
    /// What any change can meet; then it may or may not have happened, and repeating it is safe.
    pub async fn revoke_key(&self, key: &Key, origin: &Origin) -> Result<(), StoreError> {
        let at = item_keys::key(key.client_id);
        let feed_changes = [(key.subject(), Effect::Revoke)];
        let counted = self
            .count(
                None,
                (Action::KeyRevoke, &feed_changes),
                key.organization,
                origin,
            )
            .await?;
        let revoked = self.commit_and_publish(
            MAX_REDUCING_ATTEMPTS,
            &feed_changes,
            counted,
            |now, entries| {
                let update = Update::builder()
                    .update_expression(
                        "SET #state = :revoked, updated_at = :now, unannounced = :entries ADD \
                         version :one",
                    )
                    .condition_expression("attribute_exists(PK) AND #state.#name <> :final")
                    .expression_attribute_names("#state", "state")
                    .expression_attribute_names("#name", "name")
                    .expression_attribute_values(
                        ":revoked",
                        record::value(&State::Revoked { at: now })?,
                    )
                    .expression_attribute_values(":final", AttributeValue::S("revoked".into()))
                    .expression_attribute_values(":now", record::value(&now)?)
                    .expression_attribute_values(":entries", record::value(&entries)?)
                    .expression_attribute_values(":one", AttributeValue::N("1".into()));
                let row = Update::builder()
                    .update_expression("SET revoked = :true")
                    .condition_expression("attribute_exists(PK)")
                    .expression_attribute_values(":true", AttributeValue::Bool(true));
                let row_at = item_keys::list_row(
                    key.organization,
                    Class::Key,
                    key.created_at,
                    key.client_id,
                );
                let changes = BTreeMap::from([(
                    "state".into(),
                    serde_json::json!({
                        "name": "revoked",
                        "at": now,
                    }),
                )]);
                Transaction::default()
                    .update(&self.tables.core, at.clone(), update, StoreError::Revoked)?
                    .update(&self.tables.core, row_at, row, StoreError::NotFound)?
                    .entries(self, entries)?
                    .audit(
                        self,
                        now,
                        key.organization,
                        Action::KeyRevoke,
                        &key.client_id,
                        origin,
                        changes,
                    )
            },
        );
        match revoked.await {
            Err(StoreError::Revoked) => {
                let record = self
                    .key_record(key.client_id)
                    .await?
                    .ok_or(StoreError::NotFound)?;
                self.publish_outbox(&at, &record.outbox, ClearOutboxWhen::Revoked)
                    .await
            }
            Ok(()) => {
                self.clear_outbox(&at, ClearOutboxWhen::Revoked).await;
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}

/// What the feed says of a key that is in this state since this version.
const fn effect(key: &Key) -> Effect {
    match key.state {
        State::Active => Effect::Resume {
            version: key.version,
        },
        State::Deactivated => Effect::Suspend {
            version: key.version,
        },
        State::Revoked { .. } => Effect::Revoke,
    }
}
