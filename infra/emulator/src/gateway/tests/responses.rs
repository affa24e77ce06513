use super::*;

async fn open(answer_: Value) -> Response {
    Stack::start(TEMPLATE, &[("Open", answer(&answer_))])
        .await
        .get("/open")
        .await
}

#[tokio::test]
async fn an_answer_becomes_the_response() {
    let answer_ = json!({
        "statusCode": 201,
        "headers": {"Content-Type": "text/x", "X-One": "1", "X-Flag": true},
        "body": "hé",
    });
    let response = open(answer_).await;
    assert_eq!(header(&response, "content-type"), Some("text/x"));
    assert_eq!(
        (header(&response, "x-one"), header(&response, "x-flag")),
        (Some("1"), Some("true"))
    );
    for name in [
        "x-amzn-requestid",
        "x-amz-apigw-id",
        "x-amzn-trace-id",
        "date",
    ] {
        assert!(header(&response, name).is_some(), "{name}");
    }
    assert_eq!(status_and_body(response).await, (201, "hé".to_owned()));
}

#[tokio::test]
async fn an_empty_answer_is_an_empty_200_of_json() {
    for answer_ in [
        json!({}),
        json!({"statusCode": "200", "headers": null, "multiValueHeaders": null, "body": null}),
    ] {
        let response = open(answer_).await;
        assert_eq!(header(&response, "content-type"), Some("application/json"));
        assert_eq!(status_and_body(response).await, (200, String::new()));
    }
}

/// Deviation: remapped-response-headers.
#[tokio::test]
async fn headers_are_remapped_or_dropped() {
    let remapped = [
        "Authorization",
        "Connection",
        "Content-Length",
        "Content-MD5",
        "Date",
        "Expect",
        "Host",
        "Max-Forwards",
        "Proxy-Authenticate",
        "Server",
        "Trailer",
        "User-Agent",
        "WWW-Authenticate",
    ];
    let dropped = ["Transfer-Encoding", "Upgrade", "TE"];
    let headers: serde_json::Map<String, Value> = remapped
        .iter()
        .chain(&dropped)
        .map(|name| ((*name).to_owned(), json!("own")))
        .collect();
    let response = open(json!({"statusCode": 401, "headers": headers, "body": "four"})).await;
    for name in remapped {
        assert_eq!(
            header(&response, &format!("x-amzn-remapped-{name}")),
            Some("own"),
            "{name}"
        );
        assert_ne!(header(&response, name), Some("own"), "{name}");
    }
    for name in dropped {
        assert_ne!(header(&response, name), Some("own"), "{name}");
        assert_eq!(
            header(&response, &format!("x-amzn-remapped-{name}")),
            None,
            "{name}"
        );
    }
    assert_eq!(header(&response, "content-length"), Some("4"));
}

#[tokio::test]
async fn multi_value_headers_come_first_and_single_ones_are_added() {
    let answer_ = json!({
        "headers": {"X-Same": "a", "x-both": "single"},
        "multiValueHeaders": {
            "X-Same": ["a"],
            "X-Both": ["first", "second"],
            "Set-Cookie": ["a=1", "b=2"],
        },
    });
    let response = open(answer_).await;
    let all = |name: &str| -> Vec<&str> {
        response
            .headers()
            .get_all(name)
            .iter()
            .map(|value| value.to_str().unwrap())
            .collect()
    };
    assert_eq!(all("x-same"), ["a"]);
    assert_eq!(all("x-both"), ["first", "second", "single"]);
    assert_eq!(all("set-cookie"), ["a=1", "b=2"]);
}

#[tokio::test]
async fn malformed_answers_and_failures_are_a_502() {
    for answer_ in [
        Value::Null,
        json!("text"),
        json!({"statusCode": 200, "wrong": 1}),
        json!({"errorMessage": "x", "errorType": "y"}),
        json!({"statusCode": "ok"}),
        json!({"statusCode": 99}),
        json!({"statusCode": 700}),
        json!({"statusCode": 200, "body": {"a": 1}}),
        json!({"statusCode": 200, "headers": {"a": {}}}),
        json!({"statusCode": 200, "headers": []}),
        json!({"statusCode": 200, "multiValueHeaders": {"a": "b"}}),
        json!({"statusCode": 200, "headers": {"not a name": "b"}}),
        json!({"statusCode": 200, "headers": {"a": "line\nbreak"}}),
    ] {
        let response = open(answer_.clone()).await;
        assert_eq!(
            header(&response, "x-amzn-errortype"),
            Some("InternalServerErrorException")
        );
        let expected = (502, r#"{"message":"Internal server error"}"#.to_owned());
        assert_eq!(status_and_body(response).await, expected, "{answer_}");
    }
    let panics: Handler = Arc::new(|_| Box::pin(async { panic!("on purpose") }));
    for handler in [fail("secret text"), panics] {
        let stack = Stack::start(TEMPLATE, &[("Open", handler)]).await;
        let expected = (502, r#"{"message":"Internal server error"}"#.to_owned());
        assert_eq!(status_and_body(stack.get("/open").await).await, expected);
    }
}

#[tokio::test]
async fn base64_is_undone_only_for_clients_that_accept_a_binary_media_type() {
    let answer_ = json!({"body": "dGVzdA==", "isBase64Encoded": true});
    assert_eq!(
        open(answer_.clone()).await.text().await.unwrap(),
        "dGVzdA=="
    );
    let template = TEMPLATE.replace(
        "StageName: v1",
        "StageName: v1\n      BinaryMediaTypes: [image/png]",
    );
    let stack = Stack::start(&template, &[("Open", answer(&answer_))]).await;
    assert_eq!(stack.get("/open").await.text().await.unwrap(), "dGVzdA==");
    let request = stack
        .request(Method::GET, "/open")
        .header("accept", "image/png, */*");
    assert_eq!(request.send().await.unwrap().text().await.unwrap(), "test");
}

#[tokio::test]
async fn head_has_no_body() {
    let stack = Stack::start(TEMPLATE, &[("Open", answer(&json!({"body": "four"})))]).await;
    let response = stack.request(Method::HEAD, "/open").send().await.unwrap();
    assert_eq!(header(&response, "content-length"), Some("4"));
    assert_eq!(response.text().await.unwrap(), "");
}
