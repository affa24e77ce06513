//! HTTP APIs, payload 2.0.

use guard::{Request, Route};
use serde::Deserialize;
use web::proxy::SourceIpTrust;

use super::{
    event::{Event, Form, UnknownEvent, path_of, stage_of, time},
    headers::Headers,
};
use crate::settings::HttpApiResponse;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct HttpApiEvent {
    route_arn: String,
    /// The route as it was made: it may be made for `ANY`, so it does not say the method.
    route_key: String,
    #[serde(flatten)]
    headers: Headers,
    request_context: RequestContext,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RequestContext {
    http: Http,
    request_id: Option<String>,
    time_epoch: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Http {
    /// The method that was called.
    method: String,
    source_ip: Option<String>,
}

pub(super) fn read(event: HttpApiEvent, response: HttpApiResponse) -> Result<Event, UnknownEvent> {
    let resource = match event.route_key.split_once(' ') {
        Some((_, resource)) => resource,
        None if event.route_key == "$default" => "$default",
        None => return Err(UnknownEvent("the event's routeKey is not of an HTTP API")),
    };
    let route = format!("{} {resource}", event.request_context.http.method);
    let request = Request {
        credential: event.headers.credential(),
        source_ip: event
            .request_context
            .http
            .source_ip
            .and_then(|ip| ip.parse().ok()),
        source_ip_trust: SourceIpTrust::Direct,
        route: Route::Matched(route),
        path: path_of(&event.route_arn),
        time: time(event.request_context.time_epoch),
        id: event.request_context.request_id,
        is_admitted: false,
    };
    let form = match response {
        HttpApiResponse::Simple => Form::Simple,
        HttpApiResponse::Iam => Form::Policy {
            resource: stage_of(&event.route_arn)?,
        },
    };
    Ok(Event { request, form })
}
