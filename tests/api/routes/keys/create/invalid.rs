//! POST of the collection: members that are invalid, or do not go together.

use serde_json::{Value, json};
use tests::Platform;

use crate::{
    management_keys::seed_organization,
    organization_snapshot::organization_snapshot,
    routes::keys::{PATH, of_bank, of_organization},
};

const HOOK: &str = "https://hooks.example.com/";

#[tokio::test]
async fn arz_1_422_for_members_that_do_not_go_together_or_are_wrong() {
    let platform = Platform::start().await;
    let caller = platform.organization().await;
    let before = organization_snapshot(&platform, &caller, seed_organization(&platform)).await;
    for (members, field, words) in invalid_members(&platform) {
        caller
            .post(PATH, &of_bank(&platform, &members))
            .await
            .assert_field(field, words);
    }
    for (member, value) in [("destination", "a"), ("webhook_url", HOOK)] {
        let answer = caller
            .post(PATH, &of_organization(&platform, &json!({member: value})))
            .await;
        answer.assert_field(member, "is for keys of banks alone");
    }
    let all_at_once =
        json!({"name": "", "description": "", "expires_at": "x", "ip_allowlist": ["::1"]});
    let answer = caller.post(PATH, &of_bank(&platform, &all_at_once)).await;
    for field in ["name", "description", "expires_at", "ip_allowlist[0]"] {
        answer.assert_field(field, "");
    }
    assert_eq!(
        organization_snapshot(&platform, &caller, seed_organization(&platform)).await,
        before
    );
}

/// Invalid members of a key of a bank, the field that is refused, and words of the refusal.
fn invalid_members(platform: &Platform) -> Vec<(Value, &'static str, &'static str)> {
    vec![
        (
            json!({"destination": "a"}),
            "webhook_url",
            "is required for a key with a destination",
        ),
        (
            json!({"webhook_url": "http://hooks.example.com/"}),
            "webhook_url",
            "https",
        ),
        (
            json!({"webhook_url": "https://10.0.0.1/"}),
            "webhook_url",
            "public",
        ),
        (
            json!({"webhook_url": HOOK, "destination": ""}),
            "destination",
            "1 to 128",
        ),
        (json!({"description": ""}), "description", "1 to 512"),
        (json!({"name": ""}), "name", "1 to 128"),
        (json!({"name": null}), "name", "must be a string"),
        (
            json!({"ip_allowlist": ["10.0.0.1"]}),
            "ip_allowlist[0]",
            "private",
        ),
        (json!({"expires_at": "tomorrow"}), "expires_at", "RFC 3339"),
        (
            json!({"expires_at": "2001-01-01T00:00:00Z"}),
            "expires_at",
            "future",
        ),
        (
            json!({"environment": "production"}),
            "environment",
            "sandbox or live",
        ),
        (
            json!({"scopes": ["nothing:read"]}),
            "scopes[0]",
            "is not a scope",
        ),
        (json!({"scopes": []}), "scopes", "at least one"),
        (
            json!({"owner": {"type": "application", "guid": platform.seed.bank.guid}}),
            "owner.type",
            "one of `organization`, `bank`, `user`",
        ),
        (
            json!({"owner": {"type": "bank"}}),
            "owner.guid",
            "is required",
        ),
        (
            json!({"owner": {"type": "bank", "guid": "nonsense"}}),
            "owner.guid",
            "32 lower-case",
        ),
        (
            json!({"owner": {"type": "bank", "guid": platform.seed.bank.guid, "name": "x"}}),
            "owner.name",
            "is not a member",
        ),
        (json!({"owner": null}), "owner", ""),
        (
            json!({"bank_guid": platform.seed.bank.guid}),
            "bank_guid",
            "name the bank as the owner",
        ),
        (json!({"allowlist": []}), "allowlist", "is not a member"),
    ]
}
