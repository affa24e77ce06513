//! Gates: what stands in front of keys. One small write opens or shuts one, however many keys it
//! covers.

use domain::{
    audit::{Action, Origin},
    error::Error,
    feed::{Cohort, Effect, Subject},
    gate::{Gates, Kyb, OrganizationGate},
    ids::Guid,
    key::Key,
};
use serde::{Deserialize, Serialize};

use crate::{
    Store,
    change::{Change, Versioned},
    error::StoreError,
    item_keys,
    reading::Reading,
    transaction::Transaction,
    users,
};

/// An organization's gate as it is stored. Its version also orders the feed's entries about it,
/// whatever the writers' clocks say.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct GateRecord {
    pub(crate) guid: Guid,
    #[serde(flatten)]
    pub(crate) gate: OrganizationGate,
    pub(crate) version: u64,
}

/// A gate as it becomes, whose keys that concerns, and what the feed says about them.
type GateChange = (OrganizationGate, Cohort, Effect);

/// What an incident was chosen beside.
#[derive(Clone, Copy, Debug)]
pub struct Beside<'a> {
    /// The cohorts that the gate had revoked.
    pub revocations: &'a [Cohort],
    /// How many owners the organization had made ([`Store::owners_made`]), where the incident
    /// spares those above its caller: nobody may have been raised since.
    pub owners_made: Option<u64>,
}

impl Versioned for GateRecord {
    fn version(&self) -> u64 {
        self.version
    }

    fn organization(&self) -> Guid {
        self.guid
    }

    fn name(&self) -> String {
        self.guid.to_string()
    }
}

impl Store {
    /// The gates in front of a key, as they are now; strongly consistent. A user that is gone is
    /// none, and no personal key works without one.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when the key's organization is gone, and what any read can meet.
    pub async fn gates(&self, key: &Key) -> Result<Gates, StoreError> {
        let gate_at = item_keys::gate(key.organization);
        let Some(user_at) = key.owner.user().map(item_keys::user) else {
            let organization: Option<OrganizationGate> = self.read(gate_at).await?;
            return Ok(Gates {
                organization: organization.ok_or_else(|| no_gate(key))?,
                user: None,
                minters: Vec::new(),
            });
        };
        let minters: Vec<_> = key.minters().map(item_keys::user).collect();
        let mut reading = Reading::of(self);
        reading
            .read(
                [gate_at.clone(), user_at.clone()]
                    .into_iter()
                    .chain(minters.clone()),
            )
            .await?;
        Ok(Gates {
            organization: reading.get(&gate_at)?.ok_or_else(|| no_gate(key))?,
            user: reading.get(&user_at)?,
            minters: reading.users(minters)?,
        })
    }

    /// Decides an organization's KYB: one write however many live keys it wakes or puts to sleep
    /// (ARZ-3), and answers only once every reader of the feed will learn of it. Personal keys are
    /// in the cohort, but neither it nor the gate stops them (`Feed::verdict`).
    ///
    /// # Errors
    /// [`StoreError::NotFound`], and what any change can meet.
    pub async fn set_kyb(&self, guid: Guid, kyb: Kyb, origin: &Origin) -> Result<(), StoreError> {
        self.change_gate(guid, Action::OrganizationKyb, origin, |gate, version| {
            let effect = switched(kyb == Kyb::Approved, version);
            Ok::<_, StoreError>(Some((
                OrganizationGate { kyb, ..gate },
                Cohort::OF_KYB,
                effect,
            )))
        })
        .await
        .map(drop)
    }

    /// Suspends an organization, or lets it work again: all its keys and tokens, by one write.
    ///
    /// # Errors
    /// As [`Store::set_kyb`].
    pub async fn set_suspension(
        &self,
        guid: Guid,
        suspended: bool,
        origin: &Origin,
    ) -> Result<(), StoreError> {
        self.change_gate(
            guid,
            Action::OrganizationSuspension,
            origin,
            |gate, version| {
                let effect = switched(!suspended, version);
                Ok::<_, StoreError>(Some((
                    OrganizationGate { suspended, ..gate },
                    Cohort::default(),
                    effect,
                )))
            },
        )
        .await
        .map(drop)
    }

    /// Changes an organization's plan, now or with notice, to what `decide` makes of its gate.
    /// Personal keys have no tokens: whoever remembers one reads it again.
    ///
    /// # Errors
    /// What `decide` refuses; the 404 of an organization that is not there.
    pub async fn set_plan(
        &self,
        guid: Guid,
        origin: &Origin,
        decide: impl Fn(&OrganizationGate) -> Result<OrganizationGate, Error>,
    ) -> Result<OrganizationGate, Error> {
        self.change_gate(guid, Action::OrganizationPlan, origin, |gate, _| {
            let next = decide(&gate)?;
            Ok((next != gate).then_some((next, Cohort::default(), Effect::Refresh)))
        })
        .await
    }

    /// Revokes a cohort of an organization's keys for good, by one write and one entry (LEAK-8),
    /// where everything still stands that the cohort was chosen beside. Repeating it
    /// changes nothing, and makes sure that readers learn of it where that is not certain yet.
    ///
    /// # Errors
    /// [`StoreError::Changed`] when something does not, [`StoreError::NotFound`],
    /// [`StoreError::CohortsFull`], and what any change can meet.
    pub async fn revoke_cohort(
        &self,
        organization: Guid,
        cohort: &Cohort,
        beside: Beside<'_>,
        origin: &Origin,
    ) -> Result<(), StoreError> {
        let also = match beside.owners_made {
            Some(made) => users::require_owners_made(
                Transaction::default(),
                &self.tables.core,
                organization,
                made,
            )?,
            None => Transaction::default(),
        };
        let action = Action::IncidentRevoke;
        self.change_gate_with(&also, organization, action, origin, |gate, _| {
            let next = gate
                .revoke(cohort.clone())
                .map_err(|_| StoreError::CohortsFull)?;
            if next.is_some() && gate.revocations != beside.revocations {
                return Err(StoreError::Changed);
            }
            Ok(next.map(|next| (next, cohort.clone(), Effect::Revoke)))
        })
        .await
        .map(drop)
    }

    /// Changes a gate to what `decide` makes of it for a version, and tells the readers of the feed
    /// what that does to a cohort.
    async fn change_gate<E: From<StoreError>>(
        &self,
        guid: Guid,
        action: Action,
        origin: &Origin,
        decide: impl Fn(OrganizationGate, u64) -> Result<Option<GateChange>, E>,
    ) -> Result<OrganizationGate, E> {
        let also = Transaction::default();
        self.change_gate_with(&also, guid, action, origin, decide)
            .await
    }

    /// As [`Store::change_gate`], under further conditions.
    async fn change_gate_with<E: From<StoreError>>(
        &self,
        also: &Transaction,
        guid: Guid,
        action: Action,
        origin: &Origin,
        decide: impl Fn(OrganizationGate, u64) -> Result<Option<GateChange>, E>,
    ) -> Result<OrganizationGate, E> {
        let at = item_keys::gate(guid);
        let changed = self.update(&at, action, origin, |record: GateRecord| {
            let version = record.version + 1;
            let Some((gate, cohort, effect)) = decide(record.gate, version)? else {
                return Ok(None);
            };
            let subject = Subject::Organization { guid, cohort };
            let next = GateRecord {
                guid,
                gate,
                version,
            };
            Ok(Some(Change {
                feed_changes: vec![(subject, effect)],
                also: also.clone(),
                ..Change::quiet(next)
            }))
        });
        changed.await.map(|record| record.gate)
    }
}

pub(crate) fn no_gate(key: &Key) -> StoreError {
    StoreError::Corrupt(format!(
        "the organization of key {} has no gate",
        key.client_id
    ))
}

const fn switched(open: bool, version: u64) -> Effect {
    if open {
        Effect::Resume { version }
    } else {
        Effect::Suspend { version }
    }
}
