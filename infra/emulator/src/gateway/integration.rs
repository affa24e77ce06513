//! The Lambda proxy integration: a function's answer, checked and turned into a response.

use base64::{Engine, engine::general_purpose::STANDARD};
use sam::template::{Description, ResponseType};
use serde_json::{Map, Value};

use super::{
    call::Call,
    event,
    gateway_response::GatewayError,
    headers,
    invoke::Failure,
    reply::{Reply, Wire},
};

const INTERNAL: &str = "Internal server error";
/// "None of the fields are mandatory, but you cannot return any other fields."
const MEMBERS: [&str; 5] = [
    "statusCode",
    "headers",
    "multiValueHeaders",
    "body",
    "isBase64Encoded",
];

pub(super) fn reply(
    description: &Description,
    call: &Call,
    answer: &Value,
) -> Result<Reply, GatewayError> {
    let malformed = |reason| {
        GatewayError::new(ResponseType::Default5xx, INTERNAL)
            .with_status(502)
            .because(reason)
    };
    let members = answer
        .as_object()
        .ok_or_else(|| malformed("malformed answer: not a mapping"))?;
    if members.keys().any(|name| !MEMBERS.contains(&name.as_str())) {
        return Err(malformed("malformed answer: a member that has no meaning"));
    }
    let status = status(members.get("statusCode"))
        .ok_or_else(|| malformed("malformed answer: statusCode"))?;
    let headers = merged_headers(members).ok_or_else(|| malformed("malformed answer: headers"))?;
    let text = match members.get("body") {
        None | Some(Value::Null) => "",
        Some(Value::String(text)) => text,
        Some(_) => return Err(malformed("malformed answer: body")),
    };
    let encoded = members
        .get("isBase64Encoded")
        .and_then(Value::as_bool)
        .unwrap_or(false);
    // Base64 is undone only for a client that asks for a binary media type; anybody else gets it as
    // it is.
    let body = if encoded
        && event::is_binary(&description.api.binary_media_types, call.header("accept"))
    {
        let undecodable = || {
            GatewayError::new(ResponseType::ApiConfigurationError, INTERNAL)
                .because("body is not base64")
        };
        STANDARD.decode(text).map_err(|_| undecodable())?
    } else {
        text.as_bytes().to_vec()
    };
    let mut reply = Reply {
        status,
        headers: Vec::new(),
        body,
    };
    if !headers
        .iter()
        .any(|(name, _)| name.eq_ignore_ascii_case("content-type"))
    {
        reply
            .headers
            .push(("content-type".into(), "application/json".into()));
    }
    for (name, value) in headers {
        reply
            .headers
            .extend(headers::of_response(&name).map(|name| (name, value)));
    }
    reply
        .headers
        .push(("x-amzn-trace-id".into(), call.trace_id.clone()));
    if reply.is_sendable() {
        Ok(reply)
    } else {
        Err(malformed("malformed answer: headers"))
    }
}

pub(super) fn gateway_error(failure: &Failure) -> GatewayError {
    match failure {
        Failure::Function(error) => GatewayError::new(ResponseType::Default5xx, INTERNAL)
            .with_status(502)
            .because(&error.error_type),
        Failure::Deadline => GatewayError::new(
            ResponseType::IntegrationTimeout,
            "Endpoint request timed out",
        ),
        Failure::EventTooLarge => {
            GatewayError::new(ResponseType::RequestTooLarge, "Request Too Long")
        }
    }
}

/// A number, or a string of one; 200 when absent.
fn status(value: Option<&Value>) -> Option<u16> {
    let status = match value {
        None | Some(Value::Null) => 200,
        Some(Value::Number(number)) => u16::try_from(number.as_u64()?).ok()?,
        Some(Value::String(text)) => text.parse().ok()?,
        Some(_) => return None,
    };
    (200..=599).contains(&status).then_some(status)
}

/// `multiValueHeaders` first; `headers` adds what is not among its values (documented, order
/// observed).
fn merged_headers(members: &Map<String, Value>) -> Option<Vec<Wire>> {
    let mut headers: Vec<Wire> = Vec::new();
    for (name, values) in object(members.get("multiValueHeaders"))? {
        for value in values.as_array()? {
            headers.push((name.clone(), header_value(value)?));
        }
    }
    for (name, value) in object(members.get("headers"))? {
        let value = header_value(value)?;
        if !headers
            .iter()
            .any(|(known, other)| known.eq_ignore_ascii_case(name) && *other == value)
        {
            headers.push((name.clone(), value));
        }
    }
    Some(headers)
}

fn object(value: Option<&Value>) -> Option<Vec<(&String, &Value)>> {
    match value {
        None | Some(Value::Null) => Some(Vec::new()),
        Some(Value::Object(members)) => Some(members.iter().collect()),
        Some(_) => None,
    }
}

fn header_value(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}
