//! `POST /v1/auth/token`: a secret alone for a token (ARZ-2).

use axum::{Json, extract::Request, extract::State, http::header, response::IntoResponse};
use domain::kind::Kind;
use serde::Serialize;
use web::{dialect::OAuth, request::Facts};

use crate::{Shared, authenticate::refused, parameters::Parameters};

#[derive(Serialize)]
struct Response {
    access_token: String,
    token_type: &'static str,
    expires_in: i64,
    environment: Kind,
}

pub(crate) async fn create(State(tokens): Shared, request: Request) -> Result<impl IntoResponse, OAuth> {
    let facts = Facts::of(request.extensions());
    let (parts, body) = request.into_parts();
    let parameters = Parameters::read(&parts.headers, body).await?;
    if parameters.grant_type.is_some() {
        parameters.require_client_credentials()?;
    }
    let Some(secret) = &parameters.client_secret else { return Err(refused("no client_secret", None, &facts).into()) };
    let authenticated = tokens.authenticate(parameters.client_id.as_deref(), secret, &facts).await?;
    let issued = tokens.issue(&authenticated, parameters.scope.as_deref()).await?;
    let environment = authenticated.key.kind;
    let response =
        Response { access_token: issued.access_token, token_type: "Bearer", expires_in: issued.expires_in, environment };
    Ok(([(header::CACHE_CONTROL, "no-store"), (header::PRAGMA, "no-cache")], Json(response)))
}
