//! What an operation needs to know before it decides, read together: the caller, the key or the
//! owner, and the gates.

use std::{fmt, sync::Arc};

use domain::{
    authority::{Authorized, CallerAuthority, FoundOwner},
    error::Error,
    gate::Gates,
    ids::{ClientId, Guid},
    key::{Key, Owner},
    operation::Operation,
    organization::{Organization, OrganizationWithGate},
    scope::Catalogue,
    time::Timestamp,
};

use crate::{
    Store, banks,
    caller::{CallerSnapshot, KeyIdentity},
    change::Recorded,
    gates::{GateRecord, no_gate},
    item_keys,
    reading::Reading,
};

/// A key that an operation is about, as it was read with everything that decides whether its caller
/// may: one batch, and another one where the key is somebody else's personal key.
pub struct KeyView {
    operation: Operation,
    /// Nothing when it is the operator's operation.
    snapshot: Option<CallerSnapshot>,
    authority: CallerAuthority,
    catalogue: Arc<Catalogue>,
    /// The key's item.
    pub(crate) record: Recorded<Key>,
    /// The key as it is since the first use of its current secret, which may be noted beside it.
    key: Key,
    gates: Gates,
    organization: Option<Organization>,
}

/// The owner of a key to be made, read with everything that decides whether its caller may.
pub struct OwnerView {
    /// The caller.
    pub snapshot: CallerSnapshot,
    /// The caller's organization.
    pub organization: OrganizationWithGate,
    /// The owner.
    pub owner: FoundOwner,
}

impl Store {
    /// The key of this name for an operation of this caller.
    ///
    /// # Errors
    /// What [`Store::caller_snapshot`] refuses, the 404 of a key that is not there, and what any
    /// read can meet.
    pub async fn view_key(
        &self,
        identity: &KeyIdentity,
        catalogue: &Arc<Catalogue>,
        operation: Operation,
        client_id: ClientId,
    ) -> Result<KeyView, Error> {
        let key_at = item_keys::key(client_id);
        let profile_at = item_keys::organization(identity.organization);
        let mut first = identity.items();
        first.push(key_at.clone());
        if operation == Operation::UpdateKey {
            first.push(profile_at.clone());
        }
        let mut reading = Reading::of(self);
        reading.read(first).await?;
        let record: Option<Recorded<Key>> = reading.get(&key_at)?;
        let now = self.now();
        let record = record.filter(|record| record.value.is_listed(now));
        // Of what is another organization's nothing more is read, but for the platform's staff.
        let record = record.filter(|record| {
            [record.value.organization, Guid::PLATFORM].contains(&identity.organization)
        });
        let own: Option<Key> = reading.get(&item_keys::key(identity.client_id))?;
        let gate_at = record.as_ref().map(|record| {
            let organization = record.value.organization;
            item_keys::gate(organization)
        });
        let user_at = record
            .as_ref()
            .and_then(|record| record.value.owner.user())
            .map(item_keys::user);
        let keys = own
            .iter()
            .chain(record.as_ref().map(|record| &record.value));
        let minters: Vec<_> = keys.flat_map(Key::minters).map(item_keys::user).collect();
        reading
            .read(gate_at.iter().chain(&user_at).chain(&minters).cloned())
            .await?;
        let snapshot = CallerSnapshot::read(&mut reading, identity, catalogue, self.now()).await?;
        let record = record.ok_or_else(Error::not_found)?;
        let gate: Option<GateRecord> = match &gate_at {
            Some(at) => reading.get(at)?,
            None => None,
        };
        let gates = Gates {
            organization: gate.ok_or_else(|| no_gate(&record.value))?.gate,
            user: match &user_at {
                Some(at) => reading.get(at)?,
                None => None,
            },
            minters: reading.users(record.value.minters().map(item_keys::user))?,
        };
        Ok(KeyView {
            operation,
            authority: snapshot.authority().clone(),
            catalogue: Arc::clone(snapshot.catalogue()),
            snapshot: Some(snapshot),
            key: self.with_first_use(record.value.clone()).await?,
            record,
            gates,
            organization: reading.get(&profile_at)?,
        })
    }

    /// The same view, read again: something that decided has changed since.
    pub(crate) async fn view_again(&self, before: &KeyView) -> Result<KeyView, Error> {
        let caller = before.snapshot.as_ref().ok_or_else(Error::internal)?;
        let client_id = before.key.client_id;
        self.view_key(
            caller.identity(),
            caller.catalogue(),
            before.operation,
            client_id,
        )
        .await
    }

    /// Whose key a caller is to make, and the caller's organization.
    ///
    /// # Errors
    /// What [`Store::caller_snapshot`] refuses, and what any read can meet.
    pub async fn view_owner(
        &self,
        identity: &KeyIdentity,
        catalogue: &Arc<Catalogue>,
        owner: Owner,
    ) -> Result<OwnerView, Error> {
        let home = identity.organization;
        let owner_at = match owner {
            Owner::Organization(_) => None,
            Owner::Bank(guid) => Some(item_keys::gate(guid)),
            Owner::User(guid) => Some(item_keys::user(guid)),
        };
        let profile_at = item_keys::organization(home);
        let mut reading = Reading::of(self);
        let first = identity.items().into_iter().chain([profile_at.clone()]);
        reading.read(first.chain(owner_at.clone())).await?;
        let snapshot = CallerSnapshot::read(&mut reading, identity, catalogue, self.now()).await?;
        let organization = OrganizationWithGate {
            organization: reading
                .get(&profile_at)?
                .ok_or_else(Error::unauthenticated)?,
            gate: snapshot.gates().organization.clone(),
        };
        let owner = match (owner, owner_at) {
            (Owner::Bank(guid), Some(at)) => {
                FoundOwner::Bank(banks::of_gate(guid, reading.get(&at)?)?)
            }
            (Owner::User(_), Some(at)) => FoundOwner::User(reading.get(&at)?),
            (_, None) | (Owner::Organization(_), _) => FoundOwner::Organization,
        };
        Ok(OwnerView {
            snapshot,
            organization,
            owner,
        })
    }

    /// This store, its changes holding only while the caller of this operation stands.
    pub(crate) fn on_behalf_of_view(&self, view: &KeyView) -> Self {
        match &view.snapshot {
            Some(snapshot) => self.on_behalf_of(snapshot),
            None => self.clone(),
        }
    }
}

impl KeyView {
    /// The operator's view of a key that was read apart.
    #[cfg(test)]
    #[expect(clippy::disallowed_methods, reason = "the operator may everything")]
    pub(crate) fn by_operator(operation: Operation, record: Recorded<Key>, gates: Gates) -> Self {
        let Key {
            organization, kind, ..
        } = record.value;
        Self {
            operation,
            snapshot: None,
            authority: CallerAuthority::of_operator(organization, kind),
            catalogue: Arc::default(),
            key: record.value.clone(),
            record,
            gates,
            organization: None,
        }
    }

    /// The caller's authority.
    #[must_use]
    pub const fn caller(&self) -> &CallerAuthority {
        &self.authority
    }

    /// The key as it was read.
    #[must_use]
    pub const fn key(&self) -> &Key {
        &self.key
    }

    /// The gates in front of it.
    #[must_use]
    pub const fn gates(&self) -> &Gates {
        &self.gates
    }

    /// The latest end that the organization's policy leaves to the key (LEAK-10); read for an
    /// operation that sets one.
    #[must_use]
    pub fn latest_end(&self) -> Option<Timestamp> {
        let organization = self.organization.as_ref()?;
        organization.latest_end(self.key.created_at)
    }

    /// The key, as it is by now, for this operation of this caller.
    ///
    /// # Errors
    /// What [`CallerAuthority::authorize`] refuses.
    pub(crate) fn authorize(&self, key: Key, now: Timestamp) -> Result<Authorized<'_>, Error> {
        self.authority
            .authorize(self.operation, &self.catalogue, key, &self.gates, now)
    }

    /// The key as it was read, for this operation of this caller.
    ///
    /// # Errors
    /// As [`KeyView::authorize`].
    pub fn authorized(&self, now: Timestamp) -> Result<Authorized<'_>, Error> {
        self.authorize(self.key.clone(), now)
    }
}

impl fmt::Debug for KeyView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyView({}, {:?})", self.key.client_id, self.operation)
    }
}

impl fmt::Debug for OwnerView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OwnerView({:?})", self.owner)
    }
}
