//! `POST /oauth/token`: client credentials (CYB-10, RFC 6749 §4.4).

mod issued;
mod malformed;
mod rotated;

use base64::{Engine, engine::general_purpose::STANDARD};
use domain::scope::{Catalogue, Holder};
use operator::tenants::Credentials;
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Answer, Caller, Platform, platform::ELSEWHERE};

use crate::credentials::{self, claims};

const PATH: &str = "/oauth/token";
const FORM: &str = "application/x-www-form-urlencoded";

/// The parameters of a good request, as JSON, with these more or instead.
fn parameters(key: &Credentials, more: &Value) -> Value {
    let mut body = json!({
        "grant_type": "client_credentials",
        "client_id": key.client_id,
        "client_secret": key.client_secret,
    });
    body.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    body
}

async fn send(caller: &Caller, content_type: &str, body: impl Into<reqwest::Body>) -> Answer {
    Answer::of(
        caller
            .request(Method::POST, PATH)
            .header("content-type", content_type)
            .body(body),
    )
    .await
}

async fn with_basic(caller: &Caller, credentials: &str, form: &str) -> Answer {
    let basic = format!("Basic {}", STANDARD.encode(credentials));
    let request = caller
        .request(Method::POST, PATH)
        .header("authorization", basic);
    Answer::of(request.header("content-type", FORM).body(form.to_owned())).await
}

/// RFC 6749 §5.1, to the member.
#[track_caller]
fn assert_token(answer: &Answer) -> &str {
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(
        answer.header("content-type"),
        "application/json",
        "{answer:?}"
    );
    assert_eq!(
        (answer.header("cache-control"), answer.header("pragma")),
        ("no-store", "no-cache"),
        "{answer:?}"
    );
    let members: Vec<&String> = answer.body.as_object().unwrap().keys().collect();
    assert_eq!(
        members,
        ["access_token", "expires_in", "scope", "token_type"],
        "{answer:?}"
    );
    assert_eq!(answer.body["token_type"], "Bearer");
    assert!(answer.body["expires_in"].is_u64(), "{answer:?}");
    assert!(answer.body["scope"].is_string(), "{answer:?}");
    answer.body["access_token"].as_str().unwrap()
}

/// CYB-10: a form, JSON, and HTTP Basic with form-encoded halves (RFC 6749 §2.3.1) all get RFC 6749
/// §5.1's answer.
#[tokio::test]
async fn cyb_10_200_to_form_json_and_basic() {
    let platform = Platform::start().await;
    let (anonymous, key) = (platform.anonymous(), &platform.seed.bank.key);
    let Credentials {
        client_id,
        client_secret,
    } = key;
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", client_id),
        ("client_secret", client_secret),
    ];
    let basic = format!("{client_id}:{client_secret}");
    let encoded = format!(
        "{}:{}",
        client_id.replace(char::is_alphabetic, "%41"),
        client_secret.replace('_', "%5F")
    );
    assert_eq!(
        with_basic(&anonymous, &encoded, "grant_type=client_credentials")
            .await
            .status,
        401,
        "another client's name"
    );
    let encoded = format!(
        "%{:02x}{}:{}",
        client_id.as_bytes()[0],
        &client_id[1..],
        client_secret.replace('_', "%5F")
    );
    for answer in [
        anonymous.post_form(PATH, &form).await,
        anonymous.post(PATH, &parameters(key, &json!({}))).await,
        send(
            &anonymous,
            "application/json; charset=utf-8",
            parameters(key, &json!({})).to_string(),
        )
        .await,
        send(
            &anonymous,
            "Application/X-WWW-Form-URLEncoded;charset=UTF-8",
            form.map(|(n, v)| format!("{n}={v}")).join("&"),
        )
        .await,
        with_basic(&anonymous, &basic, "grant_type=client_credentials").await,
        with_basic(&anonymous, &encoded, "grant_type=client_credentials").await,
        // The same name twice is no second authentication.
        with_basic(
            &anonymous,
            &basic,
            &format!("grant_type=client_credentials&client_id={client_id}"),
        )
        .await,
    ] {
        let token = assert_token(&answer);
        assert_eq!(answer.body["expires_in"], 1800);
        assert_eq!(claims(token)["scope"], answer.body["scope"]);
        let whoami = platform.bearer(token).get("/v1/whoami").await;
        assert_eq!(
            (whoami.status, whoami.body["client_id"].as_str()),
            (200, Some(client_id.as_str())),
            "{whoami:?}"
        );
    }
    // Every token is one of its own.
    assert_ne!(platform.token(key).await, platform.token(key).await);
}

/// CYB-10: without `scope`, or with an empty one (RFC 6749 §3.2), the token has all that the key
/// has.
#[tokio::test]
async fn cyb_10_200_without_scope_has_every_scope_of_the_key() {
    let platform = Platform::start().await;
    let (anonymous, key) = (platform.anonymous(), &platform.seed.bank.key);
    let all = Catalogue::default().defaults(Holder::Bank).to_string();
    for more in [json!({}), json!({"scope": ""}), json!({"scope": null})] {
        let answer = anonymous.post(PATH, &parameters(key, &more)).await;
        assert_token(&answer);
        assert_eq!(answer.body["scope"], all, "{more}");
    }
    let form = format!(
        "grant_type=client_credentials&client_id={}&client_secret={}&scope=",
        key.client_id, key.client_secret
    );
    assert_eq!(send(&anonymous, FORM, form).await.body["scope"], all);
}

/// CYB-10: unknown parameters are ignored, whatever they hold.
#[tokio::test]
async fn cyb_10_200_ignores_unknown_parameters() {
    let platform = Platform::start().await;
    let (anonymous, key) = (platform.anonymous(), &platform.seed.bank.key);
    let unknown = json!({
        "audience": "x",
        "resource": ["a", 1],
        "n": 1e300,
        "none": null,
        "": {},
        "Client_Secret": "another",
    });
    assert_token(&anonymous.post(PATH, &parameters(key, &unknown)).await);
    let form = format!(
        "x=1&grant_type=client_credentials&client_id={}&client_secret={}&&=&y&GRANT_TYPE=password",
        key.client_id, key.client_secret
    );
    assert_token(&send(&anonymous, FORM, form).await);
}

/// RFC 6749 §5.2: whatever is wrong with the credentials, the answer is the same to the byte; API
/// Gateway renames `WWW-Authenticate` (docs/requirements.md, Errors).
/// Deviation: www-authenticate.
#[tokio::test]
async fn cyb_10_401_is_the_same_whatever_is_wrong() {
    let platform = Platform::start().await;
    let anonymous = platform.anonymous();
    let mut first = None;
    for (what, key) in credentials::refused(&platform).await {
        let decoded = Credentials {
            client_secret: key.client_secret.replace("%20", " "),
            ..key.clone()
        };
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", key.client_id.as_str()),
            ("client_secret", key.client_secret.as_str()),
        ];
        let basic = format!("{}:{}", key.client_id, key.client_secret);
        for answer in [
            anonymous.post_form(PATH, &form).await,
            anonymous
                .post(PATH, &parameters(&decoded, &json!({"scope": "no:such"})))
                .await,
            anonymous
                .from(ELSEWHERE)
                .post(PATH, &parameters(&decoded, &json!({})))
                .await,
            with_basic(&anonymous, &basic, "grant_type=client_credentials").await,
        ] {
            answer.assert_oauth_error(401, "invalid_client");
            assert_eq!(
                answer.header("x-amzn-remapped-www-authenticate"),
                "Basic realm=\"token\", charset=\"UTF-8\"",
                "{what}"
            );
            assert!(answer.headers.get("www-authenticate").is_none(), "{what}");
            let names: Vec<String> = answer.headers.keys().map(ToString::to_string).collect();
            let expected = first.get_or_insert_with(|| (answer.text.clone(), names.clone()));
            assert_eq!((&answer.text, &names), (&expected.0, &expected.1), "{what}");
        }
    }
    // The seed's key still works: the clock and the platform are not what refused.
    assert_token(
        &anonymous
            .post(PATH, &parameters(&platform.seed.bank.key, &json!({})))
            .await,
    );
}
