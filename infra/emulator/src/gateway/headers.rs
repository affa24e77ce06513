//! What API Gateway does to headers on their way in and out.
//!
//! "Amazon API Gateway important notes" has a table of dropped and remapped headers that is known
//! to differ from what happens; where they differ, this follows what was observed on AWS
//! (`LocalStack`'s recorded tests for requests, Architect's sandbox for responses). `DEVIATIONS.md`
//! names what is left open.

use std::collections::BTreeMap;

/// Dropped before an authorizer or function sees the request.
const DROPPED_FROM_REQUESTS: [&str; 12] = [
    "connection",
    "content-length",
    "content-md5",
    "expect",
    "max-forwards",
    "proxy-authenticate",
    "server",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "www-authenticate",
];

/// Renamed to `x-amzn-Remapped-…` when a function returns them.
const REMAPPED_IN_RESPONSES: [&str; 15] = [
    "authorization",
    "connection",
    "content-length",
    "content-md5",
    "date",
    "expect",
    "host",
    "max-forwards",
    "proxy-authenticate",
    "server",
    "trailer",
    "user-agent",
    "www-authenticate",
    "x-amzn-requestid",
    "x-forwarded-for",
];

const DROPPED_FROM_RESPONSES: [&str; 3] = ["te", "transfer-encoding", "upgrade"];

/// The gateway's own words about the request, which replace a client's.
pub(super) struct Forwarded<'a> {
    pub(super) source_ip: &'a str,
    pub(super) port: u16,
    pub(super) trace_id: &'a str,
}

/// The headers of an event: each name with all its values, in the order of arrival.
pub(super) fn of_event(
    received: &[(String, String)],
    forwarded: &Forwarded<'_>,
) -> BTreeMap<String, Vec<String>> {
    let mut headers: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut claimed = Vec::new();
    for (name, value) in received {
        match name.as_str() {
            "x-forwarded-for" => claimed.push(value.as_str()),
            "x-forwarded-port"
            | "x-forwarded-proto"
            | "x-amzn-trace-id"
            | "x-http-method-override" => {}
            "host" => headers
                .entry("Host".into())
                .or_default()
                .push(value.clone()),
            dropped if DROPPED_FROM_REQUESTS.contains(&dropped) => {}
            _ => headers.entry(name.clone()).or_default().push(value.clone()),
        }
    }
    claimed.push(forwarded.source_ip);
    headers.insert("X-Forwarded-For".into(), vec![claimed.join(", ")]);
    headers.insert("X-Forwarded-Port".into(), vec![forwarded.port.to_string()]);
    headers.insert("X-Forwarded-Proto".into(), vec!["http".into()]);
    headers.insert(
        "X-Amzn-Trace-Id".into(),
        vec![forwarded.trace_id.to_owned()],
    );
    headers
}

/// The name under which a function's header reaches the client, if it does.
pub(super) fn of_response(name: &str) -> Option<String> {
    let lower = name.to_ascii_lowercase();
    if DROPPED_FROM_RESPONSES.contains(&lower.as_str()) {
        return None;
    }
    if REMAPPED_IN_RESPONSES.contains(&lower.as_str()) {
        return Some(format!("x-amzn-remapped-{lower}"));
    }
    Some(lower)
}
