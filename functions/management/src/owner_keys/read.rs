//! Gets one key by `client_id` or `guid` (CYB-3).

use axum::{Json, extract::State};
use web::{
    dialect::Management,
    extract::Id,
    openapi::{CommonErrors, KeyPath, NotFound},
};

use super::{Family, OwnerKey, view_living};
use crate::api::{Api, Caller};

/// Gets a key.
#[utoipa::path(
    get,
    path = "/{client_id}",
    params(KeyPath),
    responses((status = 200, body = OwnerKey), CommonErrors, NotFound)
)]
pub(crate) async fn read<F: Family>(
    State(api): State<Api>,
    caller: Caller,
    Id(text): Id,
) -> Result<Json<OwnerKey>, Management> {
    let view = view_living::<F>(&api, &caller, F::READ, &text).await?;
    Ok(Json(OwnerKey::from(view.key())))
}
