//! What a wrong secret costs: of a client that there is, and of one that there is not
//! (docs/requirements.md, Secret format). Everything is measured but the table's own time: calls,
//! decoding, hashes.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::{DateTime, body::SdkBody, date_time::Format};
use credentials::{matching::matching, pepper::PepperSource};
use domain::{
    ids::{ClientId, Guid},
    key::{Key, Owner},
    key_mode::KeyMode,
    pepper::Peppers,
    scope::{Catalogue, Holder},
    secret::{PlainSecret, Secret},
};
use runtime::Entropy;
use serde_json::{Value, json};
use store::{Store, Tables};

use super::fake_aws::{PEPPERS, item, sdk_config};
use crate::testing::{
    person::{KEY, MADE, Person, SECRET, brand, minted},
    world::{NOW, claims},
};

/// A client that there is not.
const NOBODY: ClientId = ClientId::of(Guid::from_bytes([17; 16]));

/// A store that holds one key, whose answers are ready, and the calls that it was sent.
struct Service {
    store: Store,
    peppers: PepperSource,
    sent: Arc<Mutex<Vec<String>>>,
}

impl Service {
    fn of(key: &Key) -> Self {
        let partition = format!("K#{KEY}");
        let secret = Secret {
            id: SECRET,
            hash: minted(KeyMode::Sandbox, 1)
                .hash(&Peppers::parse(PEPPERS).unwrap())
                .unwrap(),
            created_at: MADE,
        };
        let stored = |sk: &str, value: Value| item(&partition, sk, &value);
        let key = stored("KEY", serde_json::to_value(key).unwrap());
        let secret = stored(
            &format!("SECRET#{SECRET}"),
            serde_json::to_value(secret).unwrap(),
        );
        let found = json!({"Responses": {"core": [secret]}, "UnprocessedKeys": {}}).to_string();
        let key = json!({"Item": key}).to_string();
        let nothing = json!({"Responses": {"core": []}, "UnprocessedKeys": {}}).to_string();
        let peppers = json!({"SecretString": PEPPERS}).to_string();
        let date = DateTime::from_millis(NOW.millis())
            .fmt(Format::HttpDate)
            .unwrap();
        let sent = Arc::new(Mutex::new(Vec::new()));
        let log = sent.clone();
        let aws = sdk_config(move |request: &HttpRequest| {
            let target = request.headers().get("x-amz-target").unwrap_or_default();
            let operation = target.rsplit('.').next().unwrap_or_default();
            log.lock().unwrap().push(operation.to_owned());
            let body = std::str::from_utf8(request.body().bytes().unwrap_or_default()).unwrap();
            let answer = match (operation, body.contains(&partition)) {
                ("GetSecretValue", _) => &peppers,
                ("GetItem", true) => &key,
                ("GetItem", false) => "{}",
                ("BatchGetItem", true) => &found,
                ("BatchGetItem", false) => &nothing,
                (other, _) => unreachable!("{other}"),
            };
            let mut response =
                HttpResponse::new(200.try_into().unwrap(), SdkBody::from(answer.to_owned()));
            response.headers_mut().insert("date", date.clone());
            response
        });
        let tables = Tables {
            core: "core".into(),
            feed: "feed".into(),
            audit: "audit".into(),
        };
        let clock: domain::time::Clock = Arc::new(|| NOW);
        Self {
            store: Store::new(&aws, tables, clock.clone(), || claims().jti),
            peppers: PepperSource::new(&aws, "pepper", clock),
            sent,
        }
    }

    /// As the token function and the guard check a secret.
    async fn is_known(&self, presented: &PlainSecret) -> bool {
        let found = self
            .store
            .key_with_secrets(presented.client_id())
            .await
            .unwrap();
        let (key, stored) = found.map_or((None, Vec::new()), |(key, stored)| (Some(key), stored));
        let secret = matching(&self.peppers, presented, &stored).await.unwrap();
        key.is_some() && secret.is_some()
    }

    fn calls(&self) -> Vec<String> {
        std::mem::take(&mut *self.sent.lock().unwrap())
    }
}

fn of_nobody() -> PlainSecret {
    let seed = Entropy::from_fn(|bytes| bytes.fill(2)).secret();
    PlainSecret::mint(&brand(), KeyMode::Sandbox, NOBODY, &seed)
}

/// A bank's key as it is made without `scopes`.
fn of_a_bank() -> Key {
    Key {
        owner: Owner::Bank(Guid::from_bytes([5; 16])),
        scopes: Catalogue::default().defaults(Holder::Bank),
        ..Person::new().key
    }
}

#[tokio::test]
async fn an_unknown_client_is_asked_of_the_table_as_a_known_one_is() {
    let service = Service::of(&of_a_bank());
    assert!(
        service.is_known(&minted(KeyMode::Sandbox, 1)).await,
        "the right secret"
    );
    service.calls();
    assert!(!service.is_known(&minted(KeyMode::Sandbox, 2)).await);
    let known = service.calls();
    assert!(!service.is_known(&of_nobody()).await);
    assert_eq!(service.calls(), known);
    assert_eq!(known, ["GetItem", "BatchGetItem"]);
}

/// `cargo test --release -p guard wrong_secrets -- --ignored --nocapture`
#[tokio::test]
#[ignore = "measures a release build; prints medians"]
async fn what_a_wrong_secret_costs_of_a_known_and_of_an_unknown_client() {
    const SAMPLES: usize = 20_000;
    for (name, key) in [("a bank's", of_a_bank()), ("a personal", Person::new().key)] {
        let service = Service::of(&key);
        let (wrong, nobodys) = (minted(KeyMode::Sandbox, 2), of_nobody());
        let (mut known, mut unknown) = (Vec::new(), Vec::new());
        for _ in 0..SAMPLES {
            for (secret, samples) in [(&wrong, &mut known), (&nobodys, &mut unknown)] {
                samples.push(time(service.is_known(secret)).await);
            }
        }
        let [known, unknown] = [known, unknown].map(median);
        println!(
            "{name} key: known {known:?}, unknown {unknown:?}, unknown / known {:.3}",
            unknown.as_secs_f64() / known.as_secs_f64()
        );
    }
}

#[expect(clippy::disallowed_methods, reason = "what passes is what is measured")]
async fn time(checked: impl Future<Output = bool>) -> Duration {
    let started = std::time::Instant::now();
    assert!(!checked.await);
    started.elapsed()
}

fn median(mut samples: Vec<Duration>) -> Duration {
    // Without what ran before caches and connections were there.
    samples.drain(..samples.len() / 10);
    samples.sort_unstable();
    samples[samples.len() / 2]
}
