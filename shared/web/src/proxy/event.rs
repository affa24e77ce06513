//! The parts of an API Gateway event that concern the caller's address, whichever shape it has.

use std::net::IpAddr;

use serde_json::{Map, Value};

/// REST and WebSocket APIs send both: `headers` has the last value of each name,
/// `multiValueHeaders` all. HTTP APIs send `headers` alone, with repeated ones joined by commas.
const MAPS: [&str; 2] = ["headers", "multiValueHeaders"];

/// Where the address stands: in REST and WebSocket APIs and payload 1.0, and in payload 2.0.
const ADDRESSES: [&str; 2] = ["/requestContext/identity", "/requestContext/http"];

/// How a header was sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Sent<'a> {
    /// Not at all.
    Absent,
    /// Once, and the event says so wherever it says it.
    Once(&'a str),
    /// More than once, in whatever spelling, or not alike in both maps: nobody can say which one
    /// counts.
    Ambiguous,
}

/// The header of this name. Names compare without case, so that two spellings of one header are two
/// headers.
pub(super) fn sent<'a>(event: &'a Value, name: &str) -> Sent<'a> {
    let mut told = MAPS
        .iter()
        .filter_map(|map| Some(in_map(event.get(map)?.as_object()?, name)))
        .flatten();
    let first = told.next().unwrap_or(Sent::Absent);
    // Where both tell, they must tell the same.
    if told.all(|other| other == first) {
        first
    } else {
        Sent::Ambiguous
    }
}

/// Nothing when the map is empty: it is then one that this kind of event does not use.
fn in_map<'a>(map: &'a Map<String, Value>, name: &str) -> Option<Sent<'a>> {
    if map.is_empty() {
        return None;
    }
    let ours = map
        .iter()
        .filter(|(known, _)| known.eq_ignore_ascii_case(name))
        .map(|(_, value)| value);
    let values: Vec<&Value> = ours
        .flat_map(|value| {
            value
                .as_array()
                .map_or(std::slice::from_ref(value), Vec::as_slice)
        })
        .collect();
    Some(match values.as_slice() {
        [] => Sent::Absent,
        [one] => one.as_str().map_or(Sent::Ambiguous, Sent::Once),
        _ => Sent::Ambiguous,
    })
}

/// Takes headers out, in every spelling.
pub(super) fn remove(event: &mut Value, names: &[&str]) {
    for map in MAPS {
        if let Some(headers) = event.get_mut(map).and_then(Value::as_object_mut) {
            headers.retain(|known, _| !names.iter().any(|name| known.eq_ignore_ascii_case(name)));
        }
    }
}

/// Replaces what the gateway says; an event that has no place for an address keeps having none.
pub(super) fn set_source_ip(event: &mut Value, address: Option<IpAddr>) {
    for place in ADDRESSES {
        if let Some(identity) = event.pointer_mut(place).and_then(Value::as_object_mut) {
            identity.insert(
                "sourceIp".into(),
                address.map_or(Value::Null, |address| address.to_string().into()),
            );
        }
    }
}

/// What the gateway says.
pub(super) fn source_ip(event: &Value) -> Option<&str> {
    ADDRESSES
        .iter()
        .find_map(|place| event.pointer(place)?.get("sourceIp")?.as_str())
}

pub(super) fn request_id(event: &Value) -> Option<&str> {
    event.pointer("/requestContext/requestId")?.as_str()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_header_is_found_in_any_spelling_and_must_be_there_once() {
        let once = Sent::Once("a");
        for (event, expected) in [
            (json!({}), Sent::Absent),
            (
                json!({"headers": null, "multiValueHeaders": null}),
                Sent::Absent,
            ),
            (
                json!({"headers": {"Y": "a"}, "multiValueHeaders": {"Y": ["a"]}}),
                Sent::Absent,
            ),
            (json!({"headers": {"x-y": "a"}}), once),
            (
                json!({"headers": {"X-Y": "a"}, "multiValueHeaders": {"X-Y": ["a"]}}),
                Sent::Once("a"),
            ),
            (
                json!({"headers": {"x-y": "a"}, "multiValueHeaders": {"X-y": ["a"]}}),
                Sent::Once("a"),
            ),
            (
                json!({"headers": {}, "multiValueHeaders": {"X-Y": ["a"]}}),
                Sent::Once("a"),
            ),
            (json!({"headers": {"x-y": ""}}), Sent::Once("")),
            // Repeated, in one spelling or two.
            (
                json!({"headers": {"X-Y": "a"}, "multiValueHeaders": {"X-Y": ["a", "a"]}}),
                Sent::Ambiguous,
            ),
            (
                json!({"headers": {"X-Y": "a", "x-y": "a"}}),
                Sent::Ambiguous,
            ),
            (
                json!({
                    "headers": {"X-Y": "a", "x-y": "b"},
                    "multiValueHeaders": {"X-Y": ["a"], "x-y": ["b"]},
                }),
                Sent::Ambiguous,
            ),
            (
                json!({"headers": {"X-Y": "a"}, "multiValueHeaders": {"X-Y": ["a"], "x-y": ["a"]}}),
                Sent::Ambiguous,
            ),
            // Not alike.
            (
                json!({"headers": {"X-Y": "a"}, "multiValueHeaders": {"X-Y": ["b"]}}),
                Sent::Ambiguous,
            ),
            (
                json!({"headers": {"X-Y": "a"}, "multiValueHeaders": {"Y": ["b"]}}),
                Sent::Ambiguous,
            ),
            (
                json!({"headers": {"Y": "a"}, "multiValueHeaders": {"X-Y": ["a"]}}),
                Sent::Ambiguous,
            ),
            (
                json!({"headers": {"X-Y": "a"}, "multiValueHeaders": {"X-Y": []}}),
                Sent::Ambiguous,
            ),
            // Of a type that no gateway sends.
            (json!({"headers": {"X-Y": null}}), Sent::Ambiguous),
            (json!({"headers": {"X-Y": 1}}), Sent::Ambiguous),
            (json!({"headers": {"X-Y": ["a", "b"]}}), Sent::Ambiguous),
            (
                json!({"multiValueHeaders": {"X-Y": [null]}}),
                Sent::Ambiguous,
            ),
        ] {
            assert_eq!(sent(&event, "x-Y"), expected, "{event}");
        }
    }

    #[test]
    fn the_address_is_replaced_wherever_it_stands_and_nowhere_else() {
        let mut rest = json!({
            "requestContext": {"identity": {"sourceIp": "1.1.1.1", "user": null}, "requestId": "r"},
        });
        assert_eq!(
            (source_ip(&rest), request_id(&rest)),
            (Some("1.1.1.1"), Some("r"))
        );
        set_source_ip(&mut rest, "8.8.8.8".parse().ok());
        assert_eq!(
            rest["requestContext"]["identity"],
            json!({"sourceIp": "8.8.8.8", "user": null})
        );
        let mut http = json!({"requestContext": {"http": {"sourceIp": "1.1.1.1"}}});
        set_source_ip(&mut http, None);
        assert_eq!(
            http,
            json!({"requestContext": {"http": {"sourceIp": null}}})
        );
        let mut token = json!({"type": "TOKEN"});
        set_source_ip(&mut token, "8.8.8.8".parse().ok());
        assert_eq!(token, json!({"type": "TOKEN"}));
    }

    #[test]
    fn the_headers_are_taken_out_in_every_spelling() {
        let mut event = json!({
            "headers": {"X-Y": "a", "z": "b"},
            "multiValueHeaders": {"x-y": ["a"], "X-Y": ["a"], "z": ["b"]},
        });
        remove(&mut event, &["x-y"]);
        assert_eq!(
            event,
            json!({"headers": {"z": "b"}, "multiValueHeaders": {"z": ["b"]}})
        );
    }
}
