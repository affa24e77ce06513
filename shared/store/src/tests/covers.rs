//! Covers: when one is opened, renewed and noted, and what a change without an entry needs before
//! it is answered.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use domain::{
    authority::Authorized,
    feed::{Effect, Subject, encode},
    key::{Grace, Rotation},
};
use serde_json::json;

use super::{
    Scene, at,
    entry_plan::{MINUTE, admin, failing, fill, noted, revoke_tokens, spent, until},
    fixtures::{ORGANIZATION, key, operator, secret, token},
    table::{Table, stage, stage_with},
};
use crate::StoreError;

#[tokio::test]
async fn a_cover_is_renewed_in_its_last_half_minute() {
    let (scene, table) = spent();
    revoke_tokens(&scene, 1, 1, &admin()).await;
    let fill_later = |minute| {
        fill(
            &table,
            &ORGANIZATION.to_string(),
            &format!("2027-01-15T08:0{minute}Z"),
            96,
        );
    };
    scene.wait(Duration::from_secs(270));
    fill_later(4);
    revoke_tokens(&scene, 2, 1, &admin()).await;
    assert_eq!(table.feed().len(), 1);
    scene.wait(Duration::from_millis(1));
    revoke_tokens(&scene, 3, 1, &admin()).await;
    let statements = table.statements();
    assert_eq!(statements.len(), 2);
    let renewed = at(Duration::from_millis(270_001)) + Duration::from_mins(5);
    assert_eq!(until(&statements[1]), renewed);
    assert_eq!(noted(&table)[0].1, renewed.to_string());
}

/// An instance that has just started reads what another one noted.
#[tokio::test]
async fn what_another_instance_covered_is_not_covered_again() {
    let (scene, table) = spent();
    let until = at(Duration::from_mins(3)).to_string();
    let pk = format!("V#{ORGANIZATION}");
    table.put(&json!({"PK": {"S": pk}, "SK": {"S": "ORG"}, "until": {"S": until}}));
    revoke_tokens(&scene, 1, 2, &admin()).await;
    assert_eq!(table.feed(), [""; 0]);
    let reads = scene.operations().into_iter();
    let reads = reads.filter(|operation| operation == "BatchGetItem");
    assert_eq!(reads.count(), 1, "and remembers it");

    let (scene, table) = failing("V#", "AccessDeniedException");
    fill(&table, &ORGANIZATION.to_string(), MINUTE, 96);
    revoke_tokens(&scene, 1, 2, &admin()).await;
    assert_eq!(
        table.feed(),
        ["cover organization"],
        "what cannot be noted is remembered here"
    );
}

/// The later end stays: a cover that is noted late shortens nothing.
#[tokio::test]
async fn what_is_noted_only_grows() {
    let later = at(Duration::from_mins(9)).to_string();
    let noted_by_another = later.clone();
    let (scene, table) = stage_with(move |table, sent, _| {
        let pk = format!("V#{ORGANIZATION}");
        if sent.operation == "UpdateItem" && sent.body["Key"]["PK"]["S"] == pk {
            let until = json!({"S": noted_by_another});
            table.put(&json!({"PK": {"S": pk}, "SK": {"S": "ORG"}, "until": until}));
        }
        None
    });
    fill(&table, &ORGANIZATION.to_string(), MINUTE, 96);
    revoke_tokens(&scene, 1, 1, &admin()).await;
    assert_eq!(noted(&table)[0].1, later);
}

/// A scene whose table answers transactions so many milliseconds late.
fn late() -> (Scene, Table, Arc<AtomicU64>) {
    let late = Arc::new(AtomicU64::new(0));
    let by = Arc::clone(&late);
    let (scene, table) = stage_with(move |_, sent, now| {
        if sent.operation == "TransactWriteItems" {
            let by = by.swap(0, Ordering::SeqCst);
            now.fetch_add(by.cast_signed(), Ordering::SeqCst);
        }
        None
    });
    fill(&table, &ORGANIZATION.to_string(), MINUTE, 96);
    (scene, table, late)
}

#[tokio::test]
async fn a_cover_that_is_visible_late_is_written_again_and_lasts_from_then_on() {
    let (scene, table, late) = late();
    late.store(5_001, Ordering::SeqCst);
    revoke_tokens(&scene, 1, 1, &admin()).await;
    let statements = table.statements();
    assert_eq!(statements.len(), 2);
    let again = at(Duration::from_millis(5_001)) + Duration::from_mins(5);
    assert_eq!(until(&statements[1]), again);
    assert_eq!(noted(&table)[0].1, again.to_string());
}

/// The cover ended while the change was under way.
#[tokio::test]
async fn a_change_that_ends_after_its_cover_writes_its_entry() {
    for (covered_for, entries) in [(31_000, [""; 0].as_slice()), (30_999, &["revoke token"])] {
        let (scene, table) = stage_with(|_, sent, now| {
            if sent.operation == "BatchGetItem" {
                now.fetch_add(31_000, Ordering::SeqCst);
            }
            None
        });
        fill(&table, &ORGANIZATION.to_string(), MINUTE, 96);
        let (pk, until) = (
            format!("V#{ORGANIZATION}"),
            at(Duration::from_millis(covered_for)).to_string(),
        );
        table.put(&json!({"PK": {"S": pk}, "SK": {"S": "ORG"}, "until": {"S": until}}));
        revoke_tokens(&scene, 1, 1, &admin()).await;
        assert_eq!(table.feed(), entries, "{covered_for}");
    }
}

/// Its exchange does not prove the clock.
#[tokio::test]
async fn a_change_without_an_entry_that_is_answered_late_writes_its_entry() {
    for (by, entries) in [(4_000, 0), (5_001, 1)] {
        let (scene, table, late) = late();
        revoke_tokens(&scene, 1, 1, &admin()).await;
        late.store(by, Ordering::SeqCst);
        revoke_tokens(&scene, 2, 1, &admin()).await;
        assert_eq!(table.feed().len(), 1 + entries, "{by}");
    }
}

/// Its writer died, and readers look the change up.
#[tokio::test]
async fn an_outbox_under_a_cover_is_cleared_without_an_entry() {
    let item = json!({"PK": {"S": format!("V#{ORGANIZATION}")}, "SK": {"S": "ORG"}});
    for (until, entries) in [
        (at(Duration::ZERO), 0),
        (at(Duration::ZERO).earlier_by(Duration::from_millis(1)), 1),
    ] {
        let (scene, table) = spent();
        let mut cover = item.clone();
        cover["until"] = json!({"S": until.to_string()});
        table.put(&cover);
        let statement = encode(&Subject::Token(token(1).jti), Effect::Revoke);
        table.put_into(
            "feed",
            &json!({
                "PK": {"S": format!("T#{}", token(1).jti)},
                "SK": {"S": "T"},
                "unannounced": {"L": [{"B": STANDARD.encode(statement)}]},
            }),
        );
        revoke_tokens(&scene, 1, 1, &admin()).await;
        assert_eq!(table.feed().len(), entries, "{until}");
        let kept = table.item_of("feed", "T#", "T");
        assert_eq!(kept.get("unannounced"), None);
    }
}

/// Nobody may rely on a cover that readers may never see.
#[tokio::test]
async fn a_cover_that_cannot_be_published_is_not_noted() {
    let (scene, table) = stage_with(|_, sent, now| {
        if ["TransactWriteItems", "PutItem"].contains(&&*sent.operation) {
            now.fetch_add(6_000, Ordering::SeqCst);
        }
        None
    });
    fill(&table, &ORGANIZATION.to_string(), MINUTE, 96);
    let revoked = scene.store.revoke_token(&token(1), &admin()).await;
    assert!(
        matches!(revoked, Err(StoreError::Unavailable(_))),
        "{revoked:?}"
    );
    assert_eq!(noted(&table), []);
    let kept = table.item_of("feed", "T#", "T");
    assert!(kept.get("unannounced").is_some(), "{kept}");
}

/// A revoked key's outbox, which its writer left full: the repetition clears it without an entry.
#[tokio::test]
async fn a_key_s_outbox_under_a_cover_is_cleared_without_an_entry() {
    let (scene, table) = stage();
    scene.with_key(&key()).await;
    scene.store.revoke(&key(), &admin()).await.unwrap();
    let entries = table.feed().len();
    let statement = encode(&Subject::Key(key().client_id), Effect::Revoke);
    table.update(json!({
        "Key": {"PK": {"S": format!("K#{}", key().client_id)}, "SK": {"S": "KEY"}},
        "UpdateExpression": "SET unannounced = :outbox",
        "ExpressionAttributeValues": {":outbox": {"L": [{"B": STANDARD.encode(statement)}]}},
    }));
    table.put(&json!({
        "PK": {"S": format!("V#{ORGANIZATION}")},
        "SK": {"S": "ORG"},
        "until": {"S": at(Duration::from_mins(1)).to_string()},
    }));
    scene.store.revoke(&key(), &admin()).await.unwrap();
    assert_eq!(table.feed().len(), entries);
    assert_eq!(table.item("K#", "KEY").get("unannounced"), None);
}

/// The first use of a machine's newer secret is a change of its key about itself.
#[tokio::test]
async fn x_3_the_start_of_a_grace_under_a_full_budget_covers_the_key() {
    let (scene, table) = stage();
    scene.with_key(&key()).await;
    let grace = Grace::FromFirstUse(Duration::from_mins(5));
    let rotate = |key: Authorized<'_>| key.rotate(secret(2).id, Rotation::Keep(grace));
    scene
        .store
        .rotate(key().client_id, &secret(2), &operator(), rotate)
        .await
        .unwrap();
    let client_id = key().client_id;
    fill(
        &table,
        &ORGANIZATION.to_string(),
        &format!("{MINUTE}#{client_id}"),
        12,
    );
    let entries = table.feed().len();
    let started = scene
        .store
        .start_grace(client_id, secret(2).id)
        .await
        .unwrap();
    assert!(started.is_some());
    assert_eq!(table.feed().split_off(entries), ["cover key"]);
    assert_eq!(table.item("K#", "KEY").get("unannounced"), None);
}
