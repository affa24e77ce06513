//! Each permission is taken away in turn, and something fails that worked before.
//!
//! First every story is told with all permissions, to learn which each one needs: a permission that
//! none needs is in excess. Then, for each permission, the quickest story that needs it is told by
//! fresh functions without it.

#![expect(
    clippy::disallowed_methods,
    reason = "how long a story takes is this machine's own time"
)]

use std::{collections::BTreeMap, time::Instant};

use aws_sdk_secretsmanager::Client;
use emulator::cloud::{Storage, access::Granted};
use local::services::Options;
use serde_json::{Value, json};
use tests::Platform;

use super::{
    everything_on, rows,
    scenarios::{ALL, CONDITIONAL, Outcome, play},
};

/// A platform whose functions are fresh: what an instance remembers would hide what it may no
/// longer read.
async fn told_by_fresh_functions(platform: &mut Platform, story: &str) -> Outcome {
    platform.stack = platform
        .stack
        .renewed()
        .await
        .map_err(|error| format!("does not start: {error}"))?;
    play(story, platform).await
}

/// Which stories need a permission, the quickest first.
type Needs = BTreeMap<Granted, Vec<(u128, &'static str)>>;

async fn needs(platform: &mut Platform, stories: &[&'static str]) -> Needs {
    let mut needs = Needs::new();
    let authority = platform.stack.services().cloud().authority().clone();
    for &story in stories {
        let _before = authority.take_seen();
        let begun = Instant::now();
        let outcome = told_by_fresh_functions(platform, story).await;
        let took = begun.elapsed().as_millis();
        let seen = authority.take_seen();
        assert_eq!(
            (outcome, &seen.refused[..]),
            (Ok(()), &[][..]),
            "{story}, with every permission"
        );
        for granted in authority.rules().granted() {
            if seen.used.contains(&granted.permission) {
                needs.entry(granted).or_default().push((took, story));
            }
        }
    }
    for stories in needs.values_mut() {
        stories.sort_unstable();
    }
    needs
}

/// Takes away each permission of these in turn, and says how many were taken and of which nothing
/// failed.
async fn in_excess(
    options: Options,
    stories: &[&'static str],
    which: impl Fn(&Granted) -> bool,
) -> (usize, Vec<String>) {
    let mut platform = Platform::with(options).await;
    let needs = needs(&mut platform, stories).await;
    let authority = platform.stack.services().cloud().authority().clone();
    let rules = (*authority.rules()).clone();
    let mut in_excess = Vec::new();
    let (begun, mut taken) = (Instant::now(), 0);
    for granted in rules.granted().into_iter().filter(|granted| which(granted)) {
        let Some(stories) = needs.get(&granted) else {
            in_excess.push(format!("{}: no story needs it", granted.permission));
            continue;
        };
        authority
            .enforce(rules.without(&granted.permission))
            .unwrap();
        let (mut missed, mut told) = (false, Vec::new());
        for (_, story) in stories {
            let _before = authority.take_seen();
            let outcome = told_by_fresh_functions(&mut platform, story).await;
            let refused = authority.take_seen().refused;
            let named = refused
                .iter()
                .any(|refusal| refusal.action == granted.permission.action);
            if outcome.is_err() && named {
                missed = true;
                break;
            }
            told.push(format!("{story}: {outcome:?}, refused {refused:?}"));
        }
        taken += 1;
        if !missed {
            in_excess.push(format!(
                "{}: nothing fails for the lack of it: {told:#?}",
                granted.permission
            ));
        }
    }
    eprintln!("{taken} permissions taken away in {:?}", begun.elapsed());
    (taken, in_excess)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leak_5_without_any_one_permission_something_fails() {
    let (taken, excess) = in_excess(Options::default(), &ALL, |_| true).await;
    assert_eq!(excess, Vec::<String>::new());
    assert!(taken > 100, "{taken}");
}

/// The second slot of each kind of signing key, while it is the one that there is.
///
/// Deviation: policies-at-once.
#[tokio::test]
async fn leak_5_the_other_slot_s_keys_are_needed_too() {
    let slots =
        ["SandboxSigningKeys", "LiveSigningKeys"].map(|name| (name.to_owned(), "b".to_owned()));
    let of_slot_b = |granted: &Granted| granted.resource.ends_with("SigningKeyB");
    let options = Options {
        parameters: slots.into(),
        ..Options::default()
    };
    let (taken, excess) = in_excess(
        options,
        &["a deployment's first keys are published"],
        of_slot_b,
    )
    .await;
    assert_eq!(excess, Vec::<String>::new());
    assert!(taken > 0);
}

const PROXY_SECRET: &str = "TrustedProxySecretArn";
const CANARY_SECRET: &str = "CanarySecretArn";

/// The options of a stack behind a proxy and with a canary, over the directory, where their secrets
/// are from now on.
async fn with_a_proxy_and_a_canary(directory: &std::path::Path) -> Options {
    let storage = || Storage::Directory(directory.to_owned());
    let platform = Platform::with(Options {
        storage: storage(),
        ..Options::default()
    })
    .await;
    let secrets = Client::new(&platform.stack.services().ambient().aws);
    let made = async |name: &str, value: Value, key: Option<String>| {
        let made = secrets
            .create_secret()
            .name(name)
            .set_kms_key_id(key)
            .secret_string(value.to_string())
            .send()
            .await;
        made.unwrap().arn.unwrap()
    };
    let proxy = made(
        PROXY_SECRET,
        json!({"current": "proof-of-the-proxy-".repeat(3)}),
        None,
    )
    .await;
    let key = &platform.seed.organization.key;
    let value = json!({"client_id": key.client_id, "client_secret": key.client_secret});
    let data_key = platform.stack.services().operator()["LATCHKEY_DATA_KEY"].clone();
    let canary = made(CANARY_SECRET, value, Some(data_key)).await;
    platform.stop().await;
    let mut parameters = everything_on();
    parameters.retain(|name, _| name.starts_with("TrustedProxy"));
    parameters.extend(
        [(PROXY_SECRET, proxy), (CANARY_SECRET, canary)].map(|(name, arn)| (name.to_owned(), arn)),
    );
    Options {
        storage: storage(),
        parameters,
        ..Options::default()
    }
}

/// What a function may do only while a parameter names a trusted proxy's secret or the canary's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leak_5_what_a_proxy_and_a_canary_add_is_needed_too() {
    let directory = tempfile::tempdir().unwrap();
    let options = with_a_proxy_and_a_canary(directory.path()).await;
    let added = |function: &str, resource: &str| {
        function == "CanaryFunction" || resource.starts_with(PROXY_SECRET)
    };
    let which = |granted: &Granted| added(&granted.function, &granted.resource);
    let (taken, excess) = in_excess(options, &CONDITIONAL, which).await;
    assert_eq!(excess, Vec::<String>::new());
    let told = rows().iter().filter(|row| added(&row[0], &row[2])).count();
    assert_eq!((taken, told), (told, 9), "every such row of the table");
}
