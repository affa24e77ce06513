//! Token requests that are malformed are refused with a 4xx.

use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Answer, Platform};

use super::{FORM, PATH, assert_token, parameters, send, with_basic};

/// CYB-10, RFC 6749 §3.2: a repeated parameter is refused, in a form and in JSON, even the same
/// value twice.
#[tokio::test]
async fn cyb_10_400_to_repeated_parameters() {
    let platform = Platform::start().await;
    let (anonymous, key) = (platform.anonymous(), &platform.seed.bank.key);
    let form = format!(
        "grant_type=client_credentials&client_id={}&client_secret={}",
        key.client_id, key.client_secret
    );
    let object = parameters(key, &json!({"scope": "accounts:read"})).to_string();
    let object = object.strip_suffix('}').unwrap();
    for (name, value) in [
        ("grant_type", "client_credentials"),
        ("client_id", key.client_id.as_str()),
        ("client_secret", key.client_secret.as_str()),
        ("scope", "accounts:write"),
    ] {
        let repeated = send(
            &anonymous,
            FORM,
            format!("{form}&scope=accounts%3Aread&{name}={value}"),
        )
        .await;
        repeated.assert_oauth_error(400, "invalid_request");
        // Escapes do not hide it.
        let escaped = format!("%{:02X}{}", name.as_bytes()[0], &name[1..]);
        send(&anonymous, FORM, format!("{form}&scope=&{escaped}={value}"))
            .await
            .assert_oauth_error(400, "invalid_request");
        let repeated = send(
            &anonymous,
            "application/json",
            format!(r#"{object},"{name}":"{value}"}}"#),
        )
        .await;
        repeated.assert_oauth_error(400, "invalid_request");
        let escaped = format!(r"\u00{:02x}{}", name.as_bytes()[0], &name[1..]);
        let repeated = send(
            &anonymous,
            "application/json",
            format!(r#"{object},"{escaped}":"{value}"}}"#),
        )
        .await;
        repeated.assert_oauth_error(400, "invalid_request");
    }
}

/// RFC 6749 §2.3: one authentication method, and the parameters nowhere but in the body.
#[tokio::test]
async fn cyb_10_400_to_two_authentications() {
    let platform = Platform::start().await;
    let (anonymous, key) = (platform.anonymous(), &platform.seed.bank.key);
    let basic = format!("{}:{}", key.client_id, key.client_secret);
    let form = format!(
        "grant_type=client_credentials&client_secret={}",
        key.client_secret
    );
    with_basic(&anonymous, &basic, &form)
        .await
        .assert_oauth_error(400, "invalid_request");
    let other = format!(
        "grant_type=client_credentials&client_id={}",
        platform.seed.organization.key.client_id
    );
    with_basic(&anonymous, &basic, &other)
        .await
        .assert_oauth_error(400, "invalid_request");
    // Whichever stands first, the header must not stand twice.
    let (good, bad) = (
        STANDARD.encode(&basic),
        STANDARD.encode(format!("{}:wrong", key.client_id)),
    );
    for (first, second) in [(&good, &bad), (&bad, &good), (&good, &good)] {
        let request = anonymous
            .request(Method::POST, PATH)
            .header("authorization", format!("Basic {first}"));
        let request = request
            .header("authorization", format!("Basic {second}"))
            .header("content-type", FORM);
        let repeated = Answer::of(request.body("grant_type=client_credentials")).await;
        repeated.assert_oauth_error(400, "invalid_request");
        assert!(
            repeated.body["error_description"]
                .as_str()
                .unwrap()
                .contains("Authorization"),
            "{repeated:?}"
        );
    }
    for wrong in ["Basic", "Basic !", "Basic bm9jb2xvbg==", "Basic /////w=="] {
        let request = anonymous
            .request(Method::POST, PATH)
            .header("authorization", wrong)
            .header("content-type", FORM);
        let answer = Answer::of(request.body("grant_type=client_credentials")).await;
        assert!([400, 401].contains(&answer.status), "{wrong}: {answer:?}");
    }
    let query = format!("{PATH}?{form}&client_id={}", key.client_id);
    let request = anonymous
        .request(Method::POST, &query)
        .header("content-type", FORM);
    Answer::of(request)
        .await
        .assert_oauth_error(400, "invalid_request");
    let request = anonymous
        .request(Method::POST, &query)
        .header("content-type", FORM);
    Answer::of(request.body("grant_type=client_credentials"))
        .await
        .assert_oauth_error(401, "invalid_client");
}

/// RFC 6749 §5.2: what is missing, and grants that are not offered.
#[tokio::test]
async fn cyb_10_400_to_missing_parameters_and_other_grants() {
    let platform = Platform::start().await;
    let (anonymous, key) = (platform.anonymous(), &platform.seed.bank.key);
    for empty in [json!(""), Value::Null] {
        let missing = anonymous
            .post(PATH, &parameters(key, &json!({"grant_type": empty})))
            .await;
        missing.assert_oauth_error(400, "invalid_request");
        let missing = anonymous
            .post(PATH, &parameters(key, &json!({"client_id": empty})))
            .await;
        missing.assert_oauth_error(400, "invalid_request");
        assert!(
            missing.body["error_description"]
                .as_str()
                .unwrap()
                .contains("client_id"),
            "{missing:?}"
        );
        let missing = anonymous
            .post(PATH, &parameters(key, &json!({"client_secret": empty})))
            .await;
        missing.assert_oauth_error(401, "invalid_client");
    }
    for other in [
        "password",
        "authorization_code",
        "refresh_token",
        "CLIENT_CREDENTIALS",
        "client_credentials ",
    ] {
        let answer = anonymous
            .post(PATH, &parameters(key, &json!({"grant_type": other})))
            .await;
        answer.assert_oauth_error(400, "unsupported_grant_type");
    }
}

/// docs/requirements.md, Errors: bad input is never a 5xx and says what to do. A lenient reader
/// would give a token for each of these.
#[tokio::test]
async fn cyb_10_4xx_to_malformed_bodies() {
    let platform = Platform::start().await;
    let (anonymous, key) = (platform.anonymous(), &platform.seed.bank.key);
    let good = parameters(key, &json!({})).to_string();
    let cut = &good[..good.len() - 1];
    for body in [
        "",
        "{",
        "[]",
        "null",
        "7",
        "\"text\"",
        cut,
        &format!("{good}{good}"),
        &format!("[{good}]"),
        &format!("{cut},}}"),
    ] {
        send(&anonymous, "application/json", body.to_owned())
            .await
            .assert_oauth_error(400, "invalid_request");
    }
    let deep = format!(
        "{cut},\"x\":{}1{}}}",
        "[".repeat(20_000),
        "]".repeat(20_000)
    );
    send(&anonymous, "application/json", deep)
        .await
        .assert_oauth_error(400, "invalid_request");
    send(&anonymous, "application/json", vec![b'{', 0xff, b'}'])
        .await
        .assert_oauth_error(400, "invalid_request");
    for name in ["grant_type", "client_id", "client_secret", "scope"] {
        for value in [
            json!(1),
            json!(true),
            json!(["accounts:read"]),
            json!({"a": "b"}),
        ] {
            let answer = anonymous
                .post(PATH, &parameters(key, &json!({name: value})))
                .await;
            answer.assert_oauth_error(400, "invalid_request");
            assert!(
                answer.body["error_description"]
                    .as_str()
                    .unwrap()
                    .contains(name),
                "{answer:?}"
            );
        }
    }
    for form in ["", "&&&", "grant_type", "%zz=%zz&=", &good] {
        send(&anonymous, FORM, form.to_owned())
            .await
            .assert_oauth_error(400, "invalid_request");
    }
    for content_type in [
        "text/plain",
        "text/json",
        "application/xml",
        "multipart/form-data; boundary=x",
        "application/jsonp",
        ";",
    ] {
        send(&anonymous, content_type, good.clone())
            .await
            .assert_oauth_error(415, "invalid_request");
    }
    Answer::of(anonymous.request(Method::POST, PATH).body(good))
        .await
        .assert_oauth_error(415, "invalid_request");
}

/// docs/requirements.md, Errors: a body of 64 KiB is read, one byte more is refused.
#[tokio::test]
async fn cyb_10_413_to_an_oversized_body() {
    let platform = Platform::start().await;
    let (anonymous, key) = (platform.anonymous(), &platform.seed.bank.key);
    let start = format!(
        "grant_type=client_credentials&client_id={}&client_secret={}&pad=",
        key.client_id, key.client_secret
    );
    let of_size = |size: usize| format!("{start}{}", "a".repeat(size - start.len()));
    assert_token(&send(&anonymous, FORM, of_size(64 * 1024)).await);
    send(&anonymous, FORM, of_size(64 * 1024 + 1))
        .await
        .assert_oauth_error(413, "invalid_request");
    let json = parameters(key, &json!({"pad": "a".repeat(64 * 1024)})).to_string();
    send(&anonymous, "application/json", json)
        .await
        .assert_oauth_error(413, "invalid_request");
}

/// RFC 9110 §15.5.6: other methods are a 405 that names the one there is.
#[tokio::test]
async fn cyb_10_405_to_other_methods() {
    let platform = Platform::start().await;
    let anonymous = platform.anonymous();
    for method in [
        Method::GET,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::OPTIONS,
    ] {
        let answer = Answer::of(anonymous.request(method.clone(), PATH)).await;
        answer.assert_oauth_error(405, "invalid_request");
        assert_eq!(answer.header("allow"), "POST", "{method}");
    }
    let head = Answer::of(anonymous.request(Method::HEAD, PATH)).await;
    assert_eq!((head.status, head.header("allow")), (405, "POST"));
}
