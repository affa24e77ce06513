//! X-3, LEAK-5: the first use of a personal key's new secret is noted beside the key, by those who
//! may change no key.

use std::time::Duration;

use domain::{
    authority::{Authorized, NewKey},
    error::{Error, Kind},
    ids::{Guid, SecretId},
    key::{Grace, Key, Owner, Previous, Rotation, State, Until},
    key_mode::KeyMode,
    organization::Name,
    time::Timestamp,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{DAY, finish, rotate, secrets};
use crate::{
    item_keys,
    tests::{
        Scene, Sent, at,
        fixtures::{bank, key, key_of, operator, rotated, secret, secret_id},
        table::{Table, stage},
    },
};

const HOUR: Duration = Duration::from_hours(1);

/// A personal key, of the same name as [`key`].
fn personal() -> Key {
    key_of(9, Owner::User(Guid::from_bytes([1; 16])), KeyMode::Sandbox)
}

/// In which secret 2 of a personal key follows secret 1, and this is an hour ago.
async fn waiting(grace: Grace) -> (Scene, Table) {
    let (scene, table) = stage();
    scene.with_key(&personal()).await;
    rotate(&scene, 2, Rotation::Keep(grace)).await.unwrap();
    scene.wait(HOUR);
    drop(scene.transactions());
    (scene, table)
}

async fn note(scene: &Scene, byte: u8) {
    let client_id = personal().client_id;
    scene
        .store
        .note_first_use(client_id, secret_id(byte))
        .await
        .unwrap();
}

async fn read(scene: &Scene) -> Key {
    let client_id = personal().client_id;
    scene.store.key(client_id).await.unwrap().unwrap()
}

async fn end(scene: &Scene) -> Option<Timestamp> {
    read(scene)
        .await
        .secrets
        .previous
        .and_then(|it| it.expires_at())
}

/// As anybody may who has an authorizer's role.
fn put(table: &Table, sort_key: &str) {
    let partition = item_keys::uses(personal().client_id);
    table.put(&json!({"PK": {"S": partition}, "SK": {"S": sort_key}}));
}

fn notes(table: &Table) -> Vec<Value> {
    table.items("core", "E#")
}

fn sort_key(byte: u8, at: Timestamp) -> String {
    item_keys::use_of_secret(personal().client_id, secret_id(byte), at).sk
}

#[tokio::test]
async fn x_3_a_noted_first_use_starts_the_grace_wherever_the_key_is_read_and_changes_nothing() {
    let (scene, table) = waiting(Grace::FromFirstUse(DAY)).await;
    let (stored, before) = (table.raw("K#"), read(&scene).await);
    let told = (table.feed(), table.audit().len());
    scene.sent.lock().unwrap().clear();
    note(&scene, 2).await;
    let sent = scene.sent.lock().unwrap().clone();
    let [Sent { operation, body }] = &sent[..] else {
        panic!("{sent:?}")
    };
    let item = json!({
        "PK": {"S": format!("E#{}", key().client_id)},
        "SK": {"S": sort_key(2, at(HOUR))},
    });
    assert_eq!(operation, "PutItem");
    assert_eq!(*body, json!({"TableName": "core", "Item": item}));

    let (store, client_id) = (&scene.store, key().client_id);
    let expected = before.with_first_use(at(HOUR), at(HOUR));
    assert_eq!(
        expected.secrets.previous.unwrap().expires_at(),
        Some(at(HOUR + DAY))
    );
    assert_eq!(read(&scene).await, expected);
    assert_eq!(
        store.keys([client_id]).await.unwrap()[..],
        *std::slice::from_ref(&expected)
    );
    let (with_secrets, hashes) = store.key_with_secrets(client_id).await.unwrap().unwrap();
    assert_eq!((with_secrets, hashes.len()), (expected, 2));
    assert_eq!(table.raw("K#"), stored);
    assert_eq!((table.feed(), table.audit().len()), told);
}

#[tokio::test]
async fn x_3_only_the_use_of_the_current_secret_counts() {
    let (scene, _) = waiting(Grace::FromFirstUse(DAY)).await;
    note(&scene, 1).await;
    assert_eq!(end(&scene).await, None, "the old secret starts nothing");
    note(&scene, 2).await;
    assert_eq!(end(&scene).await, Some(at(HOUR + DAY)));

    // Another one in its place, which nobody used.
    let (scene, _) = waiting(Grace::FromFirstUse(DAY)).await;
    rotate(&scene, 3, Rotation::Replace).await.unwrap();
    note(&scene, 2).await;
    assert_eq!(end(&scene).await, None);
    scene.wait(HOUR);
    note(&scene, 3).await;
    assert_eq!(end(&scene).await, Some(at(2 * HOUR + DAY)));
}

#[tokio::test]
async fn x_3_an_open_end_stays_open_after_the_first_use_and_waits_for_it_no_longer() {
    let (scene, _) = waiting(Grace::OpenUntilUsed).await;
    note(&scene, 2).await;
    let previous = read(&scene).await.secrets.previous.unwrap();
    assert_eq!(previous.until, Until::Finish);
}

/// Who may put notes may put any: the earliest counts, and what is no note of a time has one by
/// where it sorts. So nothing that is added moves an end to later.
#[tokio::test]
async fn leak_5_whatever_is_added_to_the_notes_only_shortens() {
    let (scene, table) = waiting(Grace::FromFirstUse(DAY)).await;
    scene.wait(3 * HOUR);
    let made = at(Duration::ZERO);
    let prefix = format!("{}#", secret_id(2));
    let mut last = Timestamp::LAST;
    for (sort_key, expected) in [
        (format!("{prefix}~"), Timestamp::LAST),
        (sort_key(2, at(2 * HOUR)), at(2 * HOUR + DAY)),
        (sort_key(2, at(3 * HOUR)), at(2 * HOUR + DAY)),
        (format!("{}-later", sort_key(2, at(HOUR))), at(HOUR + DAY)),
        (sort_key(2, at(2 * HOUR)), at(HOUR + DAY)),
        (sort_key(2, made + HOUR / 2), made + HOUR / 2 + DAY),
        (prefix.clone(), made + DAY),
        (format!("{prefix}!"), made + DAY),
        (prefix.replace('#', ""), made + DAY),
        (String::from("0"), made + DAY),
    ] {
        put(&table, &sort_key);
        let end = end(&scene).await.unwrap_or(Timestamp::LAST);
        assert_eq!(end, expected, "{sort_key}");
        assert!(expected <= last, "{sort_key}");
        last = expected;
    }
    assert_eq!(notes(&table).len(), 9, "one was put twice, and is one");
}

/// A note from the future does not stand in the way of the true one, nor in that of a change.
#[tokio::test]
async fn leak_5_a_note_from_the_future_hides_no_first_use() {
    let (scene, table) = waiting(Grace::FromFirstUse(DAY)).await;
    for noted in [Timestamp::LAST, at(2 * HOUR)] {
        put(&table, &sort_key(2, noted));
        let term = read(&scene).await.secrets.term(secret_id(2), scene.now());
        assert!(term.unwrap().starts_grace, "{noted}");
    }
    let rename = async |name: &str| {
        let now = scene.now();
        let rename = |key: Authorized<'_>| {
            let key = key.key().clone();
            Ok(Key {
                name: Name::parse(name).unwrap(),
                version: key.version + 1,
                updated_at: now,
                ..key
            })
        };
        scene
            .store
            .change(key().client_id, &operator(), rename)
            .await
            .unwrap();
        end(&scene).await
    };
    assert_eq!(rename("one").await, None);
    note(&scene, 2).await;
    assert_eq!(end(&scene).await, Some(at(HOUR + DAY)));
    assert_eq!(rename("two").await, Some(at(HOUR + DAY)));
}

/// A machine's key says itself that its secret was used.
#[tokio::test]
async fn leak_5_no_note_is_read_of_a_machines_key() {
    let (scene, table) = stage();
    scene.with_key(&key()).await;
    rotate(&scene, 2, Rotation::Keep(Grace::FromFirstUse(DAY)))
        .await
        .unwrap();
    put(&table, &sort_key(2, at(Duration::ZERO)));
    scene.sent.lock().unwrap().clear();
    assert_eq!(end(&scene).await, None);
    let sent = scene.sent.lock().unwrap();
    assert!(sent.iter().all(|sent| sent.operation == "GetItem"));
}

/// No note of whatever moment brings back a secret that has ended, by whichever way.
#[tokio::test]
async fn leak_5_no_note_revives_an_ended_secret() {
    for way in 0..4 {
        let (scene, table) = waiting(Grace::FromFirstUse(DAY)).await;
        match way {
            0 => drop(finish(&scene).await.unwrap()),
            1 => {
                note(&scene, 2).await;
                scene.wait(DAY);
            }
            2 => {
                note(&scene, 2).await;
                scene.wait(DAY);
                let next = Rotation::Keep(Grace::FromFirstUse(DAY));
                rotate(&scene, 3, next).await.unwrap();
            }
            _ => {
                let key = read(&scene).await;
                scene.store.revoke(&key, &operator()).await.unwrap();
            }
        }
        let works = async || {
            let key = read(&scene).await;
            let revoked = key.state != State::Active;
            !revoked && key.secrets.term(secret_id(1), scene.now()).is_some()
        };
        assert!(!works().await, "{way}");
        for noted in [Timestamp::from_millis(0), scene.now(), Timestamp::LAST] {
            for byte in 1..=3 {
                put(&table, &sort_key(byte, noted));
                assert!(!works().await, "{way}");
            }
        }
    }
}

/// The next change writes what was noted, tells the audit trail, and has the hash swept.
#[tokio::test]
async fn x_3_the_next_change_of_the_key_writes_the_end_and_the_audit_event_shows_it() {
    let (scene, table) = waiting(Grace::FromFirstUse(DAY)).await;
    note(&scene, 2).await;
    let now = scene.now();
    let renamed = scene
        .store
        .change(key().client_id, &operator(), |key| {
            let key = key.key().clone();
            Ok(Key {
                name: Name::parse("another").unwrap(),
                version: key.version + 1,
                updated_at: now,
                ..key
            })
        })
        .await
        .unwrap();
    let until = Until::At { at: at(HOUR + DAY) };
    let previous = renamed.secrets.previous;
    assert_eq!(previous.map(|Previous { until, .. }| until), Some(until));
    let outlines: Vec<_> = scene.transactions().iter().map(Sent::outline).collect();
    assert_eq!(outlines, ["Put K KEY, Update K SECRET, Put A"]);
    let stored = &table.item("K#", "KEY")["secrets"]["previous"];
    assert_eq!(
        (&stored["ends"], &stored["at"]),
        (&json!("at"), &json!(at(HOUR + DAY)))
    );
    let changes = &table.audit().pop().unwrap()["changes"];
    assert_eq!(changes["secrets"]["previous"]["at"], json!(at(HOUR + DAY)));
    let swept = Some(at(HOUR + DAY).seconds() + 1);
    assert_eq!(secrets(&table), [("01".into(), swept), ("02".into(), None)]);
    put(&table, &sort_key(2, at(Duration::ZERO)));
    assert_eq!(read(&scene).await, renamed, "it stands in the key now");
}

/// A change that decides nothing new writes nothing, noted or not.
#[tokio::test]
async fn x_3_a_change_to_what_is_already_there_writes_no_end() {
    let (scene, table) = waiting(Grace::FromFirstUse(DAY)).await;
    note(&scene, 2).await;
    let stored = table.raw("K#");
    let unchanged = scene
        .store
        .change(key().client_id, &operator(), |key| Ok(key.key().clone()))
        .await
        .unwrap();
    assert_eq!(unchanged, read(&scene).await);
    assert_eq!(table.raw("K#"), stored);
}

/// The rotation is finished, in its grace or after it: the secret's item is named once.
#[tokio::test]
async fn x_3_a_rotation_is_finished_after_a_noted_first_use() {
    for after in [Duration::ZERO, DAY] {
        let (scene, table) = waiting(Grace::FromFirstUse(DAY)).await;
        note(&scene, 2).await;
        scene.wait(after);
        let end = if after == DAY {
            at(HOUR + DAY)
        } else {
            scene.now()
        };
        finish(&scene).await.unwrap();
        let outlines: Vec<_> = scene.transactions().iter().map(Sent::outline).collect();
        assert_eq!(outlines, ["Put K KEY, Update K SECRET, Put F, Put A"]);
        let swept = Some(end.seconds() + 1);
        assert_eq!(secrets(&table), [("01".into(), swept), ("02".into(), None)]);
        assert_eq!(table.feed(), ["revoke secret"]);
    }
}

/// A caller whose secret the first use of the newer one has ended makes no change.
#[tokio::test]
async fn x_3_a_caller_whose_secret_was_ended_by_a_first_use_changes_nothing() {
    let (scene, _) = stage();
    let person = scene.with_person().await;
    let client_id = person.key.client_id;
    let next = secret(2);
    let grace = Rotation::Keep(Grace::FromFirstUse(HOUR));
    scene
        .store
        .rotate(client_id, &next, &operator(), |key| {
            key.rotate(next.id, grace)
        })
        .await
        .unwrap();
    // By the secret before.
    let create = async |byte| {
        let caller = scene.snapshot(&person.key).await?;
        let store = scene.store.on_behalf_of(&caller);
        Ok::<_, Error>(store.create_bank(&bank(byte), None, &operator()).await?)
    };
    create(3).await.unwrap();
    scene
        .store
        .note_first_use(client_id, next.id)
        .await
        .unwrap();
    create(4).await.unwrap();
    scene.wait(HOUR);
    let stopped = create(5).await.unwrap_err().kind;
    assert_eq!(stopped, Kind::AuthenticationFailed);
}

/// Many keys that wait are read together, each with its own notes.
#[tokio::test]
async fn x_3_of_many_keys_each_has_its_own_first_use() {
    let (scene, table) = stage();
    scene.with_key(&key()).await;
    let mut keys = Vec::new();
    for byte in 10..70 {
        let owner = Owner::User(Guid::from_bytes([1; 16]));
        let grace = Rotation::Keep(Grace::FromFirstUse(DAY));
        let key = key_of(byte, owner, KeyMode::Sandbox);
        let key = rotated(&key, secret_id(2), grace, scene.now());
        scene
            .store
            .create_key_as_operator(
                &NewKey::by_operator(key.clone()),
                &secret(1),
                None,
                &operator(),
            )
            .await
            .unwrap();
        if byte % 3 != 0 {
            keys.push(key);
            continue;
        }
        let used = at(Duration::from_secs(byte.into()));
        let noted = item_keys::use_of_secret(key.client_id, secret_id(2), used);
        table.put(&json!({"PK": {"S": noted.pk}, "SK": {"S": noted.sk}}));
        keys.push(key.with_first_use(used, used));
    }
    scene.wait(HOUR);
    let read = scene.store.keys(keys.iter().map(|key| key.client_id)).await;
    assert_eq!(read.unwrap(), keys);
}

/// Few characters, so that texts meet, of digits and of what sorts before, between and after them.
fn texts() -> impl Strategy<Value = String> {
    prop_oneof!["[!/0-9:~é]{0,18}", "[0-9]{15}[!~]?", any::<String>()]
}

proptest! {
    #[test]
    fn leak_5_of_two_notes_the_one_that_sorts_first_is_not_the_later(
        one in texts(), other in texts(),
    ) {
        let (first, second) = if one.as_bytes() <= other.as_bytes() {
            (one, other)
        } else {
            (other, one)
        };
        let (earlier, later) = (item_keys::time_of_use(&first), item_keys::time_of_use(&second));
        prop_assert!(earlier <= later, "{first:?} {earlier} {second:?} {later}");
    }

    #[test]
    fn x_3_a_note_says_when_it_was_made(millis in 0..=Timestamp::LAST.millis()) {
        let noted = Timestamp::from_millis(millis);
        let id = SecretId::from_bytes([2; 16]);
        let at = item_keys::use_of_secret(personal().client_id, id, noted);
        let text = at.sk.strip_prefix(&item_keys::uses_of_secret(id)).unwrap();
        prop_assert_eq!(item_keys::time_of_use(text), noted);
    }
}
