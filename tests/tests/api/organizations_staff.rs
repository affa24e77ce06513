//! `/api/organizations` in the hands of platform staff, and what an organization's owners decide.

use std::time::Duration;

use domain::{ids::Guid, kind::Kind, role::Role};
use serde_json::{Value, json};
use tests::{Platform, platform::credentials};

use crate::{
    estate::{appearance, column, estate, text, without},
    minted::{guid, seed_organization, seed_organization_key},
    people::{Person, events, felt, post_once},
};

const PATH: &str = "/api/organizations";

fn item(organization: &Value) -> String {
    format!("{PATH}/{}", text(organization, "guid"))
}

#[tokio::test]
async fn cyb_1_operations_onboard_an_organization_with_its_first_owner() {
    let platform = Platform::start().await;
    let operations = platform.operations();
    let made = operations.post(PATH, &json!({"name": "Newcomer", "owner_email": "ada@example.com"})).await;
    assert_eq!(made.status, 201, "{made:?}");
    assert_eq!(
        without(&made.body, &["guid", "created_at", "updated_at", "owner"]),
        json!({"name": "Newcomer", "plan": "starter", "plan_change": null, "kyb": "pending", "suspended": false,
            "max_key_age_days": null})
    );
    let owner = &made.body["owner"];
    assert_eq!(
        (&owner["email"], &owner["role"], &owner["state"]),
        (&json!("ada@example.com"), &json!("owner"), &json!("active"))
    );
    assert_eq!(operations.get(&item(&made.body)).await.body, without(&made.body, &["owner"]));
    let organization = guid(&text(&made.body, "guid"));
    let user = platform.stack.services().store().unwrap().user(guid(&text(owner, "guid"))).await.unwrap().unwrap();
    assert_eq!(user.organization, organization);
    // CYB-1: then a bank, then the first key pair, with an allowlist.
    assert_eq!(operations.put(&format!("{}/plan", item(&made.body)), &json!({"plan": "pro"})).await.status, 200);
    let secret = platform.founder().personal_key(&user, Kind::Sandbox, "first").await.unwrap().client_secret;
    let ada = platform.bearer(&secret);
    let bank = ada.post("/api/banks", &json!({"name": "First", "environment": "sandbox"})).await;
    assert_eq!(bank.status, 201, "{bank:?}");
    let key = json!({"name": "First", "bank_guid": bank.body["guid"], "ip_allowlist": [tests::platform::ALLOWED]});
    let key = ada.post("/api/bank_applications", &key).await;
    assert_eq!(key.status, 201, "{key:?}");
    let token = platform.request_token(&credentials(&key.body), platform.anonymous().from(tests::platform::ALLOWED)).await;
    assert_eq!(token.status, 200, "{token:?}");
    let made_by = events(&platform, organization, "organization.create").await;
    assert_eq!((made_by.len(), &made_by[0]["actor"]["guid"]), (1, &json!(platform.seed.staff.operations.guid)));
    assert_eq!(events(&platform, organization, "user.create").await.len(), 1);
}

#[tokio::test]
async fn cyb_1_without_an_address_there_is_no_owner_and_a_bad_body_makes_nothing() {
    let platform = Platform::start().await;
    let operations = platform.operations();
    let made = operations.post(PATH, &json!({"name": "Ownerless"})).await;
    assert_eq!((made.status, made.body.get("owner")), (201, None), "{made:?}");
    let before = operations.get(PATH).await.body;
    for (body, field, words) in [
        (json!({}), "name", "is required"),
        (json!({"name": " "}), "name", "must"),
        (json!({"name": "n", "owner_email": "nobody"}), "owner_email", "is not an email address"),
        (json!({"name": "n", "owner_email": null}), "owner_email", "must be"),
        (json!({"name": "n", "plan": "pro"}), "plan", "is not a member"),
    ] {
        operations.post(PATH, &body).await.assert_field(field, words);
    }
    for caller in
        [platform.owner(), platform.support(), platform.security(), platform.organization().await, platform.bank().await]
    {
        caller.post(PATH, &json!({"name": "n"})).await.assert_error(403, "forbidden");
    }
    assert_eq!(operations.get(PATH).await.body, before);
}

#[tokio::test]
async fn x_8_a_repeated_onboarding_completes_what_was_begun() {
    let platform = Platform::start().await;
    let operations = platform.operations();
    let body = json!({"name": "Newcomer", "owner_email": "ada@example.com"});
    let made = post_once(&operations, PATH, "one", &body).await;
    assert_eq!((made.status, made.header("idempotency-replayed")), (201, ""), "{made:?}");
    let again = post_once(&operations, PATH, "one", &body).await;
    assert_eq!((again.status, again.header("idempotency-replayed"), &again.body), (201, "true", &made.body));
    let renamed = json!({"name": "Other", "owner_email": "ada@example.com"});
    post_once(&operations, PATH, "one", &renamed).await.assert_error(422, "idempotency_key_reused");
    let other = post_once(&operations, PATH, "two", &body).await;
    assert_ne!(other.body["guid"], made.body["guid"]);
    // What was reached of a request that died between its two steps: the organization without its owner.
    let bare = post_once(&operations, PATH, "three", &json!({"name": "Bare"})).await;
    assert_eq!(bare.body.get("owner"), None);
    let half = half_made(&platform, &body).await;
    let completed = post_once(&operations, PATH, "half", &body).await;
    assert_eq!((completed.status, completed.header("idempotency-replayed")), (201, "true"), "{completed:?}");
    assert_eq!((&completed.body["guid"], &completed.body["owner"]["email"]), (&json!(half), &json!("ada@example.com")));
    assert_eq!(post_once(&operations, PATH, "half", &body).await.body, completed.body);
}

/// An organization that stands under the `Idempotency-Key` `half` of this body, and has no owner yet.
async fn half_made(platform: &Platform, body: &Value) -> Guid {
    let services = platform.stack.services();
    let now = (services.edge().clock)();
    let guid = services.edge().entropy.guid();
    let name = domain::organization::Name::parse("Newcomer").unwrap();
    let organization =
        domain::organization::Organization { guid, name, max_key_age_days: None, created_at: now, updated_at: now, version: 0 };
    let once = store::Once {
        principal: platform.seed.staff.operations.guid.clone(),
        key: "half".into(),
        fingerprint: web::idempotency::fingerprint(&reqwest::Method::POST, PATH, body.to_string().as_bytes()),
        target: guid.to_string(),
        ends: now + Duration::from_hours(24),
    };
    let origin = domain::audit::Origin::of(domain::audit::Actor::Operator);
    services.store().unwrap().create_organization(&organization, Some(&once), &origin).await.unwrap();
    guid
}

#[tokio::test]
async fn leak_3_staff_list_every_customer_in_order_and_customers_their_own() {
    let platform = Platform::start().await;
    let (neighbour, ..) = platform.neighbour().await;
    let operations = platform.operations();
    let made = operations.post(PATH, &json!({"name": "Third"})).await;
    let all = [platform.seed.organization.guid.clone(), neighbour.to_string(), text(&made.body, "guid")];
    for staff in [platform.support(), operations] {
        let list = staff.get(PATH).await;
        assert_eq!((&list.body["total"], column(&list, "guid")), (&json!(3), all.to_vec()));
        let page = staff.get(&format!("{PATH}?page=1&per_page=2")).await;
        assert_eq!((&page.body["total"], column(&page, "guid")), (&json!(3), all[2..].to_vec()));
        assert_eq!(staff.get(&format!("{PATH}/{neighbour}")).await.status, 200);
        staff.get(&format!("{PATH}/{}", Guid::PLATFORM)).await.assert_error(404, "not_found");
    }
    let security = platform.security().get(PATH).await;
    assert_eq!(column(&security, "guid").len(), 4, "and the platform's own people: {security:?}");
    assert_eq!(platform.security().get(&format!("{PATH}/{}", Guid::PLATFORM)).await.status, 200);
    for caller in [platform.owner(), platform.viewer(), platform.organization().await] {
        assert_eq!(column(&caller.get(PATH).await, "guid"), all[..1]);
        let nothing = caller.get(&format!("{PATH}/{}", "1".repeat(32))).await;
        nothing.assert_error(404, "not_found");
        for foreign in [neighbour, Guid::PLATFORM] {
            assert_eq!(appearance(&caller.get(&format!("{PATH}/{foreign}")).await), appearance(&nothing));
        }
    }
}

#[tokio::test]
async fn not_found_for_an_owner_who_decides_about_another_organization() {
    let platform = Platform::start().await;
    let (neighbour, ..) = platform.neighbour().await;
    let owner = platform.owner();
    let before = platform.support().get(&format!("{PATH}/{neighbour}")).await.body;
    for guid in [neighbour.to_string(), Guid::PLATFORM.to_string(), "1".repeat(32), "x".into()] {
        let answers = [
            owner.patch(&format!("{PATH}/{guid}"), &json!({"name": "n"})).await,
            owner.put(&format!("{PATH}/{guid}/plan"), &json!({"plan": "enterprise"})).await,
        ];
        for answer in answers {
            answer.assert_error(404, "not_found");
        }
    }
    let operations = platform.operations();
    for guid in [Guid::PLATFORM.to_string(), "1".repeat(32)] {
        let path = format!("{PATH}/{guid}");
        operations.put(&format!("{path}/plan"), &json!({"plan": "starter"})).await.assert_error(404, "not_found");
        operations.put(&format!("{path}/kyb"), &json!({"status": "rejected"})).await.assert_error(404, "not_found");
    }
    assert_eq!(platform.support().get(&format!("{PATH}/{neighbour}")).await.body, before);
}

#[tokio::test]
async fn arz_3_operations_decide_kyb_and_live_keys_wake_and_sleep_within_five_seconds() {
    let platform = Platform::start().await;
    let (live, key) = platform.founder().organization("Live", Kind::Live).await.unwrap();
    let operations = platform.operations();
    let (path, kyb) = (format!("{PATH}/{live}"), format!("{PATH}/{live}/kyb"));
    platform.request_token(&key, platform.anonymous()).await.assert_oauth_error(401, "invalid_client");
    let approved = operations.put(&kyb, &json!({"status": "approved"})).await;
    assert_eq!((approved.status, &approved.body["kyb"]), (200, &json!("approved")), "{approved:?}");
    assert_eq!(operations.get(&path).await.body, approved.body);
    let caller = platform.bearer(&platform.token(&key).await);
    assert_eq!(caller.get(&path).await.status, 200);
    for (status, expected) in
        [("rejected", (401, "authentication_failed")), ("approved", (200, "")), ("pending", (401, "authentication_failed"))]
    {
        assert_eq!(operations.put(&kyb, &json!({"status": status})).await.status, 200);
        felt(status, async || caller.get(&path).await, expected).await;
    }
    let decided = events(&platform, live, "organization.kyb").await;
    let decisions: Vec<_> = decided.iter().map(|event| event["changes"]["kyb"].clone()).collect();
    assert_eq!(decisions, ["approved", "rejected", "approved", "pending"]);
    assert!(decided.iter().all(|event| event["actor"]["guid"] == platform.seed.staff.operations.guid));
}

#[tokio::test]
async fn arz_3_403_for_everybody_else_who_decides_kyb_and_422_for_no_status() {
    let platform = Platform::start().await;
    let (organization, machine) = (&platform.seed.organization.guid, platform.organization().await);
    let path = format!("{PATH}/{organization}/kyb");
    let before = estate(&platform, &machine, seed_organization(&platform)).await;
    for caller in
        [platform.owner(), platform.viewer(), platform.support(), platform.security(), machine.clone(), platform.bank().await]
    {
        caller.put(&path, &json!({"status": "approved"})).await.assert_error(403, "forbidden");
    }
    let operations = platform.operations();
    for (body, field) in [
        (json!({}), "status"),
        (json!({"status": "done"}), "status"),
        (json!({"status": 1}), "status"),
        (json!({"status": null}), "status"),
        (json!({"status": "approved", "reason": "ok"}), "reason"),
    ] {
        operations.put(&path, &body).await.assert_field(field, "");
    }
    assert_eq!(estate(&platform, &machine, seed_organization(&platform)).await, before);
}

#[tokio::test]
async fn leak_10_owners_alone_set_how_old_keys_grow() {
    let platform = Platform::start().await;
    let (owner, machine) = (platform.owner(), platform.organization().await);
    let path = format!("{PATH}/{}", platform.seed.organization.guid);
    let admin = Person::new(&platform, Role::Admin).await.caller;
    let before = estate(&platform, &machine, seed_organization(&platform)).await;
    for caller in [&admin, &machine] {
        for days in [json!(30), Value::Null] {
            caller.patch(&path, &json!({"max_key_age_days": days})).await.assert_error(403, "forbidden");
        }
    }
    for days in [json!(0), json!(3651), json!(-1), json!(1.5), json!("30"), json!(4_294_967_297_u64), json!([30])] {
        owner.patch(&path, &json!({"max_key_age_days": days})).await.assert_field("max_key_age_days", "must be");
    }
    platform.operations().patch(&path, &json!({"name": "n"})).await.assert_error(403, "forbidden");
    platform.developer().patch(&path, &json!({"name": "n"})).await.assert_error(403, "forbidden");
    assert_eq!(estate(&platform, &machine, seed_organization(&platform)).await, before);
    for days in [json!(1), json!(3650), Value::Null] {
        let set = owner.patch(&path, &json!({"max_key_age_days": days})).await;
        assert_eq!((set.status, &set.body["max_key_age_days"]), (200, &days), "{set:?}");
        assert_eq!(owner.get(&path).await.body, set.body);
    }
    assert_eq!(owner.patch(&path, &json!({"max_key_age_days": 90})).await.status, 200);
    let renamed = owner.patch(&path, &json!({"name": "Renamed"})).await;
    assert_eq!((&renamed.body["name"], &renamed.body["max_key_age_days"]), (&json!("Renamed"), &json!(90)));
    let key = json!({"name": "key", "bank_guid": platform.seed.bank.guid});
    let key = owner.post("/api/bank_applications", &key).await;
    assert!(key.body["expires_at"].is_string(), "keys made from then on end: {key:?}");
    let changes: Vec<_> = events(&platform, seed_organization(&platform), "organization.update")
        .await
        .iter()
        .map(|event| event["changes"].clone())
        .collect();
    assert_eq!(
        changes[..3],
        [json!({"max_key_age_days": 1}), json!({"max_key_age_days": 3650}), json!({"max_key_age_days": null})]
    );
}

/// A person's role is read as it is when a change is made, not as the authorizer saw it.
#[tokio::test]
async fn cyb_11_people_change_their_organization_by_role_and_machines_by_scope() {
    let platform = Platform::start().await;
    let path = format!("{PATH}/{}", platform.seed.organization.guid);
    let admin = Person::new(&platform, Role::Admin).await;
    assert_eq!(admin.caller.patch(&path, &json!({"name": "By an admin"})).await.status, 200);
    let write = seed_organization_key(&platform, Kind::Sandbox, "organizations:write").await;
    let write = platform.bearer(&platform.token(&write).await);
    assert_eq!(write.patch(&path, &json!({"name": "By a machine"})).await.status, 200);
    assert_eq!(platform.owner().patch(&admin.path(), &json!({"allowed_scopes": ["organizations:read"]})).await.status, 200);
    admin.caller.patch(&path, &json!({"name": "n"})).await.assert_error(403, "insufficient_scope");
    assert_eq!(platform.owner().patch(&admin.path(), &json!({"role": "viewer", "allowed_scopes": null})).await.status, 200);
    assert_eq!(admin.caller.patch(&path, &json!({"name": "n"})).await.status, 403, "whatever the authorizer knows yet");
    felt("the role", async || admin.caller.patch(&path, &json!({"name": "n"})).await, (403, "forbidden")).await;
    assert_eq!(platform.viewer().get(&path).await.body["name"], "By a machine");
}
