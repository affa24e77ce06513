//! `latchkey signing-keys` from a shell: what each step prints, and what it refuses.

use domain::ids::Guid;
use serde_json::{Value, json};
use tests::Platform;

use super::{parameters, platform};
use crate::{
    operator::command_line::{Outcome, Shell, operator_of, path},
    organization_snapshot::text,
};

const LIST: [&str; 2] = ["signing-keys", "list"];

/// Commands that lack an option, or have options that exclude each other.
const MISUSES: [&[&str]; 4] = [
    &["publish"],
    &["sign", "--kind", "both"],
    &["sign", "--kind", "sandbox", "--wait", "--now", "--yes"],
    &["retire", "--kind", "sandbox", "--yes"],
];

/// Runs one of the commands on the deployed stack.
async fn run_deployed(operator: &Shell, words: &[&str]) -> Outcome {
    operator
        .run(&[&["signing-keys"], words, &["--deployed"]].concat())
        .await
}

/// Publishes the listed key, once and for its own kind only; returns its kid.
async fn publish(operator: &Shell, listed: &Value) -> String {
    let run = async |words: &[&str]| run_deployed(operator, &[&["publish"], words].concat()).await;
    run(&["--kind", "live"])
        .await
        .assert_refused(&["there is no unpublished key"], operator);
    let arn = listed["key"].as_str().unwrap();
    run(&["--kind", "live", "--key", arn])
        .await
        .assert_refused(&["is no live key of this stack"], operator);
    run(&["--kind", "live", "--key", "none"])
        .await
        .assert_refused(&["none", "cannot be read"], operator);
    let published = run(&["--kind", "sandbox", "--key", arn]).await.json();
    assert_eq!(
        (&published["state"], &published["kid"]),
        (&json!("published"), &listed["kid"])
    );
    run(&["--kind", "sandbox"])
        .await
        .assert_refused(&["there is no unpublished key"], operator);
    run(&["--kind", "sandbox", "--key", arn])
        .await
        .assert_refused(&["is published already"], operator);
    text(&published, "kid")
}

fn states(listed: &Value) -> Vec<(&str, &str)> {
    let statuses = listed.as_array().unwrap().iter();
    statuses
        .map(|status| {
            (
                status["environment"].as_str().unwrap(),
                status["state"].as_str().unwrap(),
            )
        })
        .collect()
}

/// On a deployed stack, every act audited as the operator's.
#[tokio::test]
async fn a_deployed_stack_is_rolled_by_commands() {
    let platform = platform("ab").await;
    let operator = operator_of(&platform);
    let run = async |words: &[&str]| run_deployed(&operator, words).await;
    platform.token(&platform.seed.bank.key).await;
    let listed = operator
        .run(&[&LIST[..], &["--deployed"]].concat())
        .await
        .json();
    assert_eq!(
        states(&listed),
        [
            ("sandbox", "signing"),
            ("sandbox", "unpublished"),
            ("live", "signing")
        ]
    );

    let kid = publish(&operator, &listed[1]).await;
    run(&["sign", "--kind", "sandbox"])
        .await
        .assert_refused(&["may sign from ", "in 6 min", "--wait"], &operator);
    run(&["sign", "--kind", "sandbox", "--now"])
        .await
        .assert_refused(&["for up to 360 s", "--yes"], &operator);
    run(&["sign", "--kind", "sandbox", "--kid", "none"])
        .await
        .assert_refused(&["no sandbox signing key none"], &operator);
    let signing = run(&["sign", "--kind", "sandbox", "--now", "--yes"])
        .await
        .json();
    assert_eq!(
        (&signing["state"], &signing["kid"]),
        (&json!("signing"), &json!(kid))
    );

    run(&["retire", "--kind", "sandbox"])
        .await
        .assert_refused(&["may be retired from ", "in 65 min"], &operator);
    run(&["retire", "--kind", "sandbox", "--now"])
        .await
        .assert_refused(&["dies within 300 s", "--yes"], &operator);
    let retired = run(&["retire", "--kind", "sandbox", "--now", "--yes"])
        .await
        .json();
    assert_eq!(
        (&retired["state"], &retired["kid"]),
        (&json!("retired"), &listed[0]["kid"])
    );
    let listed = run(&["list", "--kind", "sandbox"]).await.json();
    assert_eq!(
        states(&listed),
        [("sandbox", "retired"), ("sandbox", "signing")]
    );

    assert_audited(&platform, &kid).await;
    for wrong in MISUSES {
        assert_eq!(run(wrong).await.code, Some(2), "{wrong:?}");
    }
    let mut blind = operator.clone();
    blind.0.remove("LATCHKEY_LIVE_SIGNING_KEYS");
    let refused = blind.run(&[&LIST[..], &["--deployed"]].concat()).await;
    refused.assert_refused(
        &[
            "LATCHKEY_LIVE_SIGNING_KEYS is not set",
            "OperatorEnvironment",
        ],
        &blind,
    );
}

/// Asserts that the operator published this key, had it sign, and retired another one, once each.
async fn assert_audited(platform: &Platform, kid: &str) {
    let chain = platform
        .stack
        .services()
        .store()
        .unwrap()
        .audit_chain(Guid::PLATFORM)
        .await
        .unwrap();
    let acts = |action: &str| {
        let action = format!(r#""action":"signing_key.{action}""#);
        let of = |event: &&String| {
            event.contains(&action) && event.contains(r#""actor":{"type":"operator"}"#)
        };
        chain
            .events
            .values()
            .filter(of)
            .map(|event| event.contains(kid))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        (acts("publish"), acts("sign"), acts("retire")),
        (vec![true], vec![true], vec![false])
    );
}

/// On a data directory that nothing runs on.
#[tokio::test]
async fn a_data_directory_is_rolled_by_commands() {
    let directory = tempfile::tempdir().unwrap();
    let (shell, place) = (Shell::default(), ["--data-dir", path(directory.path())]);
    let both = ["--parameter", "SandboxSigningKeys=ab"];
    let run = async |words: &[&str]| {
        shell
            .run(&[&["signing-keys"], words, &place[..]].concat())
            .await
    };
    let listed = run(&[&["list"], &both[..]].concat()).await.json();
    assert_eq!(
        states(&listed),
        [
            ("sandbox", "unpublished"),
            ("sandbox", "unpublished"),
            ("live", "unpublished")
        ]
    );
    run(&[&["publish", "--kind", "sandbox"], &both[..]].concat())
        .await
        .assert_refused(&["more than one", "--key"], &shell);
    let published = run(&["publish", "--kind", "sandbox"]).await.json();
    run(&["retire", "--kind", "sandbox"])
        .await
        .assert_refused(&["must be named by --kid"], &shell);
    let kid = format!("--kid={}", published["kid"].as_str().unwrap());
    run(&["retire", "--kind", "sandbox", &kid])
        .await
        .assert_refused(&["no key signs yet"], &shell);

    let storage = emulator::cloud::Storage::Directory(directory.path().to_owned());
    let options = local::services::Options {
        storage,
        parameters: parameters("ab"),
        ..Default::default()
    };
    let platform = Platform::with(options).await;
    platform.token(&platform.seed.bank.key).await;
    run(&["list"])
        .await
        .assert_refused(&["in use by another Latchkey"], &shell);
    platform.stop().await;
    let listed = run(&[&["list", "--kind", "sandbox"], &both[..]].concat())
        .await
        .json();
    assert_eq!(
        states(&listed),
        [("sandbox", "signing"), ("sandbox", "unpublished")]
    );
}
