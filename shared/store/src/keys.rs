//! Keys and their secrets.

use std::iter;

use domain::{
    audit::{Action, Origin},
    error::Error,
    feed::Effect,
    ids::{ClientId, Guid},
    key::{Key, Owner, Secrets},
    key_mode::KeyMode,
    secret::Secret,
    time::Timestamp,
    user::User,
};
use serde::{Deserialize, Serialize};

use crate::{
    IdempotencyRecord, MAX_OF_A_KIND, Store,
    audit::differences,
    change::{Change, Recorded, Versioned},
    error::StoreError,
    item_keys::{self, Class},
    record,
    transaction::Transaction,
    users,
};

/// What an organization's list knows of a key: enough to filter and count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRow {
    /// The key.
    pub client_id: ClientId,
    /// Whose it is.
    pub owner: Owner,
    /// Sandbox or live.
    pub kind: KeyMode,
    /// Whether it was revoked by itself; its gate may have revoked it with others.
    pub revoked: bool,
    /// When it was made.
    pub created_at: Timestamp,
}

impl Versioned for Key {
    fn version(&self) -> u64 {
        self.version
    }

    fn organization(&self) -> Guid {
        self.organization
    }

    fn name(&self) -> String {
        self.client_id.to_string()
    }
}

impl Store {
    /// Stores a new key with its first secret.
    ///
    /// # Errors
    /// [`StoreError::Replayed`], [`StoreError::LimitReached`], [`StoreError::Exists`], and what any
    /// change can meet.
    pub async fn create_key(
        &self,
        key: &Key,
        secret: &Secret,
        idempotency: Option<&IdempotencyRecord>,
        origin: &Origin,
    ) -> Result<(), StoreError> {
        self.create_key_of(None, key, secret, idempotency, origin)
            .await
    }

    /// As [`Store::create_key`], a personal key of which somebody else is shown the secret: only
    /// while its `user` is as it was read.
    ///
    /// # Errors
    /// Also [`StoreError::CallerChanged`] where the user is not: whether the caller may act as this
    /// user is to be decided again.
    pub async fn create_key_for(
        &self,
        user: &User,
        key: &Key,
        secret: &Secret,
        idempotency: Option<&IdempotencyRecord>,
        origin: &Origin,
    ) -> Result<(), StoreError> {
        self.create_key_of(Some(user), key, secret, idempotency, origin)
            .await
    }

    async fn create_key_of(
        &self,
        user: Option<&User>,
        key: &Key,
        secret: &Secret,
        idempotency: Option<&IdempotencyRecord>,
        origin: &Origin,
    ) -> Result<(), StoreError> {
        let Key {
            client_id,
            owner,
            kind,
            created_at,
            ..
        } = *key;
        let row = KeyRow {
            client_id,
            owner,
            kind,
            revoked: false,
            created_at,
        };
        let core = &self.tables.core;
        self.commit(|now| {
            let row_at = item_keys::list_row(key.organization, Class::Key, created_at, client_id);
            let created = Transaction::default()
                .idempotency(self, now, idempotency)?
                .create(core, record::write(item_keys::key(client_id), key)?)?
                .create(
                    core,
                    record::write(item_keys::secret(client_id, secret.id), secret)?,
                )?
                .create(core, record::write(row_at, &row)?)?
                .count(
                    core,
                    item_keys::count(key.organization, Class::Key),
                    MAX_OF_A_KIND,
                )?;
            // After `idempotency`: of a creation that is repeated that is what there is to say.
            let created = match user {
                Some(user) => users::require_unchanged_and_bump(created, core, user)?,
                None => created,
            };
            created.audit(
                self,
                now,
                key.organization,
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
        self.read(item_keys::key(client_id)).await
    }

    pub(crate) async fn key_record(
        &self,
        client_id: ClientId,
    ) -> Result<Option<Recorded<Key>>, StoreError> {
        self.read(item_keys::key(client_id)).await
    }

    /// The key, and the secrets that it names: the current one and a previous one. Both reads are
    /// strongly consistent, and who asks for a client that there is not waits for as many. However
    /// many secrets a key had, two items are read: ended ones linger, and whoever rotates a key
    /// often must not push its working secrets out of sight.
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
        let key = self.key(client_id).await?;
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
        let secrets = self.read_all(named).await?;
        Ok(key.map(|key| (key, secrets)))
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
    pub async fn keys(
        &self,
        client_ids: impl IntoIterator<Item = ClientId>,
    ) -> Result<Vec<Key>, StoreError> {
        self.read_all(client_ids.into_iter().map(item_keys::key).collect())
            .await
    }

    /// Changes a key to what `decide` makes of it, unless somebody changed it in between: then it
    /// is decided again. A decision that changes nothing writes nothing. Another end, and another
    /// allowlist of a personal key, are in force everywhere within five seconds of the answer;
    /// repeating them makes sure of that where it is not certain yet.
    ///
    /// # Errors
    /// What `decide` refuses; the 404 of a key that is not there.
    pub async fn change_key(
        &self,
        client_id: ClientId,
        origin: &Origin,
        decide: impl Fn(Key) -> Result<Key, Error>,
    ) -> Result<Key, Error> {
        self.update(
            &item_keys::key(client_id),
            Action::KeyUpdate,
            origin,
            |key: Key| {
                let next = decide(key.clone())?;
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
            },
        )
        .await
    }
}
