//! Ends a key's previous secret (CBM-3, ARZ-5): it and the tokens that it obtained are refused
//! within five seconds. Or in a while (LEAK-11): whoever has it in memory still has that long to
//! fetch the new one.

use std::time::Duration;

use axum::{
    Json,
    extract::{Request, State},
};
use domain::operation::Operation;
use serde::{Deserialize, de::IgnoredAny};
use serde_json::Value;
use utoipa::ToSchema;
use web::{
    dialect::Management,
    extract::{self, Id},
    openapi::{BadBody, CommonErrors, Conflict, KeyPath, NotFound, schema},
};

use super::{seconds, shape::Response};
use crate::api::{Api, Caller};

#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = FinishRotation)]
pub(crate) struct Body {
    /// Seconds that the previous secret works on, and no longer than it would; where it is left
    /// out, none.
    #[serde(default, deserialize_with = "extract::not_null")]
    #[schema(
        value_type = u64,
        nullable = false,
        required = false,
        minimum = 0,
        maximum = 7_776_000,
        default = 0
    )]
    grace_period: Option<Value>,
    /// Accepted from a bank's token, and ignored (CYB-4).
    #[serde(default)]
    #[schema(value_type = Option<schema::Guid>)]
    bank_guid: Option<IgnoredAny>,
}

/// Ends a key's previous secret.
///
/// It and the tokens that it obtained are refused within five seconds, or after a grace period.
/// Repeating it changes nothing. Every credential but the previous secret finishes the rotation of
/// its own key.
#[utoipa::path(
    post,
    path = "/api/keys/{client_id}/finish_rotation",
    params(KeyPath),
    request_body = Option<Body>,
    responses((status = 200, body = Response), CommonErrors, NotFound, BadBody, Conflict)
)]
pub(crate) async fn finish_rotation(
    State(api): State<Api>,
    caller: Caller,
    Id(text): Id,
    request: Request,
) -> Result<Json<Response>, Management> {
    let (parts, body) = request.into_parts();
    let body: Body = extract::optional_json(&parts.headers, body).await?;
    caller.require_no_bank(body.bank_guid.is_some(), "is not a member that this takes")?;
    let grace = body.grace_period.map_or(Ok(Duration::ZERO), |given| {
        seconds(&given, "or be left out")
    })?;
    let view = api
        .view_key(&caller, Operation::FinishRotation, &text)
        .await?;
    let key = api
        .store
        .finish_rotation(&view, &caller.origin(), |key| key.finish_rotation(grace))
        .await?;
    Ok(Json(Response::changed(&api, &view, &key)))
}
