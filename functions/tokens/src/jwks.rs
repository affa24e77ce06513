//! `GET /.well-known/jwks.json`: the published signing keys of both kinds (RFC 7517 §5).

use axum::{Json, extract::State, http::header, response::IntoResponse};
use domain::{
    error::Error,
    key_mode::KeyMode,
    signing::{JWKS_MAX_AGE, JWKS_TTL},
    time::Timestamp,
};
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

/// The document as this instance last read it, for [`JWKS_TTL`]: anybody may ask for it, and the
/// authorizers read the same items.
#[derive(Default)]
pub(crate) struct Kept(Mutex<Option<(Timestamp, Response)>>);

/// Gets the published signing keys of both kinds.
#[utoipa::path(
    get,
    path = "/.well-known/jwks.json",
    operation_id = "read_jwks",
    tag = "tokens",
    security(()),
    responses((status = 200, body = Response), Unavailable)
)]
pub(crate) async fn read(State(tokens): Shared) -> Result<impl IntoResponse, Management> {
    let (document, complete) = document(&tokens).await?;
    let caching = if complete {
        format!("public, max-age={}", JWKS_MAX_AGE.as_secs())
    } else {
        "no-store".to_owned()
    };
    Ok(([(header::CACHE_CONTROL, caching)], Json(document)))
}

/// The document, and whether it has a key of each kind. One that has not is not kept by anybody:
/// the first key of a kind signs as soon as it is published.
async fn document(tokens: &Tokens) -> Result<(Response, bool), Error> {
    let now = (tokens.clock)();
    let mut kept = tokens.jwks.0.lock().await;
    let young = |at: Timestamp| at <= now && now < at + JWKS_TTL;
    if let Some((_, document)) = kept.as_ref().filter(|(at, _)| young(*at)) {
        return Ok((document.clone(), true));
    }
    let (mut keys, mut complete) = (Vec::new(), true);
    for kind in KeyMode::ALL {
        // One kind's key out of order is no reason to withhold the other's; what is published stays
        // valid.
        if tokens.signer(kind).begin(&tokens.store).await.is_err() {
            tracing::error!(%kind, "no key of this kind is ready to sign");
        }
        let published = tokens.store.signing_keys(kind).await?;
        complete &= !published.is_empty();
        keys.extend(published.into_iter().map(|key| key.jwk));
    }
    let document = Response { keys };
    if complete {
        *kept = Some((now, document.clone()));
    }
    Ok((document, complete))
}
