//! All that an organization has, as its own key sees it over HTTP: what stands unchanged after a
//! refusal.

use domain::ids::Guid;
use serde_json::Value;
use tests::{Answer, Caller, Platform};

/// The lists of an organization, whole, and how many changes it has seen.
#[derive(Clone, Debug, PartialEq)]
pub struct OrganizationSnapshot {
    pub lists: Vec<Value>,
    pub audit_events: usize,
}

/// The collections of the management API.
pub const COLLECTIONS: [&str; 4] = [
    "/api/organizations",
    "/api/banks",
    "/api/bank_applications",
    "/api/organization_applications",
];

/// What the organization has now.
pub async fn organization_snapshot(
    platform: &Platform,
    caller: &Caller,
    organization: Guid,
) -> OrganizationSnapshot {
    let mut lists = Vec::new();
    for collection in COLLECTIONS {
        let answer = caller.get(&format!("{collection}?per_page=100")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        lists.push(answer.body);
    }
    let chain = platform
        .stack
        .services()
        .store()
        .unwrap()
        .audit_chain(organization)
        .await
        .unwrap();
    OrganizationSnapshot {
        lists,
        audit_events: chain.events.len(),
    }
}

/// A member of every object on a list, in order.
pub fn column(list: &Answer, member: &str) -> Vec<String> {
    assert_eq!(list.status, 200, "{list:?}");
    list.body["objects"]
        .as_array()
        .unwrap()
        .iter()
        .map(|object| text(object, member))
        .collect()
}

/// A member that is a string.
pub fn text(body: &Value, member: &str) -> String {
    body[member]
        .as_str()
        .unwrap_or_else(|| panic!("no {member} in {body}"))
        .to_owned()
}

/// The body without these members, which must be there.
pub fn without(body: &Value, members: &[&str]) -> Value {
    let mut rest = body.clone();
    for member in members {
        assert!(
            rest.as_object_mut().unwrap().remove(*member).is_some(),
            "no {member} in {body}"
        );
    }
    rest
}

/// What tells two refusals apart: status, body and headers, but for the request's own ids, times
/// and length.
pub fn appearance(answer: &Answer) -> (u16, String, Vec<(String, String)>) {
    let own = [
        "date",
        "x-amzn-requestid",
        "x-amz-apigw-id",
        "x-amzn-trace-id",
    ];
    let headers = answer
        .headers
        .iter()
        .filter(|(name, _)| !own.contains(&name.as_str()));
    let headers = headers
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    (answer.status, answer.text.clone(), headers)
}
