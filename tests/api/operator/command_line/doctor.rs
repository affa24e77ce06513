//! `latchkey doctor` and `latchkey canary`.

use std::{os::unix::fs::PermissionsExt, path::Path};

use local::environment;
use serde_json::Value;
use tests::Platform;

use super::{Shell, path};

/// What `cargo run` leaves in its data directory.
fn leave(platform: &Platform, directory: &Path, url: &str) {
    let mut variables = platform
        .stack
        .services()
        .environment(platform.stack.base_url());
    variables.insert("LATCHKEY_URL".to_owned(), url.to_owned());
    environment::write(directory, &variables).unwrap();
}

/// Deviation: point-in-time-recovery, control-plane.
#[tokio::test]
async fn a_running_local_stack_is_found_by_its_data_directory() {
    let (platform, directory) = (Platform::start().await, tempfile::tempdir().unwrap());
    leave(&platform, directory.path(), platform.stack.base_url());
    let mode = directory
        .path()
        .join("environment")
        .metadata()
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let report = Shell::default()
        .run(&[
            "doctor",
            "--data-dir",
            path(directory.path()),
            "--json",
            "--patience",
            "5",
        ])
        .await
        .json();
    assert_eq!(report["sound"], true, "{report}");
    let finding = |check: &str| {
        report["findings"]
            .as_array()
            .unwrap()
            .iter()
            .find(|one| one["check"] == check)
            .cloned()
            .unwrap()
    };
    let recovery = finding("tables.recovery");
    assert_eq!(recovery["verdict"], "unknown");
    assert!(
        recovery["detail"]
            .as_str()
            .unwrap()
            .contains("not offered here"),
        "{recovery}"
    );
    assert_eq!(finding("api.account")["verdict"], "ok");
    assert!(
        finding("credential.token")["detail"]
            .as_str()
            .unwrap()
            .contains("LATCHKEY_CLIENT_ID")
    );
}

#[tokio::test]
async fn what_is_wrong_is_said_with_what_to_do_and_by_the_exit_code() {
    let (platform, directory) = (Platform::start().await, tempfile::tempdir().unwrap());
    let nowhere = Shell::default()
        .run(&["doctor", "--data-dir", path(directory.path())])
        .await;
    nowhere.assert_refused(
        &["no stack is named", "LATCHKEY_REST_API_ID", "environment"],
        &Shell::default(),
    );
    leave(&platform, directory.path(), "https://auth.example.com");
    let url = platform.stack.base_url();
    let outcome = Shell::default()
        .run(&[
            "doctor",
            "--data-dir",
            path(directory.path()),
            "--url",
            url,
            "--patience",
            "5",
        ])
        .await;
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    let line = outcome
        .stdout
        .lines()
        .find(|line| line.starts_with("outside.issuer: wrong:"))
        .unwrap();
    assert!(line.contains("Deploy with the parameter Issuer"), "{line}");
    assert!(
        outcome.stdout.ends_with("36 checks: 1 wrong, 7 unknown\n"),
        "{outcome:?}"
    );
    assert!(
        outcome
            .stderr
            .contains("something is wrong with this stack"),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn a_round_of_the_canary_is_made_from_a_shell() {
    let platform = Platform::start().await;
    let key = &platform.seed.organization.key;
    let shell = Shell::at(&platform);
    shell
        .run(&["canary"])
        .await
        .assert_refused(&["LATCHKEY_CLIENT_ID is not set"], &shell);
    let shell = shell
        .with("LATCHKEY_CLIENT_ID", &key.client_id)
        .with("LATCHKEY_CLIENT_SECRET", &key.client_secret);
    let round = shell.run(&["canary"]).await.json();
    assert!(
        round["seconds_to_last_admission"]["max"].as_f64().unwrap() < 5.0,
        "{round}"
    );
    assert_eq!(round["failure"], Value::Null);
    let wrong = shell.with("LATCHKEY_CANARY_PATH", "/v1/nowhere");
    let outcome = wrong.run(&["canary"]).await;
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert!(
        outcome
            .stderr
            .contains("Admission: GET /v1/nowhere does not let the new key in: 404 not_found"),
        "{outcome:?}"
    );
    assert!(!format!("{outcome:?}").contains(key.client_secret.as_str()));
}
