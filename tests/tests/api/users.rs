//! `/api/users`: the people of an organization, in the shape of the vendor's client.

mod conferral;
mod felt;
mod last_owner;
mod raised;

use std::{collections::BTreeMap, time::Duration};

use domain::{kind::Kind, role::Role};
use local::services::Options;
use reqwest::Method;
use serde_json::{Value, json};
use tests::Platform;

use crate::{
    estate::{appearance, column, estate, text, without},
    minted::{seed_bank_key, seed_organization},
    people::{Person, events, post_once},
};

const PATH: &str = "/api/users";

fn item(user: &Value) -> String {
    format!("{PATH}/{}", text(user, "guid"))
}

#[tokio::test]
async fn cyb_11_201_for_a_viewer_unless_it_says_otherwise() {
    let platform = Platform::start().await;
    let owner = platform.owner();
    let made = owner.post(PATH, &json!({"email": "Ada@Example.com"})).await;
    assert_eq!(made.status, 201, "{made:?}");
    assert_eq!(
        without(&made.body, &["guid", "created_at", "updated_at"]),
        json!({"username": "ada@example.com", "email": "ada@example.com", "role": "viewer", "state": "active",
            "allowed_scopes": null, "invite_url": null})
    );
    assert_eq!(made.body["created_at"], made.body["updated_at"]);
    assert_eq!(owner.get(&item(&made.body)).await.body, made.body);
    let narrowed = json!({"email": "bob@example.com", "role": "developer", "allowed_scopes": ["banks:read", "accounts:read"]});
    let narrowed = owner.post(PATH, &narrowed).await;
    assert_eq!(narrowed.status, 201, "{narrowed:?}");
    assert_eq!(narrowed.body["allowed_scopes"], json!(["accounts:read", "banks:read"]));
    assert_eq!(narrowed.body["role"], "developer");
    let unsaid = owner.post(PATH, &json!({"email": "eve@example.com", "allowed_scopes": null})).await;
    assert_eq!((unsaid.status, &unsaid.body["allowed_scopes"]), (201, &Value::Null), "{unsaid:?}");
    let created = events(&platform, seed_organization(&platform), "user.create").await;
    assert_eq!(created.last().unwrap()["target"], unsaid.body["guid"]);
    assert_eq!(created.last().unwrap()["actor"]["type"], "user");
}

#[tokio::test]
async fn an_invitation_leads_to_the_portal_in_the_201_alone() {
    let parameters = BTreeMap::from([("PortalUrl".to_owned(), "https://portal.example.com/".to_owned())]);
    let platform = Platform::with(Options { parameters, ..Options::default() }).await;
    let owner = platform.owner();
    let body = json!({"email": "ada@example.com"});
    let made = post_once(&owner, PATH, "one", &body).await;
    let url = text(&made.body, "invite_url");
    assert_eq!(url, format!("https://portal.example.com/invitations/{}", text(&made.body, "guid")));
    assert_eq!(owner.get(&item(&made.body)).await.body["invite_url"], Value::Null);
    assert_eq!(post_once(&owner, PATH, "one", &body).await.body["invite_url"], json!(url), "it is the answer to the creation");
}

#[tokio::test]
async fn a_username_has_at_most_the_128_characters_that_clients_take() {
    let platform = Platform::start().await;
    let owner = platform.owner();
    let domain = format!("{}.{}.com", "a".repeat(60), "b".repeat(60));
    let longest = format!("x@{domain}");
    assert_eq!(longest.len(), 127);
    let made = owner.post(PATH, &json!({"email": longest})).await;
    assert_eq!(made.body["username"], json!(longest));
    let longer = format!("xyz@{domain}");
    let made = owner.post(PATH, &json!({"email": longer})).await;
    assert_eq!((&made.body["username"], &made.body["email"]), (&made.body["guid"], &json!(longer)));
}

#[tokio::test]
async fn cyb_11_422_for_a_body_that_makes_no_user_and_nothing_changes() {
    let platform = Platform::start().await;
    let (owner, organization) = (platform.owner(), platform.organization().await);
    let victim = owner.post(PATH, &json!({"email": "ada@example.com"})).await.body;
    let before = (estate(&platform, &organization, seed_organization(&platform)).await, owner.get(PATH).await.body);
    for (members, field, words) in [
        (json!({"email": "nobody"}), "email", "is not an email address"),
        (json!({"email": 7}), "email", "must be a string"),
        (json!({"role": "root"}), "role", "must be owner, admin, developer or viewer"),
        (json!({"role": "support"}), "role", "platform staff"),
        (json!({"role": null}), "role", "must be"),
        (json!({"allowed_scopes": []}), "allowed_scopes", "at least one scope"),
        (json!({"allowed_scopes": "banks:read"}), "allowed_scopes", "must be"),
        (json!({"allowed_scopes": ["banks:read", "banks:read"]}), "allowed_scopes[1]", "is a duplicate"),
        (json!({"allowed_scopes": ["banks:read", "nothing:read"]}), "allowed_scopes[1]", "is not a scope of the catalogue"),
        (json!({"allowed_scopes": ["openid"]}), "allowed_scopes[0]", "is not a scope"),
        (json!({"guid": "0"}), "guid", "is not a member that this takes"),
        (json!({"username": "ada"}), "username", "is not a member that this takes"),
    ] {
        let mut body = json!({"email": "bob@example.com"});
        body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        owner.post(PATH, &body).await.assert_field(field, words);
        if members.get("email").is_none() {
            owner.patch(&item(&victim), &members).await.assert_field(field, words);
        }
    }
    owner.post(PATH, &json!({})).await.assert_field("email", "is required");
    owner.patch(&item(&victim), &json!({"email": "new@example.com"})).await.assert_field("email", "is not a member");
    let several = json!({"email": "x", "role": "x", "allowed_scopes": ["x"]});
    let answer = owner.post(PATH, &several).await;
    assert_eq!(answer.body["errors"].as_array().unwrap().len(), 3, "{answer:?}");
    assert_eq!((estate(&platform, &organization, seed_organization(&platform)).await, owner.get(PATH).await.body), before);
}

#[tokio::test]
async fn leak_9_a_disabled_user_is_still_there_and_their_address_is_free_again() {
    let platform = Platform::start().await;
    let owner = platform.owner();
    let body = json!({"email": "ada@example.com"});
    let made = owner.post(PATH, &body).await.body;
    owner.post(PATH, &json!({"email": "ADA@example.com"})).await.assert_error(409, "conflict");
    for _ in 0..2 {
        let gone = owner.delete(&item(&made)).await;
        assert_eq!((gone.status, gone.text.as_str()), (204, ""), "{gone:?}");
    }
    let shown = owner.get(&item(&made)).await;
    assert_eq!((shown.status, &shown.body["state"]), (200, &json!("disabled")));
    let before = owner.get(PATH).await.body;
    for patch in [json!({}), json!({"role": "developer"}), json!({"allowed_scopes": null})] {
        owner.patch(&item(&made), &patch).await.assert_error(409, "conflict");
    }
    assert_eq!(owner.get(PATH).await.body, before);
    let again = owner.post(PATH, &body).await;
    assert_eq!(again.status, 201, "{again:?}");
    assert_ne!(again.body["guid"], made["guid"]);
    assert_eq!(owner.delete(&item(&made)).await.status, 204, "of the former one, whose address another one has by now");
    owner.post(PATH, &body).await.assert_error(409, "conflict");
    let disabled = events(&platform, seed_organization(&platform), "user.disable").await;
    assert_eq!(disabled.len(), 1, "{disabled:?}");
    assert_eq!(disabled[0]["changes"]["state"], "disabled");
}

#[tokio::test]
async fn cbm_1_a_patch_changes_what_it_names_and_null_clears() {
    let platform = Platform::start().await;
    platform.stop_clock();
    let owner = platform.owner();
    let made = owner.post(PATH, &json!({"email": "ada@example.com", "allowed_scopes": ["banks:read"]})).await.body;
    let patch = async |body: Value| {
        platform.advance(Duration::from_millis(1));
        owner.patch(&item(&made), &body).await
    };
    for nothing in [json!({}), json!({"role": "viewer"}), json!({"allowed_scopes": ["banks:read"]})] {
        let answer = patch(nothing).await;
        assert_eq!((answer.status, &answer.body), (200, &made), "what changes nothing is no update");
    }
    let developer = patch(json!({"role": "developer"})).await;
    assert_eq!((&developer.body["role"], &developer.body["allowed_scopes"]), (&json!("developer"), &json!(["banks:read"])));
    assert!(text(&developer.body, "updated_at") > text(&made, "updated_at"));
    let wider = patch(json!({"allowed_scopes": ["banks:read", "users:read"]})).await;
    assert_eq!((&wider.body["role"], &wider.body["allowed_scopes"]), (&json!("developer"), &json!(["banks:read", "users:read"])));
    let whole = patch(json!({"allowed_scopes": null})).await;
    assert_eq!((whole.status, &whole.body["allowed_scopes"]), (200, &Value::Null), "{whole:?}");
    assert_eq!(owner.get(&item(&made)).await.body, whole.body);
    let updates = events(&platform, seed_organization(&platform), "user.update").await;
    let changes: Vec<_> = updates.iter().map(|event| event["changes"].clone()).collect();
    assert_eq!(
        changes,
        [json!({"role": "developer"}), json!({"allowed_scopes": ["banks:read", "users:read"]}), json!({"allowed_scopes": null})]
    );
}

#[tokio::test]
async fn cyb_11_users_are_listed_in_order_filtered_and_paged() {
    let platform = Platform::start().await;
    let owner = platform.owner();
    let seeded = column(&owner.get(PATH).await, "email");
    assert_eq!(seeded, ["owner@demo.example", "developer@demo.example", "viewer@demo.example"]);
    let mut guids = Vec::new();
    for (name, role) in [("a", "viewer"), ("b", "admin"), ("c", "viewer"), ("d", "developer")] {
        let made = owner.post(PATH, &json!({"email": format!("{name}@example.com"), "role": role})).await;
        guids.push(text(&made.body, "guid"));
    }
    assert_eq!(owner.delete(&format!("{PATH}/{}", guids[2])).await.status, 204);
    let whole = owner.get(PATH).await;
    assert_eq!((&whole.body["total"], &whole.body["page"], &whole.body["per_page"]), (&json!(7), &json!(0), &json!(10)));
    assert_eq!(column(&whole, "guid")[3..], guids);
    let page = owner.get(&format!("{PATH}?page=1&per_page=4")).await;
    assert_eq!((&page.body["total"], column(&page, "guid")), (&json!(7), guids[1..].to_vec()));
    for (query, expected) in [
        ("role=admin".to_owned(), vec![&guids[1]]),
        ("state=disabled".to_owned(), vec![&guids[2]]),
        (format!("guid={}", guids[3]), vec![&guids[3]]),
        (format!("guid={},{}", guids[3], guids[0]), vec![&guids[0], &guids[3]]),
        (format!("guid={},{}&state=active", guids[2], guids[0]), vec![&guids[0]]),
        (format!("guid={}", "1".repeat(32)), vec![]),
    ] {
        let list = owner.get(&format!("{PATH}?{query}")).await;
        assert_eq!(column(&list, "guid").iter().collect::<Vec<_>>(), expected, "{query}");
        assert_eq!(list.body["total"], expected.len(), "{query}");
    }
    let many = vec!["1".repeat(32); 101].join(",");
    for (query, field, words) in [
        ("guid=nonsense", "guid", "must be identifiers"),
        ("guid=", "guid", "must be identifiers"),
        (&*format!("guid={many}"), "guid", "at most 100"),
        ("role=root", "role", "is not a role"),
        ("state=gone", "state", "must be active or disabled"),
        ("email=a@example.com", "email", "is not a parameter"),
        (&*format!("organization_guid={}", platform.seed.organization.guid), "organization_guid", "platform staff"),
    ] {
        owner.get(&format!("{PATH}?{query}")).await.assert_field(field, words);
    }
}

#[tokio::test]
async fn not_found_for_whoever_is_of_another_organization_or_of_the_platform() {
    let platform = Platform::start().await;
    let (neighbour, ..) = platform.neighbour().await;
    let foreign = platform.founder().user(neighbour, "ada@example.com", Role::Viewer, None).await.unwrap();
    let own = Person::new(&platform, Role::Viewer).await;
    let (owner, machine) = (platform.owner(), platform.organization().await);
    let staff =
        text(&platform.security().get(&format!("{PATH}?organization_guid={}", "0".repeat(32))).await.body["objects"][0], "guid");
    for caller in [&owner, &machine] {
        let nothing = caller.get(&format!("{PATH}/{}", "1".repeat(32))).await;
        nothing.assert_error(404, "not_found");
        for guid in [foreign.guid.to_string(), staff.clone(), own.client_id.clone(), "x".to_owned()] {
            let path = format!("{PATH}/{guid}");
            for method in [Method::GET, Method::PATCH, Method::DELETE] {
                let request = caller.request(method.clone(), &path);
                let request = if method == Method::PATCH { request.json(&json!({"role": "viewer"})) } else { request };
                let answer = tests::Answer::of(request).await;
                assert_eq!(appearance(&answer), appearance(&nothing), "{method} {path}");
            }
        }
    }
    assert_eq!(owner.get(&own.path()).await.status, 200);
}

#[tokio::test]
async fn leak_3_support_and_security_read_users_of_any_customer_and_operations_none() {
    let platform = Platform::start().await;
    let organization = &platform.seed.organization.guid;
    let user = &platform.seed.users.viewer.guid;
    for staff in [platform.support(), platform.security()] {
        let list = staff.get(&format!("{PATH}?organization_guid={organization}")).await;
        assert_eq!(column(&list, "email").len(), 3);
        assert_eq!(staff.get(&format!("{PATH}/{user}")).await.status, 200);
        staff.get(PATH).await.assert_field("organization_guid", "is required of platform staff");
        staff.get(&format!("{PATH}?organization_guid=x")).await.assert_field("organization_guid", "must be");
        staff.get(&format!("{PATH}?organization_guid={}", "1".repeat(32))).await.assert_error(404, "not_found");
        staff.post(PATH, &json!({"email": "ada@example.com"})).await.assert_error(403, "forbidden");
        staff.patch(&format!("{PATH}/{user}"), &json!({"role": "owner"})).await.assert_error(403, "forbidden");
        staff.delete(&format!("{PATH}/{user}")).await.assert_error(403, "forbidden");
    }
    let (operations, platform_guid) = (platform.operations(), "0".repeat(32));
    operations.get(&format!("{PATH}?organization_guid={organization}")).await.assert_error(403, "forbidden");
    operations.get(&format!("{PATH}/{user}")).await.assert_error(403, "forbidden");
    let own = format!("{PATH}?organization_guid={platform_guid}");
    platform.support().get(&own).await.assert_error(404, "not_found");
    assert_eq!(column(&platform.security().get(&own).await, "role"), ["support", "security", "operations"]);
}

#[tokio::test]
async fn x_8_a_repeated_creation_answers_with_the_same_user() {
    let platform = Platform::start().await;
    let owner = platform.owner();
    let body = json!({"email": "ada@example.com"});
    let made = post_once(&owner, PATH, "one", &body).await;
    assert_eq!((made.status, made.header("idempotency-replayed")), (201, ""), "{made:?}");
    let again = post_once(&owner, PATH, "one", &body).await;
    assert_eq!((again.status, again.header("idempotency-replayed"), &again.body), (201, "true", &made.body));
    assert_eq!(owner.patch(&item(&made.body), &json!({"role": "developer"})).await.status, 200);
    let now = post_once(&owner, PATH, "one", &body).await;
    assert_eq!((now.status, &now.body["role"]), (201, &json!("developer")), "as it is now");
    let other = post_once(&owner, PATH, "one", &json!({"email": "bob@example.com"})).await;
    other.assert_error(422, "idempotency_key_reused");
    post_once(&owner, PATH, "two", &body).await.assert_error(409, "conflict");
    assert_eq!(owner.get(PATH).await.body["total"], 4);
    let racers = (0..6).map(|_| {
        let (owner, body) = (owner.clone(), json!({"email": "race@example.com"}));
        tokio::spawn(async move { post_once(&owner, PATH, "three", &body).await })
    });
    let mut guids = Vec::new();
    for racer in racers.collect::<Vec<_>>() {
        let answer = racer.await.unwrap();
        assert_eq!(answer.status, 201, "{answer:?}");
        guids.push(text(&answer.body, "guid"));
    }
    guids.dedup();
    assert_eq!(guids.len(), 1, "one user, whoever came first: {guids:?}");
    assert_eq!(owner.get(PATH).await.body["total"], 5);
}

#[tokio::test]
async fn cyb_11_a_machine_needs_users_scopes_and_a_banks_has_none() {
    let platform = Platform::start().await;
    let made = platform.organization().await.post(PATH, &json!({"email": "ada@example.com"})).await;
    assert_eq!(made.status, 201, "{made:?}");
    let readers = crate::minted::seed_organization_key(&platform, Kind::Sandbox, "users:read").await;
    let reader = platform.bearer(&platform.token(&readers).await);
    assert_eq!(reader.get(PATH).await.status, 200);
    assert_eq!(reader.get(&item(&made.body)).await.status, 200);
    for answer in [
        reader.post(PATH, &json!({"email": "bob@example.com"})).await,
        reader.patch(&item(&made.body), &json!({"role": "viewer"})).await,
        reader.delete(&item(&made.body)).await,
        platform.bank().await.get(PATH).await,
        platform.bank().await.post(PATH, &json!({"email": "bob@example.com"})).await,
    ] {
        answer.assert_error(403, "insufficient_scope");
    }
    // A catalogue that a deployment replaces might let banks hold them.
    let odd = seed_bank_key(&platform, "users:read users:write users:execute").await;
    let odd = platform.bearer(&platform.token(&odd).await);
    for answer in [
        odd.get(PATH).await,
        odd.get(&item(&made.body)).await,
        odd.post(PATH, &json!({"email": "bob@example.com"})).await,
        odd.patch(&item(&made.body), &json!({"role": "viewer"})).await,
        odd.delete(&item(&made.body)).await,
    ] {
        answer.assert_error(403, "forbidden");
    }
}
