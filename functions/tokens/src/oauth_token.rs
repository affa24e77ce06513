//! `POST /oauth/token`: client credentials (RFC 6749 §4.4; CYB-10).

use axum::{
    Json,
    extract::{Request, State},
    http::header,
    response::IntoResponse,
};
use serde::Serialize;
use utoipa::ToSchema;
use web::{
    dialect::OAuth,
    openapi::{OAuthErrors, schema},
    request::Facts,
};

use crate::{Shared, parameters::Parameters};

/// RFC 6749 §4.4.2; other parameters are ignored, and an empty one counts as left out.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what `Parameters` reads")]
pub(crate) struct TokenRequest {
    #[schema(pattern = "^client_credentials$")]
    grant_type: String,
    /// Unless it stands in HTTP Basic.
    #[schema(nullable = false, value_type = Option<schema::ClientId>)]
    client_id: Option<String>,
    /// Unless it stands in HTTP Basic.
    #[schema(nullable = false, format = Password)]
    client_secret: Option<String>,
    /// Scopes of the key, separated by spaces; absent: all of them.
    scope: Option<String>,
}

/// RFC 6749 §5.1.
#[derive(Serialize, ToSchema)]
#[schema(as = Token)]
pub(crate) struct Response {
    access_token: String,
    #[schema(value_type = String, pattern = "^Bearer$")]
    token_type: &'static str,
    /// Seconds until it expires.
    #[schema(minimum = 1)]
    expires_in: i64,
    /// Separated by spaces.
    scope: String,
}

/// Issues a token for a key's `client_id` and secret.
///
/// A key's management scopes that the request names and the key lacks are left out; any other that
/// it lacks is refused.
#[utoipa::path(
    post,
    path = "/oauth/token",
    operation_id = "create_token",
    tag = "tokens",
    security(("client" = []), ()),
    request_body(content(
        (TokenRequest = "application/x-www-form-urlencoded"),
        (TokenRequest = "application/json")
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
    parameters.require_client_credentials()?;
    let authenticated = tokens.client(&parameters, &facts).await?;
    let issued = tokens
        .issue(&authenticated, parameters.scope.as_deref())
        .await?;
    let scope = issued.scopes.to_string();
    let response = Response {
        access_token: issued.access_token,
        token_type: "Bearer",
        expires_in: issued.expires_in,
        scope,
    };
    Ok((
        [
            (header::CACHE_CONTROL, "no-store"),
            (header::PRAGMA, "no-cache"),
        ],
        Json(response),
    ))
}
