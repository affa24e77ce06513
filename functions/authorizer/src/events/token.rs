//! REST APIs, authorizers of type TOKEN. They carry neither address, nor time, nor the matched
//! resource, so prefer REQUEST.

use guard::{Bearer, Request, Route};
use serde::Deserialize;
use web::proxy::SourceIpTrust;

use super::event::{Event, Form, UnknownEvent, stage_of};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TokenEvent {
    /// The whole value of the header that is the token source.
    authorization_token: Option<String>,
    method_arn: String,
}

pub(super) fn read(event: &TokenEvent) -> Result<Event, UnknownEvent> {
    let resource = stage_of(&event.method_arn)?;
    // arn:…:<api>/<stage>/<method>/<path>
    let mut parts = event.method_arn.splitn(4, '/').skip(2);
    let method = parts
        .next()
        .ok_or(UnknownEvent("the event's ARN names no method"))?;
    let route = Route::Concrete {
        method: method.to_owned(),
        path: format!("/{}", parts.next().unwrap_or_default()),
    };
    let credential = Bearer::of(event.authorization_token.as_deref().into_iter());
    let request = Request {
        credential,
        source_ip: None,
        source_ip_trust: SourceIpTrust::Direct,
        route,
        path: None,
        time: None,
        id: None,
        is_admitted: false,
    };
    Ok(Event {
        request,
        form: Form::Policy { resource },
    })
}
