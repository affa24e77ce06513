use super::*;

const RESPONSES: &str = r#"
      GatewayResponses:
        ACCESS_DENIED:
          StatusCode: 403
          ResponseTemplates:
            application/json: '{"error":"forbidden","message_code":"$context.authorizer.message_code","message":"$context.authorizer.message.","id":"$context.requestId","who":"$context.authorizer.principalId","nothing":"$context.authorizer.absent","price":"$5"}'
        AUTHORIZER_FAILURE:
          StatusCode: '503'
          ResponseParameters: {Headers: {Retry-After: "'1'", WWW-Authenticate: "'Bearer'", X-Stage: context.stage, X-Echo: method.request.header.x-ask}}
          ResponseTemplates: {application/json: '{"status":503}'}
        UNAUTHORIZED:
          ResponseParameters: {Headers: {Cache-Control: "'no-store'"}}
        DEFAULT_4XX:
          ResponseTemplates: {application/json: '{"text":$context.error.messageString,"type":"$context.error.responseType","from":"$context.identity.sourceIp","var":"$stageVariables.colour"}', text/plain: 'plain $context.error.message'}
        DEFAULT_5XX:
          StatusCode: 500
          ResponseTemplates: {application/json: '{"text":$context.error.messageString,"type":"$context.error.responseType"}'}"#;

fn template() -> String {
    TEMPLATE.replace(
        "StageName: v1",
        &format!("StageName: v1\n      Variables: {{colour: blue}}{RESPONSES}"),
    )
}

async fn stack(authorizer: Handler) -> Stack {
    Stack::start(
        &template(),
        &[("Authorizer", authorizer), ("Open", fail("broken"))],
    )
    .await
}

/// Deviation: null-in-templates.
#[tokio::test]
async fn a_denial_carries_the_authorizers_context() {
    let context = json!({"message_code": "ip_not_allowed", "message": "IP address not allowed"});
    let response = stack(answer(&policy("Deny", &context)))
        .await
        .get("/banks")
        .await;
    assert_eq!(header(&response, "content-type"), Some("application/json"));
    let id = header(&response, "x-amzn-requestid").unwrap().to_owned();
    let expected = json!({
        "error": "forbidden", "message_code": "ip_not_allowed",
        "message": "IP address not allowed.", "id": id,
        "who": "somebody", "nothing": "", "price": "$5",
    });
    assert_eq!(response.status(), 403);
    assert_eq!(response.json::<Value>().await.unwrap(), expected);
}

#[tokio::test]
async fn substituted_values_are_not_escaped() {
    let context = json!({"message_code": "\"", "message": "$context.requestId"});
    let response = stack(answer(&policy("Deny", &context)))
        .await
        .get("/banks")
        .await;
    let body = response.text().await.unwrap();
    assert!(
        body.contains(r#""message_code":""","message":"$context.requestId.""#),
        "{body}"
    );
}

/// Deviation: remapped-response-headers.
#[tokio::test]
async fn status_and_headers_are_those_of_the_template_and_headers_are_not_remapped() {
    let stack = stack(fail("down")).await;
    let response = stack
        .request(Method::GET, "/banks")
        .header("x-ask", "echo")
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 503);
    for (name, value) in [
        ("retry-after", "1"),
        ("www-authenticate", "Bearer"),
        ("x-stage", "v1"),
        ("x-echo", "echo"),
    ] {
        assert_eq!(header(&response, name), Some(value));
    }
    assert_eq!(
        header(&response, "x-amzn-errortype"),
        Some("AuthorizerFailureException")
    );
    assert_eq!(response.text().await.unwrap(), r#"{"status":503}"#);
}

#[tokio::test]
async fn a_response_without_a_template_keeps_the_default_body_and_status() {
    let response = stack(fail("Unauthorized")).await.get("/banks").await;
    assert_eq!(header(&response, "cache-control"), Some("no-store"));
    assert_eq!(
        status_and_body(response).await,
        (401, r#"{"message":"Unauthorized"}"#.to_owned())
    );
}

/// Deviation: null-in-templates.
#[tokio::test]
async fn unspecified_types_inherit_from_their_class() {
    let stack = stack(answer(&json!("wrong"))).await;
    let expected = r#"{"text":"Missing Authentication Token","type":"MISSING_AUTHENTICATION_TOKEN","from":"127.0.0.1","var":"blue"}"#;
    assert_eq!(
        status_and_body(stack.get("/nothing").await).await,
        (403, expected.to_owned())
    );
    let expected = r#"{"text":null,"type":"AUTHORIZER_CONFIGURATION_ERROR"}"#;
    assert_eq!(
        status_and_body(stack.get("/banks").await).await,
        (500, expected.to_owned())
    );
    // The class's status replaces the 502.
    let expected = r#"{"text":"Internal server error","type":"DEFAULT_5XX"}"#;
    assert_eq!(
        status_and_body(stack.get("/open").await).await,
        (500, expected.to_owned())
    );
}

/// Deviation: accepted-template.
#[tokio::test]
async fn the_template_is_chosen_by_the_first_accepted_media_type() {
    let stack = stack(allow()).await;
    let response = stack
        .request(Method::GET, "/nothing")
        .header("accept", "text/plain, */*")
        .send()
        .await
        .unwrap();
    assert_eq!(header(&response, "content-type"), Some("text/plain"));
    assert_eq!(
        response.text().await.unwrap(),
        "plain Missing Authentication Token"
    );
    let response = stack
        .request(Method::GET, "/nothing")
        .header("accept", "text/html")
        .send()
        .await
        .unwrap();
    assert_eq!(header(&response, "content-type"), Some("application/json"));
}
