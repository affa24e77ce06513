//! Creates a bank (CYB-1).

use axum::{
    Json,
    extract::{Request, State},
    http::StatusCode,
    response::{IntoResponse, Response as Answer},
};
use domain::{
    error::{Error, Kind},
    kind::BankEnvironment,
    operation::Operation,
    organization::{Bank, Name},
};
use serde::Deserialize;
use utoipa::ToSchema;
use web::{
    dialect::Management,
    extract,
    openapi::{BadBody, Conflict, IdempotencyKey, Refused, schema},
};

use super::Response;
use crate::api::{Api, Attempt, Caller, replayed};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CreateBank)]
struct Body {
    #[schema(min_length = 1, max_length = 128)]
    name: String,
    /// Of the caller's own kind: a sandbox credential makes sandbox banks.
    #[serde(deserialize_with = "extract::word")]
    #[schema(value_type = schema::BankEnvironment)]
    environment: BankEnvironment,
}

/// Creates a bank.
#[utoipa::path(post, path = "/api/banks", params(IdempotencyKey), request_body = Body,
    responses((status = 201, body = Response, headers(("Idempotency-Replayed" = String, description = "`true`: made before"))),
        Refused, BadBody, Conflict))]
pub(crate) async fn create(State(api): State<Api>, caller: Caller, request: Request) -> Result<Answer, Management> {
    caller.require(Operation::CreateBank)?;
    let (parts, body) = request.into_parts();
    let (body, bytes): (Body, _) = extract::json_and_bytes(&parts.headers, body).await?;
    let name = Name::parse(&body.name).map_err(|reason| Error::field("name", reason))?;
    if caller.owner.bank().is_some() {
        return Err(Error::new(Kind::Forbidden, "A bank's token makes no banks").into());
    }
    if body.environment.kind() != caller.kind {
        return Err(Error::new(Kind::Forbidden, format!("A {0} credential reaches only {0} banks", caller.kind)).into());
    }
    let standing = api.standing(&caller).await?;
    standing.require(Operation::CreateBank)?;
    let (now, guid) = (api.now(), api.entropy.guid());
    let once = match api.attempt(&caller, &parts, &bytes, guid).await? {
        Attempt::First(once) => once,
        Attempt::Repeated(made) => return repeated(&api, &made).await,
    };
    let (organization, environment) = (caller.organization, body.environment);
    let bank = Bank { guid, organization, name, environment, created_at: now, updated_at: now, version: 0 };
    let created = api.store.on_behalf_of(&standing.behalf).create_bank(&bank, once.as_ref(), &caller.origin()).await;
    match api.settle(created, once).await? {
        Attempt::First(_) => Ok((StatusCode::CREATED, Json(Response::from(&bank))).into_response()),
        Attempt::Repeated(made) => repeated(&api, &made).await,
    }
}

/// The bank that was made before, as it is now.
async fn repeated(api: &Api, made: &str) -> Result<Answer, Management> {
    let bank = api.store.bank(super::guid(made)?).await?.ok_or_else(Error::not_found)?;
    Ok(replayed(Response::from(&bank)))
}
