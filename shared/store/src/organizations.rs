//! Organizations: a profile and, apart from it, a gate.

use domain::{
    audit::{Action, Origin},
    error::Error,
    feed::{Cohort, Effect, Subject},
    gate::{Kyb, OrganizationGate},
    ids::Guid,
    kind::Kind,
    organization::{Organization, OrganizationStanding},
};
use serde::{Deserialize, Serialize};

use crate::{Store, audit::differences, error::StoreError, positions, record, transaction::Transaction};

/// A gate as it is stored. Its version also orders the feed's entries about it, whatever the writers' clocks say.
#[derive(Serialize, Deserialize)]
struct GateRecord {
    #[serde(flatten)]
    gate: OrganizationGate,
    version: u64,
}

impl Store {
    /// Stores a new organization behind a new gate.
    ///
    /// # Errors
    /// [`StoreError::Exists`], and what any change can meet.
    pub async fn create_organization(&self, organization: &Organization, origin: &Origin) -> Result<(), StoreError> {
        let gate = GateRecord { gate: OrganizationGate::NEW, version: 0 };
        let guid = organization.guid;
        self.commit(|now| {
            Transaction::default()
                .create(&self.tables.core, record::write(positions::organization(guid), organization)?)?
                .create(&self.tables.core, record::write(positions::gate(guid), &gate)?)?
                .audit(self, now, guid, Action::OrganizationCreate, &guid, origin, differences(&(), organization))
        })
        .await
    }

    /// An organization with its gate, as they are now.
    ///
    /// # Errors
    /// What any read can meet.
    pub async fn organization(&self, guid: Guid) -> Result<Option<OrganizationStanding>, StoreError> {
        let (organization, gate) =
            tokio::try_join!(self.read::<Organization>(positions::organization(guid)), self.read(positions::gate(guid)))?;
        Ok(organization.zip(gate).map(|(organization, gate)| OrganizationStanding { organization, gate }))
    }

    /// Changes an organization's profile to what `decide` makes of it, as [`Store::change_key`] does.
    ///
    /// # Errors
    /// What `decide` refuses; the 404 of an organization that is not there.
    pub async fn change_organization(
        &self,
        guid: Guid,
        origin: &Origin,
        decide: impl Fn(Organization) -> Result<Organization, Error>,
    ) -> Result<Organization, Error> {
        let mut attempt = 0;
        loop {
            let organization: Organization = self.read(positions::organization(guid)).await?.ok_or_else(Error::not_found)?;
            let next = decide(organization.clone())?;
            let changes = differences(&organization, &next);
            if changes.is_empty() {
                return Ok(organization);
            }
            let written = self.commit(|now| {
                Transaction::default()
                    .replace(&self.tables.core, record::write(positions::organization(guid), &next)?, organization.version)?
                    .audit(self, now, guid, Action::OrganizationUpdate, &guid, origin, changes.clone())
            });
            let written = written.await;
            if !self.decides_anew(&written, &mut attempt).await {
                return written.map(|()| next).map_err(Error::from);
            }
        }
    }

    /// Decides an organization's KYB: one write however many live keys it wakes or puts to sleep (ARZ-3), and answers only
    /// once every reader of the feed will learn of it.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Changed`], and what any change can meet.
    pub async fn set_kyb(&self, guid: Guid, kyb: Kyb, origin: &Origin) -> Result<(), StoreError> {
        let live = Cohort { environment: Some(Kind::Live), ..Cohort::default() };
        let open = kyb == Kyb::Approved;
        self.change_gate(guid, live, open, Action::OrganizationKyb, origin, |gate| OrganizationGate { kyb, ..gate }).await
    }

    /// Suspends an organization, or lets it work again: all its keys and tokens, by one write.
    ///
    /// # Errors
    /// As [`Store::set_kyb`].
    pub async fn set_suspension(&self, guid: Guid, suspended: bool, origin: &Origin) -> Result<(), StoreError> {
        let everything = Cohort::default();
        let change = |gate| OrganizationGate { suspended, ..gate };
        self.change_gate(guid, everything, !suspended, Action::OrganizationSuspension, origin, change).await
    }

    /// Changes a gate and tells the readers of the feed that it is now open, or shut, for a cohort of keys.
    async fn change_gate(
        &self,
        guid: Guid,
        cohort: Cohort,
        open: bool,
        action: Action,
        origin: &Origin,
        change: impl Fn(OrganizationGate) -> OrganizationGate,
    ) -> Result<(), StoreError> {
        let record: GateRecord = self.read(positions::gate(guid)).await?.ok_or(StoreError::NotFound)?;
        let gate = change(record.gate);
        let version = record.version + 1;
        let subject = Subject::Organization { guid: guid.to_string(), cohort };
        let effect = if open { Effect::Resume { version } } else { Effect::Suspend { version } };
        self.commit_reducing(subject, effect, |now, entry| {
            let next = GateRecord { gate, version };
            Transaction::default()
                .replace(&self.tables.core, record::write(positions::gate(guid), &next)?, record.version)?
                .entry(self, entry)?
                .audit(self, now, guid, action, &guid, origin, differences(&record.gate, &gate))
        })
        .await
    }
}
