//! The audit trail: one chained event for every change, none for a refusal, and one chain for each
//! organization.

use std::time::Duration;

use domain::audit;
use serde_json::{Value, json};
use tests::{Answer, Caller, Platform};

use super::{SEEDED, revoke};
use crate::{
    management_keys::{guid, seed_organization},
    organization_snapshot::text,
    routes::owner_keys::Family,
};

/// One event for each change with who, from where, by which request, and what; none for what was
/// refused or changed nothing.
#[tokio::test]
async fn leak_6_one_chained_event_for_every_change_and_none_for_a_refusal() {
    let platform = Platform::start().await;
    let organization = seed_organization(&platform);
    let token = platform.token(&platform.seed.organization.key).await;
    let caller = platform.bearer(&token).from("8.8.4.4");
    let mut expected = change_organization_and_banks(&platform, &caller).await;
    let mut secrets = vec![token.clone()];
    for family in Family::both(&platform) {
        let (secret, changes) = change_key(&platform, &caller, &family).await;
        secrets.push(secret);
        expected.extend(changes);
    }

    platform.drain().await;
    let chain = platform
        .stack
        .services()
        .store()
        .unwrap()
        .audit_chain(organization)
        .await
        .unwrap();
    assert_eq!(
        chain.links.len(),
        SEEDED + expected.len(),
        "{:#?}",
        chain.events
    );
    assert_eq!(chain.events.len(), chain.links.len());
    let texts: Vec<&str> = chain
        .links
        .iter()
        .map(|link| chain.events[&link.event].as_str())
        .collect();
    let head = audit::verify(chain.links.iter().zip(texts.iter().copied())).unwrap();
    assert_eq!(usize::try_from(head.sequence).unwrap(), chain.links.len());
    for (text, expected) in texts[SEEDED..].iter().zip(&expected) {
        expected.assert_told(&platform, text);
    }
    for text in &texts {
        for secret in secrets.iter().chain([
            &platform.seed.organization.key.client_secret,
            &platform.seed.bank.key.client_secret,
        ]) {
            assert!(
                !text.contains(&secret[secret.len() - 43..]),
                "LEAK-1: {text}"
            );
        }
        assert!(
            !text.contains("hash") && !text.contains("pepper"),
            "LEAK-1: {text}"
        );
    }
}

/// A change that was made, and what its event must say.
struct Change {
    action: &'static str,
    target: String,
    answer: Answer,
    changes: Value,
}

impl Change {
    fn new(
        action: &'static str,
        target: impl Into<String>,
        answer: Answer,
        changes: Value,
    ) -> Self {
        Self {
            action,
            target: target.into(),
            answer,
            changes,
        }
    }

    /// Asserts that an event of the seed's organization has who, from where, by which request, and
    /// what.
    fn assert_told(&self, platform: &Platform, text: &str) {
        let event: Value = serde_json::from_str(text).unwrap();
        assert_eq!(event["changes"], self.changes, "{event}");
        assert_eq!(
            (event["action"].as_str(), &event["target"]),
            (Some(self.action), &json!(self.target))
        );
        assert_eq!(event["source_ip"], "8.8.4.4");
        assert_eq!(
            event["request_id"],
            json!(self.answer.header("x-amzn-requestid"))
        );
        assert_eq!(event["organization"], json!(seed_organization(platform)));
        assert_eq!(
            event["actor"]["client_id"],
            json!(platform.seed.organization.key.client_id)
        );
        assert_eq!(
            (
                &event["actor"]["type"],
                event["actor"]["jti"].as_str().unwrap().is_empty()
            ),
            (&json!("key"), false)
        );
    }
}

/// Renames the organization, makes a bank and renames it; each rename once more, which changes
/// nothing.
async fn change_organization_and_banks(platform: &Platform, caller: &Caller) -> Vec<Change> {
    let organization = seed_organization(platform);
    let path = format!("/api/organizations/{organization}");
    let answer = caller.patch(&path, &json!({"name": "Renamed"})).await;
    let organization_update = Change::new(
        "organization.update",
        organization.to_string(),
        answer,
        json!({"name": "Renamed"}),
    );
    caller.patch(&path, &json!({"name": "Renamed"})).await;

    platform.advance(Duration::from_millis(5));
    let bank = caller
        .post(
            "/api/banks",
            &json!({"name": "Second", "environment": "sandbox"}),
        )
        .await;
    let changes = json!({
        "guid": bank.body["guid"],
        "organization": organization,
        "name": "Second",
        "environment": "sandbox",
        "created_at": bank.body["created_at"],
    });
    let (guid, path) = (
        text(&bank.body, "guid"),
        format!("/api/banks/{}", text(&bank.body, "guid")),
    );
    let bank_create = Change::new("bank.create", &guid, bank, changes);
    platform.advance(Duration::from_millis(5));
    let answer = caller.patch(&path, &json!({"name": "Third"})).await;
    let bank_update = Change::new("bank.update", &guid, answer, json!({"name": "Third"}));
    caller.patch(&path, &json!({})).await;
    vec![organization_update, bank_create, bank_update]
}

/// Makes a key, edits it and revokes it, with edits and revocations between that are refused or
/// change nothing; and the key's secret.
async fn change_key(
    platform: &Platform,
    caller: &Caller,
    family: &Family,
) -> (String, [Change; 3]) {
    platform.advance(Duration::from_millis(5));
    let made = family
        .post(
            caller,
            json!({"name": "key", "scopes": ["banks:read"], "ip_allowlist": ["8.8.8.8"]}),
        )
        .await;
    let (key, item) = (text(&made.body, "client_id"), family.item(&made.body));
    let plain_secret = text(&made.body, "secret");
    let organization = seed_organization(platform);
    let owner = match family.required["bank_guid"].as_str() {
        Some(bank) => format!("bank:{bank}"),
        None => format!("organization:{organization}"),
    };
    let secret = caller.get(&format!("/api/keys/{key}")).await.body["secrets"][0].clone();
    let changes = json!({
        "client_id": key,
        "owner": owner,
        "organization": organization,
        "kind": "sandbox",
        "name": "key",
        "scopes": ["banks:read"],
        "ip_allowlist": ["8.8.8.8"],
        "state": {"name": "active"},
        "created_at": made.body["created_at"],
        "secrets": {"current": {"id": secret["id"], "created_at": secret["created_at"]}},
    });
    let create = Change::new("key.create", &key, made, changes);
    platform.advance(Duration::from_millis(5));
    let answer = caller
        .patch(&item, &json!({"name": "edited", "ip_allowlist": []}))
        .await;
    let update = Change::new(
        "key.update",
        &key,
        answer,
        json!({"name": "edited", "ip_allowlist": []}),
    );
    caller.patch(&item, &json!({"name": "edited"})).await;
    refusals(platform, caller, family, &item).await;
    platform.advance(Duration::from_millis(5));
    let answer = caller.delete(&item).await;
    let revoked = caller.get(&format!("/api/keys/{key}")).await;
    let revoke_event = Change::new(
        "key.revoke",
        &key,
        answer,
        json!({"state": {"name": "revoked", "at": revoked.body["updated_at"]}}),
    );
    assert_eq!(
        (
            caller.delete(&item).await.status,
            revoke(caller, &key).await.status
        ),
        (204, 200)
    );
    (plain_secret, [create, update, revoke_event])
}

/// Requests that are refused in every way.
async fn refusals(platform: &Platform, caller: &Caller, family: &Family, item: &str) {
    for answer in [
        family.post(caller, json!({"name": ""})).await,
        family
            .post(caller, json!({"name": "n", "ip_allowlist": ["::1"]}))
            .await,
        family.post(caller, json!({"name": "n", "colour": 1})).await,
        family
            .post(
                caller,
                json!({"name": "n", "scopes": ["organization_applications:execute"]}),
            )
            .await,
        family
            .post(
                caller,
                json!({"name": "n", "expires_at": "2001-01-01T00:00:00Z"}),
            )
            .await,
        caller
            .patch(item, &json!({"ip_allowlist": ["10.0.0.1"]}))
            .await,
        caller.patch(item, &json!({"name": null})).await,
        caller
            .delete(&format!("{}/{}", family.path, "0".repeat(32)))
            .await,
        caller
            .post(
                "/api/banks",
                &json!({"name": "n", "environment": "production"}),
            )
            .await,
        platform.bank().await.delete(item).await,
        platform.anonymous().delete(item).await,
    ] {
        assert!((400..500).contains(&answer.status), "{answer:?}");
    }
}

/// The trail of the neighbour has the neighbour's events alone.
#[tokio::test]
async fn leak_6_every_organization_has_its_own_chain() {
    let platform = Platform::start().await;
    let (neighbour, neighbour_key, ..) = platform.neighbour().await;
    let theirs = platform.bearer(&platform.token(&neighbour_key).await);
    for (caller, name) in [(platform.organization().await, "Ours"), (theirs, "Theirs")] {
        let made = caller
            .post(
                "/api/banks",
                &json!({"name": name, "environment": "sandbox"}),
            )
            .await;
        assert_eq!(made.status, 201, "{made:?}");
    }
    platform.drain().await;
    for (organization, own, other, seeded) in [
        (
            guid(&platform.seed.organization.guid),
            "Ours",
            "Theirs",
            SEEDED,
        ),
        (neighbour, "Theirs", "Ours", 4),
    ] {
        let chain = platform
            .stack
            .services()
            .store()
            .unwrap()
            .audit_chain(organization)
            .await
            .unwrap();
        let texts: Vec<&str> = chain
            .links
            .iter()
            .map(|link| chain.events[&link.event].as_str())
            .collect();
        audit::verify(chain.links.iter().zip(texts.iter().copied())).unwrap();
        assert_eq!(texts.len(), seeded + 1);
        assert!(texts[seeded].contains(own));
        assert!(
            texts
                .iter()
                .all(|text| !text.contains(other) && text.contains(&organization.to_string()))
        );
    }
}
