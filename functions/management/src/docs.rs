//! The published description of the API and its interactive documentation, for anybody (CBM-6). All
//! of it is text: API Gateway hands on binary answers only for media types that the API lists, and
//! ours lists none. None of it is of another host.

pub(crate) mod asset;
pub(crate) mod document;
pub(crate) mod page;

use std::sync::Arc;

use axum::{Router, routing::get};

/// The routes, whatever state the others need.
pub(crate) fn routes<S: Clone + Send + Sync + 'static>(issuer: &str) -> Router<S> {
    let issuer: Arc<str> = issuer.into();
    let document = move || {
        let issuer = issuer.clone();
        async move { document::read(&issuer) }
    };
    Router::new()
        .route("/api/openapi.json", get(document))
        .route("/api/docs", get(page::redirect))
        .route("/api/docs/", get(page::read))
        .route("/api/docs/{file}", get(asset::read))
}
