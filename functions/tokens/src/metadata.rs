//! `GET /.well-known/oauth-authorization-server`: what this server is and has (RFC 8414 §2).

use axum::{Json, extract::State, http::header, response::IntoResponse};
use serde::Serialize;
use utoipa::ToSchema;
use web::openapi::{Unavailable, schema};

use crate::Shared;

/// RFC 8414 §2.
#[derive(Serialize, ToSchema)]
#[schema(as = AuthorizationServerMetadata)]
#[expect(clippy::struct_field_names, reason = "the names are RFC 8414's")]
pub(crate) struct Response {
    issuer: String,
    token_endpoint: String,
    introspection_endpoint: String,
    revocation_endpoint: String,
    jwks_uri: String,
    #[schema(value_type = Vec<schema::Scope>)]
    scopes_supported: Vec<String>,
    /// Required, and empty: there is no authorization endpoint.
    #[schema(value_type = Vec<String>)]
    response_types_supported: [&'static str; 0],
    #[schema(value_type = Vec<String>)]
    grant_types_supported: [&'static str; 1],
    #[schema(value_type = Vec<String>)]
    token_endpoint_auth_methods_supported: [&'static str; 2],
    /// Also an access token or personal key, by the name that RFC 8414 has for it.
    #[schema(value_type = Vec<String>)]
    introspection_endpoint_auth_methods_supported: [&'static str; 3],
    #[schema(value_type = Vec<String>)]
    revocation_endpoint_auth_methods_supported: [&'static str; 2],
}

const CLIENT_METHODS: [&str; 2] = ["client_secret_basic", "client_secret_post"];

/// Gets the authorization server's metadata.
#[utoipa::path(
    get,
    path = "/.well-known/oauth-authorization-server",
    operation_id = "read_metadata",
    tag = "tokens",
    security(()),
    responses((status = 200, body = Response), Unavailable)
)]
pub(crate) async fn read(State(tokens): Shared) -> impl IntoResponse {
    let issuer = &tokens.settings.issuer;
    let [basic, post] = CLIENT_METHODS;
    let response = Response {
        issuer: issuer.clone(),
        token_endpoint: format!("{issuer}/oauth/token"),
        introspection_endpoint: format!("{issuer}/oauth/introspect"),
        revocation_endpoint: format!("{issuer}/oauth/revoke"),
        jwks_uri: format!("{issuer}/.well-known/jwks.json"),
        scopes_supported: tokens.catalogue.scopes().map(ToString::to_string).collect(),
        response_types_supported: [],
        grant_types_supported: ["client_credentials"],
        token_endpoint_auth_methods_supported: CLIENT_METHODS,
        introspection_endpoint_auth_methods_supported: [basic, post, "Bearer"],
        revocation_endpoint_auth_methods_supported: CLIENT_METHODS,
    };
    (
        [(header::CACHE_CONTROL, "public, max-age=300")],
        Json(response),
    )
}
