//! What a writer that died between its commit and its answer leaves behind: entries in the outbox,
//! which the next one publishes again. They are left here by answers that come too late for readers
//! to be sure.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use domain::{
    audit::Action,
    authority::Authorized,
    error::{Error, Kind},
    feed::{Cohort, Effect, Subject},
    gate::{OrganizationGate, Plan},
    ids::Guid,
    key::{Edit, Grace, Rotation},
    role::Role,
    user::{User, UserState},
};

use super::{
    Scene, at,
    fixtures::{ORGANIZATION, beside, key, operator, secret, token, user},
    table::{Table, stage_with, statement, word},
};
use crate::StoreError;

/// A scene whose table answers writes eleven seconds late while told to.
fn late_scene() -> (Scene, Table, Arc<AtomicBool>) {
    let late = Arc::new(AtomicBool::new(false));
    let when = late.clone();
    let (scene, table) = stage_with(move |_, sent, now| {
        if when.load(Ordering::SeqCst)
            && ["TransactWriteItems", "PutItem"].contains(&&*sent.operation)
        {
            now.fetch_add(11_000, Ordering::SeqCst);
        }
        None
    });
    (scene, table, late)
}

type Step<'a> = std::pin::Pin<Box<dyn Future<Output = Result<(), Error>> + 'a>>;

/// Takes a step that fails for being late, sees the outbox, and repeats it in time: the entries are
/// published again, and the outbox is clear.
async fn told_again(place: (&str, &str), effect: &str, step: impl Fn(&Scene) -> Step<'_>) {
    let (scene, table, late) = late_scene();
    scene.with_key(&key()).await;
    for byte in [1, 2] {
        scene
            .store
            .create_user(&user(byte, Role::Owner), None, &operator())
            .await
            .unwrap();
    }
    let open = |key: Authorized<'_>| key.rotate(secret(2).id, Rotation::Keep(Grace::Open));
    scene
        .store
        .rotate(key().client_id, &secret(2), &operator(), open)
        .await
        .unwrap();

    late.store(true, Ordering::SeqCst);
    assert_eq!(
        step(&scene).await.unwrap_err().kind,
        Kind::TemporarilyUnavailable,
        "{effect}"
    );
    let marked = table.item(place.0, place.1)["unannounced"].clone();
    assert_eq!(word(&statement(&marked[0]).1), effect, "{marked}");
    late.store(false, Ordering::SeqCst);

    let (entries, events) = (
        table.items("feed", "F#").len(),
        table.items("audit", "A#").len(),
    );
    drop(step(&scene).await);
    assert_eq!(table.items("feed", "F#").len(), entries + 1, "{effect}");
    assert_eq!(table.feed().pop().unwrap().split(' ').next(), Some(effect));
    assert_eq!(
        table.items("audit", "A#").len(),
        events,
        "nothing changed: {effect}"
    );
    assert_eq!(
        table.item(place.0, place.1).get("unannounced"),
        None,
        "{effect}"
    );

    drop(step(&scene).await);
    assert_eq!(
        table.items("feed", "F#").len(),
        entries + 1,
        "it says nothing new: {effect}"
    );
}

const KEY: (&str, &str) = ("K#", "KEY");

#[tokio::test]
async fn a_repeated_revoke_or_deactivation_tells_again() {
    told_again(KEY, "revoke", |scene| {
        Box::pin(async { scene.store.revoke(&key(), &operator()).await })
    })
    .await;
    told_again(KEY, "suspend", |scene| {
        let deactivate = |key: Authorized<'_>| key.deactivate();
        Box::pin(async move {
            scene
                .store
                .switch(
                    key().client_id,
                    Action::KeyDeactivate,
                    &operator(),
                    deactivate,
                )
                .await
                .map(drop)
        })
    })
    .await;
}

#[tokio::test]
async fn a_repeated_finish_or_edit_tells_again() {
    told_again(KEY, "revoke", |scene| {
        let finish = |key: Authorized<'_>| key.finish_rotation(Duration::ZERO);
        Box::pin(async move {
            scene
                .store
                .finish(key().client_id, &operator(), finish)
                .await
                .map(drop)
        })
    })
    .await;
    told_again(KEY, "expire", |scene| {
        let edit = Edit {
            expires_at: Some(Some(at(Duration::from_hours(1)))),
            ..Edit::default()
        };
        let edit = move |key: Authorized<'_>| key.edit(edit.clone(), None);
        Box::pin(async move {
            scene
                .store
                .change(key().client_id, &operator(), edit)
                .await
                .map(drop)
        })
    })
    .await;
}

fn change(scene: &Scene, next: fn(User) -> User) -> Step<'_> {
    let decide = move |user: User| {
        let next = next(user.clone());
        Ok(if next == user {
            user
        } else {
            User {
                version: user.version + 1,
                ..next
            }
        })
    };
    Box::pin(async move {
        scene
            .store
            .change_user(
                Guid::from_bytes([1; 16]),
                Action::UserUpdate,
                &operator(),
                decide,
            )
            .await
            .map(drop)
    })
}

#[tokio::test]
async fn a_repeated_change_of_a_user_tells_again() {
    let place = ("U#0101", "USER");
    told_again(place, "revoke", |scene| {
        change(scene, |user| User {
            state: UserState::Disabled,
            ..user
        })
    })
    .await;
    told_again(place, "refresh", |scene| {
        change(scene, |user| User {
            role: Role::Viewer,
            ..user
        })
    })
    .await;
}

#[tokio::test]
async fn a_repeated_plan_or_cohort_tells_again() {
    let place = ("G#", "GATE");
    told_again(place, "refresh", |scene| {
        let pro = |gate: &OrganizationGate| {
            Ok(OrganizationGate {
                plan: Plan::Pro,
                ..gate.clone()
            })
        };
        Box::pin(async move {
            scene
                .store
                .set_plan(ORGANIZATION, &operator(), pro)
                .await
                .map(drop)
        })
    })
    .await;
    told_again(place, "revoke", |scene| {
        Box::pin(async {
            Ok(scene
                .store
                .revoke_cohort(ORGANIZATION, &Cohort::default(), beside(&[]), &operator())
                .await?)
        })
    })
    .await;
}

/// A rotation cannot be repeated: it waits until readers are sure, or says that it is not; whatever
/// comes next tells them first.
#[tokio::test]
async fn a_rotation_that_readers_may_have_missed_is_told_with_the_next_change() {
    let (scene, table, late) = late_scene();
    scene.with_key(&key()).await;
    late.store(true, Ordering::SeqCst);
    let replace = |key: Authorized<'_>| key.rotate(secret(2).id, Rotation::Replace);
    let failed = scene
        .store
        .rotate(key().client_id, &secret(2), &operator(), replace)
        .await
        .unwrap_err();
    assert_eq!(failed.kind, Kind::TemporarilyUnavailable);
    late.store(false, Ordering::SeqCst);
    let entries = table.feed().len();
    let deactivate = |key: Authorized<'_>| key.deactivate();
    scene
        .store
        .switch(
            key().client_id,
            Action::KeyDeactivate,
            &operator(),
            deactivate,
        )
        .await
        .unwrap();
    assert_eq!(table.feed()[entries..], ["revoke secret", "suspend key"]);
    assert_eq!(table.item("K#", "KEY").get("unannounced"), None);
}

/// A change that the feed says nothing of keeps the outbox.
#[tokio::test]
async fn a_quiet_change_forgets_no_entry() {
    let (scene, table, late) = late_scene();
    scene.with_key(&key()).await;
    late.store(true, Ordering::SeqCst);
    assert!(matches!(
        scene.store.revoke_token(&token(5), &operator()).await,
        Err(StoreError::Unavailable(_))
    ));
    let edit = |edit: Edit| move |key: Authorized<'_>| key.edit(edit.clone(), None);
    let end = Edit {
        expires_at: Some(Some(at(Duration::from_hours(1)))),
        ..Edit::default()
    };
    assert!(
        scene
            .store
            .change(key().client_id, &operator(), edit(end))
            .await
            .is_err()
    );
    late.store(false, Ordering::SeqCst);
    let name = Edit {
        name: Some(domain::organization::Name::parse("new").unwrap()),
        ..Edit::default()
    };
    scene
        .store
        .change(key().client_id, &operator(), edit(name))
        .await
        .unwrap();
    let outbox = &table.item("K#", "KEY")["unannounced"][0];
    assert_eq!(word(&statement(outbox).1), "expire");
}

#[tokio::test]
async fn rfc_7009_a_token_is_revoked_by_an_entry_and_an_event() {
    let (scene, table, _) = late_scene();
    let jti = token(5).jti;
    for _ in 0..2 {
        scene
            .store
            .revoke_token(&token(5), &operator())
            .await
            .unwrap();
        let revoked = table.item_of("feed", "T#", "T");
        assert_eq!(revoked.get("unannounced"), None);
        let kept_until = token(5).expires_at + Duration::from_hours(24);
        assert_eq!(revoked["expires"], kept_until.seconds() + 1);
    }
    let written = scene.transactions();
    assert_eq!(written.len(), 1, "repeated, it writes nothing");
    assert_eq!(written[0].outline(), "Put T T, Put F, Put A");
    assert_eq!(table.statements(), [(Subject::Token(jti), Effect::Revoke)]);
    let event = table.audit().pop().unwrap();
    assert_eq!(
        (&event["action"], &event["target"]),
        (&"token.revoke".into(), &jti.to_string().into())
    );
    assert_eq!(event["changes"]["client_id"], key().client_id.to_string());
}

/// Whoever revoked it died before it was certain that readers learn of it; or another one revoked
/// it at the same moment.
#[tokio::test]
async fn rfc_7009_a_token_whose_revocation_was_late_is_told_again() {
    let (scene, table, late) = late_scene();
    late.store(true, Ordering::SeqCst);
    let revoke = async || scene.store.revoke_token(&token(5), &operator()).await;
    assert!(matches!(revoke().await, Err(StoreError::Unavailable(_))));
    let outbox = &table.item_of("feed", "T#", "T")["unannounced"];
    assert_eq!(word(&statement(&outbox[0]).1), "revoke");
    late.store(false, Ordering::SeqCst);

    let (entries, events) = (table.feed().len(), table.audit().len());
    for _ in 0..2 {
        revoke().await.unwrap();
        assert_eq!(table.feed().len(), entries + 1);
        assert_eq!(table.item_of("feed", "T#", "T").get("unannounced"), None);
    }
    assert_eq!(table.audit().len(), events, "nothing changed");
}

#[tokio::test]
async fn rfc_7009_of_two_revocations_of_a_token_at_once_one_is_written() {
    let is_first = AtomicBool::new(true);
    let (scene, table) = stage_with(move |table, sent, _| {
        if sent.operation == "TransactWriteItems" && is_first.swap(false, Ordering::SeqCst) {
            let mut other = sent.clone();
            other.body["ClientRequestToken"] = "another".into();
            assert_eq!(table.answer(&other).0, 200, "the other one's comes first");
        }
        None
    });
    scene
        .store
        .revoke_token(&token(5), &operator())
        .await
        .unwrap();
    assert_eq!(
        table.feed().len(),
        2,
        "that of the other one, and once more for certain"
    );
    assert_eq!(table.audit().len(), 1);
}
