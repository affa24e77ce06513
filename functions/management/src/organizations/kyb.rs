//! Decides an organization's KYB, or withdraws the decision: one write wakes its live keys or puts
//! them to sleep (ARZ-3).

use axum::{
    Json,
    extract::{Request, State},
};
use domain::{error::Error, gate::Kyb, operation::Operation};
use serde::Deserialize;
use utoipa::ToSchema;
use web::{
    dialect::Management,
    extract::{self, Id},
    openapi::{BadBody, CommonErrors, Conflict, GuidPath, NotFound, schema},
};

use super::{Response, find};
use crate::api::{Api, Caller};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DecideKyb)]
struct Body {
    #[serde(deserialize_with = "extract::word")]
    #[schema(value_type = schema::Kyb)]
    status: Kyb,
}

/// Decides an organization's KYB.
#[utoipa::path(put, path = "/api/organizations/{guid}/kyb", params(GuidPath), request_body = Body,
    responses((status = 200, body = Response), CommonErrors, NotFound, BadBody, Conflict))]
pub(crate) async fn kyb(
    State(api): State<Api>,
    caller: Caller,
    Id(text): Id,
    request: Request,
) -> Result<Json<Response>, Management> {
    caller.require(Operation::DecideKyb)?;
    let (parts, body) = request.into_parts();
    let body: Body = extract::json(&parts.headers, body).await?;
    let guid = find(&api, &caller, &text).await?.organization.guid;
    let snapshot = api.caller_snapshot(&caller).await?;
    let authority = snapshot.authority();
    authority.require(Operation::DecideKyb)?;
    authority.require_lasting()?;
    api.store
        .on_behalf_of(&snapshot)
        .set_kyb(guid, body.status, &caller.origin())
        .await?;
    let decided = api
        .store
        .organization(guid)
        .await?
        .ok_or_else(Error::not_found)?;
    Ok(Json(Response::of(&decided, api.now())))
}
