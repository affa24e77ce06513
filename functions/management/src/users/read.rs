//! Gets one user; who was disabled is still there.

use axum::{Json, extract::State};
use domain::{error::Error, operation::Operation};
use web::{
    dialect::Management,
    extract::Id,
    openapi::{CommonErrors, GuidPath, NotFound},
};

use super::{Response, guid, require_no_bank_token, require_visible};
use crate::api::{Api, Caller};

/// Gets a user.
#[utoipa::path(
    get,
    path = "/api/users/{guid}",
    params(GuidPath),
    responses((status = 200, body = Response), CommonErrors, NotFound)
)]
pub(crate) async fn read(
    State(api): State<Api>,
    caller: Caller,
    Id(text): Id,
) -> Result<Json<Response>, Management> {
    api.require_now(&caller, Operation::ReadUser).await?;
    require_no_bank_token(&caller)?;
    let user = api
        .store
        .user(guid(&text)?)
        .await?
        .ok_or_else(Error::not_found)?;
    require_visible(&caller, &user)?;
    Ok(Json(Response::from(&user)))
}
