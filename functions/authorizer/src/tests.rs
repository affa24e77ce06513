//! The way of a request through everything that is pure: event, credential, verified tokens,
//! decision, answer.

mod bad_inputs;
mod bad_keys;
mod called_method;
mod golden_events;
mod unreachable_table;
mod usage;

use guard::testing::world::{ADDRESS, NOW, World};
use serde_json::{Value, json};

use crate::{AuthorizerError, Settings, answer, events};

/// What the function answers to an event in this world.
fn answer(world: &World, settings: &Settings, event: Value) -> Result<Value, AuthorizerError> {
    let event = events::read(event, settings.http_api_response)
        .map_err(|_| AuthorizerError::Unavailable("unknown_event"))?;
    answer::of(
        world.decide(&event.request),
        &event.form,
        settings.usage_key.as_deref(),
    )
}

fn rest_event(token: &str) -> Value {
    json!({
        "type": "REQUEST",
        "methodArn": "arn:aws:execute-api:eu-west-1:123456789012:abcdef1234/v1/GET/banks/05",
        "resource": "/banks/{guid}",
        "path": "/banks/05",
        "httpMethod": "GET",
        "headers": {
            "Accept": "*/*",
            "Authorization": format!("Bearer {token}"),
            "X-Forwarded-For": "1.1.1.1",
        },
        "multiValueHeaders": {
            "Accept": ["*/*"],
            "Authorization": [format!("Bearer {token}")],
            "X-Forwarded-For": ["1.1.1.1"],
        },
        "queryStringParameters": {},
        "multiValueQueryStringParameters": {},
        "pathParameters": {"guid": "05"},
        "stageVariables": {},
        "requestContext": {
            "resourceId": "05c7jb", "resourcePath": "/banks/{guid}", "httpMethod": "GET",
            "extendedRequestId": "x=",
            "requestTime": "17/Mar/2030:17:46:40 +0000", "path": "/v1/banks/05",
            "accountId": "123456789012",
            "protocol": "HTTP/1.1", "stage": "v1", "domainPrefix": "abcdef1234",
            "requestTimeEpoch": NOW.millis(),
            "requestId": "7f1b2a3c", "apiId": "abcdef1234",
            "identity": {
                "cognitoIdentityPoolId": null,
                "sourceIp": ADDRESS,
                "userAgent": "curl/8",
                "user": null,
            },
            "domainName": "abcdef1234.execute-api.eu-west-1.amazonaws.com",
        },
    })
}
