use aws_lambda_events::apigw::{
    ApiGatewayCustomAuthorizerRequestTypeRequest, ApiGatewayProxyRequest,
};

use super::*;

/// Deviation: no-tls, stage-not-in-url, invented-ids.
#[tokio::test]
async fn the_proxy_event_is_that_of_api_gateway() {
    let stack = Stack::start(TEMPLATE, &[]).await;
    let request = stack.request(Method::POST, "/open?b=1&a=x+y&b=%C3%A9%2B&empty=&c=1;d=2");
    let request = request
        .header("content-type", "text/plain")
        .header("user-agent", "test/1")
        .body("grüße");
    request
        .header("x-two", "one")
        .header("x-two", "two")
        .send()
        .await
        .unwrap();
    let mut event = stack.event("Open");
    let request_id = event["requestContext"]["requestId"].take();
    assert_eq!(request_id.as_str().unwrap().len(), 36);
    let extended = event["requestContext"]["extendedRequestId"].take();
    assert!(extended.as_str().unwrap().ends_with('='));
    let resource_id = event["requestContext"]["resourceId"].take();
    assert_eq!(resource_id.as_str().unwrap().len(), 6);
    let trace = event["headers"]["X-Amzn-Trace-Id"].take();
    assert!(
        trace.as_str().unwrap().starts_with("Root=1-552671f0-"),
        "{trace}"
    );
    event["multiValueHeaders"]["X-Amzn-Trace-Id"].take();
    let host = stack.base.trim_start_matches("http://");
    let port = host.rsplit(':').next().unwrap();
    assert_eq!(
        event,
        json!({
            "resource": "/open",
            "path": "/open",
            "httpMethod": "POST",
            "headers": {
                "Host": host, "X-Amzn-Trace-Id": null, "X-Forwarded-For": "127.0.0.1",
                "X-Forwarded-Port": port,
                "X-Forwarded-Proto": "http", "accept": "*/*", "content-type": "text/plain",
                "user-agent": "test/1",
                "x-two": "two",
            },
            "multiValueHeaders": {
                "Host": [host], "X-Amzn-Trace-Id": null, "X-Forwarded-For": ["127.0.0.1"],
                "X-Forwarded-Port": [port],
                "X-Forwarded-Proto": ["http"], "accept": ["*/*"], "content-type": ["text/plain"],
                "user-agent": ["test/1"], "x-two": ["one", "two"],
            },
            "queryStringParameters": {"a": "x y", "b": "é+", "c": "1", "d": "2", "empty": ""},
            "multiValueQueryStringParameters": {
                "a": ["x y"],
                "b": ["1", "é+"],
                "c": ["1"],
                "d": ["2"],
                "empty": [""],
            },
            "pathParameters": null,
            "stageVariables": null,
            "body": "grüße",
            "isBase64Encoded": false,
            "requestContext": {
                "accountId": "000000000000", "apiId": "localapi00", "domainName": "127.0.0.1",
                "domainPrefix": "127",
                "extendedRequestId": null, "httpMethod": "POST",
                "identity": {
                    "accessKey": null, "accountId": null, "caller": null,
                    "cognitoAuthenticationProvider": null,
                    "cognitoAuthenticationType": null, "cognitoIdentityId": null,
                    "cognitoIdentityPoolId": null,
                    "principalOrgId": null, "sourceIp": "127.0.0.1", "user": null,
                    "userAgent": "test/1",
                    "userArn": null,
                },
                "path": "/v1/open", "protocol": "HTTP/1.1", "requestId": null,
                "requestTime": "09/Apr/2015:12:34:56 +0000", "requestTimeEpoch": NOW,
                "resourceId": null,
                "resourcePath": "/open", "stage": "v1",
            },
        })
    );
}

#[tokio::test]
async fn empty_parts_of_an_event_are_null() {
    let stack = Stack::start(TEMPLATE, &[]).await;
    stack.get("/open").await;
    let event = stack.event("Open");
    for member in [
        "body",
        "queryStringParameters",
        "multiValueQueryStringParameters",
        "pathParameters",
    ] {
        assert_eq!(event[member], Value::Null, "{member}");
    }
    assert_eq!(
        event["requestContext"]["identity"]["userAgent"],
        Value::Null
    );
    assert_eq!(event["requestContext"].get("authorizer"), None);
}

#[tokio::test]
async fn the_events_are_what_the_runtime_expects() {
    let context = json!({"scopes": "a b", "number": 7, "flag": true});
    let stack = Stack::start(
        TEMPLATE,
        &[("Authorizer", answer(&policy("Allow", &context)))],
    )
    .await;
    assert_eq!(stack.get("/banks/17?x=1").await.status(), 200);
    let event: ApiGatewayProxyRequest = serde_json::from_value(stack.event("Guarded")).unwrap();
    assert_eq!(event.path_parameters["guid"], "17");
    let authorizer = event.request_context.authorizer.fields;
    assert_eq!(authorizer["principalId"], "somebody");
    assert_eq!(authorizer["scopes"], "a b");
    assert_eq!(authorizer["number"], "7");
    assert_eq!(authorizer["flag"], "true");
    assert_eq!(authorizer["integrationLatency"], 0);
    let event = stack.event("Authorizer");
    let arn = "arn:aws:execute-api:eu-west-1:000000000000:localapi00/v1/GET/banks/17";
    assert_eq!(
        (event["type"].as_str(), event["methodArn"].as_str()),
        (Some("REQUEST"), Some(arn))
    );
    assert_eq!(event.get("body"), None);
    let event: ApiGatewayCustomAuthorizerRequestTypeRequest =
        serde_json::from_value(event).unwrap();
    assert_eq!(event.path_parameters["guid"], "17");
    assert_eq!(event.query_string_parameters.first("x"), Some("1"));
    assert_eq!(event.resource.as_deref(), Some("/banks/{guid}"));
    assert_eq!(
        event.request_context.identity.unwrap().source_ip.as_deref(),
        Some("127.0.0.1")
    );
    assert_eq!(event.request_context.stage.as_deref(), Some("v1"));
}

/// Deviation: request-header-names, no-cloudfront, dropped-request-headers.
#[tokio::test]
async fn headers_of_the_connection_do_not_reach_functions() {
    let stack = Stack::start(TEMPLATE, &[]).await;
    let request = "POST /open HTTP/1.1\r\nHost: local:1\r\nConnection: close\r\nContent-Length: \
                   1\r\nContent-MD5: x\r\nMax-Forwards: 1\r\nProxy-Authenticate: x\r\nServer: x\r\n\
                   TE: trailers\r\nTrailer: x\r\nWWW-Authenticate: x\r\nVia: kept\r\n\
                   X-Forwarded-For: 9.9.9.9\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Port: \
                   443\r\nX-Amzn-Trace-Id: Root=1-abc-def;Sampled=1\r\n\r\na";
    assert!(stack.raw(request).await.starts_with("HTTP/1.1 200"));
    let event = stack.event("Open");
    let mut headers = event["headers"].clone();
    headers["X-Forwarded-Port"].take();
    let expected = json!({
        "Host": "local:1", "X-Amzn-Trace-Id": "Root=1-abc-def",
        "X-Forwarded-For": "9.9.9.9, 127.0.0.1",
        "X-Forwarded-Port": null, "X-Forwarded-Proto": "http", "via": "kept",
    });
    assert_eq!(headers, expected);
    assert_eq!(event["requestContext"]["identity"]["sourceIp"], "127.0.0.1");
}

/// Deviation: local-source-ip.
#[tokio::test]
async fn the_caller_names_its_address_by_the_local_header() {
    let stack = Stack::start(TEMPLATE, &[("Authorizer", allow())]).await;
    for address in ["203.0.113.9", "2001:db8::7"] {
        let request = stack
            .request(Method::GET, "/banks")
            .header("X-Local-Source-Ip", address);
        assert_eq!(request.send().await.unwrap().status(), 200);
        for function in ["Authorizer", "Guarded"] {
            let event = stack.event(function);
            assert_eq!(event["requestContext"]["identity"]["sourceIp"], address);
            assert_eq!(event["headers"]["X-Forwarded-For"], address);
            assert_eq!(event["headers"]["x-local-source-ip"], Value::Null);
            assert_eq!(event["multiValueHeaders"]["x-local-source-ip"], Value::Null);
        }
    }
    let before = stack.events("Authorizer").len();
    for wrong in ["", "here", "10.0.0.0/8", "1.2.3.4, 5.6.7.8"] {
        let request = stack
            .request(Method::GET, "/banks")
            .header("X-Local-Source-Ip", wrong);
        assert_eq!(request.send().await.unwrap().status(), 400, "{wrong}");
    }
    assert_eq!(stack.events("Authorizer").len(), before);
}

#[tokio::test]
async fn bodies_that_are_no_text_are_spoiled_unless_the_media_type_is_binary() {
    let body = vec![0x66, 0xff, 0xfe];
    let send = async |stack: &Stack, kind: &str| {
        let request = stack
            .request(Method::POST, "/open")
            .header("content-type", kind)
            .body(body.clone());
        request.send().await.unwrap();
        let event = stack.event("Open");
        (event["body"].clone(), event["isBase64Encoded"].clone())
    };
    let stack = Stack::start(TEMPLATE, &[]).await;
    assert_eq!(
        send(&stack, "image/png").await,
        (json!("f\u{fffd}\u{fffd}"), json!(false))
    );
    let template = TEMPLATE.replace(
        "StageName: v1",
        "StageName: v1\n      BinaryMediaTypes: [image~1*]",
    );
    let stack = Stack::start(&template, &[]).await;
    assert_eq!(
        send(&stack, "image/png").await,
        (json!("Zv/+"), json!(true))
    );
    assert_eq!(
        send(&stack, "text/plain").await,
        (json!("f\u{fffd}\u{fffd}"), json!(false))
    );
}

#[tokio::test]
async fn stage_variables_reach_functions() {
    let template = TEMPLATE.replace(
        "StageName: v1",
        "StageName: v1\n      Variables: {colour: blue}",
    );
    let stack = Stack::start(&template, &[]).await;
    stack.get("/open").await;
    assert_eq!(
        stack.event("Open")["stageVariables"],
        json!({"colour": "blue"})
    );
}
