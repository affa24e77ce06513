//! The smallest API to guard: it answers with what the authorizer found out about the caller
//! (CYB-4).

use axum::{Json, Router, extract::Request, routing::get};
use domain::error::Error;
use lambda_http::request::RequestContext;
use runtime::{Ambient, Env, StartError};
use serde_json::{Map, Value};
use utoipa::OpenApi;
use web::{
    dialect::{self, Management},
    lambda::catch_panics_and_timeouts,
    openapi::CommonErrors,
};

#[derive(OpenApi)]
#[openapi(paths(whoami))]
struct Described;

/// The operation of the sample function, for the published document (CBM-6).
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    Described::openapi()
}

/// The function's router. It has no settings.
///
/// # Errors
/// None; every function starts alike.
pub fn start(_env: &Env, _ambient: &Ambient) -> Result<Router, StartError> {
    let routes = Router::new()
        .route("/v1/whoami", get(whoami))
        .fallback(dialect::no_such_path);
    Ok(catch_panics_and_timeouts::<Management, _>(
        routes.method_not_allowed_fallback(dialect::no_such_method),
    ))
}

/// Tells the caller what the authorizer found out about it.
///
/// What the authorizer hands to any API that it guards: for whom the credential is, what it may and
/// which one it is.
#[utoipa::path(get, path = "/v1/whoami", operation_id = "who_am_i", tag = "sample",
    responses((status = 200, body = HashMap<String, Value>), CommonErrors))]
async fn whoami(request: Request) -> Result<Json<Map<String, Value>>, Management> {
    let context = request
        .extensions()
        .get::<RequestContext>()
        .and_then(RequestContext::authorizer);
    let fields: Map<String, Value> = context
        .into_iter()
        .flat_map(|context| context.fields.clone())
        .collect();
    // A call that no authorizer vouched for learns nothing.
    if fields.is_empty() {
        return Err(Error::unauthenticated().into());
    }
    Ok(Json(fields))
}
