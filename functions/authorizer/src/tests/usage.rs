//! Whose usage plan counts a call (APT-9).

use guard::testing::world::{SANDBOX, World, claims};
use serde_json::{Value, json};

use super::rest_event;
use crate::settings::Settings;

const KEY: &str = "samplesandbox00000000";

fn answer(usage_key: Option<&str>, address: &str) -> Value {
    let settings = Settings {
        usage_key: usage_key.map(str::to_owned),
        ..Settings::default()
    };
    let mut event = rest_event(&SANDBOX.token(&claims()));
    event["requestContext"]["identity"]["sourceIp"] = json!(address);
    super::answer(&World::new(), &settings, event).unwrap()
}

#[test]
fn apt_9_rest_apis_learn_the_usage_key_of_what_is_let_in() {
    assert_eq!(answer(Some(KEY), "8.8.8.8")["usageIdentifierKey"], KEY);
    assert_eq!(answer(None, "8.8.8.8").get("usageIdentifierKey"), None);
    let denied = answer(Some(KEY), "9.9.9.9");
    assert_eq!(denied["policyDocument"]["Statement"][0]["Effect"], "Deny");
    assert_eq!(
        denied.get("usageIdentifierKey"),
        None,
        "what is refused is not counted"
    );
}
