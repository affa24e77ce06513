//! API Gateway's REST API on a laptop: genuine events in, genuine responses out, so that a function
//! or a template that works here works there. What still differs is in `infra/local/DEVIATIONS.md`.

mod access_log;
mod authorize;
mod call;
mod event;
mod gateway_response;
mod headers;
mod integration;
mod invoke;
mod policy;
mod reply;
mod route;
#[cfg(test)]
mod tests;
mod usage;

use std::{fmt, future::Future, io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{ConnectInfo, Request, State},
    response::Response,
};
use sam::template::{Description, ResponseType, TemplateError};
use serde_json::Value;
use tokio::net::TcpListener;

use self::{
    access_log::Seen, authorize::Authorizers, call::Call, gateway_response::GatewayError,
    reply::Reply, route::Matched, usage::Usage,
};
pub use self::{
    access_log::{AccessLog, Sink},
    invoke::{FunctionError, Invocation, Invoke},
};

/// Milliseconds since 1970.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// The methods that an API can have.
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/// How the gateway runs.
#[derive(Clone)]
pub struct Options {
    /// The time of requests and of the authorizers' cache.
    pub clock: Clock,
    /// How long a function may take to answer; API Gateway's default is 29 seconds.
    pub integration_timeout: Duration,
    /// Where the lines of the stage's access log go.
    pub access_log: AccessLog,
}

impl Options {
    /// AWS's limits, by a clock.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            integration_timeout: Duration::from_secs(29),
            access_log: AccessLog::default(),
        }
    }
}

/// The gateway of one template.
#[derive(Clone)]
pub struct Gateway {
    shared: Arc<Shared>,
}

struct Shared {
    description: Description,
    invoker: Arc<dyn Invoke>,
    options: Options,
    router: route::Router,
    authorizers: Authorizers,
    usage: Usage,
}

impl fmt::Debug for Gateway {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Gateway")
            .field("api", &self.shared.description.api.id)
            .finish_non_exhaustive()
    }
}

impl Gateway {
    /// Prepares the gateway.
    ///
    /// # Errors
    /// Resource paths that API Gateway would refuse.
    pub fn new(
        description: Description,
        invoker: Arc<dyn Invoke>,
        options: Options,
    ) -> Result<Self, TemplateError> {
        let router = route::Router::new(&description.api.routes)?;
        let authorizers = Authorizers::new(&description.api.authorizers)?;
        let usage = Usage::new(&description.api.usage_plans);
        Ok(Self {
            shared: Arc::new(Shared {
                description,
                invoker,
                options,
                router,
                authorizers,
                usage,
            }),
        })
    }

    /// Serves HTTP/1.1 until `shutdown` is ready, then finishes what it has begun.
    ///
    /// # Errors
    /// Those of the listener.
    pub async fn serve(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        let port = listener.local_addr()?.port();
        let service = Router::new().fallback(handle).with_state((self, port));
        axum::serve(
            listener,
            service.into_make_service_with_connect_info::<SocketAddr>(),
        )
        .with_graceful_shutdown(shutdown)
        .await
    }
}

async fn handle(
    State((gateway, port)): State<(Gateway, u16)>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    gateway.shared.answer(peer, port, request).await
}

impl Shared {
    async fn answer(&self, peer: SocketAddr, port: u16, request: Request) -> Response {
        let (parts, body) = request.into_parts();
        let mut call = Call::new((self.options.clock)(), peer);
        let mut reply = match call.read(&parts, body, port).await {
            Err(plain) => {
                self.log(&call, plain.status, "", &plain.text, "");
                plain.into()
            }
            Ok(()) => self.serve_call(&call).await,
        };
        reply
            .headers
            .push(("x-amzn-requestid".into(), call.request_id));
        reply
            .headers
            .push(("x-amz-apigw-id".into(), call.extended_request_id));
        reply.into()
    }

    async fn serve_call(&self, call: &Call) -> Reply {
        let matched = self.router.find(&call.method, &call.path);
        let resource = matched.as_ref().map(|matched| matched.resource);
        let mut seen = Seen::default();
        let outcome = match &matched {
            Some(matched) => self.integrate(call, matched, &mut seen).await,
            None => Err(GatewayError::new(
                ResponseType::MissingAuthenticationToken,
                "Missing Authentication Token",
            )),
        };
        match outcome {
            Ok(reply) => {
                self.log(call, reply.status, resource.unwrap_or_default(), "", "");
                self.write_line(call, resource, &reply, seen, None);
                reply
            }
            Err(gateway_error) => {
                let context = event::request_context(&self.description, call, resource);
                let reply = gateway_error.reply(&self.description.api, call, context);
                let reply = if reply.is_sendable() {
                    reply
                } else {
                    Reply::unsendable()
                };
                self.write_line(call, resource, &reply, seen, Some(&gateway_error));
                self.log(
                    call,
                    reply.status,
                    resource.unwrap_or_default(),
                    gateway_error.kind.name(),
                    &gateway_error.reason,
                );
                reply
            }
        }
    }

    async fn integrate(
        &self,
        call: &Call,
        matched: &Matched<'_>,
        seen: &mut Seen,
    ) -> Result<Reply, GatewayError> {
        let unknown = || {
            GatewayError::new(ResponseType::Default5xx, "Internal server error")
                .because("no such function")
        };
        let (mut authorizer, mut usage_key) = (None, None);
        if let Some(name) = &matched.route.authorizer {
            let known = self
                .description
                .api
                .authorizers
                .get(name)
                .ok_or_else(unknown)?;
            let admit =
                self.authorizers
                    .admit(&self.description, &self.invoker, known, call, matched);
            let (mut context, key) = admit.await?;
            usage_key = key;
            seen.authorizer = Some(context.clone());
            let latency = (self.options.clock)() - call.received;
            context.insert("integrationLatency".into(), Value::from(latency));
            authorizer = Some(context);
        }
        if matched.route.api_key_required {
            seen.usage_key_id = usage_key.as_deref().and_then(|key| self.usage.id(key));
            let counted = self.usage.count(usage_key.as_deref(), call.received);
            counted.map_err(|gateway_error| {
                gateway_error.with_authorizer(seen.authorizer.clone().unwrap_or_default())
            })?;
        }
        let function = self
            .description
            .functions
            .get(&matched.route.function)
            .ok_or_else(unknown)?;
        let mut event = event::proxy(&self.description, call, matched, authorizer);
        if let Some(id) = &seen.usage_key_id {
            event["requestContext"]["identity"]["apiKey"] = usage_key.into();
            event["requestContext"]["identity"]["apiKeyId"] = id.as_str().into();
        }
        let asked = (self.options.clock)();
        let answer = invoke::call(
            &self.invoker,
            function,
            event,
            Some(self.options.integration_timeout),
        )
        .await;
        let answer = answer.map_err(|failure| integration::gateway_error(&failure))?;
        let reply = integration::reply(&self.description, call, &answer)?;
        seen.integration = Some((reply.status, (self.options.clock)() - asked));
        Ok(reply)
    }

    /// The stage's own line about a call, as the template has it.
    fn write_line(
        &self,
        call: &Call,
        resource: Option<&str>,
        reply: &Reply,
        seen: Seen,
        gateway_error: Option<&GatewayError>,
    ) {
        let mut context = event::request_context(&self.description, call, resource);
        context.insert(
            "responseLatency".into(),
            ((self.options.clock)() - call.received).into(),
        );
        seen.complete(&mut context, reply.status, reply.body.len(), gateway_error);
        self.options
            .access_log
            .write(&self.description.api, call, context);
    }

    /// One line a request, without headers, bodies, queries or the values of path parameters.
    fn log(&self, call: &Call, status: u16, resource: &str, gateway_error: &str, reason: &str) {
        let latency = (self.options.clock)() - call.received;
        let authorizer_error =
            if gateway_error.starts_with("AUTHORIZER_") || gateway_error == "UNAUTHORIZED" {
                reason
            } else {
                ""
            };
        tracing::info!(
            target: "latchkey::access",
            request_id = %call.request_id,
            // The caller may have sent anything at all as a method.
            method = METHODS.into_iter().find(|known| *known == call.method).unwrap_or("other"),
            resource_path = resource,
            status,
            source_ip = %call.source_ip,
            latency_ms = latency,
            gateway_response = gateway_error,
            reason,
            authorizer_error,
        );
    }
}
