//! `/api/organizations`.

pub(crate) mod list;
pub(crate) mod read;
pub(crate) mod update;

use domain::{
    error::Error,
    gate::{Kyb, OrganizationGate, Plan},
    ids::Guid,
    organization::{Organization, OrganizationStanding},
    time::Timestamp,
};
use serde::Serialize;

use crate::api::{Api, Caller};

/// An organization as the API shows it.
#[derive(Serialize)]
pub(crate) struct Response {
    guid: Guid,
    name: String,
    plan: Plan,
    kyb: Kyb,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl Response {
    fn new(organization: &Organization, gate: OrganizationGate) -> Self {
        Self {
            guid: organization.guid,
            name: organization.name.to_string(),
            plan: gate.plan,
            kyb: gate.kyb,
            created_at: organization.created_at,
            updated_at: organization.updated_at,
        }
    }
}

/// The caller's own organization, if that is what the path names; any other is a 404.
async fn own(api: &Api, caller: &Caller, text: &str) -> Result<OrganizationStanding, Error> {
    let guid: Guid = text.parse().map_err(|_| Error::not_found())?;
    if guid != caller.organization {
        return Err(Error::not_found());
    }
    api.store.organization(guid).await?.ok_or_else(Error::not_found)
}
