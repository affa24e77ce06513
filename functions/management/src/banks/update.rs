//! Renames a bank. Its environment is fixed for life.

use axum::{
    Json,
    extract::{Request, State},
};
use domain::{
    error::Error,
    organization::{Bank, Name},
};
use serde::{Deserialize, de::IgnoredAny};
use web::{
    dialect::Management,
    extract::{self, Id},
};

use super::{Response, guid, require_visible};
use crate::api::{Api, Caller};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    #[serde(default, deserialize_with = "extract::not_null")]
    name: Option<String>,
    /// Accepted from a bank's token, whatever it is, and ignored (CYB-4).
    #[serde(default, deserialize_with = "extract::not_null")]
    bank_guid: Option<IgnoredAny>,
}

pub(crate) async fn update(
    State(api): State<Api>,
    caller: Caller,
    Id(text): Id,
    request: Request,
) -> Result<Json<Response>, Management> {
    caller.require(&["banks:write"])?;
    let (parts, body) = request.into_parts();
    let body: Body = extract::json(&parts.headers, body).await?;
    caller.require_no_bank(body.bank_guid.is_some(), "is not a member that this takes")?;
    let name = body.name.as_deref().map(Name::parse).transpose().map_err(|reason| Error::field("name", reason))?;
    let origin = caller.origin();
    let bank = api.store.change_bank(guid(&text)?, &origin, |bank| {
        require_visible(&caller, &bank)?;
        Ok(Bank { name: name.clone().unwrap_or(bank.name), updated_at: api.now(), version: bank.version + 1, ..bank })
    });
    Ok(Json(Response::from(&bank.await?)))
}
