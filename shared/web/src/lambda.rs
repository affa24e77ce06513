//! Start-up on Lambda. Nothing but this module knows of it: the local stack prepares the same routers and calls them with
//! the same events.

use axum::{Router, body::Body, response::IntoResponse, response::Response};
use domain::error::Error;
use http::{Request, Uri, uri::PathAndQuery};
use lambda_http::{RequestExt, tower::ServiceExt};
use tower::{Service, util::MapRequest};
use tower_http::catch_panic::CatchPanicLayer;

use crate::{
    dialect::Management,
    env::{Env, StartError},
    log,
};

/// A function's router behind what every function has in front of it.
pub type Prepared = MapRequest<Router, fn(lambda_http::Request) -> Request<Body>>;

/// Puts in front of a router that requests are routed by the path without the stage, and behind it that a panic is a 500
/// in the log and on the wire, not a lost invocation.
#[must_use]
pub fn prepare(router: Router) -> Prepared {
    let router = router.layer(CatchPanicLayer::custom(|_| -> Response {
        tracing::error!("a handler panicked");
        Management(Error::internal()).into_response()
    }));
    router.map_request(without_stage as fn(lambda_http::Request) -> Request<Body>)
}

fn without_stage(request: lambda_http::Request) -> Request<Body> {
    let path = request.raw_http_path().to_owned();
    let (mut parts, body) = request.into_parts();
    let target = match parts.uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path,
    };
    if let Ok(target) = target.parse::<PathAndQuery>() {
        let mut uri = parts.uri.into_parts();
        uri.path_and_query = Some(target);
        parts.uri = Uri::from_parts(uri).unwrap_or_default();
    }
    Request::from_parts(parts, Body::new(body))
}

/// Runs an HTTP function on Lambda: logs first, then what `start` makes of the environment.
///
/// # Errors
/// What keeps the function from starting, or the runtime from going on.
pub async fn run<F: Future<Output = Result<Router, StartError>>>(
    start: impl FnOnce(Env, crate::Edge) -> F,
) -> Result<(), StartError> {
    log::to_stdout();
    let router = start(Env::process(), crate::Edge::ambient().await).await?;
    lambda_http::run(prepare(router)).await
}

/// Proves that a prepared router is a service of Lambda requests.
const _: fn() = || {
    fn is_service<S: Service<lambda_http::Request>>() {}
    is_service::<Prepared>();
};
