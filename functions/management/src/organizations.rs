//! `/api/organizations` (CYB-1, CBM-2, ARZ-3, LEAK-10).

pub(crate) mod create;
pub(crate) mod kyb;
pub(crate) mod list;
pub(crate) mod plan;
pub(crate) mod read;
pub(crate) mod update;

use domain::{
    error::Error,
    gate::{Kyb, NextPlan, OrganizationGate, Plan},
    ids::Guid,
    organization::{Organization, OrganizationWithGate},
    time::Timestamp,
};
use serde::Serialize;
use utoipa::ToSchema;
use web::openapi::schema;

use crate::api::{Api, Caller};

/// An organization.
#[derive(Serialize, ToSchema)]
#[schema(as = Organization)]
pub(crate) struct Response {
    #[schema(value_type = schema::Guid)]
    guid: Guid,
    name: String,
    #[schema(value_type = schema::Plan)]
    plan: Plan,
    /// A change of plan of which notice was given.
    #[schema(required)]
    plan_change: Option<PlanChange>,
    #[schema(value_type = schema::Kyb)]
    kyb: Kyb,
    /// Whether platform staff stopped the whole organization.
    suspended: bool,
    /// How many days its keys live at most, of those that are made or changed from when this was
    /// set on.
    #[schema(required, minimum = 1, maximum = 3650)]
    max_key_age_days: Option<u32>,
    #[schema(value_type = schema::Timestamp)]
    created_at: Timestamp,
    #[schema(value_type = schema::Timestamp)]
    updated_at: Timestamp,
}

/// A plan to come.
#[derive(Serialize, ToSchema)]
struct PlanChange {
    #[schema(value_type = schema::Plan)]
    plan: Plan,
    #[schema(value_type = schema::Timestamp)]
    effective_at: Timestamp,
}

impl Response {
    fn new(organization: &Organization, gate: &OrganizationGate, now: Timestamp) -> Self {
        let change = |NextPlan { plan, at }| PlanChange {
            plan,
            effective_at: at,
        };
        Self {
            guid: organization.guid,
            name: organization.name.to_string(),
            plan: gate.plan_at(now),
            plan_change: gate.next_plan.filter(|next| next.at > now).map(change),
            kyb: gate.kyb,
            suspended: gate.suspended,
            max_key_age_days: organization.max_key_age_days,
            created_at: organization.created_at,
            updated_at: organization.updated_at,
        }
    }

    fn of(found: &OrganizationWithGate, now: Timestamp) -> Self {
        Self::new(&found.organization, &found.gate, now)
    }
}

/// The organization that the path names, if the caller may know of it: its own, or for staff a
/// customer's; any other is a 404.
async fn find(api: &Api, caller: &Caller, text: &str) -> Result<OrganizationWithGate, Error> {
    let guid: Guid = text.parse().map_err(|_| Error::not_found())?;
    if !caller.sees_organization(guid) {
        return Err(Error::not_found());
    }
    api.store
        .organization(guid)
        .await?
        .ok_or_else(Error::not_found)
}
