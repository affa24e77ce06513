//! `POST /oauth/token`: client credentials (RFC 6749 §4.4; CYB-10).

use axum::{Json, extract::Request, extract::State, http::header, response::IntoResponse};
use domain::error::{Error, Kind};
use serde::Serialize;
use web::{dialect::OAuth, request::Facts};

use crate::{Shared, authenticate::refused, parameters::Parameters};

/// RFC 6749 §5.1.
#[derive(Serialize)]
struct Response {
    access_token: String,
    token_type: &'static str,
    expires_in: i64,
    scope: String,
}

pub(crate) async fn create(State(tokens): Shared, request: Request) -> Result<impl IntoResponse, OAuth> {
    let facts = Facts::of(request.extensions());
    let (parts, body) = request.into_parts();
    let parameters = Parameters::read(&parts.headers, body).await?;
    parameters.require_client_credentials()?;
    let Some(secret) = &parameters.client_secret else { return Err(refused("no client_secret", None, &facts).into()) };
    let Some(client_id) = &parameters.client_id else {
        return Err(Error::new(Kind::MalformedRequest, "client_id is missing").into());
    };
    let authenticated = tokens.authenticate(Some(client_id), secret, &facts).await?;
    let issued = tokens.issue(&authenticated, parameters.scope.as_deref()).await?;
    let scope = issued.scopes.to_string();
    let response = Response { access_token: issued.access_token, token_type: "Bearer", expires_in: issued.expires_in, scope };
    Ok(([(header::CACHE_CONTROL, "no-store"), (header::PRAGMA, "no-cache")], Json(response)))
}
