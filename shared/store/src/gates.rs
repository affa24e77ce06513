//! Gates: what stands in front of keys. One small write opens or shuts one, however many keys it
//! covers.

use std::collections::HashMap;

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
    item_keys, record,
    transaction::Transaction,
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
        let (organization, user) = if let Some(user_at) = key.owner.user().map(item_keys::user) {
            let mut found = self.read_items(&[gate_at.clone(), user_at.clone()]).await?;
            let mut item = |at| HashMap::remove(&mut found, at);
            (
                item(&gate_at).map(record::read).transpose()?,
                item(&user_at).map(record::read).transpose()?,
            )
        } else {
            (self.read(gate_at).await?, None)
        };
        let organization = organization.ok_or_else(|| {
            StoreError::Corrupt(format!(
                "the organization of key {} has no gate",
                key.client_id
            ))
        })?;
        Ok(Gates { organization, user })
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
    /// where the gate still has the revocations that the cohort was chosen beside. Repeating it
    /// changes nothing, and makes sure that readers learn of it where that is not certain yet.
    ///
    /// # Errors
    /// [`StoreError::Changed`] when it has others, [`StoreError::NotFound`],
    /// [`StoreError::CohortsFull`], and what any change can meet.
    pub async fn revoke_cohort(
        &self,
        organization: Guid,
        cohort: Cohort,
        beside: &[Cohort],
        origin: &Origin,
    ) -> Result<(), StoreError> {
        self.change_gate(organization, Action::IncidentRevoke, origin, |gate, _| {
            let next = gate.revoke(cohort).map_err(|_| StoreError::CohortsFull)?;
            if next.is_some() && gate.revocations != beside {
                return Err(StoreError::Changed);
            }
            Ok(next.map(|next| (next, cohort, Effect::Revoke)))
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
        let at = item_keys::gate(guid);
        let changed = self.update(&at, action, origin, |record: GateRecord| {
            let version = record.version + 1;
            let Some((gate, cohort, effect)) = decide(record.gate, version)? else {
                return Ok(None);
            };
            let subject = Subject::Organization {
                guid: guid.to_string(),
                cohort,
            };
            let next = GateRecord {
                guid,
                gate,
                version,
            };
            Ok(Some(Change {
                next,
                feed_changes: vec![(subject, effect)],
                also: Transaction::default(),
            }))
        });
        changed.await.map(|record| record.gate)
    }
}

const fn switched(open: bool, version: u64) -> Effect {
    if open {
        Effect::Resume { version }
    } else {
        Effect::Suspend { version }
    }
}
