//! Whoever may invoke a function is nobody by that alone (LEAK-12): the functions take the caller
//! from the bearer that the event carries, and the gateway's context must agree with it.

use domain::role::Role;
use lambda_runtime::{Context, LambdaEvent};
use serde_json::{Value, json};
use tests::{Caller, Platform};
use web::lambda::HttpFunction;

use crate::{organization_snapshot::text, people::Person};

/// The management function, invoked as somebody with `lambda:InvokeFunction` does.
async fn management(platform: &Platform) -> HttpFunction {
    let services = platform.stack.services();
    let (env, ambient) = (services.env("management"), services.ambient());
    let router = management::start(&env, ambient).unwrap();
    HttpFunction::start(router, &env, ambient).await.unwrap()
}

async fn tokens(platform: &Platform) -> HttpFunction {
    let services = platform.stack.services();
    let (env, ambient) = (services.env("tokens"), services.ambient());
    let router = tokens::start(&env, ambient).unwrap();
    HttpFunction::start(router, &env, ambient).await.unwrap()
}

/// An event of a REST API with this context of an authorizer, and this bearer.
fn event(
    (method, path): (&str, &str),
    context: &Value,
    bearer: Option<&str>,
    body: &Value,
) -> Value {
    let mut headers = json!({"content-type": "application/json"});
    if let Some(bearer) = bearer {
        headers["authorization"] = json!(format!("Bearer {bearer}"));
    }
    json!({
        "resource": path,
        "path": path,
        "httpMethod": method,
        "headers": headers,
        "multiValueHeaders": {},
        "queryStringParameters": null,
        "multiValueQueryStringParameters": null,
        "pathParameters": null,
        "stageVariables": null,
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "api",
            "authorizer": context,
            "httpMethod": method,
            "identity": {"sourceIp": "8.8.8.8"},
            "path": path,
            "requestId": "7f1b2a3c",
            "requestTimeEpoch": 0,
            "resourceId": "resource",
            "resourcePath": path,
            "stage": "local",
        },
        "body": if body.is_null() { Value::Null } else { json!(body.to_string()) },
        "isBase64Encoded": false,
    })
}

async fn status(function: &HttpFunction, event: Value) -> Value {
    let event = LambdaEvent::new(event, Context::default());
    function.answer(event).await.unwrap()["statusCode"].clone()
}

/// The personal key by which somebody calls.
async fn own_key(caller: &Caller, user: &str) -> Value {
    let path = format!("/api/keys?environment=sandbox&owner_guid={user}");
    caller.get(&path).await.body["objects"][0].clone()
}

/// What the authorizer says of the seed organization's owner.
async fn context_of_the_owner(platform: &Platform) -> Value {
    let key = own_key(&platform.owner(), &platform.seed.users.owner.guid).await;
    json!({
        "principalId": text(&key, "client_id"),
        "organization": platform.seed.organization.guid,
        "client_id": text(&key, "client_id"),
        "owner": format!("user:{}", platform.seed.users.owner.guid),
        "scopes": "organizations:read organizations:write banks:read users:read",
        "role": "owner",
        "environment": "sandbox",
        "sid": text(&key["secrets"][0], "id"),
    })
}

#[tokio::test]
async fn leak_12_401_for_a_context_without_a_bearer_or_with_somebody_elses() {
    let platform = Platform::start().await;
    let context = context_of_the_owner(&platform).await;
    let function = management(&platform).await;
    let machine = platform.organization().await;
    let owner = platform.owner();
    let admin = Person::new(&platform, Role::Admin).await;
    for (bearer, expected) in [
        (None, 401),
        (Some("no.such.token"), 401),
        // Callers in their own right, of whom the context says that they are the owner.
        (Some(admin.caller.token()), 401),
        (Some(machine.token()), 401),
        (Some(owner.token()), 200),
    ] {
        let got = status(
            &function,
            event(("GET", "/api/users"), &context, bearer, &Value::Null),
        )
        .await;
        assert_eq!(got, expected, "{bearer:?}");
        let rename = json!({"name": "Taken over"});
        let path = format!("/api/organizations/{}", platform.seed.organization.guid);
        let mut rename = event(("PATCH", &path), &context, bearer, &rename);
        rename["requestContext"]["resourcePath"] = json!("/api/organizations/{guid}");
        assert_eq!(status(&function, rename).await, expected, "{bearer:?}");
    }
}

#[tokio::test]
async fn leak_12_a_context_gives_no_role_scope_or_tenant_that_the_bearer_lacks() {
    let platform = Platform::start().await;
    let function = management(&platform).await;
    let viewer = platform.viewer();
    let key = own_key(&viewer, &platform.seed.users.viewer.guid).await;
    let own = json!({
        "organization": platform.seed.organization.guid,
        "client_id": text(&key, "client_id"),
        "owner": format!("user:{}", platform.seed.users.viewer.guid),
        "scopes": "banks:read banks:execute users:execute",
        "role": "owner",
        "environment": "sandbox",
        "sid": text(&key["secrets"][0], "id"),
    });
    let bank = json!({"name": "A bank", "environment": "sandbox"});
    let make =
        |context: &Value| event(("POST", "/api/banks"), context, Some(viewer.token()), &bank);
    assert_eq!(
        status(&function, make(&own)).await,
        403,
        "a viewer stays one"
    );
    let list = |context: &Value| {
        let read = ("GET", "/api/users");
        event(read, context, Some(viewer.token()), &Value::Null)
    };
    assert_eq!(status(&function, list(&own)).await, 200);
    for (member, value) in [
        ("organization", json!("0".repeat(32))),
        ("client_id", json!(platform.seed.bank.key.client_id)),
        ("sid", json!("0".repeat(32))),
        ("environment", json!("live")),
        ("role", json!("emperor")),
        ("jti", json!("0".repeat(32))),
    ] {
        let mut other = own.clone();
        other[member] = value;
        assert_eq!(status(&function, list(&other)).await, 401, "{member}");
    }
}

#[tokio::test]
async fn leak_12_401_for_a_customers_token_by_the_context_alone() {
    let platform = Platform::start().await;
    let function = tokens(&platform).await;
    let (bank, key) = (platform.bank().await, &platform.seed.bank.key);
    let shown = platform
        .organization()
        .await
        .get(&format!("/api/keys/{}", key.client_id))
        .await
        .body;
    let context = json!({
        "organization": platform.seed.organization.guid,
        "client_id": key.client_id,
        "owner": format!("bank:{}", platform.seed.bank.guid),
        "bank": platform.seed.bank.guid,
        "scopes": "customers:read customers:execute accounts:read",
        "environment": "sandbox",
        "jti": "0".repeat(32),
        "sid": text(&shown["secrets"][0], "id"),
    });
    let body = json!({"customer_guid": "1".repeat(32), "scopes": ["accounts:read"]});
    for bearer in [None, Some(bank.token())] {
        let made = event(("POST", "/api/customer_tokens"), &context, bearer, &body);
        assert_eq!(status(&function, made).await, 401, "{bearer:?}");
    }
}
