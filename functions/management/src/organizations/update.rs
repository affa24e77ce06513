//! Changes an organization's name and its policy for the age of keys (LEAK-10).

use axum::{
    Json,
    extract::{Request, State},
};
use domain::{
    error::Error,
    operation::Operation,
    organization::{Name, Organization},
};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;
use web::{
    dialect::Management,
    extract::{self, Id},
    openapi::{BadBody, CommonErrors, Conflict, GuidPath, NotFound},
};

use super::{Response, find};
use crate::{
    api::{Api, Caller},
    keys::members::Reader,
};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = UpdateOrganization)]
#[expect(
    clippy::option_option,
    reason = "left out, null and a value are three things"
)]
struct Body {
    /// May be left out, not null.
    #[serde(default, deserialize_with = "extract::not_null")]
    #[schema(nullable = false, min_length = 1, max_length = 128)]
    name: Option<String>,
    /// How many days keys live at most, of those that are made or changed from now on; null for
    /// ever. Owners alone change it.
    #[serde(default, deserialize_with = "extract::nullable")]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 3650)]
    max_key_age_days: Option<Option<Value>>,
}

/// Another name, another age; an inner nothing is for ever.
#[expect(
    clippy::option_option,
    reason = "left out, null and a value are three things"
)]
struct Change {
    name: Option<Name>,
    max_key_age_days: Option<Option<u32>>,
}

/// Renames an organization or changes its policies.
#[utoipa::path(patch, path = "/api/organizations/{guid}", params(GuidPath), request_body = Body,
    responses((status = 200, body = Response), CommonErrors, NotFound, BadBody, Conflict))]
pub(crate) async fn update(
    State(api): State<Api>,
    caller: Caller,
    Id(text): Id,
    request: Request,
) -> Result<Json<Response>, Management> {
    caller.require(Operation::UpdateOrganization)?;
    let (parts, body) = request.into_parts();
    let change = read(&extract::json(&parts.headers, body).await?)?;
    let found = find(&api, &caller, &text).await?;
    let snapshot = api.caller_snapshot(&caller).await?;
    let authority = snapshot.authority();
    authority.require(Operation::UpdateOrganization)?;
    if change.max_key_age_days.is_some() {
        authority.require(Operation::UpdatePolicies)?;
    }
    let (origin, store) = (caller.origin(), api.store.on_behalf_of(&snapshot));
    let changed = store.change_organization(found.organization.guid, &origin, |organization| {
        Ok(Organization {
            name: change.name.clone().unwrap_or(organization.name),
            max_key_age_days: change
                .max_key_age_days
                .unwrap_or(organization.max_key_age_days),
            updated_at: api.now(),
            version: organization.version + 1,
            ..organization
        })
    });
    Ok(Json(Response::new(&changed.await?, &found.gate, api.now())))
}

/// Reads the members that can be wrong by themselves, and says of all of them at once what is
/// wrong.
fn read(body: &Body) -> Result<Change, Error> {
    let mut reader = Reader::default();
    let name = reader.text("name", body.name.as_deref(), Name::parse);
    let max_key_age_days = body
        .max_key_age_days
        .as_ref()
        .map(|value| value.as_ref().and_then(|value| days(&mut reader, value)));
    reader.finish(Some(Change {
        name,
        max_key_age_days,
    }))
}

fn days(reader: &mut Reader, value: &Value) -> Option<u32> {
    const LONGEST: u32 = Organization::LONGEST_KEY_AGE_DAYS;
    let days = value
        .as_u64()
        .and_then(|days| u32::try_from(days).ok())
        .filter(|days| (1..=LONGEST).contains(days));
    if days.is_none() {
        let reason =
            format!("must be a whole number of days from 1 to {LONGEST}, or null for no limit");
        reader.refuse("max_key_age_days", &reason);
    }
    days
}
