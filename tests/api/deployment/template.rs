//! `infra/template.yaml` is what runs: what is changed in a copy changes the local behaviour, and a
//! mistake in it stops the start with a sentence that names the place.

mod mistakes;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use guard::DenyReason;
use local::services::{Options, TEMPLATE};
use reqwest::Method;
use sam::template::ResponseType;
use serde_json::{Value, json};
use tests::{Answer, Platform};

use crate::credentials::UNAUTHENTICATED;

/// The template with one text in it, which must stand there once, replaced by another.
fn edited(from: &str, to: &str) -> Options {
    assert_eq!(TEMPLATE.matches(from).count(), 1, "{from}");
    Options {
        template: TEMPLATE.replace(from, to),
        ..Options::default()
    }
}

const SAMPLE_AUTHORIZER: &str = "FunctionArn: !GetAtt SampleAuthorizerFunction.Arn
            Identity:
              ReauthorizeEvery: 0";

const WHOAMI: &str =
    "Method: GET, Path: /v1/whoami, Auth: {Authorizer: SampleAuthorizer, ApiKeyRequired: true}";

/// A route is where the template says, with its authorizer.
#[tokio::test]
async fn a_renamed_route_is_elsewhere() {
    let shipped = Platform::start().await;
    assert_eq!(shipped.bank().await.get("/v1/whoami").await.status, 200);
    shipped
        .anonymous()
        .get("/v2/whoami")
        .await
        .assert_error(404, "not_found");

    let template = TEMPLATE.replace("/v1/whoami", "/v2/whoami");
    let platform = Platform::with(Options {
        template,
        ..Options::default()
    })
    .await;
    let gone = platform.bank().await.get("/v1/whoami").await;
    gone.assert_error(404, "not_found");
    assert_eq!(
        gone.header("x-amzn-errortype"),
        "MissingAuthenticationTokenException",
        "the gateway has no such route"
    );
    platform
        .anonymous()
        .get("/v2/whoami")
        .await
        .assert_error(401, "authentication_failed");
    let there = platform.bank().await.get("/v2/whoami").await;
    assert_eq!(
        (there.status, there.header("x-amzn-errortype")),
        (404, ""),
        "the function was asked, which has another path"
    );
}

/// A variable in a route's path reaches the authorizer's map as the template spells it.
#[tokio::test]
async fn a_route_with_a_variable_takes_every_value() {
    let template = TEMPLATE
        .replace("Path: /v1/whoami", "Path: \"/v1/{thing}\"")
        .replace("GET /v1/whoami", "GET /v1/{thing}");
    let platform = Platform::with(Options {
        template,
        ..Options::default()
    })
    .await;
    assert_eq!(platform.bank().await.get("/v1/whoami").await.status, 200);
    let other = platform.bank().await.get("/v1/whatever").await;
    assert_eq!(
        (other.status, other.header("x-amzn-errortype")),
        (404, ""),
        "the function was asked"
    );
    platform
        .anonymous()
        .get("/v1/whatever")
        .await
        .assert_error(401, "authentication_failed");
}

/// The kinds that an authorizer accepts are a setting of the template.
#[tokio::test]
async fn the_accepted_kinds_decide_who_passes() {
    let parameters = BTreeMap::from([("SampleEnvironment".to_owned(), "live".to_owned())]);
    let live = Platform::with(Options {
        parameters,
        ..Options::default()
    })
    .await;
    live.bank()
        .await
        .get("/v1/whoami")
        .await
        .assert_error(401, "authentication_failed");
    assert_eq!(
        live.bank().await.get("/api/banks").await.status,
        200,
        "the management authorizer is another one"
    );
    let live = Platform::with(edited(
        "LATCHKEY_ACCEPTED_KINDS: sandbox,live",
        "LATCHKEY_ACCEPTED_KINDS: live",
    ))
    .await;
    assert_eq!(live.bank().await.get("/v1/whoami").await.status, 200);
    live.bank()
        .await
        .get("/api/banks")
        .await
        .assert_error(401, "authentication_failed");
}

/// Without an authorizer a call reaches the function, which vouches for nobody; with the default
/// one, which does not list the route, it is denied.
#[tokio::test]
async fn the_authorizer_of_a_route_is_the_one_named_there() {
    let open = Platform::with(edited(
        WHOAMI,
        "Method: GET, Path: /v1/whoami, Auth: {Authorizer: NONE}",
    ))
    .await;
    for caller in [open.anonymous(), open.bank().await] {
        let answer = caller.get("/v1/whoami").await;
        answer.assert_error(401, "authentication_failed");
        assert_eq!(answer.body["message"], UNAUTHENTICATED);
        assert_eq!(
            (
                answer.header("x-amzn-errortype"),
                answer.header("www-authenticate")
            ),
            ("", ""),
            "the function's: {answer:?}"
        );
    }
    let default = Platform::with(edited(WHOAMI, "Method: GET, Path: /v1/whoami")).await;
    default
        .bank()
        .await
        .get("/v1/whoami")
        .await
        .assert_error(403, "forbidden");
    let guarded = Platform::with(edited(
        "Method: GET, Path: /.well-known/jwks.json, Auth: {Authorizer: NONE}",
        "Method: GET, Path: /.well-known/jwks.json, Auth: {Authorizer: SampleAuthorizer}",
    ))
    .await;
    guarded
        .anonymous()
        .get("/.well-known/jwks.json")
        .await
        .assert_error(401, "authentication_failed");
}

/// Each guarded path has an unguarded `ANY` beside it for the 405: no method gets anything through
/// it without a token, with one of rubbish, or with a secret in its place.
#[tokio::test]
async fn no_method_opens_a_guarded_path_without_a_token() {
    let platform = Platform::start().await;
    let routes = &platform.stack.services().description().api.routes;
    let guarded: BTreeSet<&String> = routes
        .iter()
        .filter(|route| route.authorizer.is_some())
        .map(|route| &route.path)
        .collect();
    assert!(guarded.len() >= 10, "{guarded:?}");
    let callers = [
        platform.anonymous(),
        platform.bearer("rubbish"),
        platform.bearer(&platform.seed.organization.key.client_secret),
    ];
    for path in guarded {
        let id = if path.contains("organizations") {
            &platform.seed.organization.guid
        } else {
            &platform.seed.bank.key.client_id
        };
        let path = path.replace("{guid}", id).replace("{client_id}", id);
        for method in [
            "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "LOOK",
        ] {
            for caller in &callers {
                let request = caller
                    .request(Method::from_bytes(method.as_bytes()).unwrap(), &path)
                    .json(&json!({"name": "x"}));
                let answer = Answer::of(request).await;
                assert!(
                    [401, 404, 405].contains(&answer.status),
                    "{method} {path}: {answer:?}"
                );
                assert!(
                    method == "HEAD" || answer.body["message_code"].is_string(),
                    "{method} {path}: {answer:?}"
                );
            }
        }
    }
}

/// CBM-4: why the template turns the result cache off. Turned on, a revoked token passes for as
/// long as it remembers.
#[tokio::test]
async fn a_cached_allow_outlives_the_revocation() {
    let cached = edited(
        SAMPLE_AUTHORIZER,
        "FunctionArn: !GetAtt SampleAuthorizerFunction.Arn
            Identity: {Headers: [Authorization], ReauthorizeEvery: 300}",
    );
    for (options, after_revocation) in [(Options::default(), 401), (cached, 200)] {
        let platform = Platform::with(options).await;
        let key = platform.bank_key(json!({})).await;
        let caller = platform.bearer(&platform.token(&key).await);
        assert_eq!(caller.get("/v1/whoami").await.status, 200);
        let revoked = platform
            .organization()
            .await
            .post(&format!("/api/keys/{}/revoke", key.client_id), &json!({}))
            .await;
        assert_eq!(revoked.status, 200, "{revoked:?}");
        platform.advance(Duration::from_secs(5));
        assert_eq!(caller.get("/v1/whoami").await.status, after_revocation);
        platform.advance(Duration::from_mins(5));
        caller
            .get("/v1/whoami")
            .await
            .assert_error(401, "authentication_failed");
    }
}

/// Status, header and body of a gateway response are the template's.
#[tokio::test]
async fn a_gateway_response_says_what_the_template_says() {
    let missing = "StatusCode: 404
          ResponseParameters: {Headers: {Cache-Control: \"'no-store'\"}}
          ResponseTemplates:
            application/json: >-
              {\"status\":404,\"error\":\"not_found\",\"message_code\":\"not_found\",
              \"message\":\"There is no such path\",";
    let name = format!("MISSING_AUTHENTICATION_TOKEN:\n          {missing}");
    let other = name
        .replace("StatusCode: 404", "StatusCode: 410")
        .replace("'no-store'", "'max-age=5'")
        .replace(
            "There is no such path",
            "$context.httpMethod $context.path is gone",
        );
    let platform = Platform::with(edited(&name, &other)).await;
    let answer = platform.anonymous().get("/nothing").await;
    assert_eq!(
        (answer.status, answer.header("cache-control")),
        (410, "max-age=5"),
        "{answer:?}"
    );
    assert_eq!(
        answer.body["message"], "GET /main/nothing is gone",
        "{answer:?}"
    );

    let denied = Platform::with(edited(
        "\"message_code\":\"$context.authorizer.message_code\"",
        "\"code\":\"$context.authorizer.message_code\"",
    ))
    .await;
    let key = denied.bank_key(json!({"ip_allowlist": ["8.8.8.8"]})).await;
    let token = denied
        .request_token(&key, denied.anonymous().from("8.8.8.8"))
        .await;
    let answer = denied
        .bearer(token.body["access_token"].as_str().unwrap())
        .get("/v1/whoami")
        .await;
    assert_eq!(
        (answer.status, &answer.body["code"]),
        (403, &json!("ip_not_allowed")),
        "{answer:?}"
    );
}

/// docs/requirements.md, Errors: every gateway response is JSON with the members of the management
/// API's errors, its own status among them, whichever of the authorizer's words are substituted,
/// which nothing escapes.
#[tokio::test]
async fn every_gateway_response_is_an_error_of_the_management_api() {
    const TYPES: [&str; 21] = [
        "ACCESS_DENIED",
        "API_CONFIGURATION_ERROR",
        "AUTHORIZER_CONFIGURATION_ERROR",
        "AUTHORIZER_FAILURE",
        "BAD_REQUEST_BODY",
        "BAD_REQUEST_PARAMETERS",
        "DEFAULT_4XX",
        "DEFAULT_5XX",
        "EXPIRED_TOKEN",
        "INTEGRATION_FAILURE",
        "INTEGRATION_TIMEOUT",
        "INVALID_API_KEY",
        "INVALID_SIGNATURE",
        "MISSING_AUTHENTICATION_TOKEN",
        "QUOTA_EXCEEDED",
        "REQUEST_TOO_LARGE",
        "RESOURCE_NOT_FOUND",
        "THROTTLED",
        "UNAUTHORIZED",
        "UNSUPPORTED_MEDIA_TYPE",
        "WAF_FILTERED",
    ];
    let platform = Platform::start().await;
    let responses = &platform
        .stack
        .services()
        .description()
        .api
        .gateway_responses;
    assert_eq!(responses.len(), TYPES.len());
    for name in TYPES {
        let response = &responses[&ResponseType::named(name).unwrap()];
        let media_types: Vec<&str> = response.templates.keys().map(String::as_str).collect();
        assert_eq!(media_types, ["application/json"], "{name}");
        let text = &response.templates["application/json"];
        assert_eq!(text.contains('$'), name == "ACCESS_DENIED", "{name}");
        for cause in DenyReason::ALL {
            let text = text
                .replace("$context.authorizer.message_code", cause.message_code())
                .replace("$context.authorizer.message", cause.message());
            let body: Value = serde_json::from_str(&text)
                .unwrap_or_else(|error| panic!("{name}: {error}: {text}"));
            let members: Vec<&String> = body.as_object().unwrap().keys().collect();
            assert_eq!(
                members,
                [
                    "error",
                    "error_message",
                    "message",
                    "message_code",
                    "status"
                ],
                "{name}"
            );
            assert_eq!(
                body["status"].as_u64(),
                response.status.map(u64::from),
                "{name}"
            );
            assert_eq!(body["message"], body["error_message"], "{name}");
            assert!(
                body.as_object()
                    .unwrap()
                    .values()
                    .all(|member| *member != json!("")),
                "{name}: {body}"
            );
            if name == "ACCESS_DENIED" {
                assert_eq!(
                    (&body["message"], &body["message_code"]),
                    (&json!(cause.message()), &json!(cause.message_code()))
                );
            }
        }
        let header = |wanted: &str| {
            response
                .headers
                .keys()
                .any(|name| name.eq_ignore_ascii_case(wanted))
        };
        assert!(header("cache-control"), "{name}");
        assert_eq!(
            header("retry-after"),
            matches!(response.status, Some(429 | 503)),
            "{name}"
        );
    }
    let unauthorized = &responses[&ResponseType::Unauthorized].templates["application/json"];
    let unauthorized: Value = serde_json::from_str(unauthorized).unwrap();
    assert_eq!(unauthorized["message"], UNAUTHENTICATED);
}

/// The words that the gateway puts into JSON as they are.
#[test]
fn the_authorizers_words_need_no_escape() {
    for cause in DenyReason::ALL {
        for text in [cause.message(), cause.message_code()] {
            assert!(
                text.bytes()
                    .all(|byte| matches!(byte, b' '..=b'~') && !b"\"\\$".contains(&byte)),
                "{text}"
            );
            assert_eq!(json!(text).to_string(), format!("\"{text}\""));
        }
    }
}
