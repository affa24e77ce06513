//! `/api/banks`: the banks of one's own organization and kind (CYB-1, CYB-4).

mod people;

use std::time::Duration;

use domain::{
    gate::Kyb,
    key_mode::{BankEnvironment, KeyMode},
};
use serde_json::{Value, json};
use tests::Platform;

use crate::{
    management_keys::{seed_organization, seed_organization_key},
    organization_snapshot::{appearance, column, organization_snapshot, text, without},
    routes::bank_applications::narrowed,
};

#[tokio::test]
async fn cyb_1_a_bank_from_201_to_a_new_name() {
    let platform = Platform::start().await;
    platform.stop_clock();
    let caller = platform.organization().await;
    let made = caller
        .post(
            "/api/banks",
            &json!({"name": "Second", "environment": "sandbox"}),
        )
        .await;
    assert_eq!(made.status, 201, "{made:?}");
    assert_eq!(made.header("content-type"), "application/json");
    assert_eq!(
        without(&made.body, &["guid", "created_at", "updated_at"]),
        json!({
            "organization_guid": platform.seed.organization.guid,
            "name": "Second",
            "environment": "sandbox",
        })
    );
    assert_eq!(made.body["created_at"], made.body["updated_at"]);
    let path = format!("/api/banks/{}", text(&made.body, "guid"));
    assert_eq!(caller.get(&path).await.body, made.body);
    platform.advance(Duration::from_secs(2));
    for nothing in [json!({}), json!({"name": "Second"})] {
        let answer = caller.patch(&path, &nothing).await;
        assert_eq!(
            (answer.status, &answer.body),
            (200, &made.body),
            "what changes nothing is no update"
        );
    }
    let renamed = caller.patch(&path, &json!({"name": "é".repeat(128)})).await;
    assert_eq!(
        (renamed.status, &renamed.body["name"]),
        (200, &json!("é".repeat(128)))
    );
    assert!(text(&renamed.body, "updated_at") > text(&made.body, "updated_at"));
    assert_eq!(
        without(&renamed.body, &["name", "updated_at"]),
        without(&made.body, &["name", "updated_at"])
    );
    assert_eq!(caller.get(&path).await.body, renamed.body);
    assert_eq!(
        caller.get("/api/banks").await.body["objects"][1],
        renamed.body
    );
}

#[tokio::test]
async fn pages_of_banks_have_exact_totals_in_order_of_creation() {
    let platform = Platform::start().await;
    let caller = platform.organization().await;
    platform.neighbour().await;
    platform
        .operator()
        .bank(
            seed_organization(&platform),
            "Production",
            BankEnvironment::Production,
        )
        .await
        .unwrap();
    let mut expected = vec![platform.seed.bank.guid.clone()];
    for number in 0..11 {
        platform.advance(Duration::from_millis(1));
        let made = caller
            .post(
                "/api/banks",
                &json!({"name": format!("Bank {number}"), "environment": "sandbox"}),
            )
            .await;
        expected.push(text(&made.body, "guid"));
    }
    for (query, page, per_page, part) in [
        ("", 0, 10, &expected[..10]),
        ("?page=1", 1, 10, &expected[10..]),
        ("?page=2", 2, 10, &[]),
        ("?per_page=5&page=2", 2, 5, &expected[10..]),
        ("?per_page=100", 0, 100, &expected),
    ] {
        let list = caller.get(&format!("/api/banks{query}")).await;
        assert_eq!(column(&list, "guid"), part, "{query}");
        assert_eq!(
            without(&list.body, &["objects"]),
            json!({"total": 12, "page": page, "per_page": per_page})
        );
    }
}

#[tokio::test]
async fn unprocessable_when_name_or_environment_is_none() {
    let platform = Platform::start().await;
    let caller = platform.organization().await;
    let path = format!("/api/banks/{}", platform.seed.bank.guid);
    let before = organization_snapshot(&platform, &caller, seed_organization(&platform)).await;
    for name in [
        json!(""),
        json!("x".repeat(129)),
        json!("  "),
        json!("a\u{1b}b"),
        json!(null),
        json!(7),
    ] {
        caller
            .post(
                "/api/banks",
                &json!({"name": name, "environment": "sandbox"}),
            )
            .await
            .assert_field("name", "must");
        caller
            .patch(&path, &json!({"name": name}))
            .await
            .assert_field("name", "must");
    }
    for environment in [
        json!("live"),
        json!("Sandbox"),
        json!(""),
        json!(null),
        json!(7),
        json!(["sandbox"]),
        json!({"sandbox": 1}),
    ] {
        let answer = caller
            .post(
                "/api/banks",
                &json!({"name": "n", "environment": environment}),
            )
            .await;
        answer.assert_field("environment", "");
    }
    caller
        .post("/api/banks", &json!({"environment": "sandbox"}))
        .await
        .assert_field("name", "is required");
    caller
        .post("/api/banks", &json!({"name": "n"}))
        .await
        .assert_field("environment", "is required");
    for member in ["guid", "organization_guid", "bank_guid", "id"] {
        let body = json!({"name": "n", "environment": "sandbox", member: Value::Null});
        caller
            .post("/api/banks", &body)
            .await
            .assert_field(member, "is not a member that this takes");
    }
    for member in [
        "environment",
        "guid",
        "organization_guid",
        "bank_guid",
        "created_at",
        "version",
    ] {
        let answer = caller
            .patch(&path, &json!({"name": "n", member: "sandbox"}))
            .await;
        answer.assert_field(member, "is not a member that this takes");
    }
    caller
        .get("/api/banks?bank_guid=x")
        .await
        .assert_field("bank_guid", "is not a parameter that this takes");
    assert_eq!(
        organization_snapshot(&platform, &caller, seed_organization(&platform)).await,
        before
    );
}

/// A sandbox key makes no production bank and sees none; a live key the reverse.
#[tokio::test]
async fn cyb_4_forbidden_or_not_found_when_the_bank_is_of_the_other_kind() {
    let platform = Platform::start().await;
    let organization = seed_organization(&platform);
    let sandbox = platform.organization().await;
    let (production, _) = platform
        .operator()
        .bank(organization, "Production", BankEnvironment::Production)
        .await
        .unwrap();
    let scopes = "banks:execute banks:read banks:write organizations:read";
    let live_key = seed_organization_key(&platform, KeyMode::Live, scopes).await;
    platform
        .operator()
        .kyb(organization, Kyb::Approved)
        .await
        .unwrap();
    let live = platform.bearer(&platform.token(&live_key).await);
    let before = platform
        .stack
        .services()
        .store()
        .unwrap()
        .audit_chain(organization)
        .await
        .unwrap()
        .events
        .len();
    for (caller, own, other, other_bank) in [
        (
            &sandbox,
            platform.seed.bank.guid.clone(),
            "production",
            production.to_string(),
        ),
        (
            &live,
            production.to_string(),
            "sandbox",
            platform.seed.bank.guid.clone(),
        ),
    ] {
        let refused = caller
            .post("/api/banks", &json!({"name": "n", "environment": other}))
            .await;
        refused.assert_error(403, "forbidden");
        assert_eq!(column(&caller.get("/api/banks").await, "guid"), [own]);
        let nothing = appearance(&caller.get(&format!("/api/banks/{}", "0".repeat(32))).await);
        assert_eq!(nothing.0, 404);
        let path = format!("/api/banks/{other_bank}");
        assert_eq!(appearance(&caller.get(&path).await), nothing);
        assert_eq!(
            appearance(&caller.patch(&path, &json!({"name": "n"})).await),
            nothing
        );
    }
    let after = platform
        .stack
        .services()
        .store()
        .unwrap()
        .audit_chain(organization)
        .await
        .unwrap()
        .events
        .len();
    assert_eq!(after, before);
    let made = live
        .post(
            "/api/banks",
            &json!({"name": "Live", "environment": "production"}),
        )
        .await;
    assert_eq!(
        (made.status, &made.body["environment"]),
        (201, &json!("production")),
        "{made:?}"
    );
    assert_eq!(
        column(&live.get("/api/banks").await, "guid"),
        [production.to_string(), text(&made.body, "guid")]
    );
}

/// A bank's token has the one bank.
#[tokio::test]
async fn cyb_4_a_bank_token_sees_and_renames_its_own_bank_alone() {
    let platform = Platform::start().await;
    let all = platform.organization().await;
    let other = text(
        &all.post(
            "/api/banks",
            &json!({"name": "Other", "environment": "sandbox"}),
        )
        .await
        .body,
        "guid",
    );
    let bank = platform.bank().await;
    let list = bank.get("/api/banks").await;
    assert_eq!(
        (column(&list, "guid"), &list.body["total"]),
        (vec![platform.seed.bank.guid.clone()], &json!(1))
    );
    let renamed = bank
        .patch(
            &format!("/api/banks/{}", platform.seed.bank.guid),
            &json!({"name": "Mine"}),
        )
        .await;
    assert_eq!(
        (renamed.status, &renamed.body["name"]),
        (200, &json!("Mine"))
    );
    let before = organization_snapshot(&platform, &all, seed_organization(&platform)).await;
    let nothing = appearance(&bank.get(&format!("/api/banks/{}", "0".repeat(32))).await);
    for hidden in [other, platform.seed.organization.guid.clone()] {
        let path = format!("/api/banks/{hidden}");
        assert_eq!(appearance(&bank.get(&path).await), nothing);
        assert_eq!(
            appearance(&bank.patch(&path, &json!({"name": "n"})).await),
            nothing
        );
    }
    let made = bank
        .post(
            "/api/banks",
            &json!({"name": "n", "environment": "sandbox"}),
        )
        .await;
    made.assert_error(403, "insufficient_scope");
    assert_eq!(
        organization_snapshot(&platform, &all, seed_organization(&platform)).await,
        before
    );
}

#[tokio::test]
async fn cyb_11_403_insufficient_scope_without_bank_scopes() {
    let platform = Platform::start().await;
    let path = format!("/api/banks/{}", platform.seed.bank.guid);
    let body = json!({"name": "n", "environment": "sandbox"});
    for scope in [
        "banks:read",
        "banks:write",
        "banks:execute",
        "organizations:read",
    ] {
        let caller = narrowed(&platform, scope).await;
        for (answer, opener) in [
            (caller.get("/api/banks").await, "banks:read"),
            (caller.get(&path).await, "banks:read"),
            (
                caller.patch(&path, &json!({"name": "n"})).await,
                "banks:write",
            ),
            (caller.post("/api/banks", &body).await, "banks:execute"),
        ] {
            if scope == opener {
                assert!((200..202).contains(&answer.status), "{scope}: {answer:?}");
            } else {
                answer.assert_error(403, "insufficient_scope");
            }
        }
    }
}
