//! Keys and their secrets.

use std::iter;

use domain::{
    audit::{Action, Origin},
    authority::{Authorized, NewKey},
    error::Error,
    feed::Effect,
    ids::{ClientId, Guid},
    key::{Key, Owner, Secrets},
    key_mode::KeyMode,
    secret::Secret,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use crate::{
    IdempotencyRecord, KeyView, LimitCount, OwnerView, Store,
    audit::differences,
    change::{Change, Recorded, Versioned},
    decoy,
    error::StoreError,
    item_keys::{self, Class},
    record,
    transaction::Transaction,
    users,
};

/// Times that a creation is tried whose limits are met one after the other, or whose room somebody
/// else takes.
const MAX_CREATE_ATTEMPTS: usize = 3;

/// What an organization's list knows of a key: enough to filter and count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRow {
    /// The key.
    pub client_id: ClientId,
    /// Whose it is.
    pub owner: Owner,
    /// Sandbox or live.
    pub kind: KeyMode,
    /// Whether it was revoked by itself, or released after its gate revoked it with others. Where
    /// this says no, the gate may have revoked it.
    pub revoked: bool,
    /// The person who made it, while it counts among the keys of theirs that work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counted_for: Option<Guid>,
    /// Until when it is listed, once it is revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listed_until: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
}

impl KeyRow {
    /// The row of a new key.
    pub(crate) const fn of(key: &Key) -> Self {
        Self {
            client_id: key.client_id,
            owner: key.owner,
            kind: key.kind,
            revoked: false,
            counted_for: key.made_by,
            listed_until: None,
            created_at: key.created_at,
        }
    }
}

impl Versioned for Key {
    fn version(&self) -> u64 {
        self.version
    }

    fn organization(&self) -> Guid {
        self.organization
    }

    fn as_key(&self) -> Option<ClientId> {
        Some(self.client_id)
    }

    fn name(&self) -> String {
        self.client_id.to_string()
    }

    async fn resolved(self, store: &Store) -> Result<(Self, Transaction), StoreError> {
        store.resolved_key(self).await
    }
}

impl Store {
    /// Stores a new key with its first secret. A personal key of which somebody else is shown the
    /// secret is stored only while its user is as they were read. Where a limit is met, keys that
    /// count for it and have ended make room first; where the list is too long, it is trimmed.
    ///
    /// # Errors
    /// [`StoreError::Replayed`], [`StoreError::LimitReached`], [`StoreError::Exists`],
    /// [`StoreError::CallerChanged`] where that user is not: whether the caller may act as them is
    /// to be decided again; and what any change can meet.
    pub async fn create_key(
        &self,
        view: &OwnerView,
        new: &NewKey,
        secret: &Secret,
        idempotency: Option<&IdempotencyRecord>,
        origin: &Origin,
    ) -> Result<(), StoreError> {
        self.on_behalf_of(&view.snapshot)
            .put_new_key(new, secret, idempotency, origin)
            .await
    }

    /// As [`Store::create_key`], by the operator, whose AWS credentials are asked for whatever
    /// becomes of it.
    ///
    /// # Errors
    /// As of [`Store::create_key`].
    pub async fn create_key_as_operator(
        &self,
        new: &NewKey,
        secret: &Secret,
        idempotency: Option<&IdempotencyRecord>,
        origin: &Origin,
    ) -> Result<(), StoreError> {
        self.put_new_key(new, secret, idempotency, origin).await
    }

    async fn put_new_key(
        &self,
        new: &NewKey,
        secret: &Secret,
        idempotency: Option<&IdempotencyRecord>,
        origin: &Origin,
    ) -> Result<(), StoreError> {
        let organization = new.key().organization;
        let mut attempt = 1;
        loop {
            let trimmed = attempt > 1;
            let created = self
                .write_key(new, secret, trimmed, idempotency, origin)
                .await;
            let Err(StoreError::LimitReached { limit, .. }) = created else {
                return created;
            };
            let LimitCount { keys, max } = self.make_room(organization, limit).await?;
            if attempt == MAX_CREATE_ATTEMPTS || keys >= max {
                return Err(StoreError::LimitReached { limit, max });
            }
            attempt += 1;
        }
    }

    async fn write_key(
        &self,
        new: &NewKey,
        secret: &Secret,
        trimmed: bool,
        idempotency: Option<&IdempotencyRecord>,
        origin: &Origin,
    ) -> Result<(), StoreError> {
        let key = new.key();
        let Key {
            client_id,
            organization,
            created_at,
            ..
        } = *key;
        let row = KeyRow::of(key);
        let core = &self.tables.core;
        self.commit(|now| {
            let row_at = item_keys::list_row(organization, Class::Key, created_at, client_id);
            let created = Transaction::default()
                .idempotency(self, now, idempotency)?
                .create(core, record::write(item_keys::key(client_id), key)?)?
                .create(
                    core,
                    record::write(item_keys::secret(client_id, secret.id), secret)?,
                )?
                .create(core, record::write(row_at, &row)?)?
                .count_key(core, organization, &row, trimmed)?;
            // After `idempotency`: of a creation that is repeated that is what there is to say.
            let created = match new.user_of_others() {
                Some(user) => users::require_unchanged_and_bump(created, core, user)?,
                None => created,
            };
            created.audit(
                self,
                now,
                organization,
                Action::KeyCreate,
                &client_id,
                origin,
                differences(&(), key),
            )
        })
        .await
    }

    /// The key as it is now; strongly consistent.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn key(&self, client_id: ClientId) -> Result<Option<Key>, StoreError> {
        let key = self.read(item_keys::key(client_id)).await?;
        self.with_first_use_if_any(key).await
    }

    pub(crate) async fn key_record(
        &self,
        client_id: ClientId,
    ) -> Result<Option<Recorded<Key>>, StoreError> {
        self.read(item_keys::key(client_id)).await
    }

    /// The key, and the secrets that it names: the current one and a previous one. Both reads are
    /// strongly consistent, and who asks for a client that there is not waits for as many, and for
    /// the decoding of as much. However many secrets a key had, two items are read: ended ones
    /// linger, and whoever rotates a key often must not push its working secrets out of sight.
    ///
    /// Two reads are no snapshot, and need not be one: which secrets work the key alone says, as it
    /// was before its secrets were read. A secret's item never gets another hash, and is swept only
    /// once the secret has ended. So a rotation in between lets nobody in that the key did not, at
    /// the moment of its reading. And where a rotation is half visible, so that the key names a
    /// secret whose item is not seen yet, that secret is missed for a moment: nobody has it, for
    /// the rotation has not been answered.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn key_with_secrets(
        &self,
        client_id: ClientId,
    ) -> Result<Option<(Key, Vec<Secret>)>, StoreError> {
        let key: Option<Key> = self.read(item_keys::key(client_id)).await?;
        decoy::make_up_for(key.as_ref());
        let named = key.as_ref().map_or_else(
            || vec![item_keys::no_secret(client_id)],
            |Key {
                 secrets: Secrets { current, previous },
                 ..
             }| {
                let ids = iter::once(current.id).chain(previous.map(|previous| previous.id));
                ids.map(|id| item_keys::secret(client_id, id)).collect()
            },
        );
        // At once, so that a secret that is wrong is refused as soon as for any other key.
        let (key, secrets) =
            tokio::try_join!(self.with_first_use_if_any(key), self.read_all(named))?;
        if secrets.is_empty() {
            decoy::decode_secret();
        }
        Ok(key.map(|key| (key, secrets)))
    }

    /// Every key of an organization that is listed, in order of creation.
    ///
    /// # Errors
    /// What any read can meet.
    pub async fn key_rows(&self, organization: Guid) -> Result<Vec<KeyRow>, StoreError> {
        let now = self.now();
        let mut rows: Vec<KeyRow> = self.rows(organization, Class::Key).await?;
        rows.retain(|row| row.listed_until.is_none_or(|until| now < until));
        Ok(rows)
    }

    /// These keys as they are now, in the same order.
    ///
    /// # Errors
    /// What any read can meet.
    pub async fn keys(
        &self,
        client_ids: impl IntoIterator<Item = ClientId>,
    ) -> Result<Vec<Key>, StoreError> {
        let keys = self
            .read_all(client_ids.into_iter().map(item_keys::key).collect())
            .await?;
        self.with_first_uses(keys).await
    }

    /// Changes a key to what `decide` makes of it, unless somebody changed it in between: then it
    /// is authorised and decided again. A decision that changes nothing writes nothing. Another
    /// end, and another allowlist of a personal key, are in force everywhere within five seconds of
    /// the answer; repeating them makes sure of that where it is not certain yet.
    ///
    /// # Errors
    /// What the authorisation and `decide` refuse; the 404 of a key that is not there.
    pub async fn change_key(
        &self,
        view: &KeyView,
        origin: &Origin,
        decide: impl Fn(Authorized<'_>) -> Result<Key, Error>,
    ) -> Result<Key, Error> {
        self.update_key(view, Action::KeyUpdate, origin, |key: Key| {
            let next = decide(view.authorize(key.clone(), self.now())?)?;
            if differences(&key, &next).is_empty() {
                return Ok(None);
            }
            let mut feed_changes = Vec::new();
            if next.expires_at != key.expires_at {
                feed_changes.push((next.subject(), next.expiry_effect()));
            }
            // Of other keys the list is sealed into tokens, which keep it (CYB-6).
            if next.owner.user().is_some() && next.ip_allowlist != key.ip_allowlist {
                feed_changes.push((next.subject(), Effect::Refresh));
            }
            Ok(Some(Change {
                feed_changes,
                ..Change::quiet(next)
            }))
        })
        .await
    }

    /// Changes the key of a view on behalf of its caller.
    pub(crate) async fn update_key(
        &self,
        view: &KeyView,
        action: Action,
        origin: &Origin,
        decide: impl Fn(Key) -> Result<Option<Change<Key>>, Error>,
    ) -> Result<Key, Error> {
        self.on_behalf_of_view(view)
            .update_from(
                Some(view.record.clone()),
                &item_keys::key(view.key().client_id),
                action,
                origin,
                decide,
            )
            .await
    }
}
