//! Creates a bank (CYB-1).

use axum::{
    Json,
    extract::{Request, State},
    http::StatusCode,
    response::{IntoResponse, Response as Answer},
};
use domain::{
    error::{Error, Kind},
    key_mode::BankEnvironment,
    operation::Operation,
    organization::{Bank, Name},
};
use serde::Deserialize;
use utoipa::ToSchema;
use web::{
    dialect::Management,
    extract,
    openapi::{BadBody, CommonErrors, Conflict, IdempotencyKey, schema},
};

use super::Response;
use crate::api::{Api, Caller, Outcome, replayed};

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
#[utoipa::path(
    post,
    path = "/api/banks",
    params(IdempotencyKey),
    request_body = Body,
    responses(
        (
            status = 201,
            body = Response,
            headers(("Idempotency-Replayed" = String, description = "`true`: made before"))
        ),
        CommonErrors,
        BadBody,
        Conflict
    )
)]
pub(crate) async fn create(
    State(api): State<Api>,
    caller: Caller,
    request: Request,
) -> Result<Answer, Management> {
    caller.require(Operation::CreateBank)?;
    let (parts, body) = request.into_parts();
    let (body, bytes): (Body, _) = extract::json_and_bytes(&parts.headers, body).await?;
    let name = Name::parse(&body.name).map_err(|reason| Error::field("name", reason))?;
    if caller.owner.bank().is_some() {
        return Err(Error::new(Kind::Forbidden, "A bank's token makes no banks").into());
    }
    if body.environment.kind() != caller.kind {
        return Err(Error::new(
            Kind::Forbidden,
            format!("A {0} credential reaches only {0} banks", caller.kind),
        )
        .into());
    }
    let authority = api.caller_authority(&caller).await?;
    authority.require(Operation::CreateBank)?;
    let (now, guid) = (api.now(), api.entropy.guid());
    let record = match api.check_idempotency(&caller, &parts, &bytes, guid).await? {
        Outcome::Created(record) => record,
        Outcome::Replayed(made) => return replay(&api, &made).await,
    };
    let (organization, environment) = (caller.organization, body.environment);
    let bank = Bank {
        guid,
        organization,
        name,
        environment,
        created_at: now,
        updated_at: now,
        version: 0,
    };
    let created = api
        .store
        .on_behalf_of(&authority.behalf)
        .create_bank(&bank, record.as_ref(), &caller.origin())
        .await;
    match api.resolve(created, record).await? {
        Outcome::Created(_) => {
            Ok((StatusCode::CREATED, Json(Response::from(&bank))).into_response())
        }
        Outcome::Replayed(made) => replay(&api, &made).await,
    }
}

/// The bank that was made before, as it is now.
async fn replay(api: &Api, made: &str) -> Result<Answer, Management> {
    let bank = api
        .store
        .bank(super::guid(made)?)
        .await?
        .ok_or_else(Error::not_found)?;
    Ok(replayed(Response::from(&bank)))
}
