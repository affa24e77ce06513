//! Ends a key's previous secret (CBM-3, ARZ-5): it and the tokens that it obtained are refused within five seconds.

use axum::{
    Json,
    extract::{Request, State},
};
use domain::operation::Operation;
use web::{
    dialect::Management,
    extract::Id,
    openapi::{BadBody, Conflict, KeyPath, NotFound, Refused},
};

use super::{Nothing, access::require, behind, find, require_nothing, shape::Response};
use crate::api::{Api, Caller};

/// Ends a key's previous secret.
///
/// It and the tokens that it obtained are refused within five seconds. Repeating it changes nothing.
#[utoipa::path(post, path = "/api/keys/{client_id}/finish_rotation", params(KeyPath), request_body = Option<Nothing>,
    responses((status = 200, body = Response), Refused, NotFound, BadBody, Conflict))]
pub(crate) async fn finish_rotation(
    State(api): State<Api>,
    caller: Caller,
    Id(text): Id,
    request: Request,
) -> Result<Json<Response>, Management> {
    require_nothing(&caller, request).await?;
    let key = find(&api, &caller, &text).await?;
    require(&api, &caller, Operation::FinishRotation, (&key).into()).await?;
    let gates = api.store.gates(&key).await?;
    let finish = |key| behind(&gates, key, api.now()).finish_rotation(api.now());
    let key = api.store.finish_rotation(key.client_id, &caller.origin(), finish).await?;
    Ok(Json(Response::new(&api, &caller, &key, &gates)))
}
