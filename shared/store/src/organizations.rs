//! Organizations: a profile and, apart from it, a gate.

use domain::{
    audit::{Action, Origin},
    error::Error,
    gate::OrganizationGate,
    ids::Guid,
    organization::{Organization, OrganizationWithGate},
};
use serde::{Deserialize, Serialize};

use crate::{
    IdempotencyRecord, Store,
    audit::differences,
    change::{Change, Versioned},
    error::StoreError,
    gates::GateRecord,
    item_keys::{self, Class},
    record,
    transaction::Transaction,
};

/// What the platform's list knows of an organization.
#[derive(Serialize, Deserialize)]
struct OrganizationRow {
    guid: Guid,
}

impl Versioned for Organization {
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
    /// Stores a new organization behind a new gate.
    ///
    /// # Errors
    /// [`StoreError::Replayed`], [`StoreError::Exists`], and what any change can meet.
    pub async fn create_organization(
        &self,
        organization: &Organization,
        idempotency: Option<&IdempotencyRecord>,
        origin: &Origin,
    ) -> Result<(), StoreError> {
        let guid = organization.guid;
        let gate = GateRecord {
            guid,
            gate: OrganizationGate::NEW,
            version: 0,
        };
        let core = &self.tables.core;
        self.commit(|now| {
            let row_at = item_keys::list_row(
                Guid::PLATFORM,
                Class::Organization,
                organization.created_at,
                guid,
            );
            Transaction::default()
                .idempotency(self, now, idempotency)?
                .create(
                    core,
                    record::write(item_keys::organization(guid), organization)?,
                )?
                .create(core, record::write(item_keys::gate(guid), &gate)?)?
                .create(core, record::write(row_at, &OrganizationRow { guid })?)?
                .audit(
                    self,
                    now,
                    guid,
                    Action::OrganizationCreate,
                    &guid,
                    origin,
                    differences(&(), organization),
                )
        })
        .await
    }

    /// An organization with its gate, as they are now.
    ///
    /// # Errors
    /// What any read can meet.
    pub async fn organization(
        &self,
        guid: Guid,
    ) -> Result<Option<OrganizationWithGate>, StoreError> {
        Ok(self.organizations([guid]).await?.pop())
    }

    /// These organizations with their gates, as they are now, in the same order.
    ///
    /// # Errors
    /// What any read can meet.
    pub async fn organizations(
        &self,
        guids: impl IntoIterator<Item = Guid>,
    ) -> Result<Vec<OrganizationWithGate>, StoreError> {
        let guids: Vec<_> = guids.into_iter().collect();
        let wanted: Vec<_> = guids
            .iter()
            .flat_map(|guid| [item_keys::organization(*guid), item_keys::gate(*guid)])
            .collect();
        let found = self.read_items(&wanted).await?;
        let pairs = guids.into_iter().filter_map(|guid| {
            found
                .get(&item_keys::organization(guid))
                .cloned()
                .zip(found.get(&item_keys::gate(guid)).cloned())
        });
        pairs
            .map(|(organization, gate)| {
                Ok(OrganizationWithGate {
                    organization: record::read(organization)?,
                    gate: record::read(gate)?,
                })
            })
            .collect()
    }

    /// Every organization, in order of creation: for the platform's own staff.
    ///
    /// # Errors
    /// What any read can meet.
    pub async fn organization_rows(&self) -> Result<Vec<Guid>, StoreError> {
        let rows: Vec<OrganizationRow> = self.rows(Guid::PLATFORM, Class::Organization).await?;
        Ok(rows.into_iter().map(|row| row.guid).collect())
    }

    /// Changes an organization's profile to what `decide` makes of it, as [`Store::change_key`]
    /// does.
    ///
    /// # Errors
    /// What `decide` refuses; the 404 of an organization that is not there.
    pub async fn change_organization(
        &self,
        guid: Guid,
        origin: &Origin,
        decide: impl Fn(Organization) -> Result<Organization, Error>,
    ) -> Result<Organization, Error> {
        self.update(
            &item_keys::organization(guid),
            Action::OrganizationUpdate,
            origin,
            |organization: Organization| {
                let next = decide(organization.clone())?;
                Ok((!differences(&organization, &next).is_empty()).then(|| Change::quiet(next)))
            },
        )
        .await
    }
}
