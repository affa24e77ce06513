//! `GET /.well-known/jwks.json`: the published signing keys of both kinds (RFC 7517 §5).

use axum::{Json, extract::State, http::header, response::IntoResponse};
use domain::{error::Error, kind::Kind, time::Timestamp};
use serde::Serialize;
use serde_json::Value;
use tokio::sync::Mutex;
use utoipa::ToSchema;
use web::{dialect::Management, openapi::Unavailable};

use crate::{Shared, Tokens};

/// A JWK Set (RFC 7517 §5).
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = JwkSet)]
pub(crate) struct Response {
    /// Public keys of ECDSA over P-256, each named by its thumbprint (RFC 7638).
    #[schema(value_type = Vec<Object>)]
    keys: Vec<Value>,
}

/// How long a verifier may keep the document.
const CACHING: &str = "public, max-age=300";
/// How long an instance keeps it, in milliseconds: anybody may ask for it, and the authorizers read the same items.
const KEPT: i64 = 60_000;

/// The document as this instance last read it.
#[derive(Default)]
pub(crate) struct Kept(Mutex<Option<(Timestamp, Response)>>);

/// Gets the published signing keys of both kinds.
#[utoipa::path(get, path = "/.well-known/jwks.json", operation_id = "read_jwks", tag = "tokens", security(()),
    responses((status = 200, body = Response), Unavailable))]
pub(crate) async fn read(State(tokens): Shared) -> Result<impl IntoResponse, Management> {
    Ok(([(header::CACHE_CONTROL, CACHING)], Json(document(&tokens).await?)))
}

async fn document(tokens: &Tokens) -> Result<Response, Error> {
    let now = (tokens.clock)();
    let mut kept = tokens.jwks.0.lock().await;
    if let Some((_, document)) = kept.as_ref().filter(|(at, _)| (0..KEPT).contains(&now.since(*at))) {
        return Ok(document.clone());
    }
    let mut keys = Vec::new();
    for kind in Kind::ALL {
        // One kind's key out of order is no reason to withhold the other's; what is published stays valid.
        if tokens.signer(kind).publish(&tokens.store, now).await.is_err() {
            tracing::error!(%kind, "a signing key cannot be published");
        }
        keys.extend(tokens.store.signing_keys(kind).await?.into_iter().map(|key| key.jwk));
    }
    let document = Response { keys };
    *kept = Some((now, document.clone()));
    Ok(document)
}
