//! Gets one key by `client_id` or `guid` (CYB-3).

use axum::{Json, extract::State};
use web::{
    dialect::Management,
    extract::Id,
    openapi::{CommonErrors, KeyPath, NotFound},
};

use super::{Family, OwnerKey, find_living};
use crate::{
    api::{Api, Caller},
    keys::access::require_reading,
};

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
    caller.require(F::READ)?;
    let key = find_living::<F>(&api, &caller, &text).await?;
    require_reading(&caller, F::READ, (&key).into())?;
    Ok(Json(OwnerKey::from(&key)))
}
