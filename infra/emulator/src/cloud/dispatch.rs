//! One door for all services but `DynamoDB`: which of them a request is for, and whether its caller
//! is permitted to make it.

use std::sync::Arc;

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, StatusCode, Uri, header},
    response::Response,
};
use serde_json::Value;

use super::{
    access::{api::permit, signature::Signed},
    api_gateway,
    aws_json::{AwsError, respond},
    kms, logs, secrets, sqs,
    state::Api,
};

/// The services are told apart by the target's prefix, and API Gateway by having none.
pub(super) fn router(api: Arc<Api>) -> Router {
    Router::new().fallback(answer).with_state(api)
}

async fn answer(
    State(api): State<Arc<Api>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    respond(dispatch(&api, (&method, &uri), &headers, &body))
}

fn dispatch(
    api: &Api,
    (method, uri): (&Method, &Uri),
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Value, AwsError> {
    if !headers.contains_key("x-amz-target") && uri.path() != "/" {
        return control(api, method, uri, headers);
    }
    let target = headers
        .get("x-amz-target")
        .and_then(|target| target.to_str().ok())
        .unwrap_or_default();
    let unknown = || {
        AwsError::new(
            "UnknownOperationException",
            format!("not offered here: {target:?}"),
        )
    };
    let (service, operation) = target.split_once('.').ok_or_else(unknown)?;
    if !headers.contains_key(header::AUTHORIZATION) {
        return Err(AwsError::new(
            "MissingAuthenticationTokenException",
            "Missing Authentication Token",
        ));
    }
    let request = Signed {
        method: method.as_str(),
        path: uri.path(),
        headers,
        body,
    };
    permit(api, request, service, operation)?;
    match service {
        "TrentService" => kms::answer(api, operation, body).unwrap_or_else(|| Err(unknown())),
        "secretsmanager" => secrets::answer(api, operation, body).unwrap_or_else(|| Err(unknown())),
        "AmazonSQS" => sqs::answer(api, operation, headers, body).unwrap_or_else(|| Err(unknown())),
        "Logs_20140328" => logs::answer(api, operation, body).unwrap_or_else(|| Err(unknown())),
        _ => Err(unknown()),
    }
}

/// API Gateway's own calls: REST JSON, of which there are only those that change nothing.
fn control(api: &Api, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<Value, AwsError> {
    if !headers.contains_key(header::AUTHORIZATION) {
        return Err(AwsError::with_status(
            StatusCode::FORBIDDEN,
            "MissingAuthenticationTokenException",
            "Missing Authentication Token",
        ));
    }
    let control = api.control.get().filter(|_| method == Method::GET);
    control
        .ok_or_else(|| api_gateway::not_offered(uri.path()))?
        .answer(uri.path())
}
