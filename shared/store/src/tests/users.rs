//! Users: one address each, never without an owner; a change counts at once.

use domain::{
    audit::Action,
    authority::Authorized,
    error::{Error, Kind},
    ids::Guid,
    key::Rotation,
    role::Role,
    user::{User, UserState},
};
use serde_json::json;

use super::{
    Scene,
    fixtures::{ORGANIZATION, idempotency, new_for, operator, secret, user},
    table::{Table, stage, stage_with},
};
use crate::{StoreError, UserRow};

async fn change(
    scene: &Scene,
    byte: u8,
    decide: impl Fn(User) -> Result<User, Error>,
) -> Result<User, Error> {
    scene
        .store
        .change_user(
            Guid::from_bytes([byte; 16]),
            Action::UserUpdate,
            &operator(),
            decide,
        )
        .await
}

fn next(user: User) -> User {
    User {
        version: user.version + 1,
        ..user
    }
}

fn as_role(role: Role) -> impl Fn(User) -> Result<User, Error> {
    move |user| {
        Ok(if user.role == role {
            user
        } else {
            User { role, ..next(user) }
        })
    }
}

const fn disabled() -> impl Fn(User) -> Result<User, Error> {
    |user| {
        Ok(if user.is_disabled() {
            user
        } else {
            User {
                state: UserState::Disabled,
                ..next(user)
            }
        })
    }
}

fn owners(table: &Table) -> i64 {
    table.item("L#", "COUNT#owner")["n"].as_i64().unwrap()
}

#[tokio::test]
async fn an_address_is_taken_once_until_its_user_is_disabled() {
    let (scene, table) = stage();
    let store = &scene.store;
    store
        .create_user(&user(1, Role::Viewer), None, &operator())
        .await
        .unwrap();
    let same = User {
        email: user(1, Role::Viewer).email,
        ..user(2, Role::Viewer)
    };
    assert_eq!(
        store.create_user(&same, None, &operator()).await,
        Err(StoreError::Exists)
    );
    assert_eq!(store.user(same.guid).await, Ok(None));
    let elsewhere = User {
        organization: Guid::PLATFORM,
        guid: Guid::from_bytes([3; 16]),
        ..same.clone()
    };
    store
        .create_user(&elsewhere, None, &operator())
        .await
        .unwrap();

    change(&scene, 1, disabled()).await.unwrap();
    store.create_user(&same, None, &operator()).await.unwrap();
    assert_eq!(
        store
            .create_user(
                &User {
                    guid: Guid::from_bytes([4; 16]),
                    ..same
                },
                None,
                &operator()
            )
            .await,
        Err(StoreError::Exists)
    );
    assert!(
        table
            .items("core", "N#")
            .iter()
            .all(|item| !item.to_string().contains("example.com")),
        "the address is hashed"
    );
    // Who was disabled keeps counting.
    let list = format!("L#{ORGANIZATION}");
    assert_eq!(table.item(&list, "COUNT#user")["n"], 2);
}

#[tokio::test]
async fn the_list_tells_roles_and_who_was_disabled() {
    let (scene, _) = stage();
    for (byte, role) in [(1, Role::Owner), (2, Role::Owner), (3, Role::Viewer)] {
        scene
            .store
            .create_user(&user(byte, role), None, &operator())
            .await
            .unwrap();
    }
    change(&scene, 1, as_role(Role::Admin)).await.unwrap();
    change(&scene, 3, disabled()).await.unwrap();
    let row = |byte, role, disabled| UserRow {
        guid: Guid::from_bytes([byte; 16]),
        role,
        disabled,
    };
    let rows = scene.store.user_rows(ORGANIZATION).await.unwrap();
    assert_eq!(
        rows,
        [
            row(1, Role::Admin, false),
            row(2, Role::Owner, false),
            row(3, Role::Viewer, true)
        ]
    );
    assert_eq!(
        scene
            .store
            .users(rows.iter().map(|row| row.guid))
            .await
            .unwrap()
            .len(),
        3
    );
}

#[tokio::test]
async fn the_last_owner_is_neither_disabled_nor_demoted() {
    let (scene, table) = stage();
    scene
        .store
        .create_user(&user(1, Role::Owner), None, &operator())
        .await
        .unwrap();
    for refused in [
        change(&scene, 1, disabled()).await,
        change(&scene, 1, as_role(Role::Admin)).await,
    ] {
        let refused = refused.unwrap_err();
        assert_eq!(refused.kind, Kind::Conflict);
        assert!(refused.message.contains("last owner"), "{refused}");
    }
    scene
        .store
        .create_user(&user(2, Role::Viewer), None, &operator())
        .await
        .unwrap();
    change(&scene, 2, as_role(Role::Owner)).await.unwrap();
    assert_eq!(owners(&table), 2);
    change(&scene, 1, disabled()).await.unwrap();
    assert_eq!(owners(&table), 1);
    // Of a disabled owner the role says nothing any more.
    change(&scene, 1, as_role(Role::Viewer)).await.unwrap();
    assert_eq!(owners(&table), 1);
    assert!(change(&scene, 2, disabled()).await.is_err());
    assert!(
        !scene
            .store
            .user(Guid::from_bytes([2; 16]))
            .await
            .unwrap()
            .unwrap()
            .is_disabled()
    );
}

/// Two owners go at once: between the decision about one and its commit, the other one went.
#[tokio::test]
async fn of_two_owners_that_go_at_once_one_stays() {
    let (scene, table) = stage_with(|table, sent, _| {
        if sent
            .outline()
            .starts_with("Put U USER, Update L user, Update N N")
            && owners(table) == 2
        {
            table.update(json!({
                "Key": {"PK": {"S": format!("L#{ORGANIZATION}")}, "SK": {"S": "COUNT#owner"}},
                "UpdateExpression": "ADD n :less",
                "ExpressionAttributeValues": {":less": {"N": "-1"}},
            }));
        }
        None
    });
    for byte in [1, 2] {
        scene
            .store
            .create_user(&user(byte, Role::Owner), None, &operator())
            .await
            .unwrap();
    }
    assert!(
        change(&scene, 1, disabled())
            .await
            .unwrap_err()
            .message
            .contains("last owner")
    );
    assert_eq!(owners(&table), 1);
}

#[tokio::test]
async fn a_role_is_felt_by_a_refresh_and_a_disabled_user_by_a_revoke() {
    let (scene, table) = stage();
    scene
        .store
        .create_user(&user(1, Role::Viewer), None, &operator())
        .await
        .unwrap();
    change(&scene, 1, as_role(Role::Developer)).await.unwrap();
    assert_eq!(table.feed(), ["refresh user"]);
    change(&scene, 1, as_role(Role::Developer)).await.unwrap();
    assert_eq!(table.feed().len(), 1, "what changes nothing says nothing");
    change(&scene, 1, disabled()).await.unwrap();
    change(&scene, 1, disabled()).await.unwrap();
    assert_eq!(table.feed(), ["refresh user", "revoke user"]);
    let outlines: Vec<_> = scene
        .transactions()
        .iter()
        .map(super::Sent::outline)
        .collect();
    assert_eq!(
        outlines,
        [
            "Put U USER, Put L user, Update L COUNT, Put N N, Put A",
            "Put U USER, Update L user, Put F, Put A",
            "Put U USER, Update L user, Update N N, Put F, Put A",
        ]
    );
}

#[tokio::test]
async fn a_user_that_changed_in_between_is_decided_anew() {
    let (scene, table) = stage_with(|table, sent, _| {
        let first = sent.outline().starts_with("Put U USER, Update L user")
            && table.item("U#", "USER")["version"] == 0;
        if first {
            table.touch("U#", "USER");
        }
        None
    });
    scene
        .store
        .create_user(&user(1, Role::Viewer), None, &operator())
        .await
        .unwrap();
    assert_eq!(
        change(&scene, 1, as_role(Role::Admin))
            .await
            .unwrap()
            .version,
        2
    );
    assert_eq!(table.item("U#", "USER")["role"], "admin");
    assert_eq!(
        change(&scene, 9, disabled()).await.unwrap_err().kind,
        Kind::NotFound
    );
}

/// Of minting a key for a user and raising them, whichever comes second is decided again: the one
/// is a new version of the user, and the other holds only beside the version that it was decided
/// on.
#[tokio::test]
async fn a_secret_for_somebody_else_holds_only_while_its_user_is_as_it_was_read() {
    let (scene, table) = stage();
    let stale = user(1, Role::Viewer);
    let read = User {
        version: 1,
        ..stale.clone()
    };
    scene
        .store
        .create_user(&stale, None, &operator())
        .await
        .unwrap();
    scene
        .store
        .create_key_as_operator(&new_for(&stale, 7), &secret(1), None, &operator())
        .await
        .unwrap();
    assert_eq!(table.item("U#", "USER")["version"], 1);
    let refused = scene
        .store
        .create_key_as_operator(&new_for(&stale, 8), &secret(1), None, &operator())
        .await;
    assert_eq!(refused, Err(StoreError::CallerChanged));
    let idempotency = idempotency("somebody", "one");
    scene
        .store
        .create_key_as_operator(
            &new_for(&read, 8),
            &secret(1),
            Some(&idempotency),
            &operator(),
        )
        .await
        .unwrap();
    let again = scene
        .store
        .create_key_as_operator(
            &new_for(&stale, 9),
            &secret(1),
            Some(&idempotency),
            &operator(),
        )
        .await;
    assert_eq!(
        again,
        Err(StoreError::Replayed),
        "whatever else has changed"
    );
    let id = new_for(&stale, 7).key().client_id;
    let rotate = |key: Authorized<'_>| key.rotate(secret(2).id, Rotation::Replace);
    drop(scene.transactions());
    let refused = scene
        .store
        .rotate_for(&stale, id, &secret(2), rotate)
        .await
        .unwrap_err();
    assert_eq!(
        (refused.kind, scene.transactions().len()),
        (Kind::TemporarilyUnavailable, 1),
        "not tried again in vain"
    );
    let read = scene.store.user(stale.guid).await.unwrap().unwrap();
    scene
        .store
        .rotate_for(&read, id, &secret(2), rotate)
        .await
        .unwrap();
    let sent = scene.transactions();
    assert_eq!(
        sent[0].outline(),
        "Put K KEY, Put K SECRET, Update U USER, Update K SECRET, Put F, Put A"
    );
    assert_eq!(
        scene.store.user(stale.guid).await.unwrap().unwrap(),
        User {
            version: 3,
            ..stale
        }
    );
}
