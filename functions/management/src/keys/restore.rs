//! Lets a deactivated key, and those of its tokens that still live, work again.

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

/// Lets a stopped key work again.
#[utoipa::path(
    post,
    path = "/api/keys/{client_id}/restore",
    params(KeyPath),
    request_body = Option<Nothing>,
    responses((status = 200, body = Response), CommonErrors, NotFound, BadBody, Conflict)
)]
pub(crate) async fn restore(
    State(api): State<Api>,
    caller: Caller,
    Id(text): Id,
    request: Request,
) -> Result<Json<Response>, Management> {
    require_nothing(&caller, request).await?;
    let view = api.view_key(&caller, Operation::RestoreKey, &text).await?;
    let key = api
        .store
        .switch_key(&view, Action::KeyRestore, &caller.origin(), |key| {
            key.restore()
        })
        .await?;
    Ok(Json(Response::changed(&api, &view, &key)))
}
