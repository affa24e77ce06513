use super::*;

async fn resource_of(stack: &Stack, method: Method, path: &str) -> Option<String> {
    let before = stack.events("Open").len();
    let response = stack.request(method, path).send().await.unwrap();
    let events = stack.events("Open");
    if events.len() == before {
        assert_eq!(response.status(), 403);
        return None;
    }
    Some(
        events.last().unwrap()["resource"]
            .as_str()
            .unwrap()
            .to_owned(),
    )
}

/// Deviation: slashes.
#[tokio::test]
async fn literal_beats_parameter_beats_greedy() {
    let template = TEMPLATE.replace("/files/{proxy+}", "/{proxy+}");
    let stack = Stack::start(&template, &[]).await;
    for (path, resource) in [
        ("/open/fixed", "/open/fixed"),
        ("/open/other", "/open/{item}"),
        ("/open/other/deeper", "/{proxy+}"),
        ("/elsewhere", "/{proxy+}"),
        ("/open/fixed/", "/open/fixed"),
        ("//open/fixed", "/open/fixed"),
    ] {
        assert_eq!(
            resource_of(&stack, Method::GET, path).await.as_deref(),
            Some(resource),
            "{path}"
        );
    }
}

/// Deviation: best-match-lacks-method.
#[tokio::test]
async fn a_resource_without_the_method_does_not_give_way_to_a_broader_one() {
    let template = TEMPLATE.replace("/files/{proxy+}", "/{proxy+}");
    let stack = Stack::start(&template, &[]).await;
    assert_eq!(resource_of(&stack, Method::POST, "/open/fixed").await, None);
    assert_eq!(
        resource_of(&stack, Method::POST, "/open/fixed/more")
            .await
            .as_deref(),
        Some("/{proxy+}")
    );
}

#[tokio::test]
async fn any_takes_the_methods_that_are_not_declared_head_and_options_included() {
    let stack = Stack::start(TEMPLATE, &[]).await;
    for method in [
        Method::GET,
        Method::HEAD,
        Method::OPTIONS,
        Method::PUT,
        Method::POST,
    ] {
        assert_eq!(
            resource_of(&stack, method, "/open").await.as_deref(),
            Some("/open")
        );
    }
    assert_eq!(resource_of(&stack, Method::TRACE, "/open").await, None);
    assert_eq!(resource_of(&stack, Method::HEAD, "/open/fixed").await, None);
    assert_eq!(
        resource_of(&stack, Method::OPTIONS, "/open/fixed").await,
        None
    );
}

/// Deviation: unmatched-routes, percent-encoding.
#[tokio::test]
async fn unmatched_requests_get_the_missing_authentication_token_response() {
    let stack = Stack::start(TEMPLATE, &[]).await;
    for path in [
        "/",
        "/nothing",
        "/banks/1/2",
        "/files",
        "/files/",
        "/Open",
        "/op%65n",
    ] {
        let response = stack.get(path).await;
        assert_eq!(
            header(&response, "x-amzn-errortype"),
            Some("MissingAuthenticationTokenException"),
            "{path}"
        );
        let expected = (
            403,
            r#"{"message":"Missing Authentication Token"}"#.to_owned(),
        );
        assert_eq!(status_and_body(response).await, expected, "{path}");
    }
    assert!(stack.events("Authorizer").is_empty());
}

/// Deviation: percent-encoding, slashes.
#[tokio::test]
async fn path_parameters_stay_percent_encoded() {
    let stack = Stack::start(TEMPLATE, &[]).await;
    stack.get("/open/a%2Fb%20c").await;
    assert_eq!(
        stack.event("Open")["pathParameters"],
        json!({"item": "a%2Fb%20c"})
    );
    stack.get("/files/user/test%2Balias@example.com//x/").await;
    let event = stack.event("Open");
    assert_eq!(
        event["pathParameters"],
        json!({"proxy": "user/test%2Balias@example.com//x"})
    );
    assert_eq!(event["path"], "/files/user/test%2Balias@example.com//x/");
    assert_eq!(
        event["requestContext"]["path"],
        "/v1/files/user/test%2Balias@example.com//x/"
    );
    assert_eq!(event["requestContext"]["resourcePath"], "/files/{proxy+}");
}

/// Deviation: method-override.
#[tokio::test]
async fn the_method_override_header_changes_the_method_and_disappears() {
    let stack = Stack::start(TEMPLATE, &[]).await;
    let request = stack
        .request(Method::GET, "/open")
        .header("X-HTTP-Method-Override", "delete");
    assert_eq!(request.send().await.unwrap().status(), 200);
    let event = stack.event("Open");
    assert_eq!(event["httpMethod"], "DELETE");
    assert_eq!(event["headers"]["x-http-method-override"], Value::Null);
}

#[test]
fn paths_that_api_gateway_refuses_are_refused() {
    for (path, reason) in [
        ("no-slash", "does not begin with a slash"),
        ("/a{b}", "is not a path part"),
        ("/{proxy+}/more", "is not a path parameter"),
        ("/banks/{other}", "sibling"),
    ] {
        let template = TEMPLATE.replace("Path: /cached", &format!("Path: '{path}'"));
        let description = Template::parse(&template, Settings::default())
            .unwrap()
            .resolve(&Physical::new())
            .unwrap();
        let script = Script {
            handlers: BTreeMap::new(),
            seen: Arc::default(),
        };
        let error =
            Gateway::new(description, Arc::new(script), Options::new(Arc::new(|| 0))).unwrap_err();
        assert!(error.to_string().contains(reason), "{error}");
    }
}
