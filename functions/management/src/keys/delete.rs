//! Revokes a key by DELETE: immediate, final, and the same however often it is sent.

use axum::{extract::State, http::StatusCode};
use domain::operation::Operation;
use web::{
    dialect::Management,
    extract::Id,
    openapi::{CommonErrors, KeyPath, NotFound},
};

use crate::api::{Api, Caller};

/// Revokes a key by DELETE.
#[utoipa::path(
    delete,
    path = "/api/keys/{client_id}",
    params(KeyPath),
    responses((status = 204), CommonErrors, NotFound)
)]
pub(crate) async fn delete(
    State(api): State<Api>,
    caller: Caller,
    Id(text): Id,
) -> Result<StatusCode, Management> {
    let view = api.view_key(&caller, Operation::DeleteKey, &text).await?;
    api.store.revoke_key(&view, &caller.origin()).await?;
    Ok(StatusCode::NO_CONTENT)
}
