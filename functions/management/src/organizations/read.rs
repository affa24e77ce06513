//! Gets one organization.

use axum::{Json, extract::State};
use domain::operation::Operation;
use web::{
    dialect::Management,
    extract::Id,
    openapi::{CommonErrors, GuidPath, NotFound},
};

use super::{Response, find};
use crate::api::{Api, Caller};

/// Gets an organization.
#[utoipa::path(get, path = "/api/organizations/{guid}", params(GuidPath),
    responses((status = 200, body = Response), CommonErrors, NotFound))]
pub(crate) async fn read(
    State(api): State<Api>,
    caller: Caller,
    Id(text): Id,
) -> Result<Json<Response>, Management> {
    api.require_now(&caller, Operation::ReadOrganization)
        .await?;
    Ok(Json(Response::of(
        &find(&api, &caller, &text).await?,
        api.now(),
    )))
}
