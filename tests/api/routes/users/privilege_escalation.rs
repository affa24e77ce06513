//! Nobody comes by a role through a key that they minted for somebody of a lower one, who is raised
//! later (docs/requirements.md, Roles).

use std::time::Duration;

use domain::{key_mode::KeyMode, role::Role};
use serde_json::{Value, json};
use tests::{Answer, Caller, Platform};

use super::{PATH, item};
use crate::{
    five_second_bound::die,
    management_keys::{guid, seed_organization},
    organization_snapshot::{organization_snapshot, text},
    people::Person,
};

const KEYS: &str = "/api/keys";

/// A developer whom an administrator made, and the key that the administrator minted for them.
async fn minted(admin: &Caller, email: &str) -> (Value, Value) {
    let user = admin
        .post(PATH, &json!({"email": email, "role": "developer"}))
        .await
        .body;
    let key = mint(admin, &user).await;
    assert_eq!(key.status, 201, "{key:?}");
    (user, key.body)
}

async fn mint(caller: &Caller, user: &Value) -> Answer {
    caller
        .post(
            KEYS,
            &json!({"owner": {"type": "user", "guid": user["guid"]}, "name": "minted"}),
        )
        .await
}

async fn act(caller: &Caller, key: &Value, operation: &str, body: Value) -> Answer {
    let answer = caller
        .post(
            &format!("{KEYS}/{}{operation}", text(key, "client_id")),
            &body,
        )
        .await;
    assert_eq!(answer.status, 200, "{operation}: {answer:?}");
    answer
}

/// A conflict that names these keys and says what to do.
fn assert_known(answer: &Answer, keys: &[&str]) {
    answer.assert_error(409, "conflict");
    assert!(
        keys.iter().all(|key| answer.text.contains(key)) && answer.text.contains("rotate"),
        "{keys:?}: {answer:?}"
    );
}

#[tokio::test]
async fn cbm_1_409_for_raising_a_user_while_an_administrator_knows_their_secret() {
    let platform = Platform::start().await;
    let (owner, admin) = (
        platform.owner(),
        Person::new(&platform, Role::Admin).await.caller,
    );
    let (user, key) = minted(&admin, "ada@example.com").await;
    let (client_id, own) = (
        text(&key, "client_id"),
        platform.bearer(&text(&key, "secret")),
    );
    let organization = platform.organization().await;
    let raise = async |body: Value| owner.patch(&item(&user), &body).await;
    let before =
        organization_snapshot(&platform, &organization, seed_organization(&platform)).await;
    for body in [
        json!({"role": "owner"}),
        json!({"role": "owner", "allowed_scopes": ["banks:read"]}),
    ] {
        assert_known(&raise(body).await, &[&client_id]);
    }
    assert_eq!(
        organization_snapshot(&platform, &organization, seed_organization(&platform)).await,
        before
    );
    // What the administrator may anyway is nothing gained.
    assert_eq!(raise(json!({"role": "admin"})).await.status, 200);
    for lower in [
        json!({}),
        json!({"allowed_scopes": ["banks:read"]}),
        json!({"role": "viewer"}),
    ] {
        assert_eq!(raise(lower.clone()).await.status, 200, "{lower}");
    }
    assert_eq!(
        raise(json!({"role": "developer", "allowed_scopes": null}))
            .await
            .status,
        200
    );
    assert_known(&raise(json!({"role": "owner"})).await, &[&client_id]);
    act(&owner, &key, "/revoke", json!({})).await;
    assert_eq!(raise(json!({"role": "owner"})).await.status, 200);
    die(&[&own]).await;
}

#[tokio::test]
async fn cbm_1_a_user_is_raised_once_nobody_else_knows_a_secret_that_works() {
    let platform = Platform::start().await;
    let (owner, admin) = (
        platform.owner(),
        Person::new(&platform, Role::Admin).await.caller,
    );
    // With a key of their own, which nobody else was shown.
    let person = Person::new(&platform, Role::Developer).await;
    let minted = mint(&admin, &json!({"guid": person.guid})).await.body;
    let client_id = text(&minted, "client_id");
    let raise = async || owner.patch(&person.path(), &json!({"role": "owner"})).await;
    // Whoever sends a secret that was shown to somebody may be that one: what they get is known.
    let known = platform.bearer(&text(&minted, "secret"));
    let by_itself = act(&known, &minted, "/rotate", json!({"grace_period": 0})).await;
    assert_known(&raise().await, &[&client_id]);
    let open = json!({"grace_period": null});
    let rotated = act(&person.caller, &minted, "/rotate", open).await;
    assert_known(&raise().await, &[&client_id]);
    act(
        &platform.bearer(&text(&rotated.body, "secret")),
        &minted,
        "/finish_rotation",
        json!({}),
    )
    .await;
    let raised = raise().await;
    assert_eq!(
        (raised.status, &raised.body["role"]),
        (200, &json!("owner")),
        "{raised:?}"
    );
    die(&[&known, &platform.bearer(&text(&by_itself.body, "secret"))]).await;
}

#[tokio::test]
async fn cbm_1_what_others_know_is_of_either_kind_rotated_or_stopped_but_not_over() {
    let platform = Platform::start().await;
    platform.stop_clock();
    let (owner, organization) = (platform.owner(), seed_organization(&platform));
    let admin = Person::new(&platform, Role::Admin).await.caller;
    let live_admin = Person::of(&platform, organization, Role::Admin, KeyMode::Live)
        .await
        .caller;
    let person = Person::new(&platform, Role::Developer).await;
    let user = json!({"guid": person.guid});
    let raise = async |role: &str| owner.patch(&person.path(), &json!({"role": role})).await;
    let lower = async || assert_eq!(raise("developer").await.status, 200);
    assert_eq!(
        raise("admin").await.status,
        200,
        "the operator's hand and the user's own are nobody's"
    );
    lower().await;
    assert_eq!(mint(&person.caller, &user).await.status, 201);
    assert_eq!(raise("admin").await.status, 200, "their own");
    lower().await;

    let rotated = json!({"client_id": person.client_id});
    act(&admin, &rotated, "/rotate", json!({})).await;
    let live = mint(&live_admin, &user).await.body;
    let stopped = mint(&admin, &user).await.body;
    act(&owner, &stopped, "/deactivate", json!({})).await;
    let [live_id, stopped_id] = [&live, &stopped].map(|key| text(key, "client_id"));
    assert_known(
        &raise("owner").await,
        &[&person.client_id, &live_id, &stopped_id],
    );
    for key in [&rotated, &stopped] {
        act(&owner, key, "/revoke", json!({})).await;
    }
    assert_known(&raise("owner").await, &[&live_id]);
    let soon = (platform.stack.services().ambient().clock)() + Duration::from_mins(1);
    let short = live_admin
        .patch(&format!("{KEYS}/{live_id}"), &json!({"expires_at": soon}))
        .await;
    assert_eq!(short.status, 200, "{short:?}");
    platform.advance(Duration::from_mins(1));
    assert_eq!(raise("owner").await.status, 200, "it is over");
}

/// Whichever of the two comes second sees the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn cbm_1_no_race_of_minting_and_raising_leaves_an_administrator_with_an_owners_key() {
    let platform = Platform::start().await;
    let (owner, admin) = (
        platform.owner(),
        Person::new(&platform, Role::Admin).await.caller,
    );
    let mut done = [0, 0];
    for round in 0..16 {
        let user = admin
            .post(
                PATH,
                &json!({"email": format!("u{round}@example.com"), "role": "developer"}),
            )
            .await
            .body;
        let (path, owners) = (item(&user), json!({"role": "owner"}));
        let raise = async {
            tokio::time::sleep(Duration::from_millis(round % 8)).await;
            owner.patch(&path, &owners).await
        };
        let (key, raised) = tokio::join!(mint(&admin, &user), raise);
        assert!(
            [201, 403, 409, 503].contains(&key.status) && [200, 409].contains(&raised.status),
            "{key:?} {raised:?}"
        );
        assert!(
            key.status != 201 || raised.status != 200,
            "{round}: {key:?} {raised:?}"
        );
        let stored = platform
            .stack
            .services()
            .store()
            .unwrap()
            .user(guid(&text(&user, "guid")))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(stored.role == Role::Owner, raised.status == 200);
        done[0] += u32::from(key.status == 201);
        done[1] += u32::from(raised.status == 200);
    }
    assert!(
        done.iter().sum::<u32>() > 0,
        "one of the two is done at least sometimes: {done:?}"
    );
}
