//! What is changed in the text of a template changes what the gateway does.

use super::*;

async fn status(template: &str, authorizer: Handler, path: &str) -> (u16, String) {
    let stack = Stack::start(template, &[("Authorizer", authorizer)]).await;
    status_and_body(stack.get(path).await).await
}

#[tokio::test]
async fn a_route() {
    assert_eq!(status(TEMPLATE, allow(), "/lenders").await.0, 403);
    let edited = TEMPLATE.replace("Path: /banks, Method: get", "Path: /lenders, Method: get");
    assert_eq!(status(&edited, allow(), "/lenders").await.0, 200);
    assert_eq!(status(&edited, allow(), "/banks").await.0, 403);
}

#[tokio::test]
async fn an_authorizer_of_a_route() {
    assert_eq!(
        status(TEMPLATE, fail("Unauthorized"), "/banks").await.0,
        401
    );
    let edited = TEMPLATE.replace(
        "Path: /banks, Method: get",
        "Path: /banks, Method: get, Auth: {Authorizer: NONE}",
    );
    assert_eq!(status(&edited, fail("Unauthorized"), "/banks").await.0, 200);
}

#[tokio::test]
async fn the_default_authorizer_and_preflight() {
    let options = TEMPLATE.replace("Path: /banks, Method: get", "Path: /banks, Method: options");
    let open = options.replace(
        "DefaultAuthorizer: Guard",
        "DefaultAuthorizer: Guard\n        AddDefaultAuthorizerToCorsPreflight: false",
    );
    for (template, expected) in [(options, 401), (open, 200)] {
        let stack = Stack::start(&template, &[("Authorizer", fail("Unauthorized"))]).await;
        let response = stack
            .request(Method::OPTIONS, "/banks")
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), expected);
    }
    let without = TEMPLATE.replace("DefaultAuthorizer: Guard", "DefaultAuthorizer: NONE");
    assert_eq!(
        status(&without, fail("Unauthorized"), "/banks").await.0,
        200
    );
}

#[tokio::test]
async fn identity_sources_and_the_cache() {
    let edited = TEMPLATE.replace(
        "Identity: {ReauthorizeEvery: 0}",
        "Identity: {QueryStrings: [key], ReauthorizeEvery: 9}",
    );
    let stack = Stack::start(&edited, &[("Authorizer", allow())]).await;
    assert_eq!(stack.get("/banks").await.status(), 401);
    for _ in 0..2 {
        assert_eq!(stack.get("/banks?key=1").await.status(), 200);
    }
    assert_eq!(stack.events("Authorizer").len(), 1);
}

#[tokio::test]
async fn a_gateway_response() {
    let response = "GatewayResponses: {MISSING_AUTHENTICATION_TOKEN: {StatusCode: \
                    404, ResponseTemplates: {application/json: '{}'}}}";
    let edited = TEMPLATE.replace("StageName: v1", &format!("StageName: v1\n      {response}"));
    assert_eq!(
        status(&edited, allow(), "/nothing").await,
        (404, "{}".to_owned())
    );
    let other = edited.replace("404", "410");
    assert_eq!(status(&other, allow(), "/nothing").await.0, 410);
}

#[tokio::test]
async fn a_timeout_of_a_function() {
    let generous = TEMPLATE.replace("Timeout: 5", "Timeout: 900");
    // Longer than a function has by default.
    let slow = [("Open", sleep(Duration::from_millis(3500)))];
    assert_eq!(
        Stack::start(&generous, &slow)
            .await
            .get("/open")
            .await
            .status(),
        200
    );
    let edited = TEMPLATE.replace("Timeout: 5", "Timeout: 1");
    assert_eq!(
        Stack::start(&edited, &[("Open", never())])
            .await
            .get("/open")
            .await
            .status(),
        502
    );
}

#[tokio::test]
async fn the_stage() {
    let edited = TEMPLATE.replace("StageName: v1", "StageName: live");
    // The scripted policy speaks of the stage v1 alone.
    assert_eq!(status(&edited, allow(), "/banks").await.0, 403);
}
