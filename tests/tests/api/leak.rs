//! LEAK-1: no plaintext secret in any table, log, error or file. One full run, good and bad, then a search through every
//! byte that the system wrote for every secret and token that it handed out.

mod confused;
mod search;

use std::{
    fmt, fs,
    marker::PhantomData,
    path::Path,
    sync::{Arc, Mutex},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use domain::{gate::Kyb, kind::Kind, pepper::Peppers, secret::PlainSecret};
use emulator::cloud::Storage;
use local::{seed::Seed, services::Options};
use operator::founder::Credentials;
use reqwest::Method;
use runtime::Entropy;
use serde_json::{Value, json};
use tests::{Answer, Caller, Platform, platform::ALLOWED};

pub(crate) use self::search::logs;
use self::search::{Needles, hex};
use crate::credentials;

/// Everything that was handed out.
#[derive(Default)]
struct HandedOut {
    keys: Vec<Credentials>,
    /// Secrets of personal keys, and those that a rotation made.
    secrets: Vec<String>,
    tokens: Vec<String>,
}

impl HandedOut {
    fn key(&mut self, answer: &Answer) -> Credentials {
        assert_eq!(answer.status, 201, "{answer:?}");
        self.keys.push(tests::platform::credentials(&answer.body));
        self.keys[self.keys.len() - 1].clone()
    }

    fn token(&mut self, answer: &Answer) -> String {
        assert_eq!(answer.status, 200, "{answer:?}");
        self.tokens.push(answer.body["access_token"].as_str().unwrap().to_owned());
        self.tokens[self.tokens.len() - 1].clone()
    }

    /// Tokens by every route and way there is.
    async fn tokens(&mut self, platform: &Platform, key: &Credentials) {
        let (anonymous, Credentials { client_id, client_secret }) = (platform.anonymous().from(ALLOWED), key);
        let form = [("grant_type", "client_credentials"), ("client_id", client_id), ("client_secret", client_secret)];
        let basic = anonymous.request(Method::POST, "/oauth/token").basic_auth(client_id, Some(client_secret));
        let basic = basic.header("content-type", "application/x-www-form-urlencoded").body("grant_type=client_credentials");
        for answer in [
            anonymous.post_form("/oauth/token", &form).await,
            platform.request_token(key, anonymous.clone()).await,
            Answer::of(basic).await,
            anonymous.post("/v1/auth/token", &json!({"client_secret": client_secret})).await,
        ] {
            let token = self.token(&answer);
            assert!([200, 401].contains(&platform.bearer(&token).from(ALLOWED).get("/v1/whoami").await.status));
        }
    }
}

/// What works: keys of every owner and kind, tokens by every route, changes, revocations.
async fn good_run(platform: &Platform, handed_out: &mut HandedOut) {
    let Seed { organization, bank, .. } = platform.seed.clone();
    handed_out.keys.extend([organization.key.clone(), bank.key.clone()]);
    let answer = platform.request_token(&organization.key, platform.anonymous()).await;
    let caller = platform.bearer(&handed_out.token(&answer));
    let body = json!({"name": "the name that is kept", "bank_guid": bank.guid, "ip_allowlist": [ALLOWED]});
    let of_bank = handed_out.key(&caller.post("/api/bank_applications", &body).await);
    let of_organization = handed_out.key(&caller.post("/api/organization_applications", &json!({"name": "another"})).await);
    let short = handed_out.key(&caller.post("/api/bank_applications", &json!({"name": "short", "bank_guid": bank.guid})).await);
    let (_, live) = credentials::live_organization(platform, Kyb::Approved).await;
    handed_out.keys.push(live);
    for key in handed_out.keys.clone() {
        handed_out.tokens(platform, &key).await;
    }
    ask_about_and_revoke(platform, handed_out, &bank.key).await;
    rotate(&caller, handed_out, &of_bank).await;
    use_personal_keys(platform, handed_out).await;
    let path = format!("/api/bank_applications/{}", of_bank.client_id);
    assert_eq!(caller.patch(&path, &json!({"name": "renamed", "ip_allowlist": []})).await.status, 200);
    for path in [path.as_str(), "/api/bank_applications", "/api/organization_applications", "/api/banks"] {
        assert_eq!(caller.get(path).await.status, 200, "{path}");
    }
    assert_eq!(caller.delete(&format!("/api/bank_applications/{}", short.client_id)).await.status, 204);
    let revoked = caller.post(&format!("/api/keys/{}/revoke", of_organization.client_id), &json!({})).await;
    assert_eq!(revoked.status, 200, "{revoked:?}");
    for key in [short, of_organization] {
        platform.request_token(&key, platform.anonymous()).await.assert_oauth_error(401, "invalid_client");
    }
}

/// A customer's token, its introspection and its revocation.
async fn ask_about_and_revoke(platform: &Platform, handed_out: &mut HandedOut, bank: &Credentials) {
    let parent = handed_out.token(&platform.request_token(bank, platform.anonymous()).await);
    let body = json!({"customer_guid": "c0ffee00c0ffee00c0ffee00c0ffee00", "scopes": ["accounts:read"]});
    let issued = platform.bearer(&parent).post("/api/customer_tokens", &body).await;
    assert_eq!(issued.status, 201, "{issued:?}");
    let customer = issued.body["access_token"].as_str().unwrap().to_owned();
    handed_out.tokens.push(customer.clone());
    let body = json!({"client_id": bank.client_id, "client_secret": bank.client_secret, "token": customer});
    for path in ["/oauth/introspect", "/oauth/revoke"] {
        assert_eq!(platform.anonymous().post(path, &body).await.status, 200, "{path}");
    }
}

/// A key's second secret, and the end of its first.
async fn rotate(caller: &Caller, handed_out: &mut HandedOut, key: &Credentials) {
    let rotated = caller.post(&format!("/api/keys/{}/rotate", key.client_id), &json!({})).await;
    assert_eq!(rotated.status, 200, "{rotated:?}");
    handed_out.secrets.push(rotated.body["secret"].as_str().unwrap().to_owned());
    let finished = caller.post(&format!("/api/keys/{}/finish_rotation", key.client_id), &json!({})).await;
    assert_eq!(finished.status, 200, "{finished:?}");
}

/// Secrets that are sent as they are: to a guarded API, to the management API and to be asked about.
async fn use_personal_keys(platform: &Platform, handed_out: &mut HandedOut) {
    let Seed { users, staff, .. } = &platform.seed;
    let body = json!({"owner": {"type": "user", "guid": users.owner.guid}, "name": "mine"});
    let made = platform.owner().post("/api/keys", &body).await;
    assert_eq!(made.status, 201, "{made:?}");
    handed_out.secrets.push(made.body["secret"].as_str().unwrap().to_owned());
    let people = [&users.owner, &users.developer, &users.viewer, &staff.support, &staff.security, &staff.operations];
    handed_out.secrets.extend(people.map(|person| person.secret.clone()));
    for secret in &handed_out.secrets {
        let caller = platform.bearer(secret);
        for path in ["/v1/whoami", "/api/organizations"] {
            assert!(caller.get(path).await.status < 500);
        }
        assert!(caller.post("/oauth/introspect", &json!({"token": secret})).await.status < 500);
    }
}

/// What fails, or works in spite of what is superfluous. No answer is a 5xx or says a secret back.
async fn bad_run(platform: &Platform, handed_out: &HandedOut, needles: &Needles) {
    let caller = platform.organization().await;
    let mut places = 0;
    for text in [&handed_out.keys[3].client_secret, &handed_out.tokens[1], &handed_out.secrets[1]] {
        for request in confused::requests(platform, &caller, text) {
            let described = request.try_clone().and_then(|request| request.build().ok()).map(|request| format!("{request:?}"));
            let answer = Answer::of(request).await;
            assert!(answer.status < 500, "{described:?}: {answer:?}");
            let said_back = needles.found_in(format!("{:?}{}", answer.headers, answer.text).as_bytes());
            assert!(said_back.is_empty(), "{described:?}: {said_back:?} in {answer:?}");
            places += 1;
        }
    }
    assert!(places > 300, "{places}");
}

/// An entropy that remembers the bits of every secret.
fn remembering() -> (Entropy, Arc<Mutex<Vec<Vec<u8>>>>) {
    let (system, drawn) = (Entropy::system(), Arc::new(Mutex::new(Vec::new())));
    let memory = drawn.clone();
    let entropy = Entropy::from_fn(move |bytes| {
        bytes.copy_from_slice(&system.secret()[..bytes.len()]);
        if bytes.len() == 32 {
            memory.lock().unwrap().push(bytes.to_vec());
        }
    });
    (entropy, drawn)
}

#[tokio::test]
async fn leak_1_nothing_that_was_written_holds_a_secret_or_token() {
    let logs = logs();
    let directory = tempfile::tempdir().unwrap();
    let (entropy, drawn) = remembering();
    let storage = Storage::Directory(directory.path().to_owned());
    let platform = Platform::with(Options { storage, entropy, ..Options::default() }).await;
    let (mut handed_out, mut needles) = (HandedOut::default(), Needles::default());
    good_run(&platform, &mut handed_out).await;
    assert!(handed_out.keys.len() >= 6 && handed_out.tokens.len() >= 24);
    for secret in handed_out.keys.iter().map(|key| &key.client_secret).chain(&handed_out.secrets) {
        needles.secret("a secret", secret);
    }
    for token in &handed_out.tokens {
        needles.token("a token", token);
    }
    let drawn = drawn.lock().unwrap().clone();
    assert_eq!(drawn.len(), handed_out.keys.len() + handed_out.secrets.len(), "every secret's bits are known");
    for bits in &drawn {
        needles.bits(bits);
    }
    bad_run(&platform, &handed_out, &needles).await;

    platform.settle().await;
    assert_eq!(needles.found_below(directory.path()), [], "while it runs, with the write-ahead log");
    platform.stop().await;
    assert_eq!(needles.found_below(directory.path()), [], "after it stopped");
    let (said, written) = (logs.said.bytes(), logs.written.bytes());
    assert_eq!(needles.lines_of(&said), Vec::<String>::new(), "said, though it would not have been written");
    assert_eq!(needles.lines_of(&written), Vec::<String>::new(), "written");

    // The same search finds what is there: the run's names in the tables, its refusals in the logs, and what is planted.
    let mut controls = Needles::default();
    controls.add("a name", "in plain", "the name that is kept");
    assert!(controls.found_below(directory.path()).iter().any(|(file, _)| file.starts_with("dynamodb")));
    let mut controls = Needles::default();
    controls.add("a refused key", "in plain", &handed_out.keys[3].client_id);
    assert!(!controls.found_in(&written).is_empty());
    for (planted, what) in [
        (handed_out.keys[2].client_secret.clone().into_bytes(), "a secret in plain"),
        (handed_out.keys[2].client_secret.to_uppercase().into_bytes(), "a secret in plain"),
        (STANDARD.encode(format!("x:{}", handed_out.keys[0].client_secret)).into_bytes(), "a secret in base64"),
        (format!("é{}", hex(handed_out.keys[5].client_secret.as_bytes())).into_bytes(), "a secret in hex"),
        (handed_out.tokens[7].clone().into_bytes(), "a token in plain"),
        ([b"\0\xff", &drawn[1][..], b"\0"].concat(), "a secret's random bits as they are"),
    ] {
        let below = directory.path().join("below");
        fs::create_dir_all(&below).unwrap();
        fs::write(below.join("planted"), &planted).unwrap();
        assert_eq!(needles.found_below(directory.path()), [("planted".to_owned(), what)]);
        fs::remove_file(below.join("planted")).unwrap();
    }
    tracing::info!(planted = handed_out.keys[1].client_secret, "a control of the leak test");
    assert_eq!(needles.lines_of(&logs.said.bytes()).len(), 1);
    let written = logs.written.bytes();
    assert_eq!(needles.lines_of(&written), Vec::<String>::new());
    assert!(String::from_utf8_lossy(&written).contains(r#""planted":"[redacted]""#));
}

/// Whether a type can be printed: an inherent constant wins over the trait's where its bound holds.
struct Printable<T>(PhantomData<T>);

trait Unprintable {
    const DEBUG: bool = false;
    const DISPLAY: bool = false;
}

impl<T> Unprintable for Printable<T> {}

impl<T: fmt::Debug> Printable<T> {
    const DEBUG: bool = true;
}

struct Shown<T>(PhantomData<T>);

impl<T> Unprintable for Shown<T> {}

impl<T: fmt::Display> Shown<T> {
    const DISPLAY: bool = true;
}

/// LEAK-1: secrets have a type that cannot be printed, and what surrounds them prints without them.
#[tokio::test]
async fn leak_1_types_that_hold_secrets_do_not_print_them() {
    const {
        assert!(Printable::<Value>::DEBUG && Shown::<Value>::DISPLAY, "the probe works");
        assert!(!Printable::<PlainSecret>::DEBUG && !Shown::<PlainSecret>::DISPLAY);
        assert!(!Printable::<Credentials>::DEBUG && !Shown::<Credentials>::DISPLAY);
        assert!(!Printable::<Seed>::DEBUG && !Shown::<Seed>::DISPLAY);
        assert!(!Shown::<Peppers>::DISPLAY);
    }
    let directory = tempfile::tempdir().unwrap();
    let storage = Storage::Directory(directory.path().to_owned());
    let platform = Platform::with(Options { storage, ..Options::default() }).await;
    let services = platform.stack.services();
    let key = &platform.seed.bank.key;
    let (_, secrets) = services.store().unwrap().key_with_secrets(key.client_id.parse().unwrap()).await.unwrap().unwrap();
    let source = services.peppers().unwrap();
    let peppers = source.peppers().await.unwrap();
    let token = platform.token(key).await;
    let request = guard::Request::new(Some(&format!("Bearer {token}")), None, "GET /v1/whoami", None);
    let printed = format!("{:?} {secrets:?} {source:?} {peppers:?} {request:?}", platform.stack);
    let mut needles = Needles::default();
    needles.secret("the secret", &key.client_secret);
    needles.token("the token", &token);
    let stored = serde_json::to_value(secrets[0].hash).unwrap().to_string();
    let digest = stored.split('"').max_by_key(|text| text.len()).unwrap();
    assert!(digest.len() >= 32, "the hash as it is stored: {stored}");
    needles.add("the hash", "as it is stored", digest);
    needles.add("the pepper", "in plain", pepper(directory.path()));
    assert_eq!(needles.found_in(printed.as_bytes()), Vec::<&str>::new(), "{printed}");
    // The hash and the pepper are where they belong, and only a keyed hash is.
    assert!(!needles.found_below(directory.path()).is_empty());
    let kinds = [Kind::Sandbox, Kind::Live];
    assert!(kinds.iter().all(|kind| printed.contains("Bearer") && !printed.contains(&format!("lk_{}_", kind.secret_tag()))));
}

/// The pepper, from the file in which the embedded Secrets Manager keeps it.
fn pepper(directory: &Path) -> String {
    let pattern = regex::bytes::Regex::new(r#"\\"1\\":\s*\\"([^"\\]{32,})\\""#).unwrap();
    let mut files = fs::read_dir(directory).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap_or_default());
    let found = files.find_map(|file| pattern.captures(&file).map(|found| found[1].to_vec()));
    String::from_utf8(found.expect("a pepper in the data directory")).unwrap()
}
