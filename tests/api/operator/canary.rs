//! The canary on the local stack: what it measures, and what it leaves behind.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use aws_sdk_secretsmanager::Client;
use canary::{Key, Round, Step, Target};
use emulator::cloud::Storage;
use local::services::Options;
use operator::tenants::Credentials;
use runtime::Env;
use serde_json::{Value, json};
use tests::{
    Platform, platform,
    proxy::{Fault, Proxy, Response},
    wait,
};

fn key(platform: &Platform) -> Key {
    let key = &platform.seed.organization.key;
    Key {
        client_id: key.client_id.clone(),
        client_secret: key.client_secret.clone().into(),
    }
}

async fn round_at(platform: &Platform, url: &str) -> Round {
    let target = Target {
        url: url.to_owned(),
        path: Target::PATH.to_owned(),
    };
    canary::round(&target, key(platform), platform.stack.services().ambient()).await
}

/// The states of the canary's keys in the seed organization.
async fn states(platform: &Platform) -> Vec<String> {
    states_of(platform, &platform.seed.organization.key).await
}

/// The states of the canary's keys in the organization of this key.
async fn states_of(platform: &Platform, key: &Credentials) -> Vec<String> {
    let list = platform
        .bearer(&platform.token(key).await)
        .get("/api/keys?per_page=100")
        .await;
    let keys = list.body["objects"].as_array().unwrap().clone();
    let own = |key: &Value| {
        key["name"]
            .as_str()
            .unwrap()
            .starts_with("canary-")
            .then(|| key["state"].as_str().unwrap().to_owned())
    };
    keys.iter().filter_map(own).collect()
}

/// A way to the platform on which each call of the sample API after a revoke takes a tenth of a
/// second, of a clock that otherwise stands. So what a round measures is how many calls were let
/// in, and not how fast the machine was. `change` changes the answers of these calls, by how many
/// milliseconds ago the revoke was.
async fn tenth_by_tenth(
    platform: &Platform,
    change: impl Fn(i64, &mut Response) + Send + Sync + 'static,
) -> Proxy {
    platform.stop_clock();
    let way = Proxy::to(platform.gateway()).await;
    let (clock, hands) = (
        platform.stack.services().ambient().clock.clone(),
        platform.hands(),
    );
    let revoked = AtomicI64::new(i64::MAX);
    way.set(Fault::rewrite(move |asked, answered| {
        if asked.method == "DELETE" {
            revoked.store(clock().millis(), Ordering::SeqCst);
        }
        let since = clock()
            .millis()
            .saturating_sub(revoked.load(Ordering::SeqCst));
        if asked.is("GET /v1/whoami") && since >= 0 {
            change(since, answered);
            hands.advance(Duration::from_millis(100));
        }
    }));
    way
}

/// The function over a new secret of this name and value, and the lines that it writes.
async fn function(
    platform: &Platform,
    url: &str,
    name: &str,
    value: &str,
) -> (canary::Canary, Arc<Mutex<Vec<String>>>) {
    let ambient = platform.stack.services().ambient();
    let secrets = Client::new(&ambient.aws);
    let made = secrets
        .create_secret()
        .name(name)
        .secret_string(value)
        .send()
        .await
        .unwrap();
    let env = Env::default()
        .with("LATCHKEY_CANARY_SECRET", made.arn().unwrap())
        .with("LATCHKEY_URL", url)
        .with("LATCHKEY_STACK", "latchkey");
    let lines: Arc<Mutex<Vec<String>>> = Arc::default();
    let written = lines.clone();
    let canary = canary::start(&env, ambient).unwrap().writing(move |line| {
        written.lock().unwrap().push(line.to_owned());
        Ok(())
    });
    (canary, lines)
}

/// CBM-4, X-1: measured as a customer would, on a platform that keeps its promise.
#[tokio::test]
async fn a_round_measures_a_bound_of_less_than_five_seconds_and_leaves_no_working_key() {
    let platform = Platform::start().await;
    // As docs/canary.md has it: a key with the least scopes, made by an owner.
    let body = json!({
        "owner": {"type": "organization", "guid": platform.seed.organization.guid},
        "name": "canary",
        "environment": "sandbox",
        "scopes": ["organization_applications:read", "organization_applications:execute"],
    });
    let made = platform.owner().post("/api/keys", &body).await;
    assert_eq!(made.status, 201, "{made:?}");
    let key = platform::credentials(&made.body);
    let value = json!({"client_id": key.client_id, "client_secret": key.client_secret}).to_string();
    // An authorizer that does not get to read the feed in time on a busy machine is told from one
    // that admits.
    let unavailable = Arc::new(AtomicU64::new(0));
    let seen = unavailable.clone();
    let way = tenth_by_tenth(&platform, move |_, answered| {
        seen.fetch_add(u64::from(answered.status == 503), Ordering::SeqCst);
    })
    .await;
    let (canary, lines) = function(&platform, way.url(), "canary", &value).await;
    let answer = canary::handle(&canary, json!({"detail-type": "Scheduled Event"}))
        .await
        .unwrap();
    let [median, most, last] = ["p50", "p99", "max"].map(|of| {
        let seconds = &answer["seconds_to_last_admission"][of];
        seconds.as_f64().unwrap_or_else(|| panic!("{answer}"))
    });
    assert!(
        0.0 <= median && median <= most && most <= last && last < 5.0,
        "{answer}"
    );
    let calls = &answer["calls_after_revoke"];
    assert!(calls["refused"].as_u64().unwrap() > 20, "{answer}");
    assert_eq!(
        calls["unclear"],
        unavailable.load(Ordering::SeqCst),
        "{answer}"
    );
    assert_eq!(states(&platform).await, ["revoked"]);

    let lines = lines.lock().unwrap().clone();
    assert_eq!(lines.len(), 1);
    assert_eq!(
        runtime::log::redact(lines[0].as_bytes()),
        lines[0].as_bytes()
    );
    assert!(!lines[0].contains(key.client_secret.as_str()));
    let line: Value = serde_json::from_str(&lines[0]).unwrap();
    let directive = &line["_aws"]["CloudWatchMetrics"][0];
    assert_eq!(
        (&directive["Namespace"], &line["Stack"]),
        (&json!("Latchkey"), &json!("latchkey"))
    );
    for metric in directive["Metrics"].as_array().unwrap() {
        let value = &line[metric["Name"].as_str().unwrap()];
        assert!(value.is_number() || value.is_array(), "{metric}: {line}");
    }
    let measured = line["SecondsToLastAdmission"].as_array().unwrap();
    assert_eq!(
        (measured.len(), measured.last(), &line["CanaryFailed"]),
        (4, Some(&json!(last)), &json!(0)),
        "one for each connection"
    );
}

#[tokio::test]
async fn a_secret_that_is_none_fails_loudly_and_is_not_shown() {
    let platform = Platform::start().await;
    for (name, value) in [
        ("text", "lk_test_not_json"),
        ("half", "{\"client_id\": \"only\"}"),
    ] {
        let (canary, lines) = function(&platform, platform.stack.base_url(), name, value).await;
        let error = canary::handle(&canary, Value::Null)
            .await
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("Credential: the canary's secret is no JSON")
                && !error.contains("lk_test"),
            "{error}"
        );
        let line: Value = serde_json::from_str(&lines.lock().unwrap()[0]).unwrap();
        assert_eq!(
            (&line["CanaryFailed"], line.get("SecondsToLastAdmission")),
            (&json!(1), None)
        );
    }
}

/// Each call of a round is lost in turn, and each answer: the round fails or bears it, and leaves
/// no working key either way.
#[tokio::test]
async fn whatever_call_is_lost_no_working_key_is_left() {
    let platform = Arc::new(Platform::start().await);
    // The own token, the sweep, the creation, the token of the new key, the guarded call, the
    // revocation.
    let steps = [
        Step::Sweep,
        Step::Sweep,
        Step::Create,
        Step::Token,
        Step::Admission,
        Step::Revoke,
    ];
    let mut rounds = Vec::new();
    for (nth, step) in steps.into_iter().enumerate() {
        for fault in [Fault::LoseRequest, Fault::LoseAnswer] {
            let platform = platform.clone();
            rounds.push(tokio::spawn(async move {
                let proxy = Proxy::to(platform.gateway()).await;
                proxy.set_nth(nth, fault, Fault::None);
                let round = round_at(&platform, proxy.url()).await;
                assert!(proxy.requests().len() > nth, "{round:?}");
                match (&round.failure, step) {
                    // The guarded call is repeated until it is answered. Twelve rounds at once say
                    // nothing about seconds.
                    (None, Step::Admission) => {
                        assert!(!round.last_admissions.is_empty(), "{round:?}");
                    }
                    (Some(failure), _) => assert_eq!(failure.step, step, "{round:?}"),
                    (None, _) => panic!("nothing failed at {step:?}: {round:?}"),
                }
            }));
        }
    }
    for round in rounds {
        round.await.unwrap();
    }
    let states = states(&platform).await;
    assert!(
        states.len() >= 7 && states.iter().all(|state| state == "revoked"),
        "{states:?}"
    );
}

/// A round that was killed leaves a key, which a later round revokes: when it is over, and not
/// while it may still run.
#[tokio::test]
async fn what_a_killed_round_left_a_later_one_revokes() {
    let platform = Platform::start().await;
    let body = json!({"name": "canary-killed", "scopes": ["organization_applications:read"]});
    let made = platform
        .organization()
        .await
        .post("/api/organization_applications", &body)
        .await;
    assert_eq!(made.status, 201, "{made:?}");
    let round = round_at(&platform, platform.stack.base_url()).await;
    assert_eq!((round.swept, round.failure), (0, None));
    platform.advance(Duration::from_mins(11));
    let round = round_at(&platform, platform.stack.base_url()).await;
    assert_eq!((round.swept, round.failure), (1, None));
    assert!(
        states(&platform)
            .await
            .iter()
            .all(|state| state == "revoked")
    );
}

/// An authorizer that goes on admitting is measured as what it is.
#[tokio::test]
async fn an_authorizer_that_admits_for_too_long_is_reported_with_its_seconds() {
    let platform = Platform::start().await;
    let late = tenth_by_tenth(&platform, |since, answered| {
        if since < 7_000 {
            answered.say(200, &json!({}));
        }
    })
    .await;
    let round = round_at(&platform, late.url()).await;
    assert_eq!(round.failure, None);
    let seconds = round.seconds_to_last_admission(100).unwrap();
    assert!(
        (6.0..9.0).contains(&seconds) && !round.is_sound(),
        "{round:?}"
    );
    // It watches on until nobody was let in for a while.
    let watched = round
        .steps
        .iter()
        .find(|(step, _)| *step == Step::Watch)
        .unwrap()
        .1;
    assert!(watched > 13_000, "{round:?}");
}

/// Where nobody is let in, but for another reason than the revoke, nothing is proven.
#[tokio::test]
async fn an_authorizer_that_cannot_decide_proves_nothing() {
    let platform = Platform::start().await;
    let undecided = Proxy::to(platform.gateway()).await;
    let revoked = AtomicBool::new(false);
    undecided.set(Fault::rewrite(move |asked, answered| {
        revoked.fetch_or(asked.method == "DELETE", Ordering::SeqCst);
        if asked.is("GET /v1/whoami") && revoked.load(Ordering::SeqCst) {
            answered.say(
                503,
                &json!({"message_code": "temporarily_unavailable", "message": "Later"}),
            );
        }
    }));
    let round = round_at(&platform, undecided.url()).await;
    let failure = round.failure.unwrap();
    assert_eq!(failure.step, Step::Watch);
    assert!(
        failure.cause.contains("503 temporarily_unavailable"),
        "{failure}"
    );
    assert_eq!(states(&platform).await, ["revoked"]);
}

/// The template's function, by its own role, when the stack's clock says so.
#[tokio::test]
async fn the_template_s_canary_makes_a_round_by_its_schedule_and_its_own_role() {
    let directory = tempfile::tempdir().unwrap();
    let storage = || Storage::Directory(directory.path().to_owned());
    let platform = Platform::with(Options {
        storage: storage(),
        ..Options::default()
    })
    .await;
    // Another start of the harness makes another organization.
    let key = platform.seed.organization.key.clone();
    let value = json!({"client_id": key.client_id, "client_secret": key.client_secret}).to_string();
    let secrets = Client::new(&platform.stack.services().ambient().aws);
    let data_key = &platform.stack.services().operator()["LATCHKEY_DATA_KEY"];
    let made = secrets
        .create_secret()
        .name("canary")
        .kms_key_id(data_key)
        .secret_string(value)
        .send()
        .await
        .unwrap();
    let parameters =
        BTreeMap::from([("CanarySecretArn".to_owned(), made.arn().unwrap().to_owned())]);
    platform.stop().await;

    let platform = Platform::with(Options {
        storage: storage(),
        parameters,
        ..Options::default()
    })
    .await;
    platform.advance(Duration::from_mins(31));
    wait::until("a round", async || {
        states_of(&platform, &key).await == ["revoked"]
    })
    .await;
    platform.stop().await;
}
