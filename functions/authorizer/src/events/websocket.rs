//! WebSocket APIs. They are authorised at `$connect` alone: what happens to a token later does not
//! close a connection.

use guard::{Request, Route};
use serde::Deserialize;
use web::proxy::SourceIpTrust;

use super::{
    event::{Event, Form, UnknownEvent, stage_of, time},
    headers::Headers,
    rest::Identity,
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WebSocketEvent {
    method_arn: String,
    #[serde(flatten)]
    headers: Headers,
    request_context: RequestContext,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RequestContext {
    route_key: String,
    identity: Identity,
    request_id: Option<String>,
    request_time_epoch: Option<i64>,
}

pub(super) fn read(event: WebSocketEvent) -> Result<Event, UnknownEvent> {
    if event.request_context.route_key != "$connect" {
        return Err(UnknownEvent(
            "the event connects by another route than $connect",
        ));
    }
    let request = Request {
        // Never the query string, which logs and histories keep.
        credential: event.headers.credential(),
        source_ip: event
            .request_context
            .identity
            .source_ip
            .and_then(|ip| ip.parse().ok()),
        source_ip_trust: SourceIpTrust::Direct,
        route: Route::Matched(event.request_context.route_key),
        path: None,
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
