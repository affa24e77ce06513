//! REST APIs, authorizers of type REQUEST; and HTTP APIs with payload 1.0, which send the same.

use guard::{Request, Route};
use serde::Deserialize;
use web::proxy::SourceIpTrust;

use super::{
    event::{Event, Form, UnknownEvent, path_of, stage_of, time},
    headers::Headers,
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RestEvent {
    method_arn: String,
    /// The method that was called.
    http_method: String,
    /// The matched resource, a template; `$default` at an HTTP API's route of this name.
    resource: String,
    #[serde(flatten)]
    headers: Headers,
    request_context: RequestContext,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RequestContext {
    identity: Identity,
    request_id: Option<String>,
    request_time_epoch: Option<i64>,
}

/// Who asks, of REST and WebSocket APIs.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Identity {
    pub(super) source_ip: Option<String>,
}

pub(super) fn read(event: RestEvent) -> Result<Event, UnknownEvent> {
    let request = Request {
        credential: event.headers.credential(),
        // The console's test button sends a text that is no address: unknown, then.
        source_ip: event
            .request_context
            .identity
            .source_ip
            .and_then(|ip| ip.parse().ok()),
        source_ip_trust: SourceIpTrust::Direct,
        route: Route::Matched(format!("{} {}", event.http_method, event.resource)),
        path: path_of(&event.method_arn),
        time: time(event.request_context.request_time_epoch),
        id: event.request_context.request_id,
        is_admitted: false,
    };
    Ok(Event {
        request,
        form: Form::Policy {
            resource: stage_of(&event.method_arn)?,
        },
    })
}
