//! `GET /.well-known/oauth-authorization-server`: what this server is and has (RFC 8414 §2).

use axum::{Json, extract::State, http::header, response::IntoResponse};
use serde::Serialize;

use crate::Shared;

#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "the names are RFC 8414's")]
struct Response {
    issuer: String,
    token_endpoint: String,
    jwks_uri: String,
    scopes_supported: Vec<String>,
    /// Required, and empty: there is no authorization endpoint.
    response_types_supported: [&'static str; 0],
    grant_types_supported: [&'static str; 1],
    token_endpoint_auth_methods_supported: [&'static str; 2],
}

pub(crate) async fn read(State(tokens): Shared) -> impl IntoResponse {
    let issuer = &tokens.settings.issuer;
    let response = Response {
        issuer: issuer.clone(),
        token_endpoint: format!("{issuer}/oauth/token"),
        jwks_uri: format!("{issuer}/.well-known/jwks.json"),
        scopes_supported: tokens.catalogue.scopes().map(ToString::to_string).collect(),
        response_types_supported: [],
        grant_types_supported: ["client_credentials"],
        token_endpoint_auth_methods_supported: ["client_secret_basic", "client_secret_post"],
    };
    ([(header::CACHE_CONTROL, "public, max-age=300")], Json(response))
}
