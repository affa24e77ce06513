//! Types that hold secrets do not print them.

use std::{fmt, fs, marker::PhantomData, path::Path};

use domain::{key_mode::KeyMode, pepper::Peppers, secret::PlainSecret};
use emulator::cloud::Storage;
use local::{seed::Seed, services::Options};
use operator::tenants::Credentials;
use serde_json::Value;
use tests::Platform;

use super::search::Needles;

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
        assert!(
            Printable::<Value>::DEBUG && Shown::<Value>::DISPLAY,
            "the probe works"
        );
        assert!(!Printable::<PlainSecret>::DEBUG && !Shown::<PlainSecret>::DISPLAY);
        assert!(!Printable::<Credentials>::DEBUG && !Shown::<Credentials>::DISPLAY);
        assert!(!Printable::<Seed>::DEBUG && !Shown::<Seed>::DISPLAY);
        assert!(!Shown::<Peppers>::DISPLAY);
    }
    let directory = tempfile::tempdir().unwrap();
    let storage = Storage::Directory(directory.path().to_owned());
    let platform = Platform::with(Options {
        storage,
        ..Options::default()
    })
    .await;
    let services = platform.stack.services();
    let key = &platform.seed.bank.key;
    let (_, secrets) = services
        .store()
        .unwrap()
        .key_with_secrets(key.client_id.parse().unwrap())
        .await
        .unwrap()
        .unwrap();
    let source = services.peppers().unwrap();
    let peppers = source.peppers().await.unwrap();
    let token = platform.token(key).await;
    let request = guard::Request::new(
        Some(&format!("Bearer {token}")),
        None,
        "GET /v1/whoami",
        None,
    );
    let printed = format!(
        "{:?} {secrets:?} {source:?} {peppers:?} {request:?}",
        platform.stack
    );
    let mut needles = Needles::default();
    needles.secret("the secret", &key.client_secret);
    needles.token("the token", &token);
    let stored = serde_json::to_value(secrets[0].hash).unwrap().to_string();
    let digest = stored.split('"').max_by_key(|text| text.len()).unwrap();
    assert!(digest.len() >= 32, "the hash as it is stored: {stored}");
    needles.add("the hash", "as it is stored", digest);
    needles.add("the pepper", "in plain", pepper(directory.path()));
    assert_eq!(
        needles.found_in(printed.as_bytes()),
        Vec::<&str>::new(),
        "{printed}"
    );
    // The hash and the pepper are where they belong, and only a keyed hash is.
    assert!(!needles.found_below(directory.path()).is_empty());
    let kinds = [KeyMode::Sandbox, KeyMode::Live];
    assert!(kinds.iter().all(|kind| printed.contains("Bearer")
        && !printed.contains(&format!("lk_{}_", kind.secret_tag()))));
}

/// The pepper, from the file in which the embedded Secrets Manager keeps it.
fn pepper(directory: &Path) -> String {
    let pattern = regex::bytes::Regex::new(r#"\\"1\\":\s*\\"([^"\\]{32,})\\""#).unwrap();
    let mut files = fs::read_dir(directory)
        .unwrap()
        .map(|entry| fs::read(entry.unwrap().path()).unwrap_or_default());
    let found = files.find_map(|file| pattern.captures(&file).map(|found| found[1].to_vec()));
    String::from_utf8(found.expect("a pepper in the data directory")).unwrap()
}
