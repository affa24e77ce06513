//! Stops a key for now: it gets no token, and its live tokens are refused within five seconds,
//! until it is restored.

use axum::{
    Json,
    extract::{Request, State},
};
use domain::{audit::Action, operation::Operation};
use web::{
    dialect::Management,
    extract::Id,
    openapi::{BadBody, CommonErrors, Conflict, KeyPath, NotFound},
};

use super::{Nothing, require_nothing, shape::Response};
use crate::api::{Api, Caller};

/// Stops a key for now.
///
/// It and its tokens are refused within five seconds, until it is restored.
#[utoipa::path(
    post,
    path = "/api/keys/{client_id}/deactivate",
    params(KeyPath),
    request_body = Option<Nothing>,
    responses((status = 200, body = Response), CommonErrors, NotFound, BadBody, Conflict)
)]
pub(crate) async fn deactivate(
    State(api): State<Api>,
    caller: Caller,
    Id(text): Id,
    request: Request,
) -> Result<Json<Response>, Management> {
    require_nothing(&caller, request).await?;
    let view = api
        .view_key(&caller, Operation::DeactivateKey, &text)
        .await?;
    let key = api
        .store
        .switch_key(&view, Action::KeyDeactivate, &caller.origin(), |key| {
            key.deactivate()
        })
        .await?;
    Ok(Json(Response::changed(&api, &view, &key)))
}
