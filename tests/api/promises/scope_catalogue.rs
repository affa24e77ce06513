//! CYB-11: the catalogue of scopes is data that a deployment replaces.

use std::{fs, path::Path};

use local::{
    services::{Options, TEMPLATE},
    stack::Stack,
};
use serde_json::json;
use tests::Platform;

use crate::credentials::claims;

const VARIABLE: &str = "LATCHKEY_SCOPE_CATALOGUE_FILE";
const DEFAULT: &str = include_str!("../../../shared/domain/scopes.csv");

fn options(file: &Path) -> Options {
    let parameters = [(
        "ScopeCatalogueFile".to_owned(),
        file.to_str().unwrap().to_owned(),
    )]
    .into();
    Options {
        parameters,
        ..Options::default()
    }
}

/// A further scope of every key, and a further management scope, are what the built-in ones are.
#[tokio::test]
async fn cyb_11_a_replaced_catalogue_is_what_keys_and_tokens_go_by() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("scopes.csv");
    fs::write(
        &file,
        format!(
            "{}\nwidgets:read,yes,yes,\nwidgets:write,granted,granted,\n",
            DEFAULT.trim_end()
        ),
    )
    .unwrap();
    let platform = Platform::with(options(&file)).await;
    let body = json!({"name": "key", "bank_guid": platform.seed.bank.guid});
    let made = platform
        .organization()
        .await
        .post("/api/bank_applications", &body)
        .await;
    assert_eq!(made.status, 201, "{made:?}");
    let scopes = made.body["scopes"].as_array().unwrap();
    assert!(
        scopes.contains(&json!("widgets:read")) && scopes.contains(&json!("accounts:read")),
        "{made:?}"
    );
    assert!(
        !scopes.contains(&json!("widgets:write")),
        "only when granted by name: {made:?}"
    );

    let key = tests::platform::credentials(&made.body);
    let ask = async |scope: &str| {
        let body = json!({
            "grant_type": "client_credentials",
            "client_id": key.client_id,
            "client_secret": key.client_secret,
            "scope": scope,
        });
        platform.anonymous().post("/oauth/token", &body).await
    };
    let answer = ask("widgets:read").await;
    assert_eq!(
        (answer.status, answer.body["scope"].as_str()),
        (200, Some("widgets:read")),
        "{answer:?}"
    );
    let token = answer.body["access_token"].as_str().unwrap();
    assert_eq!(claims(token)["scope"], "widgets:read");
    assert_eq!(
        platform.bearer(token).get("/v1/whoami").await.body["scopes"],
        "widgets:read"
    );
    assert!(
        claims(&platform.token(&key).await)["scope"]
            .as_str()
            .unwrap()
            .split(' ')
            .any(|scope| scope == "widgets:read")
    );
    // CYB-10, by this catalogue: dropped beside others.
    let dropped = ask("widgets:read widgets:write").await;
    assert_eq!(
        (dropped.status, dropped.body["scope"].as_str()),
        (200, Some("widgets:read")),
        "{dropped:?}"
    );
    ask("widgets:write")
        .await
        .assert_oauth_error(400, "invalid_scope");

    let metadata = platform
        .anonymous()
        .get("/.well-known/oauth-authorization-server")
        .await;
    assert!(
        metadata.body["scopes_supported"]
            .as_array()
            .unwrap()
            .contains(&json!("widgets:read")),
        "{metadata:?}"
    );

    // The built-in one knows neither.
    let shipped = Platform::start().await;
    let body =
        json!({"name": "key", "bank_guid": shipped.seed.bank.guid, "scopes": ["widgets:read"]});
    shipped
        .organization()
        .await
        .post("/api/bank_applications", &body)
        .await
        .assert_error(422, "invalid_parameter");
    assert!(
        !claims(shipped.bank().await.token())["scope"]
            .as_str()
            .unwrap()
            .contains("widgets")
    );
}

/// What a catalogue lacks no new key gets.
#[tokio::test]
async fn cyb_11_a_replaced_catalogue_replaces_the_whole() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("scopes.csv");
    let kept = |row: &&str| !row.starts_with("accounts:");
    fs::write(
        &file,
        DEFAULT.lines().filter(kept).collect::<Vec<_>>().join("\n"),
    )
    .unwrap();
    let platform = Platform::with(options(&file)).await;
    let scopes = claims(platform.bank().await.token())["scope"]
        .as_str()
        .unwrap()
        .to_owned();
    let scopes: Vec<&str> = scopes.split(' ').collect();
    assert!(
        scopes.contains(&"customers:read")
            && !scopes.iter().any(|scope| scope.starts_with("accounts:")),
        "{scopes:?}"
    );
    let body =
        json!({"name": "key", "bank_guid": platform.seed.bank.guid, "scopes": ["accounts:read"]});
    let refused = platform
        .organization()
        .await
        .post("/api/bank_applications", &body)
        .await;
    refused.assert_error(422, "invalid_parameter");
}

/// No function starts with less than what it was told to go by.
#[tokio::test]
async fn cyb_11_a_file_that_is_no_catalogue_stops_the_start_and_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("scopes.csv");
    let reference = format!("{VARIABLE}: !Ref ScopeCatalogueFile");
    let functions = [
        "ManagementFunction",
        "KeysFunction",
        "TokensFunction",
        "ManagementAuthorizerFunction",
        "SampleAuthorizerFunction",
    ];
    assert_eq!(
        TEMPLATE.matches(&reference).count(),
        functions.len(),
        "in this order"
    );
    // The variable of one function alone.
    let of = |place: usize| {
        let parts: Vec<&str> = TEMPLATE.split(&reference).collect();
        let (before, after) = parts.split_at(place + 1);
        let empty = format!("{VARIABLE}: \"\"");
        [before.join(&empty), after.join(&empty)].join(&reference)
    };
    for (content, problem) in [
        (None, "cannot be read"),
        (Some(String::new()), "is no catalogue: the header"),
        (
            Some("not,a,catalogue\n".to_owned()),
            "is no catalogue: the header",
        ),
        (
            Some("scope,organization,bank,customer\nwidgets:read,yes,perhaps,\n".to_owned()),
            "is no catalogue: line 2",
        ),
        (
            Some(format!("{}\naccounts:read,yes,yes,\n", DEFAULT.trim_end())),
            "is no catalogue: line",
        ),
    ] {
        if let Some(content) = content {
            fs::write(&file, content).unwrap();
        }
        for (place, function) in functions.into_iter().enumerate() {
            let options = Options {
                template: of(place),
                ..options(&file)
            };
            let error = Stack::start(options).await.expect_err(problem).to_string();
            for words in [function, VARIABLE, problem] {
                assert!(error.contains(words), "{words}: {error}");
            }
            assert!(!error.contains('\n'), "one sentence: {error}");
        }
    }
}
