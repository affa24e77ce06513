//! `GET /.well-known/jwks.json`: the published signing keys of both kinds (RFC 7517 §5).

use axum::{Json, extract::State, http::header, response::IntoResponse};
use domain::kind::Kind;
use serde::Serialize;
use serde_json::Value;
use web::dialect::Management;

use crate::Shared;

#[derive(Serialize)]
struct Response {
    keys: Vec<Value>,
}

/// How long a verifier may keep the document. A new key is published for at least this long before it signs.
const CACHING: &str = "public, max-age=300";

pub(crate) async fn read(State(tokens): Shared) -> Result<impl IntoResponse, Management> {
    let mut keys = Vec::new();
    for kind in Kind::ALL {
        tokens.signer(kind).publish(&tokens.store, (tokens.clock)()).await?;
        keys.extend(tokens.store.signing_keys(kind).await?.into_iter().map(|key| key.jwk));
    }
    Ok(([(header::CACHE_CONTROL, CACHING)], Json(Response { keys })))
}
