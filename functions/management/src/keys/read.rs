//! Gets one key by `client_id` or `guid`, revoked or not.

use axum::{Json, extract::State};
use domain::operation::Operation;
use web::{
    dialect::Management,
    extract::Id,
    openapi::{CommonErrors, KeyPath, NotFound},
};

use super::{access::require_reading, find, shape::Response, show};
use crate::api::{Api, Caller};

/// Gets a key.
#[utoipa::path(get, path = "/api/keys/{client_id}", params(KeyPath),
    responses((status = 200, body = Response), CommonErrors, NotFound))]
pub(crate) async fn read(
    State(api): State<Api>,
    caller: Caller,
    Id(text): Id,
) -> Result<Json<Response>, Management> {
    let key = find(&api, &caller, &text).await?;
    require_reading(&caller, Operation::ReadKey, (&key).into())?;
    Ok(show(&api, &caller, &key).await?)
}
