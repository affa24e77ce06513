//! HTTP functions as Lambda calls them: an event in, an answer out, whatever happens in between.
//! Nothing but this module knows of it: the local stack gives the same functions the same events.

use std::time::Duration;

use axum::{
    Router,
    body::Body,
    extract::Request as RouterRequest,
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
};
use domain::error::Error;
use http::{HeaderValue, Request, Uri, uri::PathAndQuery};
use lambda_http::{Adapter, RequestExt, request::LambdaRequest, tower::ServiceExt};
use lambda_runtime::{LambdaEvent, service_fn};
use runtime::{
    env::{Env, StartError},
    log,
};
use serde_json::{Map, Value};
use tower::Service;
use tower_http::catch_panic::CatchPanicLayer;
use tracing::Instrument;

use crate::{
    proxy::{SourceIpTrust, TrustedProxy},
    refusal::{self, Answers},
};

/// A function's router behind what every function has in front of it; cheap to clone.
#[derive(Clone)]
pub struct HttpFunction {
    router: Router,
    proxy: Option<TrustedProxy>,
}

/// How long a request may take: less than the 29 seconds of the gateway and the functions' own
/// timeouts, so that it ends in an answer of ours, not in a killed instance.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(26);

impl HttpFunction {
    /// Puts in front of a router that requests are routed by the path without the stage, and have
    /// the source address that is resolved by the proxy that `env` names ([`TrustedProxy::read`]).
    ///
    /// # Errors
    /// When a setting of the proxy is missing or wrong.
    pub async fn start(
        router: Router,
        env: &Env,
        ambient: &runtime::Ambient,
    ) -> Result<Self, StartError> {
        let proxy = TrustedProxy::read(env, ambient)?;
        if let Some(proxy) = &proxy {
            proxy.warm().await;
        }
        Ok(Self { router, proxy })
    }

    /// Answers an API Gateway event.
    ///
    /// # Errors
    /// When it is no such event.
    pub async fn answer(&self, event: LambdaEvent<Value>) -> Result<Value, StartError> {
        let LambdaEvent {
            mut payload,
            context,
        } = event;
        let source_ip_trust = match &self.proxy {
            Some(proxy) => proxy.resolve_source_ip(&mut payload).await,
            None => SourceIpTrust::Direct,
        };
        sanitize_event(&mut payload);
        let request: LambdaRequest = serde_json::from_value(payload)?;
        let mut adapter = Adapter::from(self.router.clone().map_request(
            move |request: lambda_http::Request| {
                let mut request = without_stage(request);
                request.extensions_mut().insert(source_ip_trust);
                request
            },
        ));
        let adapter = ServiceExt::<LambdaEvent<LambdaRequest>>::ready(&mut adapter).await?;
        Ok(serde_json::to_value(
            adapter.call(LambdaEvent::new(request, context)).await?,
        )?)
    }
}

impl std::fmt::Debug for HttpFunction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HttpFunction")
    }
}

/// Makes an event one that `lambda_http` reads, and reads right. It refuses whole events for one
/// header value that HTTP allows and its type does not; such a header is left out. And of a header
/// that was sent twice it shows the last value alone, unless it stands among the multi-value
/// headers alone: who checks for repetition must see it, and those have all that `headers` has. Of
/// the host it makes a URL, and panics when it cannot; no function asks for the host, since the
/// issuer is a setting.
fn sanitize_event(event: &mut Value) {
    for mapping in ["headers", "multiValueHeaders"] {
        if let Some(headers) = event.get_mut(mapping).and_then(Value::as_object_mut) {
            headers.retain(|name, _| !name.eq_ignore_ascii_case("host"));
        }
    }
    if let Some(domain) = event.pointer_mut("/requestContext/domainName") {
        *domain = Value::Null;
    }
    let legible = |value: &Value| {
        value
            .as_str()
            .is_some_and(|text| HeaderValue::from_str(text).is_ok())
    };
    if let Some(headers) = event
        .get_mut("multiValueHeaders")
        .and_then(Value::as_object_mut)
        .filter(|headers| !headers.is_empty())
    {
        headers.retain(|_, values| {
            values
                .as_array()
                .is_some_and(|values| values.iter().all(legible))
        });
        event["headers"] = Value::Object(Map::new());
    } else if let Some(headers) = event.get_mut("headers").and_then(Value::as_object_mut) {
        headers.retain(|_, value| legible(value));
    }
}

/// Puts behind the routes that a panic is a 500 and a request that takes too long a 503, in the
/// dialect `D`, and that a refusal is logged.
pub fn catch_panics_and_timeouts<
    D: From<Error> + IntoResponse + 'static,
    S: Clone + Send + Sync + 'static,
>(
    router: Router<S>,
) -> Router<S> {
    catch_panics_and_timeouts_after::<D, S>(router, REQUEST_TIMEOUT)
}

fn catch_panics_and_timeouts_after<
    D: From<Error> + IntoResponse + 'static,
    S: Clone + Send + Sync + 'static,
>(
    router: Router<S>,
    timeout: Duration,
) -> Router<S> {
    let within_timeout = move |request: RouterRequest, next: Next| async move {
        let answers = Answers::to(&request);
        let span = tracing::error_span!("request", request_id = answers.request_id());
        let response = refusal::logged(answers, next.run(request));
        tokio::time::timeout(timeout, response.instrument(span))
            .await
            .unwrap_or_else(|_| {
                tracing::error!("a request took longer than the gateway waits");
                D::from(Error::temporarily_unavailable()).into_response()
            })
    };
    // Where it happened is in the log already (see `log`).
    let panicked = |_| -> Response { D::from(Error::internal()).into_response() };
    router
        .layer(from_fn(within_timeout))
        .layer(CatchPanicLayer::custom(panicked))
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
    start: impl FnOnce(Env, runtime::Ambient) -> F,
) -> Result<(), StartError> {
    log::to_stdout();
    let (env, ambient) = (Env::process(), runtime::Ambient::process().await);
    let function =
        HttpFunction::start(start(env.clone(), ambient.clone()).await?, &env, &ambient).await?;
    lambda_runtime::run(service_fn(async |event| function.answer(event).await)).await
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use serde_json::json;

    use super::*;
    use crate::dialect::{Management, OAuth};

    /// The body and status of `GET path` in this dialect, from handlers that panic and that never
    /// end.
    async fn answered<D: From<Error> + IntoResponse + 'static>(path: &str) -> (u16, Value) {
        #[expect(clippy::panic, reason = "the test is about one")]
        async fn panics() {
            panic!("boom");
        }
        let routes = Router::new()
            .route("/panics", get(panics))
            .route("/hangs", get(std::future::pending::<()>));
        let service = catch_panics_and_timeouts_after::<D, ()>(routes, Duration::from_millis(50));
        let request = Request::builder().uri(path).body(Body::empty()).unwrap();
        let answer = tower::ServiceExt::oneshot(service, request).await.unwrap();
        let status = answer.status().as_u16();
        (
            status,
            serde_json::from_slice(
                &axum::body::to_bytes(answer.into_body(), 4096)
                    .await
                    .unwrap(),
            )
            .unwrap(),
        )
    }

    #[tokio::test]
    async fn a_panic_is_a_500_and_a_hang_a_503_in_the_dialect_of_the_route() {
        for (path, status, code, error) in [
            ("/panics", 500, "internal_error", "server_error"),
            (
                "/hangs",
                503,
                "temporarily_unavailable",
                "temporarily_unavailable",
            ),
        ] {
            let (answered_status, body) = answered::<Management>(path).await;
            assert_eq!(
                (answered_status, &body["message_code"]),
                (status, &json!(code)),
                "{body}"
            );
            let (answered_status, body) = answered::<OAuth>(path).await;
            assert_eq!(
                (answered_status, &body["error"]),
                (status, &json!(error)),
                "{body}"
            );
        }
    }

    #[test]
    fn illegible_headers_are_left_out_and_repeated_ones_stay_repeated() {
        let mut event = json!({
            "requestContext": {"domainName": "["},
            "headers": {"Host": "[", "Authorization": "b", "accept": "*/*"},
            "multiValueHeaders": {
                "host": ["["],
                "user-agent": ["caf\u{e9}\u{7f}"],
                "authorization": ["a", "b"],
                "x": ["line\nfeed", "fine"],
                "accept": ["*/*"],
                "Accept": ["text/html"],
            },
        });
        sanitize_event(&mut event);
        let expected =
            json!({"authorization": ["a", "b"], "accept": ["*/*"], "Accept": ["text/html"]});
        assert_eq!(
            event,
            json!({
                "requestContext": {"domainName": null},
                "headers": {},
                "multiValueHeaders": expected,
            })
        );

        let mut event = json!({"headers": {"user-agent": "caf\u{e9}\u{7f}", "accept": "*/*"}});
        sanitize_event(&mut event);
        assert_eq!(
            event,
            json!({"headers": {"accept": "*/*"}}),
            "HTTP APIs have no multi-value headers"
        );
    }
}
