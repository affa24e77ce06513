//! Revokes a key (CBM-4): immediate and final. When this answers, every authorizer instance refuses
//! the key and every token issued from it within five seconds.

use axum::{
    Json,
    extract::{Request, State},
};
use domain::{audit::Origin, error::Error, operation::Operation, text::Note};
use serde::{Deserialize, de::IgnoredAny};
use utoipa::ToSchema;
use web::{
    dialect::Management,
    extract::{self, Id},
    openapi::{BadBody, CommonErrors, KeyPath, NotFound, schema},
};

use super::shape::Response;
use crate::api::{Api, Caller};

#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RevokeKey)]
pub(crate) struct Body {
    /// Why, for the audit trail. Platform staff must say which request of the customer they carry
    /// out.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 512)]
    reason: Option<String>,
    /// Accepted from a bank's token, and ignored (CYB-4).
    #[serde(default)]
    #[schema(value_type = Option<schema::Guid>)]
    bank_guid: Option<IgnoredAny>,
}

/// Revokes a key.
///
/// For good: within five seconds of the answer the key and every token that it obtained are refused
/// everywhere.
#[utoipa::path(
    post,
    path = "/api/keys/{client_id}/revoke",
    params(KeyPath),
    request_body = Option<Body>,
    responses((status = 200, body = Response), CommonErrors, NotFound, BadBody)
)]
pub(crate) async fn revoke(
    State(api): State<Api>,
    caller: Caller,
    Id(text): Id,
    request: Request,
) -> Result<Json<Response>, Management> {
    let (parts, body) = request.into_parts();
    let body: Body = extract::optional_json(&parts.headers, body).await?;
    caller.require_no_bank(body.bank_guid.is_some(), "is not a member that this takes")?;
    let reason = body
        .reason
        .as_deref()
        .map(Note::parse)
        .transpose()
        .map_err(|reason| Error::field("reason", reason))?;
    let view = api.view_key(&caller, Operation::RevokeKey, &text).await?;
    view.authorized(api.now())?;
    if view.caller().is_staff() && reason.is_none() {
        return Err(Error::field(
            "reason",
            "is required of platform staff: name the customer's request or the incident",
        )
        .into());
    }
    let origin = Origin {
        reason: reason.map(|reason| reason.as_str().to_owned()),
        ..caller.origin()
    };
    let key = api.store.revoke_key(&view, &origin).await?;
    Ok(Json(Response::changed(&api, &view, &key)))
}
