//! POST /api/users: roles, the invitation, invalid bodies and repeated requests.

use std::collections::BTreeMap;

use local::services::Options;
use serde_json::{Value, json};
use tests::Platform;

use super::{PATH, item};
use crate::{
    management_keys::seed_organization,
    organization_snapshot::{organization_snapshot, text, without},
    people::{events, post_once},
};

#[tokio::test]
async fn cyb_11_201_for_a_viewer_unless_it_says_otherwise() {
    let platform = Platform::start().await;
    let owner = platform.owner();
    let made = owner.post(PATH, &json!({"email": "Ada@Example.com"})).await;
    assert_eq!(made.status, 201, "{made:?}");
    assert_eq!(
        without(&made.body, &["guid", "created_at", "updated_at"]),
        json!({
            "username": "ada@example.com",
            "email": "ada@example.com",
            "role": "viewer",
            "state": "active",
            "allowed_scopes": null,
            "invite_url": null,
        })
    );
    assert_eq!(made.body["created_at"], made.body["updated_at"]);
    assert_eq!(owner.get(&item(&made.body)).await.body, made.body);
    let narrowed = json!({
        "email": "bob@example.com",
        "role": "developer",
        "allowed_scopes": ["banks:read", "accounts:read"],
    });
    let narrowed = owner.post(PATH, &narrowed).await;
    assert_eq!(narrowed.status, 201, "{narrowed:?}");
    assert_eq!(
        narrowed.body["allowed_scopes"],
        json!(["accounts:read", "banks:read"])
    );
    assert_eq!(narrowed.body["role"], "developer");
    let unsaid = owner
        .post(
            PATH,
            &json!({"email": "eve@example.com", "allowed_scopes": null}),
        )
        .await;
    assert_eq!(
        (unsaid.status, &unsaid.body["allowed_scopes"]),
        (201, &Value::Null),
        "{unsaid:?}"
    );
    let created = events(&platform, seed_organization(&platform), "user.create").await;
    assert_eq!(created.last().unwrap()["target"], unsaid.body["guid"]);
    assert_eq!(created.last().unwrap()["actor"]["type"], "user");
}

#[tokio::test]
async fn an_invitation_leads_to_the_portal_in_the_201_alone() {
    let parameters = BTreeMap::from([(
        "PortalUrl".to_owned(),
        "https://portal.example.com/".to_owned(),
    )]);
    let platform = Platform::with(Options {
        parameters,
        ..Options::default()
    })
    .await;
    let owner = platform.owner();
    let body = json!({"email": "ada@example.com"});
    let made = post_once(&owner, PATH, "one", &body).await;
    let url = text(&made.body, "invite_url");
    assert_eq!(
        url,
        format!(
            "https://portal.example.com/invitations/{}",
            text(&made.body, "guid")
        )
    );
    assert_eq!(
        owner.get(&item(&made.body)).await.body["invite_url"],
        Value::Null
    );
    assert_eq!(
        post_once(&owner, PATH, "one", &body).await.body["invite_url"],
        json!(url),
        "it is the answer to the creation"
    );
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
    assert_eq!(
        (&made.body["username"], &made.body["email"]),
        (&made.body["guid"], &json!(longer))
    );
}

#[tokio::test]
async fn cyb_11_422_for_a_body_that_makes_no_user_and_nothing_changes() {
    let platform = Platform::start().await;
    let (owner, organization) = (platform.owner(), platform.organization().await);
    let victim = owner
        .post(PATH, &json!({"email": "ada@example.com"}))
        .await
        .body;
    let before = (
        organization_snapshot(&platform, &organization, seed_organization(&platform)).await,
        owner.get(PATH).await.body,
    );
    for (members, field, words) in invalid_members() {
        let mut body = json!({"email": "bob@example.com"});
        body.as_object_mut()
            .unwrap()
            .extend(members.as_object().unwrap().clone());
        owner.post(PATH, &body).await.assert_field(field, words);
        if members.get("email").is_none() {
            owner
                .patch(&item(&victim), &members)
                .await
                .assert_field(field, words);
        }
    }
    owner
        .post(PATH, &json!({}))
        .await
        .assert_field("email", "is required");
    owner
        .patch(&item(&victim), &json!({"email": "new@example.com"}))
        .await
        .assert_field("email", "is not a member");
    let several = json!({"email": "x", "role": "x", "allowed_scopes": ["x"]});
    let answer = owner.post(PATH, &several).await;
    assert_eq!(
        answer.body["errors"].as_array().unwrap().len(),
        3,
        "{answer:?}"
    );
    assert_eq!(
        (
            organization_snapshot(&platform, &organization, seed_organization(&platform)).await,
            owner.get(PATH).await.body
        ),
        before
    );
}

/// Invalid members of a user, the field that is refused, and words of the refusal.
fn invalid_members() -> Vec<(Value, &'static str, &'static str)> {
    vec![
        (
            json!({"email": "nobody"}),
            "email",
            "is not an email address",
        ),
        (json!({"email": 7}), "email", "must be a string"),
        (
            json!({"role": "root"}),
            "role",
            "must be owner, admin, developer or viewer",
        ),
        (json!({"role": "support"}), "role", "platform staff"),
        (json!({"role": null}), "role", "must be"),
        (
            json!({"allowed_scopes": []}),
            "allowed_scopes",
            "at least one scope",
        ),
        (
            json!({"allowed_scopes": "banks:read"}),
            "allowed_scopes",
            "must be",
        ),
        (
            json!({"allowed_scopes": ["banks:read", "banks:read"]}),
            "allowed_scopes[1]",
            "is a duplicate",
        ),
        (
            json!({"allowed_scopes": ["banks:read", "nothing:read"]}),
            "allowed_scopes[1]",
            "is not a scope of the catalogue",
        ),
        (
            json!({"allowed_scopes": ["openid"]}),
            "allowed_scopes[0]",
            "is not a scope",
        ),
        (
            json!({"guid": "0"}),
            "guid",
            "is not a member that this takes",
        ),
        (
            json!({"username": "ada"}),
            "username",
            "is not a member that this takes",
        ),
    ]
}

#[tokio::test]
async fn x_8_a_repeated_creation_answers_with_the_same_user() {
    let platform = Platform::start().await;
    let owner = platform.owner();
    let body = json!({"email": "ada@example.com"});
    let made = post_once(&owner, PATH, "one", &body).await;
    assert_eq!(
        (made.status, made.header("idempotency-replayed")),
        (201, ""),
        "{made:?}"
    );
    let again = post_once(&owner, PATH, "one", &body).await;
    assert_eq!(
        (
            again.status,
            again.header("idempotency-replayed"),
            &again.body
        ),
        (201, "true", &made.body)
    );
    assert_eq!(
        owner
            .patch(&item(&made.body), &json!({"role": "developer"}))
            .await
            .status,
        200
    );
    let now = post_once(&owner, PATH, "one", &body).await;
    assert_eq!(
        (now.status, &now.body["role"]),
        (201, &json!("developer")),
        "as it is now"
    );
    let other = post_once(&owner, PATH, "one", &json!({"email": "bob@example.com"})).await;
    other.assert_error(422, "idempotency_key_reused");
    post_once(&owner, PATH, "two", &body)
        .await
        .assert_error(409, "conflict");
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
