//! No tenant fills the feed that all authorizers read, and no change is refused for it: a cover
//! stands in for the entries beyond a budget.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use domain::{
    audit::{Action, Actor, Origin},
    authority::{Authorized, NewKey},
    error::Error,
    feed::{Cohort, Effect, Rules, Subject},
    gate::{Kyb, OrganizationGate, Plan},
    ids::{ClientId, Guid},
    key::{Edit, Grace, Key, Owner, Rotation},
    key_mode::KeyMode,
    role::Role,
    time::Timestamp,
    user::{User, UserState},
};
use serde_json::{Value, json};

use super::{
    Scene, Sent, at,
    fixtures::{ORGANIZATION, beside, key, key_of, operator, secret, token, user},
    table::{Table, stage, stage_with},
};
use crate::{
    Store, StoreError, TokenToRevoke,
    budget::{ORGANIZATION_BUDGET, PLATFORM_BUDGET, PLATFORM_BUDGET_WITH_FIRST},
};

const OTHER: Guid = Guid::from_bytes([6; 16]);
pub(super) const MINUTE: &str = "2027-01-15T08:00Z";

pub(super) fn by(client_id: ClientId) -> Origin {
    Origin::of(Actor::Key {
        client_id: client_id.to_string(),
        jti: String::new(),
    })
}

/// Somebody of the organization who is not [`key`].
pub(super) fn admin() -> Origin {
    by(ClientId::of(Guid::from_bytes([8; 16])))
}

/// [`key`] itself.
fn own() -> Origin {
    by(key().client_id)
}

async fn revoke_token(
    store: &Store,
    organization: Guid,
    number: u64,
    origin: &Origin,
) -> Result<(), StoreError> {
    let token = TokenToRevoke {
        organization,
        ..token(number)
    };
    store.revoke_token(&token, origin).await
}

/// So many tokens are revoked, from this number on.
pub(super) async fn revoke_tokens(scene: &Scene, from: u64, how_many: u64, origin: &Origin) {
    for number in from..from + how_many {
        let revoked = revoke_token(&scene.store, ORGANIZATION, number, origin).await;
        assert_eq!(revoked, Ok(()), "{number}");
    }
}

/// Sets a counter of this minute.
pub(super) fn fill(table: &Table, partition: &str, sort_key: &str, entries: u64) {
    let pk = format!("B#{partition}");
    table.put(&json!({"PK": {"S": pk}, "SK": {"S": sort_key}, "n": {"N": entries.to_string()}}));
}

fn counted(table: &Table, partition: &str) -> Option<u64> {
    let items = table.items("core", &format!("B#{partition}"));
    let mut of_all = items.iter().filter(|item| item["SK"] == MINUTE);
    of_all.next().map(|item| item["n"].as_u64().unwrap())
}

/// The organization's counter is full.
pub(super) fn spent() -> (Scene, Table) {
    let (scene, table) = stage();
    fill(&table, &ORGANIZATION.to_string(), MINUTE, 96);
    (scene, table)
}

pub(super) fn until(statement: &(Subject, Effect)) -> Timestamp {
    match statement.1 {
        Effect::Cover { until } => until,
        other => panic!("{other:?}"),
    }
}

fn of_organization() -> Subject {
    Subject::Organization {
        guid: ORGANIZATION,
        cohort: Cohort::default(),
    }
}

/// What is noted of covers: of what, and until when.
pub(super) fn noted(table: &Table) -> Vec<(Value, Value)> {
    let items = table.items("core", "V#");
    items
        .iter()
        .map(|item| (item["SK"].clone(), item["until"].clone()))
        .collect()
}

pub(super) fn end(hours: u64) -> impl Fn(Authorized<'_>) -> Result<Key, Error> {
    move |key| {
        key.edit(
            Edit {
                expires_at: Some(Some(at(Duration::from_hours(hours)))),
                ..Edit::default()
            },
            None,
        )
    }
}

#[tokio::test]
async fn the_13th_entry_of_a_key_about_itself_covers_that_key_alone() {
    let (scene, table) = stage();
    revoke_tokens(&scene, 1, 12, &own()).await;
    assert_eq!(table.feed(), ["revoke token"; 12]);
    assert_eq!(counted(&table, "07"), Some(12));
    revoke_tokens(&scene, 13, 1, &own()).await;
    let statements = table.statements();
    assert_eq!(statements[12].0, Subject::Key(key().client_id));
    assert_eq!(until(&statements[12]), at(Duration::from_mins(5)));
    assert_eq!(counted(&table, "07"), Some(13), "the cover is one entry");

    revoke_tokens(&scene, 14, 50, &own()).await;
    assert_eq!(table.feed().len(), 13, "the rest writes no entry");
    assert_eq!(
        table.items("feed", "T#").len(),
        63,
        "and stands in the table"
    );
    assert_eq!(counted(&table, "07"), Some(13));
    revoke_tokens(&scene, 100, 1, &admin()).await;
    assert_eq!(table.feed().len(), 14, "another key has its own budget");
}

#[tokio::test]
async fn the_97th_entry_of_an_organization_covers_it() {
    let (scene, table) = stage();
    revoke_tokens(&scene, 1, 96, &admin()).await;
    assert_eq!(table.feed(), ["revoke token"; 96]);
    assert_eq!(counted(&table, "*"), Some(96));
    revoke_tokens(&scene, 97, 20, &admin()).await;
    let statements = table.statements();
    assert_eq!(statements.len(), 97);
    assert_eq!(statements[96].0, of_organization());
    assert_eq!(until(&statements[96]), at(Duration::from_mins(5)));
    let until = at(Duration::from_mins(5)).to_string();
    assert_eq!(noted(&table), [("ORG".into(), until.into())]);
    assert_eq!(
        (counted(&table, "07"), counted(&table, "*")),
        (Some(96), Some(96))
    );

    revoke_token(&scene.store, OTHER, 1_000, &admin())
        .await
        .unwrap();
    assert_eq!(
        table.feed().len(),
        98,
        "another organization has its own budget"
    );
    scene.wait(Duration::from_mins(1));
    revoke_tokens(&scene, 200, 1, &admin()).await;
    assert_eq!(
        table.feed().pop().unwrap(),
        "revoke token",
        "in the next minute"
    );
}

/// A noisy tenant of many noisy keys is one noisy tenant.
#[tokio::test]
async fn a_key_whose_organization_has_no_entry_left_covers_the_organization() {
    let (scene, table) = spent();
    fill(
        &table,
        &ORGANIZATION.to_string(),
        &format!("{MINUTE}#{}", key().client_id),
        12,
    );
    revoke_tokens(&scene, 1, 2, &own()).await;
    let statements = table.statements();
    assert_eq!(statements.len(), 1);
    assert_eq!(statements[0].0, of_organization());
}

#[tokio::test]
async fn where_others_have_filled_the_platform_each_organization_has_its_first_six() {
    let (scene, table) = stage();
    fill(&table, "*", MINUTE, 480);
    revoke_tokens(&scene, 1, 6, &admin()).await;
    assert_eq!(table.feed(), ["revoke token"; 6]);
    revoke_tokens(&scene, 7, 2, &admin()).await;
    assert_eq!(table.feed().split_off(6), ["cover organization"]);
    assert_eq!(counted(&table, "*"), Some(486));

    let (scene, table) = stage();
    fill(&table, "*", MINUTE, 960);
    revoke_tokens(&scene, 1, 2, &admin()).await;
    assert_eq!(table.feed(), ["cover organization"]);
    assert_eq!(
        counted(&table, "*"),
        Some(960),
        "it never passes what it may be"
    );
}

/// Whatever the change: it happens, and the feed has the cover alone.
#[tokio::test]
async fn nothing_is_refused_for_what_the_feed_would_get() {
    let (scene, table) = spent();
    scene.with_key(&key()).await;
    for byte in [1, 2] {
        let owner = user(byte, Role::Owner);
        scene
            .store
            .create_user(&owner, None, &operator())
            .await
            .unwrap();
    }
    let (store, client_id, admin) = (&scene.store, key().client_id, admin());
    store.change(client_id, &admin, end(1)).await.unwrap();
    let open = |key: Authorized<'_>| {
        key.rotate(
            secret(2).id,
            Rotation::Keep(Grace::FromNow(Duration::from_mins(5))),
        )
    };
    store
        .rotate(client_id, &secret(2), &admin, open)
        .await
        .unwrap();
    let finish = |key: Authorized<'_>| key.finish_rotation(Duration::ZERO);
    store.finish(client_id, &admin, finish).await.unwrap();
    for (action, switch) in [
        (
            Action::KeyDeactivate,
            (|key| key.deactivate()) as fn(Authorized<'_>) -> _,
        ),
        (Action::KeyRestore, |key| key.restore()),
    ] {
        store
            .switch(client_id, action, &admin, switch)
            .await
            .unwrap();
    }
    store.revoke(&key(), &admin).await.unwrap();
    for (action, change) in [
        (
            Action::UserUpdate,
            (|user| User {
                role: Role::Viewer,
                ..user
            }) as fn(User) -> User,
        ),
        (Action::UserDisable, |user| User {
            state: UserState::Disabled,
            ..user
        }),
    ] {
        let next = |user: User| {
            let version = user.version + 1;
            Ok(User {
                version,
                ..change(user)
            })
        };
        let guid = Guid::from_bytes([1; 16]);
        store.change_user(guid, action, &admin, next).await.unwrap();
    }
    store
        .revoke_cohort(ORGANIZATION, &Cohort::default(), beside(&[]), &admin)
        .await
        .unwrap();
    store
        .set_kyb(ORGANIZATION, Kyb::Approved, &admin)
        .await
        .unwrap();
    store
        .set_suspension(ORGANIZATION, true, &admin)
        .await
        .unwrap();
    let pro = |gate: &OrganizationGate| {
        Ok(OrganizationGate {
            plan: Plan::Pro,
            ..gate.clone()
        })
    };
    store.set_plan(ORGANIZATION, &admin, pro).await.unwrap();
    revoke_tokens(&scene, 1, 1, &admin).await;
    assert_eq!(table.feed(), ["cover organization"]);
    let items = [
        ("core", "K#"),
        ("core", "U#"),
        ("core", "G#"),
        ("feed", "T#"),
    ]
    .map(|(table_name, class)| table.items(table_name, class));
    for item in items.iter().flatten() {
        assert_eq!(item.get("unannounced"), None, "{item}");
    }
}

#[tokio::test]
async fn changes_of_staff_and_operator_always_write_entries_and_are_not_counted() {
    let (scene, table) = spent();
    scene.with_key(&key()).await;
    let before = table.feed().len();
    scene
        .store
        .change(key().client_id, &operator(), end(1))
        .await
        .unwrap();
    let profile = super::fixtures::organization(Guid::PLATFORM);
    scene
        .store
        .create_organization(&profile, None, &operator())
        .await
        .unwrap();
    let staff = Key {
        organization: Guid::PLATFORM,
        ..key_of(5, Owner::Organization(Guid::PLATFORM), KeyMode::Sandbox)
    };
    let new = NewKey::by_operator(staff.clone());
    scene
        .store
        .create_key_as_operator(&new, &secret(1), None, &operator())
        .await
        .unwrap();
    let caller = scene.snapshot(&staff).await.unwrap();
    let store = scene.store.on_behalf_of(&caller);
    store
        .change(key().client_id, &by(staff.client_id), end(2))
        .await
        .unwrap();
    assert_eq!(table.feed().split_off(before), ["expire key"; 2]);
    assert_eq!(
        (counted(&table, "07"), counted(&table, "*")),
        (Some(96), None)
    );
}

#[tokio::test]
async fn a_change_counts_its_entries_once_however_often_it_is_decided_and_a_repetition_none() {
    let commits = AtomicI64::new(-2);
    let (scene, table) = stage_with(move |table, sent, _| {
        let is_first =
            sent.operation == "TransactWriteItems" && commits.fetch_add(1, Ordering::SeqCst) == 0;
        if is_first {
            table.touch("K#", "KEY");
        }
        None
    });
    scene.with_key(&key()).await;
    let change = async || scene.store.change(key().client_id, &admin(), end(1)).await;
    change().await.unwrap();
    assert_eq!(scene.transactions().len(), 2);
    change().await.unwrap();
    let name = Edit {
        name: Some(domain::organization::Name::parse("new").unwrap()),
        ..Edit::default()
    };
    let rename = |key: Authorized<'_>| key.edit(name.clone(), None);
    scene
        .store
        .change(key().client_id, &admin(), rename)
        .await
        .unwrap();
    assert_eq!(counted(&table, "07"), Some(1));
    assert_eq!(
        table.item("B#07", MINUTE)["expires"],
        at(Duration::from_hours(1)).seconds() + 1
    );
}

pub(super) fn failing(class: &'static str, code: &'static str) -> (Scene, Table) {
    let is_of_class = move |sent: &Sent| {
        let named = [
            &sent.body["Key"],
            &sent.body["RequestItems"]["core"]["Keys"][0],
        ];
        let mut named = named.into_iter().filter_map(|key| key["PK"]["S"].as_str());
        named.any(|pk| pk.starts_with(class))
    };
    stage_with(move |_, sent, _| {
        is_of_class(sent).then(|| {
            let code = format!("com.amazonaws.dynamodb.v20120810#{code}");
            (400, json!({"__type": code}))
        })
    })
}

/// A budget only guards against abuse, so an unreachable counter counts as free. A throttled
/// counter is asked too often, so it counts as full.
#[tokio::test]
async fn an_unreachable_counter_counts_as_free_and_a_throttled_one_as_full() {
    let (scene, table) = failing("B#", "AccessDeniedException");
    revoke_tokens(&scene, 1, 1, &admin()).await;
    assert_eq!(table.feed(), ["revoke token"]);
    for code in [
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ThrottlingException",
    ] {
        let (scene, table) = failing("B#", code);
        revoke_tokens(&scene, 1, 1, &admin()).await;
        assert_eq!(table.feed(), ["cover organization"], "{code}");
        assert_eq!(
            &scene.operations()[..2],
            ["UpdateItem", "BatchGetItem"],
            "{code} is not tried again"
        );
    }
}

/// A cold start reads five bytes of each entry of the reach, and the entries behind the last
/// segment: those that the compactor waits for, and those of a minute and the overlap.
#[test]
fn the_numbers_of_starts_in_the_quotas_follow_from_the_rules() {
    let rules = Rules::STANDARD;
    let quotas = include_str!("../../../../docs/quotas.md");
    let units = |bytes: u64| bytes.div_ceil(4_096).max(1);
    let reach = 80;
    for a_minute in [
        0,
        ORGANIZATION_BUDGET,
        PLATFORM_BUDGET,
        PLATFORM_BUDGET_WITH_FIRST,
    ] {
        let interval = rules.segment_interval.as_secs() / 60;
        let waits_for = (rules.segment_entries as u64).min(a_minute * interval);
        let entries = waits_for + a_minute * (60 + rules.overlap.as_secs()) / 60;
        let of_segments = units(5 * reach * a_minute).div_ceil(2);
        let of_entries = units(80 * entries);
        let starts = match 3_000 * 7 / 10 / of_segments.max(of_entries) {
            thousands @ 1_000.. => format!("{},{:03}", thousands / 1_000, thousands % 1_000),
            fewer => fewer.to_string(),
        };
        let row = format!("| {of_segments} | {of_entries} | {starts} |");
        assert!(quotas.contains(&row), "{a_minute}: {row}");
    }
    let raw = units(80 * reach * PLATFORM_BUDGET);
    let sentence = format!(
        "{} starts a second at the\nbudget of all",
        3_000 * 7 / 10 / raw
    );
    assert!(quotas.contains(&sentence), "{sentence}");
}

/// What each authorizer reads once a second is what others may write in the overlap and that
/// second; a partition has 3,000 units of 4 KB a second.
#[test]
fn the_numbers_of_authorizers_in_the_quotas_follow_from_the_budgets() {
    let quotas = include_str!("../../../../docs/quotas.md");
    let seconds = Rules::STANDARD.overlap.as_secs() + 1;
    for entries in [
        51,
        ORGANIZATION_BUDGET,
        PLATFORM_BUDGET * seconds / 60,
        PLATFORM_BUDGET_WITH_FIRST * seconds / 60,
    ] {
        let units = (entries * 80).div_ceil(4_096);
        let instances = match 3_000 * 7 / 10 / units {
            thousands @ 1_000.. => format!("{},{:03}", thousands / 1_000, thousands % 1_000),
            fewer => fewer.to_string(),
        };
        let row = format!("| {entries} | {units} | {instances} |");
        assert!(quotas.contains(&row), "{row}");
    }
}
