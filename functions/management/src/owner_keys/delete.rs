//! Revokes a key by DELETE (CYB-3): immediate, final, and the same however often it is sent.

use axum::{extract::State, http::StatusCode};
use web::{
    dialect::Management,
    extract::Id,
    openapi::{CommonErrors, KeyPath, NotFound},
};

use super::{Family, find};
use crate::{
    api::{Api, Caller},
    keys::access::require,
};

/// Revokes a key.
#[utoipa::path(
    delete,
    path = "/{client_id}",
    params(KeyPath),
    responses((status = 204), CommonErrors, NotFound)
)]
pub(crate) async fn delete<F: Family>(
    State(api): State<Api>,
    caller: Caller,
    Id(text): Id,
) -> Result<StatusCode, Management> {
    caller.require(F::DELETE)?;
    let key = find::<F>(&api, &caller, &text).await?;
    require(&api, &caller, F::DELETE, (&key).into()).await?;
    api.store.revoke_key(&key, &caller.origin()).await?;
    Ok(StatusCode::NO_CONTENT)
}
