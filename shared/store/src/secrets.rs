//! A key's secrets while they change (CBM-3, ARZ-5, X-3). The key's own item says which of them
//! work and until when; an item beside it holds each one's hash, and a TTL by which it is swept
//! once it has ended.

use aws_sdk_dynamodb::types::{AttributeValue, Update};
use domain::{
    audit::{Action, Actor, Origin},
    authority::Authorized,
    error::Error,
    ids::{ClientId, SecretId},
    key::{Key, Previous, Rotated},
    secret::Secret,
    time::Timestamp,
};

use crate::{
    KeyView, Store,
    audit::differences,
    change::{Change, ClearOutboxWhen, Versioned},
    error::StoreError,
    item_keys,
    outbox::Outbox,
    record,
    transaction::Transaction,
    users,
};

/// Times that the start of a grace is tried: the next use of the secret tries again, and a caller
/// waits for this one.
const MAX_GRACE_ATTEMPTS: u32 = 3;

impl Store {
    /// Gives a key another secret, as `decide` says. There is no repeating it: where it fails, it
    /// may have happened, and the secret that it made is lost (`replace` gets another). A personal
    /// key of which somebody else is shown the secret gets it only while its user is as they were
    /// read.
    ///
    /// # Errors
    /// What the authorisation and `decide` refuse; the 404 of a key that is not there; a 503 where
    /// that user has changed: whether the caller may act as them is to be decided again.
    pub async fn rotate_key(
        &self,
        view: &KeyView,
        secret: &Secret,
        origin: &Origin,
        decide: impl Fn(Authorized<'_>) -> Result<Rotated, Error>,
    ) -> Result<Key, Error> {
        let (core, client_id) = (&self.tables.core, view.key().client_id);
        self.update_key(view, Action::KeyRotate, origin, |key: Key| {
            let authorized = view.authorize(key.clone(), self.now())?;
            let user = authorized.user_of_others();
            let rotated = decide(authorized)?;
            let item = record::write(item_keys::secret(client_id, secret.id), secret)?;
            let also = Transaction::default().create(core, item)?;
            let also = match user {
                Some(user) => users::require_unchanged_and_bump(also, core, user)?,
                None => also,
            };
            Ok(Some(self.rotation(&key, rotated, also)?))
        })
        .await
    }

    /// Ends a key's previous secret, as `decide` says. Repeating it changes nothing, and makes sure
    /// that readers learn of it where that is not certain yet.
    ///
    /// # Errors
    /// What the authorisation and `decide` refuse; the 404 of a key that is not there.
    pub async fn finish_rotation(
        &self,
        view: &KeyView,
        origin: &Origin,
        decide: impl Fn(Authorized<'_>) -> Result<Option<Rotated>, Error>,
    ) -> Result<Key, Error> {
        self.update_key(view, Action::KeyFinishRotation, origin, |key: Key| {
            let Some(rotated) = decide(view.authorize(key.clone(), self.now())?)? else {
                return Ok(None);
            };
            Ok(Some(self.rotation(
                &key,
                rotated,
                Transaction::default(),
            )?))
        })
        .await
    }

    fn rotation(
        &self,
        before: &Key,
        rotated: Rotated,
        also: Transaction,
    ) -> Result<Change<Key>, StoreError> {
        let also = self.sweep_ending(before, &rotated, also)?;
        Ok(Change {
            feed_changes: rotated.entry.into_iter().collect(),
            also,
            ..Change::quiet(rotated.key)
        })
    }

    /// Has the secret that ends swept after its end. One that was over before the change has its
    /// TTL, and may be gone.
    fn sweep_ending(
        &self,
        before: &Key,
        rotated: &Rotated,
        transaction: Transaction,
    ) -> Result<Transaction, StoreError> {
        let over = |previous: &Previous| !previous.works_at(rotated.key.updated_at);
        let Some((id, at)) = rotated.ending else {
            return Ok(transaction);
        };
        if before
            .secrets
            .previous
            .is_some_and(|previous| previous.id == id && over(&previous))
        {
            return Ok(transaction);
        }
        self.sweep_secret(transaction, item_keys::secret(before.client_id, id), at)
    }

    /// Starts the grace of a key's previous secret at the first use of its current one, `used`
    /// nothing when none waits for it. For machines' keys: of a personal key
    /// [`Store::note_first_use`] notes it. It is called while somebody waits for a token, by a
    /// function that changes nothing else about keys: so it is tried a few times only, and written
    /// by an update that names what it sets.
    ///
    /// # Errors
    /// What any change can meet; the next use starts the grace then, if it has not started.
    pub async fn start_grace(
        &self,
        client_id: ClientId,
        used: SecretId,
    ) -> Result<Option<Key>, StoreError> {
        let mut attempt = 0;
        loop {
            let Some(record) = self.key_record(client_id).await? else {
                return Ok(None);
            };
            let Some(rotated) = record.value.clone().start_grace(used, self.now()) else {
                return Ok(None);
            };
            let at = item_keys::key(client_id);
            self.publish_outbox(
                &at,
                &record.outbox,
                ClearOutboxWhen::Version(record.value.version),
                record.value.budget_owner(),
            )
            .await?;
            let started = self.write_grace(&record.value, &rotated).await;
            attempt += 1;
            match started {
                Err(StoreError::Changed | StoreError::Contended)
                    if attempt < MAX_GRACE_ATTEMPTS =>
                {
                    self.pause(0).await;
                }
                Err(error) => return Err(error),
                Ok(()) => {
                    self.clear_outbox(&at, ClearOutboxWhen::Version(rotated.key.version))
                        .await;
                    return Ok(Some(rotated.key));
                }
            }
        }
    }

    async fn write_grace(&self, before: &Key, rotated: &Rotated) -> Result<(), StoreError> {
        let Rotated { key, .. } = rotated;
        let feed_changes: Vec<_> = rotated.entry.clone().into_iter().collect();
        let origin = Origin::of(Actor::System);
        let owner = key.budget_owner();
        let plan = self.plan_entries(owner, feed_changes.len(), &origin).await;
        let planned = (plan, &origin);
        self.commit_and_publish(1, &feed_changes, planned, |now: Timestamp, entries| {
            let start = Update::builder()
                .update_expression(
                    "SET secrets = :secrets, updated_at = :at, version = :version, unannounced = \
                     :entries",
                )
                .condition_expression("version = :expected")
                .expression_attribute_values(":secrets", record::value(&key.secrets)?)
                .expression_attribute_values(":at", record::value(&key.updated_at)?)
                .expression_attribute_values(":version", AttributeValue::N(key.version.to_string()))
                .expression_attribute_values(":entries", record::value(&Outbox::of(&feed_changes))?)
                .expression_attribute_values(
                    ":expected",
                    AttributeValue::N(before.version.to_string()),
                );
            let started = Transaction::default().update(
                &self.tables.core,
                item_keys::key(key.client_id),
                start,
                StoreError::Changed,
            )?;
            self.sweep_ending(before, rotated, started)?
                .entries(self, entries)?
                .audit(
                    self,
                    now,
                    key.organization,
                    Action::KeyGrace,
                    &key.client_id,
                    &origin,
                    differences(before, key),
                )
        })
        .await
    }
}
