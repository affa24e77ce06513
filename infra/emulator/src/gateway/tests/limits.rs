use tokio::sync::watch;

use super::*;

/// Deviation: too-large-bodies.
#[tokio::test]
async fn bodies_over_ten_megabytes_are_refused_in_plain_text() {
    let stack = Stack::start(TEMPLATE, &[]).await;
    let response = stack
        .request(Method::POST, "/open")
        .body(vec![b'a'; 10_485_761])
        .send()
        .await
        .unwrap();
    assert_eq!(header(&response, "content-type"), Some("text/plain"));
    let expected = (
        413,
        "HTTP content length exceeded 10485760 bytes.".to_owned(),
    );
    assert_eq!(status_and_body(response).await, expected);
    assert!(stack.events("Open").is_empty());
}

/// Deviation: too-large-events, error-types.
#[tokio::test]
async fn events_over_six_megabytes_are_too_large_for_lambda() {
    let stack = Stack::start(TEMPLATE, &[]).await;
    let response = stack
        .request(Method::POST, "/open")
        .body(vec![b'a'; 6_291_456])
        .send()
        .await
        .unwrap();
    assert_eq!(
        header(&response, "x-amzn-errortype"),
        Some("RequestTooLargeException")
    );
    assert_eq!(
        status_and_body(response).await,
        (413, r#"{"message":"Request Too Long"}"#.to_owned())
    );
    // Each quotation mark takes two bytes of the event.
    let response = stack
        .request(Method::POST, "/open")
        .body(vec![b'"'; 3_145_728])
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 413);
    assert!(stack.events("Open").is_empty());
    let response = stack
        .request(Method::POST, "/open")
        .body(vec![b'a'; 6_280_000])
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
}

#[tokio::test]
async fn answers_over_six_megabytes_are_a_502() {
    let large = json!({"statusCode": 200, "body": "a".repeat(6_291_556)});
    let stack = Stack::start(TEMPLATE, &[("Open", answer(&large))]).await;
    assert_eq!(stack.get("/open").await.status(), 502);
}

/// Deviation: too-long-headers.
#[tokio::test]
async fn request_line_and_header_values_have_10240_bytes() {
    let stack = Stack::start(TEMPLATE, &[]).await;
    let request = |value: usize| {
        format!(
            "GET /open HTTP/1.1\r\nHost: local\r\nConnection: close\r\nX-Long: {}\r\n\r\n",
            "a".repeat(value)
        )
    };
    let line = "GET /open HTTP/1.1".len() + "local".len() + "close".len();
    assert!(
        stack
            .raw(&request(10_240 - line))
            .await
            .starts_with("HTTP/1.1 200")
    );
    let refused = stack.raw(&request(10_241 - line)).await;
    assert!(refused.starts_with("HTTP/1.1 431"), "{refused}");
    assert!(
        refused.ends_with("HTTP header is larger than 10240 bytes."),
        "{refused}"
    );
    assert_eq!(stack.events("Open").len(), 1);
}

#[tokio::test]
async fn a_function_over_its_own_timeout_is_a_502_and_over_the_integrations_a_504() {
    let template = TEMPLATE.replace("Timeout: 5", "Timeout: 1");
    let never = [("Open", never())];
    let stack = Stack::start(&template, &never).await;
    let response = stack.get("/open").await;
    assert_eq!(
        status_and_body(response).await,
        (502, r#"{"message":"Internal server error"}"#.to_owned())
    );
    let stack = Stack::start_with(TEMPLATE, &never, Duration::from_millis(100)).await;
    let response = stack.get("/open").await;
    assert_eq!(
        header(&response, "x-amzn-errortype"),
        Some("InternalServerErrorException")
    );
    assert_eq!(
        status_and_body(response).await,
        (
            504,
            r#"{"message":"Endpoint request timed out"}"#.to_owned()
        )
    );
}

#[tokio::test]
async fn a_function_outlives_the_client_and_the_deadline() {
    let (finished, (release, released)) = (Arc::new(AtomicI64::new(0)), watch::channel(false));
    let count = Arc::clone(&finished);
    let slow: Handler = Arc::new(move |_| {
        let (count, mut released) = (Arc::clone(&count), released.clone());
        Box::pin(async move {
            released.wait_for(|released| *released).await.unwrap();
            count.fetch_add(1, Ordering::SeqCst);
            Ok(json!({}))
        })
    });
    // Longer than anything takes here: the function is to end before its own timeout.
    let template = TEMPLATE.replace("Timeout: 5", "Timeout: 900");
    let stack = Stack::start_with(&template, &[("Open", slow)], Duration::from_millis(150)).await;
    let client = tokio::spawn(stack.request(Method::GET, "/open").send());
    until(|| stack.events("Open").len() == 1).await;
    client.abort();
    assert_eq!(stack.get("/open").await.status(), 504);
    release.send_replace(true);
    until(|| finished.load(Ordering::SeqCst) == 2).await;
}
