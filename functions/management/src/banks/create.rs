//! Creates a bank (CYB-1).

use axum::{
    Json,
    extract::{Request, State},
    http::StatusCode,
};
use domain::{
    error::{Error, Kind},
    key::Owner,
    kind::BankEnvironment,
    organization::{Bank, Name},
};
use serde::Deserialize;
use web::{dialect::Management, extract};

use super::Response;
use crate::api::{Api, Caller};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    name: String,
    #[serde(deserialize_with = "extract::word")]
    environment: BankEnvironment,
}

pub(crate) async fn create(
    State(api): State<Api>,
    caller: Caller,
    request: Request,
) -> Result<(StatusCode, Json<Response>), Management> {
    caller.require(&["banks:execute"])?;
    let (parts, body) = request.into_parts();
    let body: Body = extract::json(&parts.headers, body).await?;
    let name = Name::parse(&body.name).map_err(|reason| Error::field("name", reason))?;
    if !matches!(caller.owner, Owner::Organization(_)) {
        return Err(Error::new(Kind::Forbidden, "A bank's token makes no banks").into());
    }
    if body.environment.kind() != caller.kind {
        return Err(Error::new(Kind::Forbidden, format!("A {0} credential reaches only {0} banks", caller.kind)).into());
    }
    let now = api.now();
    let bank = Bank {
        guid: api.entropy.guid(),
        organization: caller.organization,
        name,
        environment: body.environment,
        created_at: now,
        updated_at: now,
        version: 0,
    };
    let conferring = api.conferring_key(&caller).await?;
    api.store.on_behalf_of(&conferring).create_bank(&bank, &caller.origin()).await?;
    Ok((StatusCode::CREATED, Json(Response::from(&bank))))
}
