//! The roll of the pepper, by nesting (docs/peppers.md): every secret works before, during and
//! after, whatever an instance remembers, and nobody's secret is needed for it.

use std::{collections::BTreeMap, time::Duration};

use credentials::pepper::CACHE_TTL;
use domain::ids::Guid;
use emulator::cloud::Storage;
use local::services::Options;
use operator::{peppers::PepperRoll, tenants::Credentials};
use serde_json::{Value, json};
use tests::{Caller, Platform, proxy::Fault};

use crate::operator::{
    command_line::{Shell, operator_of, path},
    signing_keys::Instances,
};

/// Secrets Manager's minute, and a little.
const PROPAGATED: Duration = Duration::from_secs(61);
const FAST: u32 = 100_000;

fn roll(platform: &Platform) -> PepperRoll {
    PepperRoll::open(
        &platform.stack.services().env("tokens"),
        platform.stack.services().ambient(),
    )
    .unwrap()
}

async fn counts(platform: &Platform) -> BTreeMap<u32, u64> {
    roll(platform).list(FAST).await.unwrap().hashes
}

/// Whether a machine's secret obtains a token, and a person's is let in, at this door.
async fn work(platform: &Platform, door: &Caller) {
    for key in [&platform.seed.bank.key, &platform.seed.organization.key] {
        let answer = platform.request_token(key, door.clone()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    for person in platform.people() {
        let answer = door
            .clone()
            .with_token(&person.secret)
            .get("/api/users")
            .await;
        // Staff name an organization, and some roles may not list: those are told so, who are
        // known.
        assert!(matches!(answer.status, 200 | 403 | 422), "{answer:?}");
    }
    let mut wrong = platform.seed.bank.key.clone();
    wrong.client_secret =
        crate::credentials::never_issued(&wrong.client_id, domain::key_mode::KeyMode::Sandbox);
    platform
        .request_token(&wrong, door.clone())
        .await
        .assert_oauth_error(401, "invalid_client");
}

/// Before, during and after; by an instance that knew the old peppers alone, and by one that starts
/// after.
#[tokio::test]
async fn every_secret_works_before_during_and_after() {
    let platform = Platform::start().await;
    let older = Instances::of(&platform).await;
    platform.bank_key(json!({})).await;
    let doors = [platform.anonymous(), older.caller(&platform)];
    for door in &doors {
        work(&platform, door).await;
    }
    let first = counts(&platform).await;
    assert_eq!(first.keys().collect::<Vec<_>>(), [&1]);
    assert!(first[&1] >= 8, "{first:?}");

    let added = roll(&platform).add().await.unwrap();
    assert_eq!(added.version, 2);
    let early = roll(&platform)
        .upgrade(FAST, false)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        early.contains(&format!("from {} on", added.upgrade_from)) && early.contains("--wait"),
        "{early}"
    );
    // This instance knows the first pepper for up to an hour: what it makes is right, and brought
    // up to date later.
    let made_between = platform.bank_key(json!({})).await;
    assert_eq!(
        counts(&platform).await,
        BTreeMap::from([(1, first[&1] + 1), (2, 0)])
    );

    platform.advance(PROPAGATED);
    let upgraded = roll(&platform).upgrade(FAST, false).await.unwrap();
    assert_eq!(
        upgraded.brought_up_to_date,
        BTreeMap::from([(1, first[&1] + 1)])
    );
    assert_eq!(
        (upgraded.to, upgraded.up_to_date, upgraded.changed_meanwhile),
        (2, 0, 0)
    );
    assert_eq!(
        upgraded.run_again_at,
        Some(added.older_hashes_until),
        "an instance may still make older hashes"
    );
    let newcomer = Instances::of(&platform).await;
    for door in [&doors[0], &doors[1], &newcomer.caller(&platform)] {
        work(&platform, door).await;
        assert_eq!(
            platform
                .request_token(&made_between, door.clone())
                .await
                .status,
            200
        );
    }

    // Nobody has asked the other instances for a secret's hash since: they make them as before,
    // until the hour is over.
    platform.advance(CACHE_TTL);
    for door in &doors {
        work(&platform, door).await;
    }
    let made_after = platform.bank_key(json!({})).await;
    platform.advance(PROPAGATED);
    let last = roll(&platform).upgrade(FAST, false).await.unwrap();
    assert_eq!(
        (last.brought_up_to_date, last.run_again_at),
        (BTreeMap::new(), None)
    );
    assert_eq!(
        counts(&platform).await,
        BTreeMap::from([(1, 0), (2, last.up_to_date)])
    );
    assert_eq!(
        platform
            .request_token(&made_after, platform.anonymous())
            .await
            .status,
        200
    );
}

/// Keys are rotated and used while their hashes are brought up to date: no rotation fails and no
/// secret is lost.
#[tokio::test]
async fn rotations_and_an_upgrade_do_not_disturb_each_other() {
    let platform = Platform::start().await;
    let mut keys: Vec<Credentials> = Vec::new();
    for _ in 0..4 {
        keys.push(platform.bank_key(json!({})).await);
    }
    roll(&platform).add().await.unwrap();
    platform.advance(PROPAGATED);
    let organization = platform.organization().await;
    let rotations = async {
        let mut secrets = Vec::new();
        for round in 0..12 {
            let key = &keys[round % keys.len()];
            let answer = organization
                .post(
                    &format!("/api/keys/{}/rotate", key.client_id),
                    &json!({"replace": true}),
                )
                .await;
            assert_eq!(answer.status, 200, "{answer:?}");
            let secret = answer.body["secret"].as_str().unwrap().to_owned();
            let rotated = Credentials {
                client_id: key.client_id.clone(),
                client_secret: secret,
            };
            let token = platform.request_token(&rotated, platform.anonymous()).await;
            assert_eq!(token.status, 200, "{token:?}");
            secrets.push(rotated);
        }
        secrets
    };
    let again = async {
        let mut runs = Vec::new();
        for _ in 0..4 {
            runs.push(roll(&platform).upgrade(25, false).await.unwrap());
        }
        runs
    };
    let (secrets, runs) = tokio::join!(rotations, again);
    assert!(
        runs.iter().any(|run| !run.brought_up_to_date.is_empty()),
        "{runs:?}"
    );
    for newest in &secrets[secrets.len() - keys.len()..] {
        assert_eq!(
            platform
                .request_token(newest, platform.anonymous())
                .await
                .status,
            200
        );
    }
    roll(&platform).upgrade(FAST, false).await.unwrap();
    assert_eq!(counts(&platform).await[&1], 0);
    for newest in &secrets[secrets.len() - keys.len()..] {
        assert_eq!(
            platform
                .request_token(newest, platform.anonymous())
                .await
                .status,
            200
        );
    }
    work(&platform, &platform.anonymous()).await;
}

/// An upgrade that ends half-way leaves hashes of both versions, all of which work; another run
/// does the rest and no more.
#[tokio::test]
async fn an_upgrade_that_stops_half_way_is_run_again() {
    let platform = Platform::start().await;
    roll(&platform).add().await.unwrap();
    platform.advance(PROPAGATED);
    let all = counts(&platform).await[&1];
    for seconds in 1.. {
        // Six items a second: each run gets six further than the one before.
        let cut = tokio::time::timeout(
            Duration::from_secs(seconds),
            roll(&platform).upgrade(6, false),
        )
        .await;
        assert!(cut.is_err(), "it was cut");
        let halves = counts(&platform).await;
        assert_eq!(halves[&1] + halves[&2], all);
        if halves[&2] > 0 {
            break;
        }
    }
    let halves = counts(&platform).await;
    assert!(halves[&1] > 0 && halves[&2] > 0, "{halves:?}");
    work(&platform, &platform.anonymous()).await;
    let rest = roll(&platform).upgrade(FAST, false).await.unwrap();
    assert_eq!(
        (rest.brought_up_to_date[&1], rest.up_to_date),
        (halves[&1], halves[&2])
    );
    let nothing = roll(&platform).upgrade(FAST, false).await.unwrap();
    assert_eq!(
        (nothing.brought_up_to_date.len(), nothing.up_to_date),
        (0, all)
    );
    work(&platform, &platform.anonymous()).await;
}

/// Two upgrades at once nest each hash once.
#[tokio::test]
async fn two_upgrades_at_once_nest_each_hash_once() {
    let platform = Platform::start().await;
    roll(&platform).add().await.unwrap();
    platform.advance(PROPAGATED);
    let all = counts(&platform).await[&1];
    let (one, two) = (roll(&platform), roll(&platform));
    let (one, two) = tokio::join!(one.upgrade(FAST, false), two.upgrade(FAST, false));
    let (one, two) = (one.unwrap(), two.unwrap());
    let done = |run: &operator::peppers::Upgraded| {
        run.brought_up_to_date.get(&1).copied().unwrap_or_default()
    };
    assert_eq!(done(&one) + done(&two), all, "{one:?} {two:?}");
    work(&platform, &platform.anonymous()).await;
}

/// Of two additions at once one is refused: none overwrites a pepper that a hash may be under
/// already.
#[tokio::test]
async fn no_pepper_is_lost_to_another_addition() {
    let platform = Platform::start().await;
    for round in 1..=5 {
        let (one, two) = (roll(&platform), roll(&platform));
        let before = roll(&platform).list(FAST).await.unwrap().newest;
        let (one, two) = tokio::join!(one.add(), two.add());
        let added: Vec<u32> = [&one, &two]
            .into_iter()
            .filter_map(|added| Some(added.as_ref().ok()?.version))
            .collect();
        let newest = roll(&platform).list(FAST).await.unwrap().newest;
        assert_eq!(
            newest,
            before + u32::try_from(added.len()).unwrap(),
            "round {round}: {one:?} {two:?}"
        );
        assert!(!added.is_empty(), "round {round}: {one:?} {two:?}");
        if let Some(refused) = [one, two].into_iter().find_map(Result::err) {
            assert!(
                refused.to_string().contains("no pepper was added"),
                "{refused}"
            );
        }
        platform.advance(PROPAGATED);
        roll(&platform).upgrade(FAST, false).await.unwrap();
        work(&platform, &platform.anonymous()).await;
    }
}

/// Secrets Manager does not answer when the hour is over: the peppers that are known stay right. A
/// new one comes with the next answer.
#[tokio::test]
async fn an_outage_of_secrets_manager_refuses_nobody() {
    let (platform, proxy) =
        Platform::behind_proxy("AWS_ENDPOINT_URL_SECRETS_MANAGER", Options::default()).await;
    work(&platform, &platform.anonymous()).await;
    platform.bank_key(json!({})).await;
    roll(&platform).add().await.unwrap();
    for fault in [Fault::LoseRequest, Fault::Hold] {
        proxy.set(fault);
        platform.advance(CACHE_TTL);
        work(&platform, &platform.anonymous()).await;
    }
    let key = platform.bank_key(json!({})).await;
    assert_eq!(
        platform
            .request_token(&key, platform.anonymous())
            .await
            .status,
        200
    );
    proxy.set(Fault::None);
    assert_eq!(
        counts(&platform).await[&2],
        0,
        "made under the one that was known"
    );
    platform.advance(CACHE_TTL);
    platform.bank_key(json!({})).await;
    assert_eq!(counts(&platform).await[&2], 1);
}

/// The commands say what they did, and never a pepper; what they did is in the audit trail.
#[tokio::test]
async fn the_commands_print_versions_and_counts_alone() {
    let directory = tempfile::tempdir().unwrap();
    let storage = Storage::Directory(directory.path().to_owned());
    let platform = Platform::with(Options {
        storage,
        ..Options::default()
    })
    .await;
    let operator = operator_of(&platform);
    let run = async |words: &[&str]| operator.run(&[&["peppers"], words].concat()).await;
    let mut printed = Vec::new();
    let listed = run(&["list", "--deployed"]).await;
    printed.push(listed.stdout.clone());
    assert_eq!(listed.json()["newest"], 1);
    let added = run(&["add", "--deployed"]).await;
    printed.push(added.stdout.clone());
    assert_eq!(added.json()["version"], 2);
    let early = run(&["upgrade", "--deployed", "--rate", "1000"]).await;
    early.assert_refused(
        &["must be able to read the new pepper first", "--wait"],
        &operator,
    );
    printed.push(early.stderr);
    platform.advance(PROPAGATED);
    roll(&platform).upgrade(FAST, false).await.unwrap();
    let listed = run(&["list", "--deployed", "--rate", "100000"]).await;
    printed.push(listed.stdout.clone());
    let listed = listed.json();
    assert_eq!(
        (&listed["newest"], &listed["hashes"]["1"]),
        (&json!(2), &json!(0))
    );
    assert!(listed["hashes"]["2"].as_u64().unwrap() >= 8, "{listed}");
    for wrong in [
        &["upgrade", "--rate", "0"][..],
        &["add", "--pepper", "mine"],
        &["remove"],
    ] {
        assert_eq!(run(wrong).await.code, Some(2), "{wrong:?}");
    }

    let store = platform.stack.services().store().unwrap();
    let chain = store.audit_chain(Guid::PLATFORM).await.unwrap();
    for action in ["pepper.add", "pepper.upgrade"] {
        let event: Vec<Value> = chain
            .events
            .values()
            .map(|event| serde_json::from_str(event).unwrap())
            .filter(|event: &Value| event["action"] == action)
            .collect();
        assert_eq!(event.len(), 1, "{action}");
        assert_eq!(
            (&event[0]["target"], &event[0]["actor"]["type"]),
            (&json!("2"), &json!("operator"))
        );
    }
    printed.extend(chain.events.into_values());
    platform.stop().await;
    let peppers = peppers(directory.path());
    assert_eq!(peppers.len(), 2);
    for pepper in peppers {
        assert_eq!(pepper.len(), 64);
        assert!(printed.iter().all(|text| !text.contains(&pepper)));
    }
    let place = ["--data-dir", path(directory.path())];
    let shell = Shell::default();
    let listed = shell
        .run(&[&["peppers", "list"], &place[..]].concat())
        .await
        .json();
    assert_eq!(listed["newest"], 2);
}

/// The peppers of the newest value, from the file in which the embedded Secrets Manager keeps it.
fn peppers(directory: &std::path::Path) -> Vec<String> {
    let files = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| std::fs::read(entry.unwrap().path()).unwrap_or_default());
    let pattern = regex::bytes::Regex::new(r#"\\"[12]\\":\s*\\"([^"\\]{32,})\\""#).unwrap();
    let mut found: Vec<String> = files
        .flat_map(|file| {
            let found = pattern
                .captures_iter(&file)
                .map(|found| String::from_utf8(found[1].to_vec()).unwrap());
            found.collect::<Vec<_>>()
        })
        .collect();
    found.sort();
    found.dedup();
    found
}
