//! `POST /api/incidents/revoke`: many keys in one audited call, after a dry run (LEAK-8).

mod orders;
mod spared;
mod windows;

use domain::{gate::Kyb, key_mode::KeyMode, role::Role};
use serde_json::{Value, json};
use tests::{Answer, Caller, Platform};

use crate::{
    five_second_bound::{die, live},
    management_keys::{seed_organization, seed_organization_key},
    organization_snapshot::{column, organization_snapshot, text, without},
    people::{Person, events},
};

const PATH: &str = "/api/incidents/revoke";

/// An order with a reason.
fn order(members: &Value) -> Value {
    let mut order = json!({"reason": "Leaked on a laptop.\nTicket 7."});
    order
        .as_object_mut()
        .unwrap()
        .extend(members.as_object().unwrap().clone());
    order
}

async fn revoke(caller: &Caller, members: &Value) -> Answer {
    caller.post(PATH, &order(members)).await
}

/// What it would do, asserted to have done nothing.
async fn dry_run(platform: &Platform, caller: &Caller, members: &Value) -> Value {
    let machine = platform.organization().await;
    let before = organization_snapshot(platform, &machine, seed_organization(platform)).await;
    let mut members = members.clone();
    members["dry_run"] = json!(true);
    let answer = revoke(caller, &members).await;
    assert_eq!(
        (answer.status, &answer.body["dry_run"]),
        (200, &json!(true)),
        "{answer:?}"
    );
    assert_eq!(
        organization_snapshot(platform, &machine, seed_organization(platform)).await,
        before
    );
    answer.body
}

/// The counts of an answer: keys, active ones, banks, users, and whether the caller's is among
/// them.
fn counts(radius: &Value) -> [Value; 5] {
    [
        "keys_affected",
        "active_keys_affected",
        "banks_affected",
        "users_affected",
        "includes_caller",
    ]
    .map(|member| radius[member].clone())
}

fn client_ids(radius: &Value) -> Vec<String> {
    radius["sample"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| text(key, "client_id"))
        .collect()
}

#[tokio::test]
async fn leak_8_a_dry_run_shows_what_the_call_then_does() {
    let platform = Platform::start().await;
    let owner = platform.owner();
    let leaked = platform.bank_key(json!({})).await;
    let (token, other) = (
        platform.token(&leaked).await,
        platform.token(&platform.seed.bank.key).await,
    );
    let keys = json!({"keys": [leaked.client_id]});
    let dry = dry_run(&platform, &owner, &keys).await;
    assert_eq!(
        dry,
        json!({
            "dry_run": true,
            "keys_affected": 1,
            "active_keys_affected": 1,
            "banks_affected": 1,
            "users_affected": 0,
            "includes_caller": false,
            "spared_users": [],
            "cohort": null,
            "sample": [{
                "client_id": leaked.client_id,
                "name": "test key",
                "owner": {"type": "bank", "guid": platform.seed.bank.guid},
                "environment": "sandbox",
                "state": "active",
            }],
        })
    );
    let done = revoke(&owner, &keys).await;
    assert_eq!(done.status, 200, "{done:?}");
    assert_eq!(
        without(&done.body, &["dry_run"]),
        without(&dry, &["dry_run"])
    );
    die(&[&platform.bearer(&token)]).await;
    live(&[&platform.bearer(&other)]).await;
    platform
        .request_token(&leaked, platform.anonymous())
        .await
        .assert_oauth_error(401, "invalid_client");
    let again = revoke(&owner, &keys).await;
    assert_eq!(
        (again.status, counts(&again.body)),
        (
            200,
            counts(&json!({"keys_affected": 0, "active_keys_affected": 0,
        "banks_affected": 0, "users_affected": 0, "includes_caller": false}))
        ),
        "repeating changes nothing"
    );
    let revoked = events(&platform, seed_organization(&platform), "key.revoke").await;
    assert_eq!(revoked.len(), 1);
    assert_eq!(revoked[0]["reason"], "Leaked on a laptop.\nTicket 7.");
    assert_eq!(revoked[0]["actor"]["guid"], platform.seed.users.owner.guid);
}

#[tokio::test]
async fn leak_8_a_banks_keys_die_in_one_write_and_those_made_after_live() {
    let platform = Platform::start().await;
    let owner = platform.owner();
    let keys: Vec<_> = [
        platform.bank_key(json!({})).await,
        platform.bank_key(json!({})).await,
    ]
    .into();
    assert_eq!(
        owner
            .post(
                &format!("/api/keys/{}/deactivate", keys[1].client_id),
                &Value::Null
            )
            .await
            .status,
        200
    );
    let tokens = [
        platform.token(&keys[0]).await,
        platform.token(&platform.seed.bank.key).await,
    ];
    let bank = json!({"bank_guid": platform.seed.bank.guid});
    let dry = dry_run(&platform, &owner, &bank).await;
    assert_eq!(
        counts(&dry),
        [json!(3), json!(2), json!(1), json!(0), json!(false)]
    );
    assert_eq!(
        client_ids(&dry),
        [&platform.seed.bank.key, &keys[0], &keys[1]].map(|key| key.client_id.clone())
    );
    assert_eq!(dry["sample"][2]["state"], "deactivated");
    assert_eq!(
        without(&dry["cohort"], &["created_until"]),
        json!({
            "owner_guid": platform.seed.bank.guid,
            "environment": "sandbox",
            "created_from": null,
        })
    );
    let done = revoke(&owner, &bank).await;
    assert_eq!(
        (done.status, counts(&done.body)),
        (200, counts(&dry)),
        "{done:?}"
    );
    let fresh = platform.bank_key(json!({})).await;
    let fresh_token = platform.token(&fresh).await;
    let callers: Vec<_> = tokens.iter().map(|token| platform.bearer(token)).collect();
    die(&callers.iter().collect::<Vec<_>>()).await;
    live(&[&platform.bearer(&fresh_token)]).await;
    for key in [&platform.seed.bank.key, &keys[0], &keys[1]] {
        let shown = owner.get(&format!("/api/keys/{}", key.client_id)).await;
        assert_eq!(
            (shown.status, &shown.body["state"]),
            (200, &json!("revoked")),
            "{shown:?}"
        );
        owner
            .get(&format!("/api/bank_applications/{}", key.client_id))
            .await
            .assert_error(404, "not_found");
        owner
            .post(
                &format!("/api/keys/{}/restore", key.client_id),
                &Value::Null,
            )
            .await
            .assert_error(409, "conflict");
    }
    assert_eq!(
        column(&owner.get("/api/bank_applications").await, "client_id"),
        vec![fresh.client_id.clone()]
    );
    let audited = events(&platform, seed_organization(&platform), "incident.revoke").await;
    assert_eq!(
        (audited.len(), &audited[0]["reason"]),
        (1, &json!("Leaked on a laptop.\nTicket 7.")),
        "{audited:?}"
    );
    let after = dry_run(&platform, &owner, &bank).await;
    assert_eq!(
        (&after["keys_affected"], client_ids(&after)),
        (&json!(1), vec![fresh.client_id])
    );
}

#[tokio::test]
async fn leak_8_a_users_personal_keys_die_in_both_environments_and_no_others() {
    let platform = Platform::start().await;
    let (owner, operator) = (platform.owner(), platform.operator());
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
    let live_key = operator
        .personal_key(&user, KeyMode::Live, "two")
        .await
        .unwrap();
    let members = json!({"user_guid": user.guid});
    let dry = dry_run(&platform, &owner, &members).await;
    assert_eq!(
        counts(&dry),
        [json!(2), json!(2), json!(0), json!(1), json!(false)]
    );
    assert_eq!(
        counts(
            &dry_run(
                &platform,
                &owner,
                &json!({"user_guid": user.guid, "environment": "live"})
            )
            .await
        )[0],
        json!(1)
    );
    assert_eq!(revoke(&owner, &members).await.status, 200);
    let callers = [
        platform.bearer(&sandbox.client_secret),
        platform.bearer(&live_key.client_secret),
    ];
    for caller in &callers {
        crate::people::felt(
            "a personal key",
            async || caller.get("/api/users").await,
            (401, "authentication_failed"),
        )
        .await;
    }
    for caller in [platform.developer(), platform.viewer(), owner.clone()] {
        assert_eq!(caller.get("/api/users").await.status, 200);
    }
    let shown = owner.get(&format!("/api/users/{}", user.guid)).await;
    assert_eq!(shown.body["state"], "active", "the user stays");
    let body = json!({"owner": {"type": "user", "guid": user.guid}, "name": "another"});
    let another = owner.post("/api/keys", &body).await;
    assert_eq!(
        (another.status, &another.body["state"]),
        (201, &json!("active")),
        "{another:?}"
    );
    assert_eq!(
        platform
            .bearer(&text(&another.body, "secret"))
            .get("/api/users")
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn leak_8_the_whole_organization_by_security_and_never_by_mistake_the_callers_own() {
    let platform = Platform::start().await;
    let (owner, security) = (platform.owner(), platform.security());
    let (neighbour, neighbours_key, ..) = platform.neighbour().await;
    platform
        .operator()
        .kyb(seed_organization(&platform), Kyb::Approved)
        .await
        .unwrap();
    let live_key = seed_organization_key(&platform, KeyMode::Live, "banks:read").await;
    let tokens = [
        platform.token(&platform.seed.organization.key).await,
        platform.token(&platform.seed.bank.key).await,
    ];
    let live_caller = platform.bearer(&platform.token(&live_key).await);
    let neighbour_caller = platform.bearer(&platform.token(&neighbours_key).await);
    let own = json!({"whole_organization": true});
    let dry = dry_run(&platform, &owner, &own).await;
    assert_eq!(
        counts(&dry),
        [json!(5), json!(5), json!(1), json!(3), json!(true)],
        "of its own kind: {dry}"
    );
    let refused = revoke(&owner, &own).await;
    refused.assert_error(409, "conflict");
    assert_eq!(owner.get("/api/banks").await.status, 200);
    let staff =
        json!({"whole_organization": true, "organization_guid": platform.seed.organization.guid});
    let dry = dry_run(&platform, &security, &staff).await;
    assert_eq!(
        counts(&dry),
        [json!(6), json!(6), json!(1), json!(3), json!(false)]
    );
    assert_eq!(dry["cohort"]["environment"], Value::Null);
    let done = revoke(&security, &staff).await;
    assert_eq!(
        (done.status, counts(&done.body)),
        (200, counts(&dry)),
        "{done:?}"
    );
    let machines = tokens.map(|token| platform.bearer(&token));
    die(&[&machines[0], &machines[1], &owner, &platform.developer()]).await;
    crate::people::felt(
        "a live key",
        async || live_caller.get("/api/banks").await,
        (401, "authentication_failed"),
    )
    .await;
    live(&[&neighbour_caller]).await;
    assert_eq!(
        security
            .get(&format!("/api/organizations/{neighbour}"))
            .await
            .status,
        200
    );
    let audited = events(&platform, seed_organization(&platform), "incident.revoke").await;
    assert_eq!(
        (audited.len(), &audited[0]["actor"]["guid"]),
        (1, &json!(platform.seed.staff.security.guid))
    );
}

#[tokio::test]
async fn leak_8_a_caller_goes_with_the_others_where_it_says_so() {
    let platform = Platform::start().await;
    let (person, victim) = (
        Person::new(&platform, Role::Admin).await,
        platform.bank_key(json!({})).await,
    );
    let keys = json!({"keys": [person.client_id, victim.client_id]});
    revoke(&person.caller, &keys)
        .await
        .assert_error(409, "conflict");
    assert_eq!(
        platform
            .request_token(&victim, platform.anonymous())
            .await
            .status,
        200,
        "nothing was revoked"
    );
    let done = revoke(
        &person.caller,
        &json!({"keys": [person.client_id, victim.client_id], "include_caller": true}),
    )
    .await;
    assert_eq!(
        (
            done.status,
            &done.body["keys_affected"],
            &done.body["includes_caller"]
        ),
        (200, &json!(2), &json!(true))
    );
    platform
        .request_token(&victim, platform.anonymous())
        .await
        .assert_oauth_error(401, "invalid_client");
    crate::people::felt(
        "its own",
        async || person.caller.get("/api/banks").await,
        (401, "authentication_failed"),
    )
    .await;
    let owner = platform.owner();
    let all = json!({"whole_organization": true, "include_caller": true});
    assert_eq!(revoke(&owner, &all).await.status, 200);
    die(&[&owner, &platform.viewer()]).await;
}
