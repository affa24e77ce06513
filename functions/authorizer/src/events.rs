//! The events of API Gateway, each read by its own adapter into one [`Request`](guard::Request).
//!
//! An adapter takes the address, the time and the route from `requestContext` alone (where a
//! trusted proxy is configured, the resolved address stands there by now), and the credential from
//! the `Authorization` header alone. An event that is not wholly understood is no request: it is
//! thrown, and answered with 503.

pub(crate) mod event;
mod headers;
mod http_api;
mod rest;
mod token;
mod websocket;

use serde::Deserialize;
use serde_json::Value;

use self::event::{Event, UnknownEvent};
use crate::settings::HttpApiResponse;

/// Reads an event of any shape.
pub(crate) fn read(
    event: Value,
    http_api_response: HttpApiResponse,
) -> Result<Event, UnknownEvent> {
    let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str);
    match (
        text("/type"),
        text("/version"),
        text("/requestContext/eventType"),
    ) {
        (Some("TOKEN"), None, None) => token::read(&parse(event)?),
        (Some("REQUEST"), Some("2.0"), None) => http_api::read(parse(event)?, http_api_response),
        // HTTP APIs of payload 1.0 send what REST APIs send (and say so), and take back what those
        // take.
        (Some("REQUEST"), None | Some("1.0"), None) => rest::read(parse(event)?),
        (Some("REQUEST"), None, Some("CONNECT")) => websocket::read(parse(event)?),
        _ => Err(UnknownEvent(
            "the event is not one of an API Gateway authorizer",
        )),
    }
}

fn parse<T: for<'de> Deserialize<'de>>(event: Value) -> Result<T, UnknownEvent> {
    serde_json::from_value(event)
        .map_err(|_| UnknownEvent("the event lacks a member, or one is of another type"))
}
