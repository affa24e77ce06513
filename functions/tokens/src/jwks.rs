//! `GET /.well-known/jwks.json`: the published signing keys of both kinds (RFC 7517 §5).

use axum::{Json, extract::State, http::header, response::IntoResponse};
use domain::{
    error::Error,
    key_mode::KeyMode,
    signing::{JWKS_MAX_AGE, JWKS_TTL},
    time::Clock,
};
use runtime::refreshing::{Lifetime, Refreshing};
use serde::Serialize;
use serde_json::Value;
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

/// The document, and whether it has a key of each kind. One that has not is not kept by anybody:
/// the first key of a kind signs as soon as it is published.
pub(crate) struct Document {
    response: Response,
    is_complete: bool,
}

/// The document as this instance last read it: anybody may ask for it, and the authorizers read the
/// same items.
pub(crate) type Kept = Refreshing<Document>;

/// Nothing yet.
pub(crate) fn kept(clock: Clock) -> Kept {
    let lifetime = Lifetime {
        usable: Some(JWKS_TTL),
        ..Lifetime::fresh_for(JWKS_TTL)
    };
    let kept = Refreshing::new("the JWKS document", clock, lifetime);
    kept.complete_if(|document: &Document| document.is_complete)
}

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
    let document = tokens.jwks.current(|| Box::pin(document(&tokens))).await?;
    let caching = if document.is_complete {
        format!("public, max-age={}", JWKS_MAX_AGE.as_secs())
    } else {
        "no-store".to_owned()
    };
    Ok((
        [(header::CACHE_CONTROL, caching)],
        Json(document.response.clone()),
    ))
}

async fn document(tokens: &Tokens) -> Result<Document, Error> {
    let (mut keys, mut is_complete) = (Vec::new(), true);
    for kind in KeyMode::ALL {
        // One kind's key out of order is no reason to withhold the other's; what is published stays
        // valid.
        if tokens.signer(kind).begin(&tokens.store).await.is_err() {
            tracing::error!(%kind, "no key of this kind is ready to sign");
        }
        let published = tokens.store.signing_keys(kind).await?;
        is_complete &= !published.is_empty();
        keys.extend(published.into_iter().map(|key| key.jwk));
    }
    Ok(Document {
        response: Response { keys },
        is_complete,
    })
}
