//! Gets one key by `client_id` or `guid` (CYB-3).

use axum::{Json, extract::State};
use web::{
    dialect::Management,
    extract::Id,
    openapi::{KeyPath, NotFound, Refused},
};

use super::{Application, Family, find_living};
use crate::{
    api::{Api, Caller},
    keys::access::require_reading,
};

/// Gets a key.
#[utoipa::path(get, path = "/{client_id}", params(KeyPath), responses((status = 200, body = Application), Refused, NotFound))]
pub(crate) async fn read<F: Family>(
    State(api): State<Api>,
    caller: Caller,
    Id(text): Id,
) -> Result<Json<Application>, Management> {
    caller.require(F::READ)?;
    let key = find_living::<F>(&api, &caller, &text).await?;
    require_reading(&caller, F::READ, (&key).into())?;
    Ok(Json(Application::from(&key)))
}
