//! Creates a bank (CYB-1).

use axum::{
    Json,
    extract::State,
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
use store::IdempotencyRecord;
use utoipa::ToSchema;
use web::{
    dialect::Management,
    extract,
    openapi::{BadBody, CommonErrors, Conflict, IdempotencyKey, schema},
};

use super::Response;
use crate::{
    api::{Api, Caller},
    idempotent::{Failed, Request},
};

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
    request: axum::extract::Request,
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
    let snapshot = &api.caller_snapshot(&caller).await?;
    snapshot.authority().require(Operation::CreateBank)?;
    let request = Request {
        caller: &caller,
        parts: &parts,
        body: &bytes,
    };
    let (api, caller) = (&api, &caller);
    let (now, guid) = (api.now(), api.entropy.guid());
    let bank = Bank {
        guid,
        organization: caller.organization,
        name,
        environment: body.environment,
        created_at: now,
        updated_at: now,
        version: 0,
    };
    let create = |record: Option<IdempotencyRecord>| async move {
        snapshot.authority().require_end()?;
        api.store
            .on_behalf_of(snapshot)
            .create_bank(&bank, record.as_ref(), &caller.origin())
            .await?;
        Ok::<_, Failed>((StatusCode::CREATED, Json(Response::from(&bank))).into_response())
    };
    // As it is now.
    let again = |made: String| async move {
        let bank = api.store.bank(super::guid(&made)?).await?;
        Ok::<_, Error>(Response::from(&bank.ok_or_else(Error::not_found)?))
    };
    Ok(api.create_once(request, guid, create, again).await?)
}
