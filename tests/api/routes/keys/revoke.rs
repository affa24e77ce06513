//! `POST /api/keys/{client_id}/revoke` (CBM-4), and the audit trail of this and every other change
//! (LEAK-6).

mod audit_trail;

use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use tests::{Answer, Caller, Platform};

use crate::{
    management_keys::seed_organization,
    organization_snapshot::{appearance, column, organization_snapshot, text, without},
    routes::{bank_applications::narrowed, owner_keys::Family},
};

/// Events of the seed: an organization, its plan, a bank, a key of each, and three people with
/// theirs.
const SEEDED: usize = 11;

async fn revoke(caller: &Caller, id: &str) -> Answer {
    caller
        .post(&format!("/api/keys/{id}/revoke"), &json!({}))
        .await
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
            let before =
                organization_snapshot(&platform, &caller, seed_organization(&platform)).await;
            for again in [
                revoke(&caller, &text(&key, second)).await,
                revoke(&caller, &text(&key, first)).await,
            ] {
                assert_eq!(
                    (again.status, &again.body),
                    (200, &revoked.body),
                    "repeated, it is the same"
                );
            }
            assert_eq!(
                caller.delete(&family.item(&key)).await.status,
                204,
                "nor does DELETE mind"
            );
            caller
                .get(&family.item(&key))
                .await
                .assert_error(404, "not_found");
            assert!(!column(&caller.get(family.path).await, "guid").contains(&text(&key, "guid")));
            assert_eq!(
                organization_snapshot(&platform, &caller, seed_organization(&platform)).await,
                before,
                "it changes nothing more"
            );
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
        let (first, second, third, edit) = (
            json!({"name": "a"}),
            json!({"name": "b"}),
            json!({"name": "c"}),
            caller.clone(),
        );
        let (one, other, gone, ..) = tokio::join!(
            revoke(&caller, &id),
            revoke(&caller, &id),
            caller.delete(&item),
            edit.patch(&item, &first),
            edit.patch(&item, &second),
            edit.patch(&item, &third),
        );
        assert_eq!(
            (one.status, other.status, gone.status),
            (200, 200, 204),
            "{one:?} {other:?} {gone:?}"
        );
        caller.get(&item).await.assert_error(404, "not_found");
        let chain = platform
            .stack
            .services()
            .store()
            .unwrap()
            .audit_chain(seed_organization(&platform))
            .await
            .unwrap();
        let revokes = chain
            .events
            .values()
            .filter(|event| event.contains("key.revoke") && event.contains(&id))
            .count();
        assert_eq!(revokes, 1);
    }
}

#[tokio::test]
async fn cyb_11_403_or_404_when_the_key_is_not_the_callers_to_revoke() {
    let platform = Platform::start().await;
    let caller = platform.organization().await;
    let (_, foreign_organization_key, _, foreign_bank_key) = platform.neighbour().await;
    let [bank_family, organization_family] = Family::both(&platform);
    let bank_key = text(
        &bank_family.create(&caller, json!({"name": "bank's"})).await,
        "client_id",
    );
    let organization_key = text(
        &organization_family
            .create(&caller, json!({"name": "organization's"}))
            .await,
        "client_id",
    );
    let before = organization_snapshot(&platform, &caller, seed_organization(&platform)).await;

    let banks_only = narrowed(&platform, "bank_applications:execute").await;
    let organizations_only = narrowed(&platform, "organization_applications:execute").await;
    let neither = narrowed(
        &platform,
        "bank_applications:write organization_applications:write organizations:write",
    )
    .await;
    for (caller, key) in [
        (&banks_only, &organization_key),
        (&organizations_only, &bank_key),
        (&neither, &bank_key),
        (&neither, &organization_key),
        (&platform.bank().await, &bank_key),
    ] {
        revoke(caller, key)
            .await
            .assert_error(403, "insufficient_scope");
    }
    let nothing = revoke(&caller, &"0".repeat(32)).await;
    nothing.assert_error(404, "not_found");
    for narrow in [&caller, &banks_only, &organizations_only] {
        for foreign in [
            &foreign_organization_key.client_id,
            &foreign_bank_key.client_id,
            "nonsense",
            &platform.seed.bank.guid,
        ] {
            assert_eq!(
                appearance(&revoke(narrow, foreign).await),
                appearance(&nothing),
                "{foreign}"
            );
        }
    }
    for key in [foreign_organization_key, foreign_bank_key] {
        platform.token(&key).await;
    }
    assert_eq!(
        organization_snapshot(&platform, &caller, seed_organization(&platform)).await,
        before
    );
    assert_eq!(revoke(&banks_only, &bank_key).await.status, 200);
    assert_eq!(
        revoke(&organizations_only, &organization_key).await.status,
        200
    );
}

/// They take no members: what was meant by one would be lost.
#[tokio::test]
async fn unprocessable_when_the_body_has_members() {
    let platform = Platform::start().await;
    let caller = platform.organization().await;
    let key = Family::both(&platform)[0]
        .create(&caller, json!({"name": "kept"}))
        .await;
    for (verb, state) in [
        ("deactivate", "deactivated"),
        ("restore", "active"),
        ("revoke", "revoked"),
    ] {
        let path = format!("/api/keys/{}/{verb}", text(&key, "client_id"));
        let before = organization_snapshot(&platform, &caller, seed_organization(&platform)).await;
        let refused = if verb == "revoke" { "colour" } else { "reason" };
        caller
            .post(&path, &json!({refused: "leak"}))
            .await
            .assert_field(refused, "is not a member that this takes");
        caller
            .post(&path, &json!(["x"]))
            .await
            .assert_field("body", "must be an object");
        let send = async |body: &str| {
            let request = caller
                .request(Method::POST, &path)
                .header("content-type", "application/json");
            Answer::of(request.body(body.to_owned())).await
        };
        send("{").await.assert_error(400, "malformed_request");
        send(&" ".repeat(65_537))
            .await
            .assert_error(413, "payload_too_large");
        let form = caller.post_form(&path, &[("reason", "leak")]).await;
        form.assert_error(415, "unsupported_media_type");
        assert_eq!(
            organization_snapshot(&platform, &caller, seed_organization(&platform)).await,
            before
        );
        let without_body = Answer::of(caller.request(Method::POST, &path)).await;
        assert_eq!(
            (without_body.status, &without_body.body["state"]),
            (200, &json!(state)),
            "{without_body:?}"
        );
        for nothing in ["{}", " { }\n", "null"] {
            let again = send(nothing).await;
            if verb == "revoke" {
                assert_eq!(again.body, without_body.body, "repeated, it is the same");
            } else {
                again.assert_error(409, "conflict");
                assert!(
                    again
                        .text
                        .contains(&format!("is {state} and cannot become {state}")),
                    "{again:?}"
                );
            }
        }
    }
}
