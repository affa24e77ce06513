//! Revokes a key by DELETE (CYB-3): immediate, final, and the same however often it is sent.

use axum::{extract::State, http::StatusCode};
use web::{
    dialect::Management,
    extract::Id,
    openapi::{CommonErrors, KeyPath, NotFound},
};

use super::{Family, view};
use crate::api::{Api, Caller};

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
    let view = view::<F>(&api, &caller, F::DELETE, &text).await?;
    api.store.revoke_key(&view, &caller.origin()).await?;
    Ok(StatusCode::NO_CONTENT)
}
