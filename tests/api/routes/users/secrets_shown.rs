//! A secret that was shown to somebody else than its key's user rests on that person (LEAK-9).

use domain::{key_mode::KeyMode, role::Role};
use serde_json::{Value, json};
use tests::{Caller, Platform};

use super::PATH;
use crate::{
    five_second_bound::{die, live},
    management_keys::seed_organization,
    organization_snapshot::{organization_snapshot, text},
    people::{Person, events},
};

const KEYS: &str = "/api/keys";

/// A key of this owner that somebody makes and is shown the secret of.
async fn made_by(caller: &Caller, owner: &Value) -> Value {
    let made = caller
        .post(KEYS, &json!({"owner": owner, "name": "shown to its maker"}))
        .await;
    assert_eq!(made.status, 201, "{made:?}");
    made.body
}

fn user(guid: &str) -> Value {
    json!({"type": "user", "guid": guid})
}

struct Scene {
    platform: Platform,
    /// Who is shown the secrets.
    admin: Person,
    /// Whose key it is.
    other: Person,
    /// That key: the administrator made it.
    key: Value,
    /// Whoever sends its secret.
    holder: Caller,
}

/// An administrator who made a key for another one and was shown its secret.
async fn scene() -> Scene {
    let platform = Platform::start().await;
    let admin = Person::new(&platform, Role::Admin).await;
    let other = Person::new(&platform, Role::Admin).await;
    let key = made_by(&admin.caller, &user(&other.guid)).await;
    let holder = platform.bearer(&text(&key, "secret"));
    live(&[&holder, &other.caller]).await;
    Scene {
        platform,
        admin,
        other,
        key,
        holder,
    }
}

/// What somebody sees of the newest secret of a key: whom it was shown, and how that ended it.
async fn seen(caller: &Caller, key: &Value) -> (Value, Value) {
    let path = format!("{KEYS}/{}", text(key, "client_id"));
    let secret = caller.get(&path).await.body["secrets"][0].clone();
    (
        secret["minted_by"].clone(),
        secret["ended_by_minter"].clone(),
    )
}

#[tokio::test]
async fn leak_9_whoever_is_disabled_or_narrowed_loses_the_secrets_of_others_within_five_seconds() {
    for (change, reason) in [
        (None, "minter_disabled"),
        (Some(json!({"role": "developer"})), "minter_narrowed"),
        (
            Some(json!({"allowed_scopes": ["banks:read"]})),
            "minter_narrowed",
        ),
    ] {
        let Scene {
            platform,
            admin,
            other,
            key,
            holder,
        } = scene().await;
        let owner = platform.owner();
        let changed = match &change {
            None => owner.delete(&admin.path()).await,
            Some(change) => owner.patch(&admin.path(), change).await,
        };
        assert!([200, 204].contains(&changed.status), "{changed:?}");
        die(&[&holder]).await;
        live(&[&other.caller]).await;
        assert_eq!(
            seen(&owner, &key).await,
            (json!(admin.guid), json!(reason)),
            "{change:?}"
        );
        let action = if change.is_none() {
            "user.disable"
        } else {
            "user.update"
        };
        let event = events(&platform, seed_organization(&platform), action)
            .await
            .pop()
            .unwrap();
        assert_eq!(event["target"], admin.guid);
        assert_eq!(event["changes"]["secrets_shown_end"], reason, "{event}");
        // What they lost does not come back with the role.
        if change.is_some() {
            let again = json!({"role": "admin", "allowed_scopes": null});
            assert_eq!(owner.patch(&admin.path(), &again).await.status, 200);
            die(&[&holder]).await;
        }
        // The key is its user's, who gets another secret.
        let path = format!("{KEYS}/{}/rotate", text(&key, "client_id"));
        let rotated = other.caller.post(&path, &json!({"grace_period": 0})).await;
        assert_eq!(rotated.status, 200, "{rotated:?}");
        live(&[&platform.bearer(&text(&rotated.body, "secret"))]).await;
    }
}

/// Whoever holds the secret cannot be told from its user: what they make by it rests on both.
#[tokio::test]
async fn leak_9_what_is_made_by_a_secret_rests_on_its_user_and_on_whoever_was_shown_it() {
    for leaves in ["who was shown it", "its user"] {
        let Scene {
            platform,
            admin,
            other,
            key,
            holder,
        } = scene().await;
        let owner = platform.owner();
        let third = Person::new(&platform, Role::Admin).await;
        let made = made_by(&holder, &user(&third.guid)).await;
        let bank = json!({"type": "bank", "guid": platform.seed.bank.guid});
        let machine = made_by(&holder, &bank).await;
        for shown in [&made, &machine] {
            let path = format!("{KEYS}/{}", text(shown, "client_id"));
            let secret = owner.get(&path).await.body["secrets"][0].clone();
            assert_eq!(
                (&secret["minted_by"], &secret["known_to"]),
                (&json!(other.guid), &json!(admin.guid))
            );
        }
        // A third one's would rest on three: more than are remembered.
        let by_third = platform.bearer(&text(&made, "secret"));
        let further = json!({"owner": user(&other.guid), "name": "further"});
        assert_eq!(
            by_third.post(KEYS, &further).await.status,
            201,
            "its user is one of them"
        );
        let further = json!({"owner": bank, "name": "further"});
        let refused = by_third.post(KEYS, &further).await;
        refused.assert_error(403, "forbidden");
        assert!(refused.text.contains("shown to nobody else"), "{refused:?}");

        let path = format!("{KEYS}/{}/rotate", text(&key, "client_id"));
        let rotated = holder.post(&path, &json!({"grace_period": 0})).await.body;
        let own = platform.bearer(&text(&rotated, "secret"));
        live(&[&own, &by_third]).await;
        let person = if leaves == "its user" { &other } else { &admin };
        let dry = owner
            .delete(&format!("{}?dry_run=true", person.path()))
            .await;
        assert_eq!(
            dry.body["to_rotate"][0]["client_id"], machine["client_id"],
            "{dry:?}"
        );
        assert_eq!(owner.delete(&person.path()).await.status, 204);
        die(&[&own, &by_third]).await;
        live(&[&third.caller]).await;
    }
}

/// It ends nothing that narrows nobody, and nothing of another tenant.
#[tokio::test]
async fn leak_9_a_secret_works_on_while_whoever_was_shown_it_is_what_they_were() {
    let Scene {
        platform,
        admin,
        holder,
        key,
        ..
    } = scene().await;
    let owner = platform.owner();
    for change in [json!({}), json!({"role": "owner"})] {
        assert_eq!(owner.patch(&admin.path(), &change).await.status, 200);
    }
    live(&[&holder]).await;
    assert_eq!(
        seen(&owner, &key).await,
        (json!(admin.guid), Value::Null),
        "raised, they are shown no less"
    );
}

#[tokio::test]
async fn leak_9_who_manages_a_key_sees_whom_its_secrets_were_shown_and_nobody_else() {
    let Scene {
        platform,
        admin,
        other,
        key,
        ..
    } = scene().await;
    for caller in [&platform.owner(), &other.caller] {
        assert_eq!(seen(caller, &key).await.0, json!(admin.guid));
    }
    for caller in [
        &platform.viewer(),
        &platform.support(),
        &platform.organization().await,
    ] {
        assert_eq!(seen(caller, &key).await, (Value::Null, Value::Null));
    }
    let event = events(&platform, seed_organization(&platform), "key.create")
        .await
        .into_iter()
        .find(|event| event["target"] == key["client_id"])
        .unwrap();
    let minter = &event["changes"]["secrets"]["current"]["minted_by"];
    assert_eq!(minter["user"], admin.guid, "{event}");
}

/// Who would lose what is told before it is done: nothing changes by asking.
#[tokio::test]
async fn leak_9_a_dry_run_lists_what_would_end_and_what_to_rotate() {
    let Scene {
        platform,
        admin,
        other,
        key,
        ..
    } = scene().await;
    let owner = platform.owner();
    let bank = json!({"type": "bank", "guid": platform.seed.bank.guid});
    let machine = made_by(&admin.caller, &bank).await;
    let own = made_by(&admin.caller, &user(&admin.guid)).await;
    let live_owner = Person::of(
        &platform,
        seed_organization(&platform),
        Role::Owner,
        KeyMode::Live,
    )
    .await;
    let organization = platform.organization().await;
    let snapshot = async || {
        organization_snapshot(&platform, &organization, seed_organization(&platform)).await
    };
    let before = snapshot().await;
    let ids = |list: &Value| {
        let keys = list.as_array().unwrap().iter();
        let mut named: Vec<_> = keys
            .map(|key| (text(key, "client_id"), key["reason"].clone()))
            .collect();
        named.sort_by(|one, other| one.0.cmp(&other.0));
        named
    };
    let sorted = |mut expected: Vec<(String, Value)>| {
        expected.sort_by(|one, other| one.0.cmp(&other.0));
        expected
    };
    let dry = format!("{}?dry_run=true", admin.path());

    let disabled = owner.delete(&dry).await;
    assert_eq!(
        (disabled.status, &disabled.body["dry_run"]),
        (200, &json!(true)),
        "{disabled:?}"
    );
    let named = |key: &Value, reason: &str| (text(key, "client_id"), json!(reason));
    assert_eq!(
        ids(&disabled.body["ends"]),
        sorted(vec![
            named(&key, "minter_disabled"),
            named(&own, "user_disabled"),
            (admin.client_id.clone(), json!("user_disabled")),
        ])
    );
    let to_rotate = vec![(text(&machine, "client_id"), Value::Null)];
    assert_eq!(ids(&disabled.body["to_rotate"]), to_rotate);

    let narrowed = owner.patch(&dry, &json!({"role": "viewer"})).await;
    assert_eq!(narrowed.status, 200, "{narrowed:?}");
    assert_eq!(
        ids(&narrowed.body["ends"]),
        [named(&key, "minter_narrowed")]
    );
    assert_eq!(ids(&narrowed.body["to_rotate"]), to_rotate);
    assert_eq!(
        (
            &narrowed.body["ends_total"],
            &narrowed.body["to_rotate_total"]
        ),
        (&json!(1), &json!(1))
    );
    // By a credential of the other environment machines' keys are counted, and not named.
    let counted = live_owner.caller.delete(&dry).await.body;
    assert_eq!(
        (&counted["to_rotate_total"], &counted["to_rotate"]),
        (&json!(1), &json!([])),
        "{counted}"
    );
    let same = owner.patch(&dry, &json!({"role": "admin"})).await;
    assert_eq!(
        (&same.body["ends"], &same.body["to_rotate"]),
        (&json!([]), &json!([]))
    );

    assert_eq!(snapshot().await, before);
    live(&[&admin.caller, &other.caller]).await;
    owner
        .delete(&format!("{}?dry_run=maybe", admin.path()))
        .await
        .assert_field("dry_run", "true or false");
    let stranger = Person::new(&platform, Role::Admin).await;
    let forbidden = format!("{PATH}/{}?dry_run=true", platform.seed.users.owner.guid);
    stranger
        .caller
        .delete(&forbidden)
        .await
        .assert_error(403, "forbidden");
}

/// Production does not stop when somebody leaves.
#[tokio::test]
async fn leak_9_a_machines_key_works_on_when_whoever_made_it_is_disabled() {
    let platform = Platform::start().await;
    let admin = Person::new(&platform, Role::Admin).await;
    let bank = json!({"type": "bank", "guid": platform.seed.bank.guid});
    let made = made_by(&admin.caller, &bank).await;
    let key = tests::platform::credentials(&made);
    let owner = platform.owner();
    assert_eq!(seen(&owner, &made).await.0, json!(admin.guid));
    assert_eq!(owner.delete(&admin.path()).await.status, 204);
    die(&[&admin.caller]).await;
    live(&[&platform.bearer(&platform.token(&key).await)]).await;
    assert_eq!(seen(&owner, &made).await, (json!(admin.guid), Value::Null));
}

/// Of two personal keys of one person the one is theirs and the other was shown to somebody: live
/// keys alike.
#[tokio::test]
async fn leak_9_live_keys_end_alike() {
    let platform = Platform::start().await;
    let organization = seed_organization(&platform);
    let admin = Person::of(&platform, organization, Role::Admin, KeyMode::Live).await;
    let other = Person::of(&platform, organization, Role::Admin, KeyMode::Live).await;
    let key = made_by(&admin.caller, &user(&other.guid)).await;
    let holder = platform.bearer(&text(&key, "secret"));
    let asks = async |caller: &Caller| caller.get("/api/banks").await.status;
    assert_eq!(asks(&holder).await, 200);
    assert_eq!(platform.owner().delete(&admin.path()).await.status, 204);
    crate::five_second_bound::within(
        "a live secret",
        async || asks(&holder).await,
        |status| *status == 401,
    )
    .await;
    assert_eq!(asks(&other.caller).await, 200);
}
