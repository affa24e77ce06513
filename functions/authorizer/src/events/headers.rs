//! The `Authorization` header among those of an event.

use std::collections::BTreeMap;

use guard::{Bearer, NoBearer};
use serde::Deserialize;

/// The headers as REST and WebSocket APIs send them: `headers` has the last value of each name,
/// `multiValueHeaders` has all. HTTP APIs send `headers` alone, with repeated ones joined by
/// commas.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Headers {
    headers: Option<BTreeMap<String, Option<String>>>,
    multi_value_headers: Option<BTreeMap<String, Option<Vec<String>>>>,
}

impl Headers {
    /// The credential. Names compare without case, so that two spellings of one header are two
    /// headers.
    pub(super) fn credential(&self) -> Result<Bearer, NoBearer> {
        let is_ours = |name: &str| name.eq_ignore_ascii_case("authorization");
        let single: Vec<&str> = self
            .headers
            .iter()
            .flatten()
            .filter(|(name, _)| is_ours(name))
            .filter_map(|(_, value)| value.as_deref())
            .collect();
        let multi: Vec<&str> = self
            .multi_value_headers
            .iter()
            .flatten()
            .filter(|(name, _)| is_ours(name))
            .flat_map(|(_, values)| values.iter().flatten().map(String::as_str))
            .collect();
        match (single.as_slice(), multi.as_slice()) {
            // Where both tell, they must tell the same.
            ([one], [same]) if one != same => Err(NoBearer::Repeated),
            (single, []) => Bearer::of(single.iter().copied()),
            (single, _) if single.len() > 1 => Err(NoBearer::Repeated),
            (_, multi) => Bearer::of(multi.iter().copied()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn credential(headers: serde_json::Value) -> Result<Bearer, NoBearer> {
        serde_json::from_value::<Headers>(headers)
            .unwrap()
            .credential()
    }

    #[test]
    fn names_compare_without_case() {
        for name in [
            "authorization",
            "Authorization",
            "AUTHORIZATION",
            "aUTHORIZATION",
        ] {
            assert!(credential(json!({"headers": {name: "Bearer a"}})).is_ok());
            assert!(
                credential(json!({
                    "headers": {name: "Bearer a"},
                    "multiValueHeaders": {name: ["Bearer a"]},
                }))
                .is_ok()
            );
        }
        assert_eq!(
            credential(json!({
                "headers": {"X-Authorization": "Bearer a", "Proxy-Authorization": "Bearer a"},
            })),
            Err(NoBearer::Absent)
        );
        assert_eq!(
            credential(json!({"headers": null, "multiValueHeaders": null})),
            Err(NoBearer::Absent)
        );
        assert_eq!(credential(json!({})), Err(NoBearer::Absent));
    }

    #[test]
    fn a_repeated_header_is_refused_however_it_is_spelled() {
        for headers in [
            json!({
                "headers": {"Authorization": "Bearer b"},
                "multiValueHeaders": {"Authorization": ["Bearer a", "Bearer b"]},
            }),
            json!({
                "headers": {"Authorization": "Bearer a"},
                "multiValueHeaders": {"Authorization": ["Bearer a", "Bearer a"]},
            }),
            json!({"headers": {"Authorization": "Bearer a", "authorization": "Bearer a"}}),
            json!({
                "headers": {"Authorization": "Bearer a", "authorization": "Bearer a"},
                "multiValueHeaders": {"Authorization": ["Bearer a"]},
            }),
            json!({
                "multiValueHeaders": {"Authorization": ["Bearer a"], "authorization": ["Bearer a"]},
            }),
            json!({
                "headers": {"Authorization": "Bearer a"},
                "multiValueHeaders": {"Authorization": ["Bearer b"]},
            }),
        ] {
            assert_eq!(
                credential(headers.clone()),
                Err(NoBearer::Repeated),
                "{headers}"
            );
        }
        assert_eq!(
            credential(json!({"headers": {"authorization": "Bearer a,Bearer b"}})),
            Err(NoBearer::Malformed),
            "as HTTP APIs join them"
        );
    }
}
