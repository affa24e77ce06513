//! The client's commands, over HTTP.

use serde_json::{Value, json};
use tests::Platform;

use super::{Outcome, Shell};
use crate::{credentials::claims, organization_snapshot::text};

/// Create, list, show, rotate, finish, replace, revoke, and the tokens in between.
#[tokio::test]
async fn a_key_s_whole_life_from_a_shell() {
    let platform = Platform::start().await;
    let owner = Shell::at(&platform).with("LATCHKEY_TOKEN", &platform.seed.users.owner.secret);
    let bank = platform.seed.bank.guid.as_str();
    let create = [
        "keys",
        "create",
        "--bank",
        bank,
        "--scope",
        "accounts:read",
        "--name",
    ];
    let made = owner
        .run(
            &[
                &create[..],
                &["shell", "--ip", "8.8.8.8", "--description", "d"],
            ]
            .concat(),
        )
        .await
        .json();
    assert_eq!(
        (&made["name"], &made["ip_allowlist"], &made["description"]),
        (&json!("shell"), &json!(["8.8.8.8"]), &json!("d"))
    );
    let made = owner.run(&[&create[..], &["open"]].concat()).await.json();
    let (id, first) = (text(&made, "client_id"), text(&made, "secret"));

    let granted = token(&platform, &id, &first).await.json();
    assert_eq!(
        (
            &granted["scope"],
            &claims(&text(&granted, "access_token"))["client_id"]
        ),
        (&json!("accounts:read"), &json!(id))
    );

    let shown = owner.run(&["keys", "show", &id]).await.json();
    assert_eq!(
        (&shown["state"], shown.get("secret")),
        (&json!("active"), None)
    );
    let listed = owner
        .run(&[
            "keys",
            "list",
            "--filter",
            "owner_type=bank",
            "--filter",
            "state=active",
            "--per-page",
            "2",
        ])
        .await
        .json();
    assert_eq!(
        (&listed["per_page"], &listed["total"]),
        (&json!(2), &json!(3))
    );

    rotate_finish_and_replace(&platform, &owner, &id, &first).await;
    let revoked = owner
        .run(&["keys", "revoke", &id, "--reason", "no longer used"])
        .await
        .json();
    assert_eq!(revoked["state"], "revoked");
}

/// Asks for a token by the key's own secret.
async fn token(platform: &Platform, id: &str, secret: &str) -> Outcome {
    let machine = Shell::at(platform)
        .with("LATCHKEY_CLIENT_ID", id)
        .with("LATCHKEY_CLIENT_SECRET", secret);
    machine.run(&["token", "--scope", "accounts:read"]).await
}

/// Rotates the key and finishes it, rotates it again, and replaces the secret that was lost.
async fn rotate_finish_and_replace(platform: &Platform, owner: &Shell, id: &str, first: &str) {
    let token = async |secret: &str| token(platform, id, secret).await.code;
    let rotated = owner
        .run(&["keys", "rotate", id, "--grace-period", "open"])
        .await
        .json();
    let second = text(&rotated, "secret");
    assert_eq!(rotated["previous_secret"]["ends"], "when_finished");
    assert_eq!(
        (token(first).await, token(&second).await),
        (Some(0), Some(0))
    );
    let finished = owner.run(&["keys", "finish", id]).await.json();
    assert_eq!(finished["secrets"].as_array().unwrap().len(), 1);
    assert_eq!(
        (token(first).await, token(&second).await),
        (Some(1), Some(0))
    );
    let graced = owner
        .run(&[
            "keys",
            "rotate",
            id,
            "--grace-period",
            "3600",
            "--grace-starts",
            "first_use",
        ])
        .await
        .json();
    let previous = &graced["previous_secret"];
    assert_eq!(
        (&previous["ends"], &previous["grace_period"]),
        (&json!("after_first_use"), &json!(3600))
    );
    let replaced = owner.run(&["keys", "rotate", id, "--replace"]).await.json();
    assert_eq!(
        token(&text(&graced, "secret")).await,
        Some(1),
        "it was lost, and is replaced"
    );
    assert_eq!(token(&text(&replaced, "secret")).await, Some(0));
}

/// A token is requested for a machine's key first.
#[tokio::test]
async fn a_machine_manages_keys_by_its_own() {
    let platform = Platform::start().await;
    let key = &platform.seed.organization.key;
    let machine = Shell::at(&platform)
        .with("LATCHKEY_CLIENT_ID", &key.client_id)
        .with("LATCHKEY_CLIENT_SECRET", &key.client_secret);
    let made = machine
        .run(&[
            "keys",
            "create",
            "--organization",
            &platform.seed.organization.guid,
            "--name",
            "ci",
        ])
        .await
        .json();
    assert_eq!(made["owner"]["type"], "organization");
    let listed = machine.run(&["keys", "list", "--page", "0"]).await.json();
    let names: Vec<&Value> = listed["objects"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| &key["name"])
        .collect();
    assert!(names.contains(&&json!("ci")), "{names:?}");
}

/// the same key twice is one, and its secret is not said again.
#[tokio::test]
async fn x_8_a_create_is_repeated_under_its_idempotency_key() {
    let platform = Platform::start().await;
    let owner = Shell::at(&platform).with("LATCHKEY_TOKEN", &platform.seed.users.owner.secret);
    let user = &platform.seed.users.owner.guid;
    let create = [
        "keys",
        "create",
        "--user",
        user,
        "--name",
        "mine",
        "--idempotency-key",
        "one",
    ];
    let made = owner.run(&create).await.json();
    let again = owner.run(&create).await;
    assert_eq!(again.code, Some(0), "{again:?}");
    assert!(again.stderr.contains("rotate --replace"), "{again:?}");
    let again: Value = serde_json::from_str(&again.stdout).unwrap();
    assert_eq!(
        (&again["client_id"], again.get("secret")),
        (&made["client_id"], None)
    );
    let other = owner
        .run(&[
            "keys",
            "create",
            "--user",
            user,
            "--name",
            "other",
            "--idempotency-key",
            "one",
        ])
        .await;
    other.assert_refused(&["422 idempotency_key_reused"], &owner);
    let names = owner
        .run(&["keys", "list", "--filter", &format!("owner_guid={user}")])
        .await
        .json();
    assert_eq!(names["total"], 2, "the seed's and this one");
}

/// What the API says goes to standard error, and the program fails.
#[tokio::test]
async fn a_refusal_is_said_on_standard_error() {
    let platform = Platform::start().await;
    let viewer = Shell::at(&platform).with("LATCHKEY_TOKEN", &platform.seed.users.viewer.secret);
    let owner = Shell::at(&platform).with("LATCHKEY_TOKEN", &platform.seed.users.owner.secret);
    let bank = platform.seed.bank.guid.as_str();
    let create = ["keys", "create", "--bank", bank, "--name", "n"];
    viewer
        .run(&create)
        .await
        .assert_refused(&["latchkey: 403 forbidden: "], &viewer);
    let private = [&create[..], &["--ip", "10.0.0.1"]].concat();
    owner.run(&private).await.assert_refused(
        &["422 invalid_parameter", "\n  ip_allowlist[0] ", "private"],
        &owner,
    );
    owner
        .run(&["keys", "show", &"0".repeat(32)])
        .await
        .assert_refused(&["404 not_found"], &owner);
    let stranger =
        Shell::at(&platform).with("LATCHKEY_TOKEN", &platform.seed.bank.key.client_secret);
    stranger
        .run(&["keys", "list"])
        .await
        .assert_refused(&["401 authentication_failed"], &stranger);
    let wrong = Shell::at(&platform)
        .with("LATCHKEY_CLIENT_ID", &platform.seed.bank.key.client_id)
        .with(
            "LATCHKEY_CLIENT_SECRET",
            &platform.seed.organization.key.client_secret,
        );
    wrong
        .run(&["token"])
        .await
        .assert_refused(&["401 invalid_client"], &wrong);
    wrong
        .run(&["keys", "list"])
        .await
        .assert_refused(&["401 invalid_client"], &wrong);
}

/// A credential is not sent where others could read it, and what is missing is named.
#[tokio::test]
async fn a_shell_that_says_too_little_or_points_elsewhere_is_told() {
    let platform = Platform::start().await;
    let secret = &platform.seed.users.owner.secret;
    let nowhere = Shell::default().with("LATCHKEY_TOKEN", secret);
    nowhere
        .run(&["keys", "list"])
        .await
        .assert_refused(&["LATCHKEY_URL"], &nowhere);
    nowhere
        .run(&["keys", "list", "--url", "http://example.com"])
        .await
        .assert_refused(&["must be https"], &nowhere);
    let url = platform.stack.base_url();
    assert_eq!(
        nowhere.run(&["keys", "list", "--url", url]).await.code,
        Some(0)
    );
    let nobody = Shell::at(&platform);
    nobody
        .run(&["keys", "list"])
        .await
        .assert_refused(&["LATCHKEY_TOKEN", "LATCHKEY_CLIENT_ID"], &nobody);
    nobody
        .run(&["token"])
        .await
        .assert_refused(&["LATCHKEY_CLIENT_ID is not set"], &nobody);
    let broken = nobody
        .clone()
        .with("LATCHKEY_TOKEN", &format!("{secret}\n"));
    broken
        .run(&["keys", "list"])
        .await
        .assert_refused(&["LATCHKEY_TOKEN"], &broken);

    // A port that nobody listens on: the key may have been made, for all that the shell can know.
    let gone = nowhere.with("LATCHKEY_URL", "http://127.0.0.1:1");
    let create = [
        "keys",
        "create",
        "--bank",
        &platform.seed.bank.guid,
        "--name",
        "n",
        "--idempotency-key",
        "mine",
    ];
    gone.run(&create).await.assert_refused(
        &[
            "no answer from http://127.0.0.1:1",
            "--idempotency-key mine",
        ],
        &gone,
    );
}
