//! Gets one key by `client_id` or `guid`, revoked or not.

use axum::{Json, extract::State};
use domain::operation::Operation;
use web::{
    dialect::Management,
    extract::Id,
    openapi::{CommonErrors, KeyPath, NotFound},
};

use super::shape::Response;
use crate::api::{Api, Caller};

/// Gets a key.
///
/// A revoked key is there for 90 days, and then a 404.
#[utoipa::path(get, path = "/api/keys/{client_id}", params(KeyPath),
    responses((status = 200, body = Response), CommonErrors, NotFound))]
pub(crate) async fn read(
    State(api): State<Api>,
    caller: Caller,
    Id(text): Id,
) -> Result<Json<Response>, Management> {
    let view = api.view_key(&caller, Operation::ReadKey, &text).await?;
    view.authorized(api.now())?;
    Ok(Json(Response::of(&api, &view)))
}
