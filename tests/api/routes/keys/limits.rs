//! How many keys there may be (docs/requirements.md, Lists): what is counted, and what makes room.
//! Counts are set by hand: to make so many keys takes minutes.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{key_mode::KeyMode, role::Role};
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Answer, Caller, Platform};

use super::{PATH, Person, item, make, of_bank, of_organization};
use crate::{
    operator::command_line::operator_of,
    organization_snapshot::{column, organization_snapshot, text},
};

/// Sets a count of the seed organization.
async fn count(platform: &Platform, of: &str, number: u32) {
    let services = platform.stack.services();
    let list = format!("L#{}", platform.seed.organization.guid);
    aws_sdk_dynamodb::Client::new(&services.ambient().aws)
        .update_item()
        .table_name(&services.variables("management")["LATCHKEY_CORE_TABLE"])
        .key("PK", AttributeValue::S(list))
        .key("SK", AttributeValue::S(format!("COUNT#{of}")))
        .update_expression("SET n = :n")
        .expression_attribute_values(":n", AttributeValue::N(number.to_string()))
        .send()
        .await
        .unwrap();
}

/// Asserts that a limit is reached, in these words.
#[track_caller]
fn assert_reached(answer: &Answer, words: &str) {
    answer.assert_error(409, "limit_reached");
    assert!(answer.text.contains(words), "{answer:?}");
}

const SANDBOX: &str =
    "The organization may have 10,000 sandbox keys that are not revoked: revoke some";

#[tokio::test]
async fn limit_reached_of_sandbox_keys_stops_no_live_one_and_a_revocation_makes_room() {
    let platform = Platform::start().await;
    let machine = platform.organization().await;
    let live = Person::new(&platform, Role::Owner, KeyMode::Live).await;
    let key = make(&machine, &of_bank(&platform, &json!({}))).await;
    count(&platform, "key#sandbox", 10_000).await;
    let guid = platform.seed.organization.guid.parse().unwrap();
    let before = organization_snapshot(&platform, &machine, guid).await;
    let wanted = of_bank(&platform, &json!({}));
    let paths = [
        (PATH, wanted.clone()),
        (
            "/api/bank_applications",
            json!({"name": "key", "bank_guid": platform.seed.bank.guid}),
        ),
        ("/api/organization_applications", json!({"name": "key"})),
    ];
    for (path, body) in &paths {
        assert_reached(&machine.post(path, body).await, SANDBOX);
    }
    assert_eq!(
        organization_snapshot(&platform, &machine, guid).await,
        before
    );
    make(&live.caller, &of_organization(&platform, &json!({}))).await;

    // Repeated, it makes no more room.
    for _ in 0..2 {
        let revoked = machine.post(&item(&key, "/revoke"), &json!({})).await;
        assert_eq!(revoked.status, 200, "{revoked:?}");
    }
    make(&machine, &wanted).await;
    assert_reached(&machine.post(PATH, &wanted).await, SANDBOX);

    count(&platform, "key#live", 10_000).await;
    assert_reached(
        &live
            .caller
            .post(PATH, &of_organization(&platform, &json!({})))
            .await,
        "The organization may have 10,000 live keys that are not revoked: revoke some",
    );
}

/// Sandbox credentials make sandbox banks, and use up no production ones.
#[tokio::test]
async fn limit_reached_of_sandbox_banks_stops_no_production_one() {
    let platform = Platform::start().await;
    let machine = platform.organization().await;
    let live = Person::new(&platform, Role::Owner, KeyMode::Live).await;
    count(&platform, "bank#sandbox", 10_000).await;
    let of = |environment| json!({"name": "bank", "environment": environment});
    let guid = platform.seed.organization.guid.parse().unwrap();
    let before = organization_snapshot(&platform, &machine, guid).await;
    assert_reached(
        &machine.post("/api/banks", &of("sandbox")).await,
        "An organization has at most 10,000 sandbox banks",
    );
    assert_eq!(
        organization_snapshot(&platform, &machine, guid).await,
        before
    );
    let made = live.caller.post("/api/banks", &of("production")).await;
    assert_eq!(made.status, 201, "{made:?}");
    count(&platform, "bank#live", 10_000).await;
    assert_reached(
        &live.caller.post("/api/banks", &of("production")).await,
        "An organization has at most 10,000 production banks",
    );
}

/// An incident is one write, however many keys it revokes.
#[tokio::test]
async fn leak_8_an_incident_makes_room_for_new_keys() {
    let platform = Platform::start().await;
    let (machine, owner) = (platform.organization().await, platform.owner());
    let keys = [
        make(&machine, &of_bank(&platform, &json!({}))).await,
        make(&machine, &of_bank(&platform, &json!({}))).await,
    ];
    count(&platform, "key#sandbox", 10_000).await;
    let wanted = of_organization(&platform, &json!({}));
    assert_reached(&machine.post(PATH, &wanted).await, SANDBOX);
    let incident = json!({"bank_guid": platform.seed.bank.guid, "reason": "leaked"});
    let answer = owner.post("/api/incidents/revoke", &incident).await;
    // The seed's own key of the bank is the third.
    assert_eq!(answer.body["keys_affected"], 3, "{answer:?}");
    for _ in 0..3 {
        make(&machine, &wanted).await;
    }
    assert_reached(&machine.post(PATH, &wanted).await, SANDBOX);
    let revoked = column(
        &machine.get(&format!("{PATH}?state=revoked")).await,
        "client_id",
    );
    assert!(
        keys.iter()
            .all(|key| revoked.contains(&text(key, "client_id"))),
        "{revoked:?}"
    );
    // Revoked by itself as well, it leaves the count no second time.
    let again = machine.post(&item(&keys[0], "/revoke"), &json!({})).await;
    assert_eq!(again.status, 200, "{again:?}");
    assert_reached(&machine.post(PATH, &wanted).await, SANDBOX);
}

#[tokio::test]
async fn limit_reached_when_a_person_made_1000_keys_that_work_and_others_go_on() {
    let platform = Platform::start().await;
    let machine = platform.organization().await;
    let [person, other] = [
        Person::new(&platform, Role::Developer, KeyMode::Sandbox).await,
        Person::new(&platform, Role::Developer, KeyMode::Sandbox).await,
    ];
    let wanted = of_bank(&platform, &json!({}));
    let key = make(&person.caller, &wanted).await;
    let soon = domain::time::Timestamp::parse(&text(&key, "created_at")).unwrap();
    let ends = json!({"expires_at": (soon + Duration::from_hours(1)).to_string()});
    make(&person.caller, &of_bank(&platform, &ends)).await;
    count(&platform, &format!("made#{}", person.guid()), 1_000).await;
    let words = "You may make 1,000 keys that work: revoke some";
    let refused = async || {
        assert_reached(&person.caller.post(PATH, &wanted).await, words);
        // Their own personal keys are keys that they make.
        let own = super::body("user", &person.guid(), &json!({}));
        assert_reached(&person.caller.post(PATH, &own).await, words);
    };
    refused().await;
    for others in [&other.caller, &machine] {
        make(others, &wanted).await;
    }
    // Whoever revokes it.
    let revoked = machine.post(&item(&key, "/revoke"), &json!({})).await;
    assert_eq!(revoked.status, 200, "{revoked:?}");
    make(&person.caller, &wanted).await;
    refused().await;
    // What is past its end does not work.
    platform.advance(Duration::from_hours(2));
    make(&person.caller, &wanted).await;
    refused().await;
}

#[tokio::test]
async fn of_two_calls_for_the_last_place_one_gets_201_and_one_limit_reached() {
    let platform = Platform::start().await;
    let machine = platform.organization().await;
    let wanted = of_bank(&platform, &json!({}));
    count(&platform, "key#sandbox", 9_999).await;
    let (one, other) = tokio::join!(machine.post(PATH, &wanted), machine.post(PATH, &wanted));
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409], "{one:?} {other:?}");
    assert_reached(&machine.post(PATH, &wanted).await, SANDBOX);
}

#[tokio::test]
async fn a_revoked_key_is_listed_for_90_days_and_then_404() {
    let platform = Platform::start().await;
    platform.stop_clock();
    let owner = platform.owner();
    let key = make(&owner, &of_bank(&platform, &json!({}))).await;
    let listed = async |owner: &Caller| {
        let list = owner.get(&format!("{PATH}?per_page=100")).await;
        assert_eq!(list.status, 200, "{list:?}");
        assert_eq!(
            list.body["total"].as_u64().unwrap(),
            list.body["objects"].as_array().unwrap().len() as u64
        );
        column(&list, "client_id").contains(&text(&key, "client_id"))
    };
    let revoked = owner.post(&item(&key, "/revoke"), &json!({})).await;
    assert_eq!(revoked.status, 200, "{revoked:?}");
    platform.advance(Duration::from_hours(90 * 24) - Duration::from_secs(1));
    assert!(listed(&owner).await);
    let read = owner.get(&item(&key, "")).await;
    assert_eq!((read.status, &read.body["state"]), (200, &json!("revoked")));
    platform.advance(Duration::from_secs(1));
    assert!(!listed(&owner).await);
    for answer in [
        owner.get(&item(&key, "")).await,
        owner.post(&item(&key, "/revoke"), &json!({})).await,
    ] {
        answer.assert_error(404, "not_found");
    }
    // Named once more in an incident, it keeps no other key from being revoked.
    let works = make(&owner, &of_bank(&platform, &json!({}))).await;
    let named = json!({
        "keys": [text(&key, "client_id"), text(&works, "client_id")],
        "reason": "leaked",
    });
    let answer = owner.post("/api/incidents/revoke", &named).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let read = owner.get(&item(&works, "")).await;
    assert_eq!(read.body["state"], "revoked");
    // It is in the audit trail for good.
    let guid = platform.seed.organization.guid.parse().unwrap();
    let store = platform.stack.services().store().unwrap();
    let chain = store.audit_chain(guid).await.unwrap();
    let told =
        |event: &&String| event.contains("key.revoke") && event.contains(&text(&key, "client_id"));
    assert_eq!(chain.events.values().filter(told).count(), 1);
}

/// Whoever repeats a creation learns nothing of a key that has left the list.
#[tokio::test]
async fn x_8_a_retried_create_of_a_key_that_is_listed_no_longer_is_a_404() {
    let platform = Platform::start().await;
    let machine = platform.organization().await;
    let wanted = of_bank(&platform, &json!({}));
    let create = async || {
        let request = machine.request(Method::POST, PATH).json(&wanted);
        Answer::of(request.header("Idempotency-Key", "once")).await
    };
    let made = create().await;
    assert_eq!(made.status, 201, "{made:?}");
    let services = platform.stack.services();
    aws_sdk_dynamodb::Client::new(&services.ambient().aws)
        .update_item()
        .table_name(&services.variables("management")["LATCHKEY_CORE_TABLE"])
        .key(
            "PK",
            AttributeValue::S(format!("K#{}", text(&made.body, "client_id"))),
        )
        .key("SK", AttributeValue::S("KEY".into()))
        .update_expression("SET listed_until = created_at")
        .send()
        .await
        .unwrap();
    create().await.assert_error(404, "not_found");
}

#[tokio::test]
async fn latchkey_limits_shows_counts_again_and_raises() {
    let platform = Platform::start().await;
    let (machine, shell) = (platform.organization().await, operator_of(&platform));
    let person = Person::new(&platform, Role::Developer, KeyMode::Sandbox).await;
    let wanted = of_bank(&platform, &json!({}));
    make(&person.caller, &wanted).await;
    let guid = platform.seed.organization.guid.as_str();
    let limits = async |more: &[&str]| -> Value {
        let words = ["limits", "--deployed", "--organization", guid];
        shell.run(&[&words[..], more].concat()).await.json()
    };
    let shown = limits(&[]).await;
    let there = shown["sandbox"]["keys"].as_u64().unwrap();
    assert_eq!(
        (
            &shown["sandbox"]["max"],
            &shown["live"]["max"],
            &shown["people"]
        ),
        (
            &json!(10_000),
            &json!(10_000),
            &json!([{"guid": person.guid(), "keys": 1, "max": 1_000}])
        )
    );
    count(&platform, "key#sandbox", 10_000).await;
    assert_reached(&machine.post(PATH, &wanted).await, SANDBOX);
    let raised = limits(&["--sandbox-keys", "10001"]).await;
    assert_eq!(raised["sandbox"], json!({"keys": 10_000, "max": 10_001}));
    make(&machine, &wanted).await;
    assert_reached(
        &machine.post(PATH, &wanted).await,
        "The organization may have 10,001 sandbox keys",
    );
    let recounted = limits(&["--recount"]).await;
    assert_eq!(
        (&recounted["sandbox"]["keys"], &recounted["released"]),
        (&json!(there + 1), &json!(0))
    );
    make(&machine, &wanted).await;
    let store = platform.stack.services().store().unwrap();
    let chain = store.audit_chain(guid.parse().unwrap()).await.unwrap();
    let told: Vec<_> = chain
        .events
        .values()
        .filter(|event| event.contains(r#""action":"organization.limits""#))
        .collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(
        told.iter()
            .all(|event| event.contains(r#""actor":{"type":"operator"}"#)),
        "{told:?}"
    );
    let unknown = "0123456789abcdef0123456789abcdef";
    shell
        .run(&["limits", "--deployed", "--organization", unknown])
        .await
        .assert_refused(&["there is no organization 0123456789abcdef"], &shell);
}
