//! The door before the tables: decides about a request, and hands it on, as it came, to the server
//! behind.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, StatusCode, Uri, header, request::Parts},
    response::{IntoResponse, Response},
};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::{Value, json};

use super::{
    authority::{Authority, Caller, Stranger},
    dynamodb,
    signature::Signed,
};

/// `DynamoDB` accepts bodies up to 16 MB.
const MAX_BODY_SIZE: usize = 16 * 1024 * 1024;

/// What the door needs.
struct Front {
    authority: Arc<Authority>,
    client: Client<HttpConnector, Body>,
    upstream: SocketAddr,
}

/// An answer that the tables are not asked for.
struct Rejection {
    kind: &'static str,
    message: String,
}

/// Serves the tables behind that address to whom the policies let.
pub(in super::super) fn router(authority: Arc<Authority>, upstream: SocketAddr) -> Router {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client = Client::builder(TokioExecutor::new()).build(connector);
    Router::new().fallback(answer).with_state(Arc::new(Front {
        authority,
        client,
        upstream,
    }))
}

async fn answer(State(front): State<Arc<Front>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MAX_BODY_SIZE).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    if let Err(Rejection { kind, message }) = front.permit(&parts, &body) {
        let body =
            json!({"__type": format!("com.amazon.coral.service#{kind}"), "message": message});
        return (
            StatusCode::BAD_REQUEST,
            [(header::CONTENT_TYPE, "application/x-amz-json-1.0")],
            body.to_string(),
        )
            .into_response();
    }
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let Ok(uri) = Uri::try_from(format!("http://{}{path}", front.upstream)) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let mut onwards = Request::new(Body::from(body));
    *onwards.method_mut() = parts.method;
    *onwards.uri_mut() = uri;
    *onwards.headers_mut() = parts.headers;
    onwards.headers_mut().remove(header::CONNECTION);
    match front.client.request(onwards).await {
        Ok(answer) => answer.map(Body::new),
        Err(error) => {
            tracing::error!(%error, "the embedded tables do not answer");
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
    }
}

impl Front {
    fn permit(&self, parts: &Parts, body: &Bytes) -> Result<(), Rejection> {
        let Parts { headers, uri, .. } = parts;
        let stranger = |stranger: Stranger| {
            let (kind, message) = stranger.error();
            Rejection {
                kind,
                message: message.to_owned(),
            }
        };
        let caller = self.authority.caller(Signed {
            method: parts.method.as_str(),
            path: uri.path(),
            headers,
            body,
        });
        let caller = caller.map_err(stranger)?;
        let Some(caller) = caller else {
            // Whoever names no access key is refused behind, where AWS's words for it are. Other
            // ways of naming one that are known there must not lead past this door.
            let elsewhere = headers.contains_key(header::AUTHORIZATION) || uri.query().is_some();
            return if elsewhere {
                Err(stranger(Stranger::Unrecognized))
            } else {
                Ok(())
            };
        };
        let Some(operation) = operation(headers) else {
            return Ok(());
        };
        let Ok(body) = serde_json::from_slice::<Value>(body) else {
            return if matches!(caller, Caller::Root) {
                Ok(())
            } else {
                Err(Rejection {
                    kind: "SerializationException",
                    message: String::new(),
                })
            };
        };
        let calls = dynamodb::calls(&self.authority.rules(), operation, &body);
        let decision = self.authority.permit(&caller, &calls);
        decision.map_err(|denied| Rejection {
            kind: "AccessDeniedException",
            message: denied.to_string(),
        })
    }
}

/// Of `DynamoDB_20120810.GetItem` or `DynamoDBStreams_20120810.GetRecords`, what stands behind the
/// point.
fn operation(headers: &HeaderMap) -> Option<&str> {
    let (_, operation) = headers
        .get("x-amz-target")?
        .to_str()
        .ok()?
        .split_once('.')?;
    Some(operation)
}
