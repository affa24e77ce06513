//! Changes of a key's state: each with its feed entry, and answered only once every reader of the
//! feed will learn of it.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::{AttributeValue, Update};
use domain::{
    audit::{Action, Origin},
    authority::Authorized,
    error::Error,
    feed::{Effect, Entry},
    key::{Key, State},
    time::Timestamp,
    user::User,
};

use crate::{
    KeyRow, KeyView, Store,
    change::{Change, ClearOutboxWhen, Versioned},
    error::StoreError,
    item_keys,
    outbox::Outbox,
    record,
    transaction::{MAX_ATTEMPTS, MAX_REDUCING_ATTEMPTS, Transaction},
    users,
};

impl Store {
    /// Stops a key for now, or lets it work again, as `decide` says. A refused repetition makes
    /// sure that readers learn of the state that stands: the first try may have become visible too
    /// late for that.
    ///
    /// # Errors
    /// What the authorisation and `decide` refuse; the 404 of a key that is not there.
    pub async fn switch_key(
        &self,
        view: &KeyView,
        action: Action,
        origin: &Origin,
        decide: impl Fn(Authorized<'_>) -> Result<Key, Error>,
    ) -> Result<Key, Error> {
        self.update_key(view, action, origin, |key: Key| {
            let next = decide(view.authorize(key, self.now())?)?;
            let feed_changes = vec![(next.subject(), effect(&next))];
            Ok(Some(Change {
                feed_changes,
                ..Change::quiet(next)
            }))
        })
        .await
    }

    /// Revokes a key, whatever else happens to it at the same moment: what it writes names no
    /// version, so that the key that it stops cannot hold it off by changes of its own. Repeating
    /// it changes nothing, and makes sure that readers learn of it where that is not certain yet.
    ///
    /// # Errors
    /// What the authorisation refuses; what any change can meet: then it may or may not have
    /// happened, and repeating it is safe.
    pub async fn revoke_key(&self, view: &KeyView, origin: &Origin) -> Result<Key, Error> {
        let mut row = Some(KeyRow::of(view.key()));
        let mut again = None;
        for attempt in 0..MAX_ATTEMPTS {
            let view = again.as_ref().unwrap_or(view);
            let authorized = view.authorized(self.now())?;
            let (key, user) = (authorized.key().clone(), authorized.user_of_others());
            let Some(revoked) = authorized.revoke()? else {
                let at = item_keys::key(key.client_id);
                self.publish_outbox(
                    &at,
                    &view.record.outbox,
                    ClearOutboxWhen::Revoked,
                    key.budget_owner(),
                )
                .await?;
                return Ok(key);
            };
            let store = self.on_behalf_of_view(view);
            let written = store.write_revoked(&revoked, row.as_ref(), user, origin);
            match written.await {
                // The row counts otherwise by now, which happens twice at most; or the user is not
                // as they were: whoever has a say over a user has it over a user as they are.
                Err(StoreError::Changed) => {
                    let found = self.key_row(&key).await?.filter(|row| !row.revoked);
                    if found == row {
                        again = Some(self.view_again(view).await?);
                    }
                    row = found;
                }
                // So many others change what it counts for: that holds it up no longer.
                Err(StoreError::Contended) if row.is_some() => row = None,
                written => return Ok(written.map(|()| revoked)?),
            }
            self.pause(attempt).await;
        }
        Err(Error::temporarily_unavailable())
    }

    async fn write_revoked(
        &self,
        key: &Key,
        row: Option<&KeyRow>,
        user: Option<&User>,
        origin: &Origin,
    ) -> Result<(), StoreError> {
        let at = item_keys::key(key.client_id);
        let feed_changes = [(key.subject(), Effect::Revoke)];
        let plan = self
            .plan_entries(key.budget_owner(), feed_changes.len(), origin)
            .await;
        let revoked = self.commit_and_publish(
            MAX_REDUCING_ATTEMPTS,
            &feed_changes,
            (plan, origin),
            |now, entries| self.revocation(key, row, user, origin, now, entries),
        );
        match revoked.await {
            Err(StoreError::Revoked) => {
                let record = self
                    .key_record(key.client_id)
                    .await?
                    .ok_or(StoreError::NotFound)?;
                self.publish_outbox(
                    &at,
                    &record.outbox,
                    ClearOutboxWhen::Revoked,
                    key.budget_owner(),
                )
                .await
            }
            Ok(()) => {
                self.clear_outbox(&at, ClearOutboxWhen::Revoked).await;
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// The transaction that makes a key this revoked one, and has its row count no more where it
    /// does.
    fn revocation(
        &self,
        key: &Key,
        row: Option<&KeyRow>,
        user: Option<&User>,
        origin: &Origin,
        now: Timestamp,
        entries: &[Entry],
    ) -> Result<Transaction, StoreError> {
        let (core, organization) = (&self.tables.core, key.organization);
        let until = key.updated_at + Key::LISTED_WHEN_REVOKED;
        let outbox = Outbox::of(&[(key.subject(), Effect::Revoke)]);
        let update = Update::builder()
            .update_expression(
                "SET #state = :revoked, updated_at = :now, unannounced = :entries, listed_until = \
                 :until, #expires = :expires ADD version :one",
            )
            .condition_expression("attribute_exists(PK) AND #state.#name <> :final")
            .expression_attribute_names("#state", "state")
            .expression_attribute_names("#name", "name")
            .expression_attribute_names("#expires", record::EXPIRES)
            .expression_attribute_values(":revoked", record::value(&key.state)?)
            .expression_attribute_values(":final", AttributeValue::S("revoked".into()))
            .expression_attribute_values(":now", record::value(&key.updated_at)?)
            .expression_attribute_values(":entries", record::value(&outbox)?)
            .expression_attribute_values(":until", record::value(&until)?)
            .expression_attribute_values(":expires", record::expires(until))
            .expression_attribute_values(":one", AttributeValue::N("1".into()));
        let at = item_keys::key(key.client_id);
        let mut revocation =
            Transaction::default().update(core, at, update, StoreError::Revoked)?;
        if let Some(row) = row {
            revocation = revocation.mark_revoked(core, organization, row, until)?;
        }
        if let Some(user) = user {
            revocation = users::require_unchanged(revocation, core, user)?;
        }
        revocation = revocation.entries(self, entries)?;
        if let Some(row) = row {
            revocation = revocation.uncount_key(core, organization, row)?;
        }
        let state = serde_json::json!(key.state);
        revocation.audit(
            self,
            now,
            organization,
            Action::KeyRevoke,
            &key.client_id,
            origin,
            BTreeMap::from([("state".into(), state)]),
        )
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
