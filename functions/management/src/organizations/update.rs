//! Renames an organization.

use axum::{
    Json,
    extract::{Request, State},
};
use domain::{
    error::Error,
    organization::{Name, Organization},
};
use serde::Deserialize;
use web::{
    dialect::Management,
    extract::{self, Id},
};

use super::{Response, own};
use crate::api::{Api, Caller};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    #[serde(default, deserialize_with = "extract::not_null")]
    name: Option<String>,
}

pub(crate) async fn update(
    State(api): State<Api>,
    caller: Caller,
    Id(text): Id,
    request: Request,
) -> Result<Json<Response>, Management> {
    caller.require(&["organizations:write"])?;
    let (parts, body) = request.into_parts();
    let body: Body = extract::json(&parts.headers, body).await?;
    let name = body.name.as_deref().map(Name::parse).transpose().map_err(|reason| Error::field("name", reason))?;
    let standing = own(&api, &caller, &text).await?;
    let origin = caller.origin();
    let changed = api.store.change_organization(standing.organization.guid, &origin, |organization| {
        let name = name.clone().unwrap_or(organization.name);
        Ok(Organization { name, updated_at: api.now(), version: organization.version + 1, ..organization })
    });
    Ok(Json(Response::new(&changed.await?, standing.gate)))
}
