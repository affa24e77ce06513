//! The operator's commands, on a deployed stack and on a data directory.

use std::{fs, process::Stdio};

use emulator::cloud::Storage;
use local::services::Options;
use serde_json::{Value, json};
use tests::{Platform, platform::credentials};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Child,
};

use super::{Shell, command, path};
use crate::{five_second_bound::BOUND, organization_snapshot::text};

/// A shell of the operator of this platform: AWS credentials, and what the stack's output says of
/// it, which must suffice.
pub(crate) fn operator(platform: &Platform) -> Shell {
    let services = platform.stack.services();
    assert!(services.operator().len() >= 9, "{:?}", services.operator());
    let mut shell = Shell(services.cloud().environment());
    shell.0.extend(services.operator().clone());
    shell.with("LATCHKEY_URL", platform.stack.base_url())
}

/// CYB-1: the first organization, owner and staff of a deployed stack.
#[tokio::test]
async fn cyb_1_a_deployed_stack_gets_its_first_organization_owner_and_staff() {
    let platform = Platform::start().await;
    let operator = operator(&platform);
    let onboard = [
        "onboard",
        "--deployed",
        "--name",
        "Acme",
        "--environment",
        "live",
        "--plan",
        "pro",
        "--owner",
        "Ada@acme.test",
    ];
    let made = operator.run(&onboard).await.json();
    let (guid, secret) = (text(&made, "guid"), text(&made["owner"], "secret"));
    let owner = Shell::at(&platform).with("LATCHKEY_TOKEN", &secret);
    let keys = owner.run(&["keys", "list"]).await.json();
    let owners: Vec<&Value> = keys["objects"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| &key["owner"]["type"])
        .collect();
    assert_eq!(owners, ["organization", "user"]);

    // The first key is live: it sleeps until the organization's KYB is approved.
    let machine = Shell::at(&platform)
        .with("LATCHKEY_CLIENT_ID", &text(&made["key"], "client_id"))
        .with(
            "LATCHKEY_CLIENT_SECRET",
            &text(&made["key"], "client_secret"),
        );
    machine
        .run(&["token"])
        .await
        .assert_refused(&["401 invalid_client"], &machine);
    let act = async |words: &[&str]| {
        let done = operator
            .run(&[words, &["--deployed", "--organization", &guid]].concat())
            .await;
        assert_eq!(
            (done.code, done.stdout.as_str(), done.stderr.as_str()),
            (Some(0), "", ""),
            "{words:?}"
        );
    };
    act(&["kyb", "--status", "approved"]).await;
    machine.run(&["token"]).await.json();
    act(&["suspend"]).await;
    machine
        .run(&["token"])
        .await
        .assert_refused(&["401 invalid_client"], &machine);
    act(&["resume"]).await;
    machine.run(&["token"]).await.json();
    act(&["plan", "--plan", "starter"]).await;
    platform.advance(BOUND);
    owner
        .run(&["keys", "list"])
        .await
        .assert_refused(&["403 plan_upgrade_required"], &owner);

    let chain = platform
        .stack
        .services()
        .store()
        .unwrap()
        .audit_chain(guid.parse().unwrap())
        .await
        .unwrap();
    assert!(
        chain
            .events
            .values()
            .all(|event| event.contains(r#""actor":{"type":"operator"}"#)),
        "{:?}",
        chain.events
    );
}

/// Somebody of the staff who lost their key gets another; nobody gets another role.
#[tokio::test]
async fn staff_are_made_once_and_get_a_key_each_time() {
    let platform = Platform::start().await;
    let operator = operator(&platform);
    let staff = async |role: &str| {
        operator
            .run(&[
                "staff",
                "--deployed",
                "--email",
                "sam@staff.test",
                "--role",
                role,
            ])
            .await
    };
    let (first, second) = (
        staff("security").await.json(),
        staff("security").await.json(),
    );
    assert_eq!(first["guid"], second["guid"]);
    assert_ne!(first["secret"], second["secret"]);
    let filter = format!("organization_guid={}", platform.seed.organization.guid);
    for made in [&first, &second] {
        let sam = Shell::at(&platform).with("LATCHKEY_TOKEN", &text(made, "secret"));
        let keys = sam.run(&["keys", "list", "--filter", &filter]).await.json();
        assert!(keys["total"].as_u64().unwrap() >= 5, "{keys}");
    }
    staff("support")
        .await
        .assert_refused(&["sam@staff.test is there already, as security"], &operator);
}

/// What is missing or wrong is said before anything is made.
#[tokio::test]
async fn an_operator_who_says_too_little_is_told() {
    let platform = Platform::start().await;
    let operator = operator(&platform);
    let mut blind = operator.clone();
    blind.0.remove("LATCHKEY_CORE_TABLE");
    let refused = blind
        .run(&["onboard", "--deployed", "--name", "Acme"])
        .await;
    refused.assert_refused(
        &["LATCHKEY_CORE_TABLE is not set", "OperatorEnvironment"],
        &blind,
    );
    let refused = operator
        .run(&[
            "onboard",
            "--deployed",
            "--name",
            "Acme",
            "--owner",
            "ada@acme.test",
        ])
        .await;
    refused.assert_refused(&["--plan pro"], &operator);
    for wrong in [
        &[
            "onboard",
            "--deployed",
            "--name",
            "Acme",
            "--plan",
            "pro",
            "--owner",
            "nobody",
        ][..],
        &[
            "kyb",
            "--deployed",
            "--organization",
            "x",
            "--status",
            "approved",
        ],
        &[
            "kyb",
            "--deployed",
            "--organization",
            &platform.seed.organization.guid,
            "--status",
            "perhaps",
        ],
        &[
            "staff",
            "--deployed",
            "--email",
            "sam@staff.test",
            "--role",
            "owner",
        ],
        &[
            "suspend",
            "--deployed",
            "--data-dir",
            "x",
            "--organization",
            &platform.seed.organization.guid,
        ],
    ] {
        let refused = operator.run(wrong).await;
        assert_eq!(
            (refused.code, refused.stdout.as_str()),
            (Some(2), ""),
            "{wrong:?}: {refused:?}"
        );
    }
    let unknown = "0123456789abcdef0123456789abcdef";
    for act in [
        &["kyb", "--status", "approved"][..],
        &["plan", "--plan", "pro"],
        &["suspend"],
        &["resume"],
    ] {
        let refused = operator
            .run(&[act, &["--deployed", "--organization", unknown]].concat())
            .await;
        refused.assert_refused(&["there is no organization 0123456789abcdef"], &operator);
    }
    let existing = platform
        .stack
        .services()
        .store()
        .unwrap()
        .organization_rows()
        .await
        .unwrap();
    assert_eq!(existing.len(), 2, "the seed's and the platform's own");
}

/// A process that serves the embedded services alone, and what it prints.
async fn services(directory: &str) -> (Child, Shell) {
    let mut child = command(&Shell::default().0)
        .args([
            "services",
            "--data-dir",
            directory,
            "--base-url",
            "http://127.0.0.1:9000",
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut shell = Shell::default();
    while let Some(line) = lines.next_line().await.unwrap() {
        let (name, value) = line
            .strip_prefix("export ")
            .unwrap()
            .split_once('=')
            .unwrap();
        shell = shell.with(name, value.trim_matches('\''));
        if name == "LATCHKEY_URL" {
            return (child, shell);
        }
    }
    panic!("the services ended");
}

/// One process is the cloud, another the operator's shell; what was made is there when the platform
/// starts on that data.
#[tokio::test]
async fn another_process_operates_on_what_the_services_print() {
    let directory = tempfile::tempdir().unwrap();
    let (mut cloud, operator) = services(path(directory.path())).await;
    let made = operator
        .run(&["onboard", "--deployed", "--name", "Acme"])
        .await
        .json();
    let in_use = operator
        .run(&[
            "onboard",
            "--data-dir",
            path(directory.path()),
            "--name",
            "Beta",
        ])
        .await;
    in_use.assert_refused(&["in use by another Latchkey"], &operator);
    cloud.kill().await.unwrap();
    drop(cloud);

    let second = Shell::default()
        .run(&[
            "onboard",
            "--data-dir",
            path(directory.path()),
            "--name",
            "Beta",
        ])
        .await
        .json();
    let storage = Storage::Directory(directory.path().to_owned());
    let platform = Platform::with(Options {
        storage,
        ..Options::default()
    })
    .await;
    for made in [made, second] {
        let body =
            json!({"client_id": made["key"]["client_id"], "secret": made["key"]["client_secret"]});
        platform.token(&credentials(&body)).await;
    }
}

/// Data that this version cannot read stops the start with one sentence that says what to do.
#[tokio::test]
async fn data_of_another_version_is_not_begun_upon() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("seed.json");
    let (mut cloud, _) = services(path(directory.path())).await;
    cloud.kill().await.unwrap();
    let mut seed: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    seed.as_object_mut()
        .unwrap()
        .retain(|name, _| !matches!(name.as_str(), "users" | "staff"));
    fs::write(&file, seed.to_string()).unwrap();
    let refused = Shell::default()
        .run(&["--port", "0", "--data-dir", path(directory.path())])
        .await;
    refused.assert_refused(
        &["another version of Latchkey", "delete it to start anew"],
        &Shell::default(),
    );
    assert_eq!(
        fs::read_to_string(&file).unwrap(),
        seed.to_string(),
        "left as it was"
    );
}
