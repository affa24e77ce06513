//! `POST /v1/auth/token`: a secret alone for a token (ARZ-2).

use axum::{
    Json,
    extract::{Request, State},
    http::header,
    response::IntoResponse,
};
use domain::key_mode::KeyMode;
use serde::Serialize;
use utoipa::ToSchema;
use web::{
    dialect::OAuth,
    openapi::{OAuthErrors, schema},
    request::Facts,
};

use crate::{Shared, authenticate::refused, parameters::Parameters};

/// ARZ-2; other parameters are ignored, and an empty one counts as left out.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what `Parameters` reads")]
pub(crate) struct SecretExchange {
    #[schema(format = Password)]
    client_secret: String,
    #[schema(pattern = "^client_credentials$")]
    grant_type: Option<String>,
    /// Scopes of the key, separated by spaces; absent: all of them.
    scope: Option<String>,
}

/// A token for a secret.
#[derive(Serialize, ToSchema)]
#[schema(as = ExchangedToken)]
pub(crate) struct Response {
    access_token: String,
    #[schema(value_type = String, pattern = "^Bearer$")]
    token_type: &'static str,
    /// Seconds until it expires.
    #[schema(minimum = 1)]
    expires_in: i64,
    #[schema(value_type = schema::Kind)]
    environment: KeyMode,
}

/// Issues a token for a key's secret alone.
#[utoipa::path(
    post,
    path = "/v1/auth/token",
    operation_id = "exchange_secret",
    tag = "tokens",
    security(()),
    request_body(content(
        (SecretExchange = "application/json"),
        (SecretExchange = "application/x-www-form-urlencoded")
    )),
    responses((status = 200, body = Response), OAuthErrors)
)]
pub(crate) async fn create(
    State(tokens): Shared,
    request: Request,
) -> Result<impl IntoResponse, OAuth> {
    let facts = Facts::of(request.extensions());
    let (parts, body) = request.into_parts();
    let parameters = Parameters::read(&parts.headers, body).await?;
    if parameters.grant_type.is_some() {
        parameters.require_client_credentials()?;
    }
    let Some(secret) = &parameters.client_secret else {
        return Err(refused("credential_absent", None, &facts).into());
    };
    let authenticated = tokens
        .authenticate(parameters.client_id.as_deref(), secret, &facts)
        .await?;
    let issued = tokens
        .issue(&authenticated, parameters.scope.as_deref())
        .await?;
    let environment = authenticated.key.kind;
    let response = Response {
        access_token: issued.access_token,
        token_type: "Bearer",
        expires_in: issued.expires_in,
        environment,
    };
    Ok((
        [
            (header::CACHE_CONTROL, "no-store"),
            (header::PRAGMA, "no-cache"),
        ],
        Json(response),
    ))
}
