//! The events of API Gateway, each read by its own adapter into one [`Request`].
//!
//! An adapter takes the address, the time and the route from `requestContext` alone (where a trusted proxy is configured, the
//! judged address stands there by now), and the credential from the `Authorization` header alone. An event that is not wholly understood is no request: it is thrown, and answered with 503.

mod headers;
mod http_api;
mod rest;
mod token;
mod websocket;

use std::fmt;

use domain::time::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use crate::{answer::Form, settings::HttpApiResponse};
use guard::Request;

/// What an event asks, and how it is answered.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) request: Request,
    pub(crate) form: Form,
}

/// An event that no adapter reads. Holds no part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UnknownEvent(&'static str);

impl fmt::Display for UnknownEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// Reads an event of any shape.
pub(crate) fn read(event: Value, http_api_response: HttpApiResponse) -> Result<Event, UnknownEvent> {
    let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str);
    match (text("/type"), text("/version"), text("/requestContext/eventType")) {
        (Some("TOKEN"), None, None) => token::read(&parse(event)?),
        (Some("REQUEST"), Some("2.0"), None) => http_api::read(parse(event)?, http_api_response),
        // HTTP APIs of payload 1.0 send what REST APIs send (and say so), and take back what those take.
        (Some("REQUEST"), None | Some("1.0"), None) => rest::read(parse(event)?),
        (Some("REQUEST"), None, Some("CONNECT")) => websocket::read(parse(event)?),
        _ => Err(UnknownEvent("the event is not one of an API Gateway authorizer")),
    }
}

fn parse<T: for<'de> Deserialize<'de>>(event: Value) -> Result<T, UnknownEvent> {
    serde_json::from_value(event).map_err(|_| UnknownEvent("the event lacks a member, or one is of another type"))
}

/// Everything of the stage that a method or route ARN lies in: `arn:<partition>:execute-api:<region>:<account>:<api>/<stage>/*`.
fn stage_of(arn: &str) -> Result<String, UnknownEvent> {
    let parts: Vec<&str> = arn.splitn(3, '/').collect();
    match parts.as_slice() {
        [api, stage, _] if is_api(api) && !stage.is_empty() && !stage.contains(['*', '?']) => Ok(format!("{api}/{stage}/*")),
        _ => Err(UnknownEvent("the event's ARN is not of an API's stage")),
    }
}

fn is_api(arn: &str) -> bool {
    let parts: Vec<&str> = arn.split(':').collect();
    let [arn, partition, service, region, account, api] = parts.as_slice() else { return false };
    let named = [partition, region, account, api].into_iter().all(|part| !part.is_empty() && !part.contains(['*', '?']));
    *arn == "arn" && *service == "execute-api" && named
}

/// `requestTimeEpoch` and `timeEpoch`: milliseconds.
fn time(epoch: Option<i64>) -> Option<Timestamp> {
    epoch.filter(|millis| *millis > 0).map(Timestamp::from_millis)
}
