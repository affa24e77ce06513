//! POST /api/organizations: the first owner, invalid bodies and repeated requests.

use std::time::Duration;

use domain::{ids::Guid, key_mode::KeyMode};
use serde_json::{Value, json};
use tests::{Platform, platform::credentials};

use super::{PATH, item};
use crate::{
    management_keys::guid,
    organization_snapshot::{text, without},
    people::{events, post_once},
};

#[tokio::test]
async fn cyb_1_operations_onboard_an_organization_with_its_first_owner() {
    let platform = Platform::start().await;
    let operations = platform.operations();
    let made = operations
        .post(
            PATH,
            &json!({"name": "Newcomer", "owner_email": "ada@example.com"}),
        )
        .await;
    assert_eq!(made.status, 201, "{made:?}");
    assert_eq!(
        without(&made.body, &["guid", "created_at", "updated_at", "owner"]),
        json!({
            "name": "Newcomer",
            "plan": "starter",
            "plan_change": null,
            "kyb": "pending",
            "suspended": false,
            "max_key_age_days": null,
        })
    );
    let owner = &made.body["owner"];
    assert_eq!(
        (&owner["email"], &owner["role"], &owner["state"]),
        (&json!("ada@example.com"), &json!("owner"), &json!("active"))
    );
    assert_eq!(
        operations.get(&item(&made.body)).await.body,
        without(&made.body, &["owner"])
    );
    let organization = guid(&text(&made.body, "guid"));
    let user = platform
        .stack
        .services()
        .store()
        .unwrap()
        .user(guid(&text(owner, "guid")))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(user.organization, organization);
    // CYB-1: then a bank, then the first key pair, with an allowlist.
    assert_eq!(
        operations
            .put(
                &format!("{}/plan", item(&made.body)),
                &json!({"plan": "pro"})
            )
            .await
            .status,
        200
    );
    let secret = platform
        .operator()
        .personal_key(&user, KeyMode::Sandbox, "first")
        .await
        .unwrap()
        .client_secret;
    let ada = platform.bearer(&secret);
    let bank = ada
        .post(
            "/api/banks",
            &json!({"name": "First", "environment": "sandbox"}),
        )
        .await;
    assert_eq!(bank.status, 201, "{bank:?}");
    let key = json!({
        "name": "First",
        "bank_guid": bank.body["guid"],
        "ip_allowlist": [tests::platform::ALLOWED],
    });
    let key = ada.post("/api/bank_applications", &key).await;
    assert_eq!(key.status, 201, "{key:?}");
    let token = platform
        .request_token(
            &credentials(&key.body),
            platform.anonymous().from(tests::platform::ALLOWED),
        )
        .await;
    assert_eq!(token.status, 200, "{token:?}");
    let made_by = events(&platform, organization, "organization.create").await;
    assert_eq!(
        (made_by.len(), &made_by[0]["actor"]["guid"]),
        (1, &json!(platform.seed.staff.operations.guid))
    );
    assert_eq!(
        events(&platform, organization, "user.create").await.len(),
        1
    );
}

#[tokio::test]
async fn cyb_1_without_an_address_there_is_no_owner_and_a_bad_body_makes_nothing() {
    let platform = Platform::start().await;
    let operations = platform.operations();
    let made = operations.post(PATH, &json!({"name": "Ownerless"})).await;
    assert_eq!(
        (made.status, made.body.get("owner")),
        (201, None),
        "{made:?}"
    );
    let before = operations.get(PATH).await.body;
    for (body, field, words) in [
        (json!({}), "name", "is required"),
        (json!({"name": " "}), "name", "must"),
        (
            json!({"name": "n", "owner_email": "nobody"}),
            "owner_email",
            "is not an email address",
        ),
        (
            json!({"name": "n", "owner_email": null}),
            "owner_email",
            "must be",
        ),
        (
            json!({"name": "n", "plan": "pro"}),
            "plan",
            "is not a member",
        ),
    ] {
        operations
            .post(PATH, &body)
            .await
            .assert_field(field, words);
    }
    for caller in [
        platform.owner(),
        platform.support(),
        platform.security(),
        platform.organization().await,
        platform.bank().await,
    ] {
        caller
            .post(PATH, &json!({"name": "n"}))
            .await
            .assert_error(403, "forbidden");
    }
    assert_eq!(operations.get(PATH).await.body, before);
}

#[tokio::test]
async fn x_8_a_repeated_onboarding_completes_what_was_begun() {
    let platform = Platform::start().await;
    let operations = platform.operations();
    let body = json!({"name": "Newcomer", "owner_email": "ada@example.com"});
    let made = post_once(&operations, PATH, "one", &body).await;
    assert_eq!(
        (made.status, made.header("idempotency-replayed")),
        (201, ""),
        "{made:?}"
    );
    let again = post_once(&operations, PATH, "one", &body).await;
    assert_eq!(
        (
            again.status,
            again.header("idempotency-replayed"),
            &again.body
        ),
        (201, "true", &made.body)
    );
    let renamed = json!({"name": "Other", "owner_email": "ada@example.com"});
    post_once(&operations, PATH, "one", &renamed)
        .await
        .assert_error(422, "idempotency_key_reused");
    let other = post_once(&operations, PATH, "two", &body).await;
    assert_ne!(other.body["guid"], made.body["guid"]);
    // What was reached of a request that died between its two steps: the organization without its
    // owner.
    let bare = post_once(&operations, PATH, "three", &json!({"name": "Bare"})).await;
    assert_eq!(bare.body.get("owner"), None);
    let half = half_made(&platform, &body).await;
    let completed = post_once(&operations, PATH, "half", &body).await;
    assert_eq!(
        (completed.status, completed.header("idempotency-replayed")),
        (201, "true"),
        "{completed:?}"
    );
    assert_eq!(
        (&completed.body["guid"], &completed.body["owner"]["email"]),
        (&json!(half), &json!("ada@example.com"))
    );
    assert_eq!(
        post_once(&operations, PATH, "half", &body).await.body,
        completed.body
    );
}

/// An organization that stands under the `Idempotency-Key` `half` of this body, and has no owner
/// yet.
async fn half_made(platform: &Platform, body: &Value) -> Guid {
    let services = platform.stack.services();
    let now = (services.ambient().clock)();
    let guid = services.ambient().entropy.guid();
    let name = domain::organization::Name::parse("Newcomer").unwrap();
    let organization = domain::organization::Organization {
        guid,
        name,
        max_key_age_days: None,
        created_at: now,
        updated_at: now,
        version: 0,
    };
    let record = store::IdempotencyRecord {
        principal: platform.seed.staff.operations.guid.clone(),
        key: "half".into(),
        fingerprint: web::idempotency::fingerprint(
            &reqwest::Method::POST,
            PATH,
            body.to_string().as_bytes(),
        ),
        target: guid.to_string(),
        ends: now + Duration::from_hours(24),
    };
    let origin = domain::audit::Origin::of(domain::audit::Actor::Operator);
    services
        .store()
        .unwrap()
        .create_organization(&organization, Some(&record), &origin)
        .await
        .unwrap();
    guid
}
