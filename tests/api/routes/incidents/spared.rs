//! One rule for every door (LEAK-8): whom an administrator may not stop one by one, no incident of
//! theirs stops, by guid, as people are at that moment.

use domain::role::Role;
use serde_json::{Value, json};
use tests::{Caller, Platform};

use super::{dry_run, revoke};
use crate::{
    five_second_bound::{die, live},
    organization_snapshot::text,
    people::{Person, felt},
};

const USERS: &str = "/api/users";

async fn set_role(owner: &Caller, person: &Person, role: &str) {
    let changed = owner.patch(&person.path(), &json!({"role": role})).await;
    assert_eq!(changed.status, 200, "{changed:?}");
}

fn spared(answer: &Value) -> Vec<String> {
    let guids = answer["spared_users"].as_array().unwrap().iter();
    guids
        .map(|guid| guid.as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn leak_8_403_for_an_administrators_incident_about_an_owner() {
    let platform = Platform::start().await;
    let admin = Person::new(&platform, Role::Admin).await;
    let owner = Person::new(&platform, Role::Owner).await;
    for members in [
        json!({"user_guid": owner.guid}),
        json!({"keys": [owner.client_id]}),
        json!({"keys": [admin.client_id, owner.client_id], "include_caller": true}),
    ] {
        for dry in [false, true] {
            let mut members = members.clone();
            members["dry_run"] = json!(dry);
            let refused = revoke(&admin.caller, &members).await;
            refused.assert_error(403, "forbidden");
            assert!(refused.text.contains("no say"), "{refused:?}");
        }
    }
    live(&[&admin.caller, &owner.caller]).await;
    let path = format!("/api/keys/{}/revoke", owner.client_id);
    admin
        .caller
        .post(&path, &json!({}))
        .await
        .assert_error(403, "forbidden");
    // Of people who are no higher than they are, they stop the keys.
    let other = Person::new(&platform, Role::Admin).await;
    let done = revoke(&admin.caller, &json!({"user_guid": other.guid})).await;
    assert_eq!(done.status, 200, "{done:?}");
    die(&[&other.caller]).await;
}

#[tokio::test]
async fn leak_8_an_administrators_cohort_spares_owners_and_names_them() {
    let platform = Platform::start().await;
    let admin = Person::new(&platform, Role::Admin).await;
    let owner = Person::new(&platform, Role::Owner).await;
    let other = Person::new(&platform, Role::Admin).await;
    let key = platform.bank_key(json!({})).await;
    let machine = platform.bearer(&platform.token(&key).await);
    let mut owners = vec![owner.guid.clone(), platform.seed.users.owner.guid.clone()];
    owners.sort();
    let whole = json!({"whole_organization": true, "include_caller": true});
    let dry = dry_run(&platform, &admin.caller, &whole).await;
    assert_eq!(spared(&dry), owners);
    let by_owner = dry_run(&platform, &platform.owner(), &whole).await;
    assert!(spared(&by_owner).is_empty(), "an owner spares nobody");

    let done = revoke(&admin.caller, &whole).await;
    assert_eq!((done.status, spared(&done.body)), (200, owners), "{done:?}");
    assert_eq!(done.body["keys_affected"], dry["keys_affected"]);
    die(&[&machine, &admin.caller, &other.caller]).await;
    live(&[&owner.caller, &platform.owner()]).await;
    // As the API shows it, and for who asks for the key itself.
    let shown = platform
        .owner()
        .get(&format!("/api/keys/{}", owner.client_id))
        .await;
    assert_eq!(shown.body["state"], "active", "{shown:?}");
    let all = platform.owner().get(USERS).await;
    assert_eq!(all.status, 200);
}

/// A role changes later, and a revocation is final: who was spared stays so when they are no owner
/// any more, and who was hit is not brought back by a higher role.
#[tokio::test]
async fn leak_8_whom_an_incident_spared_is_told_by_guid_whatever_their_role_becomes() {
    let platform = Platform::start().await;
    let seed_owner = platform.owner();
    let admin = Person::new(&platform, Role::Admin).await;
    let demoted = Person::new(&platform, Role::Owner).await;
    let raised = Person::new(&platform, Role::Admin).await;
    let before = Person::new(&platform, Role::Owner).await;
    // On this side of the incident: an owner no more, and so not spared.
    set_role(&seed_owner, &before, "admin").await;
    let window = json!({"created_from": "2026-01-01T00:00:00Z", "include_caller": true});
    let done = revoke(&admin.caller, &window).await;
    assert_eq!(done.status, 200, "{done:?}");
    let spared = spared(&done.body);
    assert!(
        spared.contains(&demoted.guid)
            && !spared.contains(&before.guid)
            && !spared.contains(&raised.guid),
        "{done:?}"
    );
    // And on that side.
    set_role(&seed_owner, &demoted, "admin").await;
    set_role(&seed_owner, &raised, "owner").await;
    die(&[&raised.caller, &before.caller, &admin.caller]).await;
    felt(
        "who was spared",
        async || demoted.caller.get("/v1/whoami").await,
        (200, ""),
    )
    .await;
    for (person, state) in [
        (&demoted, "active"),
        (&raised, "revoked"),
        (&before, "revoked"),
    ] {
        let shown = seed_owner
            .get(&format!("/api/keys/{}", person.client_id))
            .await;
        assert_eq!(text(&shown.body, "state"), state, "{shown:?}");
    }
}

/// At most fifty are named: the cohort stands in the gate and in the feed.
#[tokio::test]
async fn leak_8_403_where_more_than_fifty_people_would_be_spared() {
    let platform = Platform::start().await;
    let admin = Person::new(&platform, Role::Admin).await;
    let organization = crate::management_keys::seed_organization(&platform);
    // The seed has one owner.
    for number in 0..50 {
        let email = format!("owner{number}@example.com");
        drop(platform.user(organization, &email, Role::Owner).await);
    }
    let whole = json!({"whole_organization": true, "include_caller": true});
    let refused = revoke(&admin.caller, &whole).await;
    refused.assert_error(403, "forbidden");
    assert!(refused.text.contains("an owner must do it"), "{refused:?}");
    live(&[&admin.caller]).await;
    let done = revoke(&platform.owner(), &whole).await;
    assert_eq!(done.status, 200, "{done:?}");
    die(&[&admin.caller]).await;
}
