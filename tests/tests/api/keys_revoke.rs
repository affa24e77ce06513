//! `POST /api/keys/{client_id}/revoke` (CBM-4), and the audit trail of this and every other change (LEAK-6).

use std::time::Duration;

use domain::audit;
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Answer, Caller, Platform};

use crate::{
    applications::Family,
    bank_applications::narrowed,
    estate::{appearance, column, estate, text, without},
    minted::{guid, seed_organization},
};

/// Events of the seed: an organization, its plan, a bank, a key of each, and three people with theirs.
const SEEDED: usize = 11;

async fn revoke(caller: &Caller, id: &str) -> Answer {
    caller.post(&format!("/api/keys/{id}/revoke"), &json!({})).await
}

#[tokio::test]
async fn cbm_4_200_and_revoked_however_often() {
    let platform = Platform::start().await;
    platform.stop_clock();
    let caller = platform.organization().await;
    for family in Family::both(&platform) {
        for [first, second] in [["client_id", "guid"], ["guid", "client_id"]] {
            let key = family.create(&caller, json!({"name": "leaked"})).await;
            platform.advance(Duration::from_secs(1));
            let revoked = revoke(&caller, &text(&key, first)).await;
            assert_eq!(revoked.status, 200, "{revoked:?}");
            assert_eq!(
                without(&revoked.body, &["updated_at"]),
                json!({
                    "name": "leaked",
                    "guid": key["guid"],
                    "client_id": key["client_id"],
                    "scopes": key["scopes"],
                    "ip_allowlist": [],
                    "expires_at": null,
                    "created_at": key["created_at"],
                    "description": null,
                    "owner": family.owner(&platform),
                    "environment": "sandbox",
                    "state": "revoked",
                    "destination": null,
                    "webhook_url": null,
                    "secrets": [],
                })
            );
            assert!(text(&revoked.body, "updated_at") > text(&key, "updated_at"));
            platform.advance(Duration::from_secs(1));
            let before = estate(&platform, &caller, seed_organization(&platform)).await;
            for again in [revoke(&caller, &text(&key, second)).await, revoke(&caller, &text(&key, first)).await] {
                assert_eq!((again.status, &again.body), (200, &revoked.body), "repeated, it is the same");
            }
            assert_eq!(caller.delete(&family.item(&key)).await.status, 204, "nor does DELETE mind");
            caller.get(&family.item(&key)).await.assert_error(404, "not_found");
            assert!(!column(&caller.get(family.path).await, "guid").contains(&text(&key, "guid")));
            assert_eq!(estate(&platform, &caller, seed_organization(&platform)).await, before, "it changes nothing more");
        }
    }
}

/// Of revokes and edits at the same moment every revoke succeeds, and one of them is the change.
#[tokio::test]
async fn cbm_4_200_for_revokes_and_edits_at_the_same_moment() {
    let platform = Platform::start().await;
    let caller = platform.organization().await;
    for family in Family::both(&platform) {
        let key = family.create(&caller, json!({"name": "contended"})).await;
        let (id, item) = (text(&key, "client_id"), family.item(&key));
        let (first, second, third, edit) = (json!({"name": "a"}), json!({"name": "b"}), json!({"name": "c"}), caller.clone());
        let (one, other, gone, ..) = tokio::join!(
            revoke(&caller, &id),
            revoke(&caller, &id),
            caller.delete(&item),
            edit.patch(&item, &first),
            edit.patch(&item, &second),
            edit.patch(&item, &third),
        );
        assert_eq!((one.status, other.status, gone.status), (200, 200, 204), "{one:?} {other:?} {gone:?}");
        caller.get(&item).await.assert_error(404, "not_found");
        let chain = platform.stack.services().store().unwrap().audit_chain(seed_organization(&platform)).await.unwrap();
        let revokes = chain.events.values().filter(|event| event.contains("key.revoke") && event.contains(&id)).count();
        assert_eq!(revokes, 1);
    }
}

#[tokio::test]
async fn cyb_11_403_or_404_when_the_key_is_not_the_callers_to_revoke() {
    let platform = Platform::start().await;
    let caller = platform.organization().await;
    let (_, foreign_organization_key, _, foreign_bank_key) = platform.neighbour().await;
    let [bank_family, organization_family] = Family::both(&platform);
    let bank_key = text(&bank_family.create(&caller, json!({"name": "bank's"})).await, "client_id");
    let organization_key = text(&organization_family.create(&caller, json!({"name": "organization's"})).await, "client_id");
    let before = estate(&platform, &caller, seed_organization(&platform)).await;

    let banks_only = narrowed(&platform, "bank_applications:execute").await;
    let organizations_only = narrowed(&platform, "organization_applications:execute").await;
    let neither = narrowed(&platform, "bank_applications:write organization_applications:write organizations:write").await;
    for (caller, key) in [
        (&banks_only, &organization_key),
        (&organizations_only, &bank_key),
        (&neither, &bank_key),
        (&neither, &organization_key),
        (&platform.bank().await, &bank_key),
    ] {
        revoke(caller, key).await.assert_error(403, "insufficient_scope");
    }
    let nothing = revoke(&caller, &"0".repeat(32)).await;
    nothing.assert_error(404, "not_found");
    for narrow in [&caller, &banks_only, &organizations_only] {
        for foreign in [&foreign_organization_key.client_id, &foreign_bank_key.client_id, "nonsense", &platform.seed.bank.guid] {
            assert_eq!(appearance(&revoke(narrow, foreign).await), appearance(&nothing), "{foreign}");
        }
    }
    for key in [foreign_organization_key, foreign_bank_key] {
        platform.token(&key).await;
    }
    assert_eq!(estate(&platform, &caller, seed_organization(&platform)).await, before);
    assert_eq!(revoke(&banks_only, &bank_key).await.status, 200);
    assert_eq!(revoke(&organizations_only, &organization_key).await.status, 200);
}

/// They take no members: what was meant by one would be lost.
#[tokio::test]
async fn unprocessable_when_the_body_has_members() {
    let platform = Platform::start().await;
    let caller = platform.organization().await;
    let key = Family::both(&platform)[0].create(&caller, json!({"name": "kept"})).await;
    for (verb, state) in [("deactivate", "deactivated"), ("restore", "active"), ("revoke", "revoked")] {
        let path = format!("/api/keys/{}/{verb}", text(&key, "client_id"));
        let before = estate(&platform, &caller, seed_organization(&platform)).await;
        let refused = if verb == "revoke" { "colour" } else { "reason" };
        caller.post(&path, &json!({refused: "leak"})).await.assert_field(refused, "is not a member that this takes");
        caller.post(&path, &json!(["x"])).await.assert_field("body", "must be an object");
        let send = async |body: &str| {
            let request = caller.request(Method::POST, &path).header("content-type", "application/json");
            Answer::of(request.body(body.to_owned())).await
        };
        send("{").await.assert_error(400, "malformed_request");
        send(&" ".repeat(65_537)).await.assert_error(413, "payload_too_large");
        let form = caller.post_form(&path, &[("reason", "leak")]).await;
        form.assert_error(415, "unsupported_media_type");
        assert_eq!(estate(&platform, &caller, seed_organization(&platform)).await, before);
        let without_body = Answer::of(caller.request(Method::POST, &path)).await;
        assert_eq!((without_body.status, &without_body.body["state"]), (200, &json!(state)), "{without_body:?}");
        for nothing in ["{}", " { }\n", "null"] {
            let again = send(nothing).await;
            if verb == "revoke" {
                assert_eq!(again.body, without_body.body, "repeated, it is the same");
            } else {
                again.assert_error(409, "conflict");
                assert!(again.text.contains(&format!("is {state} and cannot become {state}")), "{again:?}");
            }
        }
    }
}

/// One event for each change with who, from where, by which request, and what; none for what was refused or changed nothing.
#[tokio::test]
async fn leak_6_one_chained_event_for_every_change_and_none_for_a_refusal() {
    let platform = Platform::start().await;
    let organization = seed_organization(&platform);
    let token = platform.token(&platform.seed.organization.key).await;
    let caller = platform.bearer(&token).from("8.8.4.4");
    let seeded = SEEDED;
    let mut expected: Vec<(&str, String, Answer, Value)> = Vec::new();

    let path = format!("/api/organizations/{organization}");
    let answer = caller.patch(&path, &json!({"name": "Renamed"})).await;
    expected.push(("organization.update", organization.to_string(), answer, json!({"name": "Renamed"})));
    caller.patch(&path, &json!({"name": "Renamed"})).await;

    platform.advance(Duration::from_millis(5));
    let bank = caller.post("/api/banks", &json!({"name": "Second", "environment": "sandbox"})).await;
    let changes = json!({"guid": bank.body["guid"], "organization": organization, "name": "Second", "environment": "sandbox",
        "created_at": bank.body["created_at"]});
    let (bank_guid, bank_path) = (text(&bank.body, "guid"), format!("/api/banks/{}", text(&bank.body, "guid")));
    expected.push(("bank.create", bank_guid.clone(), bank, changes));
    platform.advance(Duration::from_millis(5));
    let answer = caller.patch(&bank_path, &json!({"name": "Third"})).await;
    expected.push(("bank.update", bank_guid.clone(), answer, json!({"name": "Third"})));
    caller.patch(&bank_path, &json!({})).await;

    let mut secrets = vec![token.clone()];
    for family in Family::both(&platform) {
        platform.advance(Duration::from_millis(5));
        let made = family.post(&caller, json!({"name": "key", "scopes": ["banks:read"], "ip_allowlist": ["8.8.8.8"]})).await;
        let (key, item) = (text(&made.body, "client_id"), family.item(&made.body));
        secrets.push(text(&made.body, "secret"));
        let owner = match family.required["bank_guid"].as_str() {
            Some(bank) => format!("bank:{bank}"),
            None => format!("organization:{organization}"),
        };
        let secret = caller.get(&format!("/api/keys/{key}")).await.body["secrets"][0].clone();
        let changes = json!({"client_id": key, "owner": owner, "organization": organization, "kind": "sandbox", "name": "key",
            "scopes": ["banks:read"], "ip_allowlist": ["8.8.8.8"], "state": {"name": "active"}, "created_at": made.body["created_at"],
            "secrets": {"current": {"id": secret["id"], "created_at": secret["created_at"]}}});
        expected.push(("key.create", key.clone(), made, changes));
        platform.advance(Duration::from_millis(5));
        let answer = caller.patch(&item, &json!({"name": "edited", "ip_allowlist": []})).await;
        expected.push(("key.update", key.clone(), answer, json!({"name": "edited", "ip_allowlist": []})));
        caller.patch(&item, &json!({"name": "edited"})).await;
        refusals(&platform, &caller, &family, &item).await;
        platform.advance(Duration::from_millis(5));
        let answer = caller.delete(&item).await;
        expected.push(("key.revoke", key.clone(), answer, json!({"state": {"name": "revoked"}})));
        assert_eq!((caller.delete(&item).await.status, revoke(&caller, &key).await.status), (204, 200));
    }

    platform.settle().await;
    let chain = platform.stack.services().store().unwrap().audit_chain(organization).await.unwrap();
    assert_eq!(chain.links.len(), seeded + expected.len(), "{:#?}", chain.events);
    assert_eq!(chain.events.len(), chain.links.len());
    let texts: Vec<&str> = chain.links.iter().map(|link| chain.events[&link.event].as_str()).collect();
    let head = audit::verify(chain.links.iter().zip(texts.iter().copied())).unwrap();
    assert_eq!(usize::try_from(head.sequence).unwrap(), chain.links.len());
    for (text, (action, target, answer, changes)) in texts[seeded..].iter().zip(&expected) {
        let event: Value = serde_json::from_str(text).unwrap();
        let mut event_changes = event["changes"].clone();
        if *action == "key.revoke" {
            assert_eq!(event_changes["state"].as_object_mut().unwrap().remove("at"), Some(event["at"].clone()));
        }
        assert_eq!(event_changes, *changes, "{event}");
        assert_eq!((event["action"].as_str(), &event["target"]), (Some(*action), &json!(target)));
        assert_eq!(event["source_ip"], "8.8.4.4");
        assert_eq!(event["request_id"], json!(answer.header("x-amzn-requestid")));
        assert_eq!(event["organization"], json!(organization));
        assert_eq!(event["actor"]["client_id"], json!(platform.seed.organization.key.client_id));
        assert_eq!((&event["actor"]["type"], event["actor"]["jti"].as_str().unwrap().is_empty()), (&json!("key"), false));
    }
    for text in &texts {
        for secret in secrets.iter().chain([&platform.seed.organization.key.client_secret, &platform.seed.bank.key.client_secret])
        {
            assert!(!text.contains(&secret[secret.len() - 43..]), "LEAK-1: {text}");
        }
        assert!(!text.contains("hash") && !text.contains("pepper"), "LEAK-1: {text}");
    }
}

/// Requests that are refused in every way.
async fn refusals(platform: &Platform, caller: &Caller, family: &Family, item: &str) {
    for answer in [
        family.post(caller, json!({"name": ""})).await,
        family.post(caller, json!({"name": "n", "ip_allowlist": ["::1"]})).await,
        family.post(caller, json!({"name": "n", "colour": 1})).await,
        family.post(caller, json!({"name": "n", "scopes": ["organization_applications:execute"]})).await,
        family.post(caller, json!({"name": "n", "expires_at": "2001-01-01T00:00:00Z"})).await,
        caller.patch(item, &json!({"ip_allowlist": ["10.0.0.1"]})).await,
        caller.patch(item, &json!({"name": null})).await,
        caller.delete(&format!("{}/{}", family.path, "0".repeat(32))).await,
        caller.post("/api/banks", &json!({"name": "n", "environment": "production"})).await,
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
        let made = caller.post("/api/banks", &json!({"name": name, "environment": "sandbox"})).await;
        assert_eq!(made.status, 201, "{made:?}");
    }
    platform.settle().await;
    for (organization, own, other, seeded) in
        [(guid(&platform.seed.organization.guid), "Ours", "Theirs", SEEDED), (neighbour, "Theirs", "Ours", 4)]
    {
        let chain = platform.stack.services().store().unwrap().audit_chain(organization).await.unwrap();
        let texts: Vec<&str> = chain.links.iter().map(|link| chain.events[&link.event].as_str()).collect();
        audit::verify(chain.links.iter().zip(texts.iter().copied())).unwrap();
        assert_eq!(texts.len(), seeded + 1);
        assert!(texts[seeded].contains(own));
        assert!(texts.iter().all(|text| !text.contains(other) && text.contains(&organization.to_string())));
    }
}
