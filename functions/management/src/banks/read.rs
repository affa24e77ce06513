//! Gets one bank.

use axum::{Json, extract::State};
use domain::{error::Error, operation::Operation};
use web::{
    dialect::Management,
    extract::Id,
    openapi::{CommonErrors, GuidPath, NotFound},
};

use super::{Response, guid, require_visible};
use crate::api::{Api, Caller};

/// Gets a bank.
#[utoipa::path(
    get,
    path = "/api/banks/{guid}",
    params(GuidPath),
    responses((status = 200, body = Response), CommonErrors, NotFound)
)]
pub(crate) async fn read(
    State(api): State<Api>,
    caller: Caller,
    Id(text): Id,
) -> Result<Json<Response>, Management> {
    api.require_now(&caller, Operation::ReadBank).await?;
    let bank = api
        .store
        .bank(guid(&text)?)
        .await?
        .ok_or_else(Error::not_found)?;
    require_visible(&caller, &bank)?;
    Ok(Json(Response::from(&bank)))
}
