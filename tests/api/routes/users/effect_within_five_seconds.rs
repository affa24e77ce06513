//! What is changed about a user takes effect for their personal keys within five seconds, in both
//! directions (CBM-1, LEAK-9).

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use domain::{key_mode::KeyMode, role::Role};
use serde_json::{Value, json};
use tests::{Platform, wait};

use crate::{
    management_keys::seed_organization,
    people::{Person, felt},
};

/// A key of the seed bank, which developers make and viewers do not.
fn bank_key(platform: &Platform) -> Value {
    json!({"name": "made", "bank_guid": platform.seed.bank.guid})
}

#[tokio::test]
async fn cbm_1_a_role_narrowed_and_given_back_is_felt_within_five_seconds() {
    let platform = Platform::start().await;
    let (owner, person) = (
        platform.owner(),
        Person::new(&platform, Role::Developer).await,
    );
    let make = async || {
        person
            .caller
            .post("/api/bank_applications", &bank_key(&platform))
            .await
    };
    assert_eq!(make().await.status, 201);
    for (role, expected) in [
        ("viewer", (403, "forbidden")),
        ("developer", (201, "")),
        ("viewer", (403, "forbidden")),
    ] {
        let changed = owner.patch(&person.path(), &json!({"role": role})).await;
        assert_eq!(changed.status, 200, "{changed:?}");
        felt(role, make, expected).await;
    }
    assert_eq!(
        person.caller.get("/api/banks").await.status,
        200,
        "viewers read"
    );
}

#[tokio::test]
async fn cbm_1_scopes_narrowed_and_given_back_are_felt_within_five_seconds() {
    let platform = Platform::start().await;
    let (owner, person) = (platform.owner(), Person::new(&platform, Role::Viewer).await);
    let read = async || person.caller.get("/api/banks").await;
    assert_eq!(read().await.status, 200);
    for (allowed, expected) in [
        (json!(["users:read"]), (403, "insufficient_scope")),
        (json!(["users:read", "banks:read"]), (200, "")),
        (json!(["users:read"]), (403, "insufficient_scope")),
        (Value::Null, (200, "")),
    ] {
        let changed = owner
            .patch(&person.path(), &json!({"allowed_scopes": allowed}))
            .await;
        assert_eq!(changed.status, 200, "{changed:?}");
        felt(&allowed.to_string(), read, expected).await;
    }
    let context = person.caller.get("/v1/whoami").await;
    assert_eq!(context.status, 200, "{context:?}");
}

#[tokio::test]
async fn leak_9_a_disabled_users_keys_stop_within_five_seconds_in_both_environments() {
    let platform = Platform::start().await;
    let (owner, person) = (platform.owner(), Person::new(&platform, Role::Admin).await);
    let operator = platform.operator();
    let user = operator
        .user(
            seed_organization(&platform),
            "ada@example.com",
            Role::Developer,
            None,
        )
        .await
        .unwrap();
    let sandbox = operator
        .personal_key(&user, KeyMode::Sandbox, "one")
        .await
        .unwrap();
    let live = operator
        .personal_key(&user, KeyMode::Live, "two")
        .await
        .unwrap();
    let (sandbox_caller, live_caller) = (
        platform.bearer(&sandbox.client_secret),
        platform.bearer(&live.client_secret),
    );
    for caller in [&sandbox_caller, &live_caller, &person.caller] {
        assert_eq!(caller.get("/api/users").await.status, 200);
    }
    assert_eq!(
        owner
            .delete(&format!("/api/users/{}", user.guid))
            .await
            .status,
        204
    );
    felt(
        "the sandbox key",
        async || sandbox_caller.get("/api/users").await,
        (401, "authentication_failed"),
    )
    .await;
    felt(
        "the live key",
        async || live_caller.get("/api/users").await,
        (401, "authentication_failed"),
    )
    .await;
    felt(
        "over the sample API",
        async || sandbox_caller.get("/v1/whoami").await,
        (401, "authentication_failed"),
    )
    .await;
    assert_eq!(
        person.caller.get("/api/users").await.status,
        200,
        "of nobody else"
    );
    let key = owner.get(&format!("/api/keys/{}", sandbox.client_id)).await;
    assert_eq!(
        (key.status, &key.body["state"]),
        (200, &json!("deactivated")),
        "{key:?}"
    );
    let body = json!({"owner": {"type": "user", "guid": user.guid}, "name": "another"});
    owner
        .post("/api/keys", &body)
        .await
        .assert_error(409, "conflict");
}

/// What a disabled administrator began a moment before is not done a moment after.
#[tokio::test]
async fn leak_9_nothing_is_made_on_behalf_of_somebody_disabled() {
    let platform = Platform::start().await;
    let (owner, person) = (platform.owner(), Person::new(&platform, Role::Admin).await);
    let made = Arc::new(AtomicU64::new(0));
    let maker = {
        let (caller, body, made) = (person.caller.clone(), bank_key(&platform), made.clone());
        tokio::spawn(async move {
            loop {
                let answer = caller.post("/api/bank_applications", &body).await;
                match answer.status {
                    201 => _ = made.fetch_add(1, Ordering::SeqCst),
                    503 => {}
                    status => break status,
                }
            }
        })
    };
    wait::until("the race is under way", async || {
        made.load(Ordering::SeqCst) >= 3
    })
    .await;
    assert_eq!(owner.delete(&person.path()).await.status, 204);
    let total = async || {
        owner.get("/api/bank_applications").await.body["total"]
            .as_u64()
            .unwrap()
    };
    let at_the_answer = total().await;
    assert_eq!(maker.await.unwrap(), 401);
    let made = made.load(Ordering::SeqCst);
    assert_eq!(
        (total().await, at_the_answer),
        (made + 1, made + 1),
        "those made, and the seed's"
    );
}
