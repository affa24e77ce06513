//! Answers with the page of the interactive documentation.

use axum::{
    http::{HeaderName, header},
    response::{IntoResponse, Redirect},
};

const PAGE: &str = include_str!("index.html");

/// Everything is of this very host, but for the icons that the style sheet has in itself.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' \
                      data:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

/// What the page and its files say to a browser about themselves.
pub(super) const SAFETY: [(HeaderName, &str); 3] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
];

/// Shows this documentation.
///
/// Without the slash at the end it redirects there.
#[utoipa::path(
    get,
    path = "/api/docs/",
    operation_id = "read_docs",
    tag = "documentation",
    security(()),
    responses((status = 200, body = String, content_type = "text/html"), web::openapi::Unavailable)
)]
pub(crate) async fn read() -> impl IntoResponse {
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "public, max-age=300"),
    ];
    (headers, SAFETY, PAGE)
}

/// The page names its files relative to itself, whatever stands before `/api` in front of it.
pub(crate) async fn redirect() -> impl IntoResponse {
    Redirect::temporary("docs/")
}
