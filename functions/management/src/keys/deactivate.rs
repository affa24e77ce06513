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

use super::{
    Nothing, access::require, find, require_nothing, shape::Response, with_bulk_revocations,
};
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
    let key = find(&api, &caller, &text).await?;
    require(&api, &caller, Operation::DeactivateKey, (&key).into()).await?;
    let gates = api.store.gates(&key).await?;
    let deactivate = |key| with_bulk_revocations(&gates, key, api.now()).deactivate(api.now());
    let key = api
        .store
        .switch_key(
            key.client_id,
            Action::KeyDeactivate,
            &caller.origin(),
            deactivate,
        )
        .await?;
    Ok(Json(Response::new(&api, &caller, &key, &gates)))
}
