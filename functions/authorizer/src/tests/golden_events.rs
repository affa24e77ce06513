//! One event of each shape, as API Gateway sends it, and the whole answer to it.

use domain::{
    allowlist::Allowlist, error::PLAN_UPGRADE_REQUIRED, gate::Plan, key_mode::KeyMode, role::Role,
    scope::Catalogue,
};
use guard::testing::{
    person::{KEY, Person, secret},
    world::{ADDRESS, NOW, SANDBOX, World, claims},
};
use serde_json::{Value, json};

use super::rest_event;
use crate::{AuthorizerError, HttpApiResponse, Settings};

const STAGE: &str = "arn:aws:execute-api:eu-west-1:123456789012:abcdef1234/v1/*";

fn token() -> String {
    SANDBOX.token(&claims())
}

fn unrestricted_token() -> String {
    SANDBOX.token(&jwt::Claims {
        ip_allowlist: Allowlist::default(),
        ..claims()
    })
}

fn context() -> Value {
    json!({
        "organization": "04".repeat(16), "bank": "05".repeat(16), "client_id": claims().client_id,
        "owner": format!("bank:{}", "05".repeat(16)), "scopes": "accounts:write banks:read",
        "environment": "sandbox",
        "jti": "01".repeat(16), "sid": "03".repeat(16), "ip_allowlist": "8.8.8.0/24",
        "expires_at": "2030-03-17T18:16:40.000Z",
    })
}

fn policy(effect: &str, resource: &str, context: &Value) -> Value {
    json!({
        "principalId": claims().client_id,
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [{"Action": "execute-api:Invoke", "Effect": effect, "Resource": resource}],
        },
        "context": context,
    })
}

fn answer(event: &Value) -> Result<Value, AuthorizerError> {
    super::answer(&World::new(), &Settings::default(), event.clone())
}

fn with(event: &Value, pointer: &str, value: Value) -> Value {
    let mut event = event.clone();
    *event
        .pointer_mut(pointer)
        .unwrap_or_else(|| panic!("{pointer}")) = value;
    event
}

pub(super) fn http_api_event() -> Value {
    json!({
        "version": "2.0", "type": "REQUEST", "identitySource": null,
        "routeArn": "arn:aws:execute-api:eu-west-1:123456789012:abcdef1234/v1/GET/banks/05",
        "routeKey": "GET /banks/{guid}", "rawPath": "/v1/banks/05", "rawQueryString": "",
        "cookies": ["a=b"],
        "headers": {
            "accept": "*/*",
            "authorization": format!("Bearer {}", token()),
            "x-forwarded-for": "1.1.1.1",
        },
        "queryStringParameters": {}, "pathParameters": {"guid": "05"}, "stageVariables": {},
        "requestContext": {
            "accountId": "123456789012", "apiId": "abcdef1234",
            "domainName": "abcdef1234.execute-api.eu-west-1.amazonaws.com",
            "domainPrefix": "abcdef1234", "requestId": "JKJaXmPLvHcESHA=",
            "routeKey": "GET /banks/{guid}", "stage": "v1",
            "http": {
                "method": "GET",
                "path": "/v1/banks/05",
                "protocol": "HTTP/1.1",
                "sourceIp": ADDRESS,
                "userAgent": "curl/8",
            },
            "time": "17/Mar/2030:17:46:40 +0000", "timeEpoch": NOW.millis(),
        },
    })
}

pub(super) fn websocket_event() -> Value {
    let token = token();
    json!({
        "type": "REQUEST",
        "methodArn": "arn:aws:execute-api:eu-west-1:123456789012:abcdef1234/v1/$connect",
        "headers": {
            "Authorization": format!("Bearer {token}"),
            "Host": "x",
            "Sec-WebSocket-Key": "x",
        },
        "multiValueHeaders": {
            "Authorization": [format!("Bearer {token}")],
            "Host": ["x"],
            "Sec-WebSocket-Key": ["x"],
        },
        "queryStringParameters": {}, "multiValueQueryStringParameters": {}, "stageVariables": {},
        "requestContext": {
            "routeKey": "$connect", "eventType": "CONNECT", "extendedRequestId": "x=",
            "requestTime": "17/Mar/2030:17:46:40 +0000",
            "messageDirection": "IN", "stage": "v1", "connectedAt": NOW.millis(),
            "requestTimeEpoch": NOW.millis(),
            "identity": {"sourceIp": ADDRESS}, "requestId": "x=", "domainName": "x",
            "connectionId": "x=", "apiId": "abcdef1234",
        },
    })
}

pub(super) fn token_event(token: &str, arn: &str) -> Value {
    json!({"type": "TOKEN", "methodArn": arn, "authorizationToken": format!("Bearer {token}")})
}

/// As the manual has it; `authorizationToken` is the identity sources, which are not ours to read.
fn http_api_1_0_event() -> Value {
    let mut event = rest_event(&token());
    event["version"] = "1.0".into();
    event["identitySource"] = "x".into();
    event["authorizationToken"] = "x".into();
    event
}

#[test]
fn a_rest_api_request_event() {
    let event = rest_event(&token());
    assert_eq!(answer(&event), Ok(policy("Allow", STAGE, &context())));
    let elsewhere = with(
        &event,
        "/requestContext/identity/sourceIp",
        "1.1.1.1".into(),
    );
    let denial =
        json!({"message_code": "ip_not_allowed", "message": "IP address not in allowlist"});
    assert_eq!(
        answer(&elsewhere),
        Ok(policy("Deny", STAGE, &denial)),
        "X-Forwarded-For is never read"
    );
    let unlisted = with(&event, "/httpMethod", "PUT".into());
    assert_eq!(
        answer(&unlisted).unwrap()["context"]["message_code"],
        "forbidden"
    );
    assert_eq!(answer(&rest_event("x")), Err(AuthorizerError::Unauthorized));
    let from_console = with(
        &event,
        "/requestContext/identity/sourceIp",
        "test-invoke-source-ip".into(),
    );
    assert_eq!(
        answer(&from_console).unwrap()["context"]["message_code"],
        "ip_unknown"
    );
    let aged = with(
        &event,
        "/requestContext/requestTimeEpoch",
        (NOW.millis() + 5_000).into(),
    );
    assert_eq!(
        answer(&aged),
        Err(AuthorizerError::Unavailable("feed_stale"))
    );
}

/// Deviation: token-authorizers.
#[test]
fn a_rest_api_token_event() {
    let arn = "arn:aws:execute-api:eu-west-1:123456789012:abcdef1234/v1/GET/banks/05";
    let restricted = answer(&token_event(&token(), arn)).unwrap();
    assert_eq!(
        restricted["context"]["message_code"], "ip_unknown",
        "it carries no address"
    );
    let mut context = context();
    context.as_object_mut().unwrap().remove("ip_allowlist");
    assert_eq!(
        answer(&token_event(&unrestricted_token(), arn)),
        Ok(policy("Allow", STAGE, &context))
    );
    for unlisted in [
        "GET/banks/05/06",
        "GET/banks",
        "GET/banks/..",
        "GET/banks/%2e%2e",
        "GET/",
        "GET",
        "get/open",
    ] {
        let arn = format!("arn:aws:execute-api:eu-west-1:123456789012:abcdef1234/v1/{unlisted}");
        assert_eq!(
            answer(&token_event(&unrestricted_token(), &arn)).unwrap()["context"]["message_code"],
            "forbidden",
            "{unlisted}"
        );
    }
    let absent = json!({"type": "TOKEN", "methodArn": arn});
    assert_eq!(answer(&absent), Err(AuthorizerError::Unauthorized));
}

#[test]
fn an_http_api_event_of_payload_2_0() {
    let event = http_api_event();
    assert_eq!(
        answer(&event),
        Ok(json!({"isAuthorized": true, "context": context()}))
    );
    let iam = Settings {
        http_api_response: HttpApiResponse::Iam,
        ..Settings::default()
    };
    assert_eq!(
        super::answer(&World::new(), &iam, event.clone()),
        Ok(policy("Allow", STAGE, &context()))
    );
    let denial = json!({
        "isAuthorized": false,
        "context": {"message_code": "ip_not_allowed", "message": "IP address not in allowlist"},
    });
    assert_eq!(
        answer(&with(
            &event,
            "/requestContext/http/sourceIp",
            "1.1.1.1".into()
        )),
        Ok(denial)
    );
    let repeated = format!("Bearer {},Bearer {}", token(), token());
    assert_eq!(
        answer(&with(&event, "/headers/authorization", repeated.into())),
        Err(AuthorizerError::Unauthorized)
    );
    assert_eq!(
        answer(&with(
            &event,
            "/requestContext/timeEpoch",
            (NOW.millis() + 5_000).into()
        )),
        Err(AuthorizerError::Unavailable("feed_stale"))
    );
}

#[test]
fn an_http_api_event_of_payload_1_0() {
    assert_eq!(
        answer(&http_api_1_0_event()),
        Ok(policy("Allow", STAGE, &context()))
    );
}

#[test]
fn a_websocket_connect_event() {
    let event = websocket_event();
    assert_eq!(answer(&event), Ok(policy("Allow", STAGE, &context())));
    let in_query = with(
        &with(&event, "/headers/Authorization", Value::Null),
        "/multiValueHeaders/Authorization",
        Value::Null,
    );
    let in_query = with(
        &in_query,
        "/queryStringParameters",
        json!({"access_token": token(), "Authorization": token()}),
    );
    assert_eq!(
        answer(&in_query),
        Err(AuthorizerError::Unauthorized),
        "never from the query string"
    );
    assert_eq!(
        answer(&with(
            &event,
            "/requestContext/identity/sourceIp",
            "1.1.1.1".into()
        ))
        .unwrap()["context"]["message_code"],
        "ip_not_allowed"
    );
}

/// CBM-1: what the API learns of a person, in every shape; TOKEN events have no address, and the
/// key has a list.
#[test]
fn a_personal_key_in_every_shape() {
    let bearer = format!("Bearer {}", secret());
    let context = json!({
        "organization": "04".repeat(16), "client_id": KEY,
        "owner": format!("user:{}", "06".repeat(16)), "role": "admin",
        "scopes": Role::Admin.scopes(&Catalogue::default(), KeyMode::Sandbox).to_string(),
        "environment": "sandbox",
        "sid": "08".repeat(16), "ip_allowlist": "8.8.8.0/24",
    });
    let allowed = |context: &Value| {
        let mut policy = policy("Allow", STAGE, context);
        policy["principalId"] = KEY.to_string().into();
        policy
    };
    let sent = |event: Value, header: &str| {
        let mut event = event;
        event["headers"][header] = bearer.clone().into();
        if !event["multiValueHeaders"].is_null() {
            event["multiValueHeaders"][header] = json!([bearer]);
        }
        event
    };
    assert_eq!(answer(&rest_event(&secret())), Ok(allowed(&context)));
    assert_eq!(
        answer(&sent(http_api_1_0_event(), "Authorization")),
        Ok(allowed(&context))
    );
    assert_eq!(
        answer(&sent(websocket_event(), "Authorization")),
        Ok(allowed(&context))
    );
    assert_eq!(
        answer(&sent(http_api_event(), "authorization")),
        Ok(json!({"isAuthorized": true, "context": context}))
    );

    let arn = "arn:aws:execute-api:eu-west-1:123456789012:abcdef1234/v1/GET/banks/05";
    let by_token_event =
        |world: &World| super::answer(world, &Settings::default(), token_event(&secret(), arn));
    assert_eq!(
        by_token_event(&World::new()).unwrap()["context"]["message_code"],
        "ip_unknown"
    );
    let mut person = Person::new();
    person.key.ip_allowlist = Allowlist::default();
    let mut unrestricted = context;
    unrestricted.as_object_mut().unwrap().remove("ip_allowlist");
    assert_eq!(
        by_token_event(&World {
            person: Ok(person),
            ..World::new()
        }),
        Ok(allowed(&unrestricted))
    );
    let mut person = Person::new();
    person.gates.organization.plan = Plan::Starter;
    let world = World {
        person: Ok(person),
        ..World::new()
    };
    let denied = super::answer(&world, &Settings::default(), rest_event(&secret())).unwrap();
    assert_eq!(
        denied["context"],
        json!({"message_code": "plan_upgrade_required", "message": PLAN_UPGRADE_REQUIRED})
    );
    assert_eq!(denied["principalId"], KEY.to_string());
}

#[test]
fn an_event_that_is_not_understood_is_503() {
    let rest = rest_event(&token());
    let unknown = Err(AuthorizerError::Unavailable("unknown_event"));
    for event in [
        json!(null),
        json!({}),
        json!([]),
        json!({"type": "REQUEST"}),
        with(&rest, "/type", "OTHER".into()),
        with(&rest, "/resource", json!(1)),
        with(&rest, "/headers", json!("Authorization")),
        with(&rest, "/requestContext", json!({})),
        with(
            &websocket_event(),
            "/requestContext/eventType",
            "MESSAGE".into(),
        ),
        with(&http_api_event(), "/version", "3.0".into()),
        with(&rest, "/methodArn", "*".into()),
        with(
            &rest,
            "/methodArn",
            "arn:aws:execute-api:*:123456789012:abcdef1234/v1/GET/banks/05".into(),
        ),
        with(
            &rest,
            "/methodArn",
            "arn:aws:execute-api:eu-west-1:123456789012:abcdef1234/*/GET/banks/05".into(),
        ),
        with(
            &rest,
            "/methodArn",
            "arn:aws:execute-api:eu-west-1:123456789012:abcdef1234/v1".into(),
        ),
        with(
            &rest,
            "/methodArn",
            "arn:aws:s3:::bucket/v1/GET/banks".into(),
        ),
    ] {
        assert_eq!(answer(&event), unknown, "{event}");
    }
}

#[test]
fn what_is_thrown_is_what_the_gateway_goes_by() {
    assert_eq!(AuthorizerError::Unauthorized.to_string(), "Unauthorized");
    assert_eq!(
        AuthorizerError::Unavailable("feed_stale").to_string(),
        "Unavailable: feed_stale"
    );
    let diagnostic = serde_json::to_value(lambda_runtime::Diagnostic::from(
        AuthorizerError::Unauthorized,
    ))
    .unwrap();
    assert_eq!(
        diagnostic,
        json!({"errorType": "Unauthorized", "errorMessage": "Unauthorized"})
    );
}
