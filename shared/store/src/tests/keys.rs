//! Changes of a key: which feed entries they write, and what an audit trail shows.

use std::time::Duration;

use domain::{
    allowlist::Allowlist,
    authority::NewKey,
    error::{Error, Kind},
    feed::{Effect, Subject},
    key::{Edit, Key, Owner},
    key_mode::KeyMode,
    organization::Name,
    webhook_url::WebhookUrl,
};
use serde_json::Value;

use super::{
    Scene, at,
    fixtures::{ORGANIZATION, key, key_of, operator, secret},
    table::stage,
};
use crate::KeyRow;

async fn edit(scene: &Scene, key: &Key, edit: Edit) -> Result<Key, Error> {
    scene
        .store
        .change(key.client_id, &operator(), |key| {
            key.edit(edit.clone(), None)
        })
        .await
}

fn list() -> Edit {
    Edit {
        ip_allowlist: Some(Allowlist::parse(&["8.8.8.8".to_owned()]).unwrap()),
        ..Edit::default()
    }
}

#[tokio::test]
async fn arz_4_another_end_is_told_and_the_same_end_is_not() {
    let (scene, table) = stage();
    scene.with_key(&key()).await;
    let ends = |end| Edit {
        expires_at: Some(end),
        ..Edit::default()
    };
    let end = at(Duration::from_hours(1));
    for _ in 0..2 {
        edit(&scene, &key(), ends(Some(end))).await.unwrap();
    }
    let expire = Effect::Expire {
        at: end,
        version: 1,
    };
    assert_eq!(
        table.statements(),
        [(Subject::Key(key().client_id), expire)]
    );
    edit(&scene, &key(), ends(None)).await.unwrap();
    assert_eq!(table.feed().len(), 2, "a later end lifts the earlier one");
    let outlines: Vec<_> = scene
        .transactions()
        .iter()
        .map(super::Sent::outline)
        .collect();
    assert_eq!(outlines, ["Put K KEY, Put F, Put A"; 2]);
}

#[tokio::test]
async fn cyb_6_a_list_is_told_of_personal_keys_alone() {
    let (scene, table) = stage();
    let personal = key_of(8, Owner::User(ORGANIZATION), KeyMode::Sandbox);
    scene.with_key(&key()).await;
    scene
        .store
        .create_key_as_operator(
            &NewKey::by_operator(personal.clone()),
            &secret(1),
            None,
            &operator(),
        )
        .await
        .unwrap();
    edit(&scene, &key(), list()).await.unwrap();
    assert!(
        table.feed().is_empty(),
        "tokens keep the list that was sealed into them"
    );
    let both = Edit {
        expires_at: Some(Some(at(Duration::from_hours(1)))),
        name: Some(Name::parse("new").unwrap()),
        ..list()
    };
    edit(&scene, &personal, both).await.unwrap();
    let mut entries = table.feed();
    entries.sort();
    assert_eq!(entries, ["expire key", "refresh key"]);
    edit(
        &scene,
        &personal,
        Edit {
            name: Some(Name::parse("newer").unwrap()),
            ..list()
        },
    )
    .await
    .unwrap();
    assert_eq!(table.feed().len(), 2);
}

#[tokio::test]
async fn arz_7_an_audit_trail_shows_where_a_webhook_leads_and_no_more() {
    let (scene, table) = stage();
    let webhook = |path: &str| WebhookUrl::parse(&format!("https://example.com/{path}")).unwrap();
    let made = Key {
        webhook_url: Some(webhook("hidden-1?token=t")),
        ..key()
    };
    scene.with_key(&made).await;
    edit(
        &scene,
        &made,
        Edit {
            webhook_url: Some(Some(webhook("hidden-2"))),
            ..Edit::default()
        },
    )
    .await
    .unwrap();
    edit(
        &scene,
        &made,
        Edit {
            webhook_url: Some(None),
            ..Edit::default()
        },
    )
    .await
    .unwrap();
    let shown: Vec<_> = table
        .audit()
        .into_iter()
        .filter(|event| event["target"] == made.client_id.to_string())
        .collect();
    let of = |event: &Value| event["changes"].get("webhook_url").cloned();
    assert_eq!(
        shown.iter().map(of).collect::<Vec<_>>(),
        [
            Some("https://example.com/…".into()),
            Some("https://example.com/…".into()),
            Some(Value::Null),
        ]
    );
    assert!(
        table
            .items("audit", "")
            .iter()
            .all(|item| !item.to_string().contains("hidden"))
    );
    assert!(
        shown
            .iter()
            .all(|event| !event.to_string().contains("hash"))
    );
}

#[tokio::test]
async fn the_list_tells_when_a_key_was_made_and_whether_it_was_revoked() {
    let (scene, _) = stage();
    scene.with_key(&key()).await;
    let Key {
        client_id,
        owner,
        kind,
        created_at,
        ..
    } = key();
    let row = |revoked: bool| KeyRow {
        client_id,
        owner,
        kind,
        revoked,
        counted_for: None,
        listed_until: revoked.then(|| at(Key::LISTED_WHEN_REVOKED)),
        created_at,
    };
    assert_eq!(
        scene.store.key_rows(ORGANIZATION).await.unwrap(),
        [row(false)]
    );
    scene.store.revoke(&key(), &operator()).await.unwrap();
    assert_eq!(
        scene.store.key_rows(ORGANIZATION).await.unwrap(),
        [row(true)]
    );
    assert_eq!(
        edit(&scene, &key(), list()).await.unwrap_err().kind,
        Kind::Conflict
    );
}
