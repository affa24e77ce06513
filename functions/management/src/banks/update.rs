//! Renames a bank. Its environment is fixed for life.

use axum::{
    Json,
    extract::{Request, State},
};
use domain::{
    error::Error,
    operation::Operation,
    organization::{Bank, Name},
};
use serde::{Deserialize, de::IgnoredAny};
use utoipa::ToSchema;
use web::{
    dialect::Management,
    extract::{self, Id},
    openapi::{BadBody, CommonErrors, Conflict, GuidPath, NotFound},
};

use super::{Response, guid, require_visible};
use crate::api::{Api, Caller};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = UpdateBank)]
struct Body {
    /// May be left out, not null.
    #[serde(default, deserialize_with = "extract::not_null")]
    #[schema(nullable = false, min_length = 1, max_length = 128)]
    name: Option<String>,
    /// Accepted from a bank's token, whatever it is, and ignored (CYB-4).
    #[serde(default, deserialize_with = "extract::not_null")]
    #[schema(ignore)]
    bank_guid: Option<IgnoredAny>,
}

/// Renames a bank.
#[utoipa::path(patch, path = "/api/banks/{guid}", params(GuidPath), request_body = Body,
    responses((status = 200, body = Response), CommonErrors, NotFound, BadBody, Conflict))]
pub(crate) async fn update(
    State(api): State<Api>,
    caller: Caller,
    Id(text): Id,
    request: Request,
) -> Result<Json<Response>, Management> {
    caller.require(Operation::UpdateBank)?;
    let (parts, body) = request.into_parts();
    let body: Body = extract::json(&parts.headers, body).await?;
    caller.require_no_bank(body.bank_guid.is_some(), "is not a member that this takes")?;
    let name = body
        .name
        .as_deref()
        .map(Name::parse)
        .transpose()
        .map_err(|reason| Error::field("name", reason))?;
    let guid = guid(&text)?;
    let snapshot = api.caller_snapshot(&caller).await?;
    let authority = snapshot.authority();
    authority.require(Operation::UpdateBank)?;
    let (origin, store) = (caller.origin(), api.store.on_behalf_of(&snapshot));
    let bank = store.change_bank(guid, &origin, |bank| {
        require_visible(&caller, &bank)?;
        Ok(Bank {
            name: name.clone().unwrap_or(bank.name),
            updated_at: api.now(),
            version: bank.version + 1,
            ..bank
        })
    });
    Ok(Json(Response::from(&bank.await?)))
}
