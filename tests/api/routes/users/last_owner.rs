//! An organization keeps an owner, whatever races.

use domain::role::Role;
use serde_json::json;
use tests::{Answer, Platform};

use super::PATH;
use crate::{
    management_keys::seed_organization,
    organization_snapshot::{column, organization_snapshot},
    people::Person,
};

#[tokio::test]
async fn leak_9_409_when_the_last_owner_would_go() {
    let platform = Platform::start().await;
    let (owner, organization) = (platform.owner(), platform.organization().await);
    let path = format!("{PATH}/{}", platform.seed.users.owner.guid);
    let before = (
        organization_snapshot(&platform, &organization, seed_organization(&platform)).await,
        owner.get(PATH).await.body,
    );
    for answer in [
        owner.patch(&path, &json!({"role": "admin"})).await,
        owner
            .patch(
                &path,
                &json!({"role": "viewer", "allowed_scopes": ["users:read"]}),
            )
            .await,
        owner.delete(&path).await,
    ] {
        answer.assert_error(409, "conflict");
        assert!(
            answer.body["message"]
                .as_str()
                .unwrap()
                .contains("last owner"),
            "{answer:?}"
        );
    }
    assert_eq!(
        (
            organization_snapshot(&platform, &organization, seed_organization(&platform)).await,
            owner.get(PATH).await.body
        ),
        before
    );
    let other = Person::new(&platform, Role::Owner).await;
    assert_eq!(
        owner.patch(&path, &json!({"role": "admin"})).await.status,
        200,
        "there is another one"
    );
    other
        .caller
        .delete(&other.path())
        .await
        .assert_error(409, "conflict");
    assert_eq!(
        other
            .caller
            .patch(&path, &json!({"role": "owner"}))
            .await
            .status,
        200
    );
    assert_eq!(other.caller.delete(&other.path()).await.status, 204);
    owner.delete(&path).await.assert_error(409, "conflict");
}

/// Two owners go, or send each other, at the same moment: one of them stays.
#[tokio::test]
async fn leak_9_one_owner_stays_however_two_of_them_race() {
    let platform = Platform::start().await;
    let mut staying = Person::new(&platform, Role::Owner).await;
    let first = format!("{PATH}/{}", platform.seed.users.owner.guid);
    assert_eq!(staying.caller.delete(&first).await.status, 204);
    for round in 0..8 {
        let other = Person::new(&platform, Role::Owner).await;
        let (one, two) = (&staying, &other);
        // Each themselves, or each the other.
        let (ones, twos) = if round % 2 == 0 {
            (one.path(), two.path())
        } else {
            (two.path(), one.path())
        };
        let demotion = json!({"role": "developer"});
        let (a, b) = if round % 4 < 2 {
            tokio::join!(one.caller.delete(&ones), two.caller.delete(&twos))
        } else {
            tokio::join!(
                one.caller.patch(&ones, &demotion),
                two.caller.patch(&twos, &demotion)
            )
        };
        let done = |answer: &Answer| matches!(answer.status, 200 | 204);
        for answer in [&a, &b] {
            assert!(
                done(answer) || matches!(answer.status, 401 | 403 | 409 | 503),
                "round {round}: {answer:?}"
            );
        }
        assert!(
            done(&a) != done(&b),
            "round {round}: one of them went: {a:?} {b:?}"
        );
        // The one that did not go is an owner still, and says so.
        staying = if done(&a) == (round % 2 == 0) {
            other
        } else {
            staying
        };
        let owners = staying
            .caller
            .get(&format!("{PATH}?role=owner&state=active"))
            .await;
        assert_eq!(
            column(&owners, "guid"),
            [staying.guid.clone()],
            "round {round}"
        );
    }
}
