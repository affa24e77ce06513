use super::*;
use crate::gateway::policy::{Decision, Verdict, wildcard};

const UNAUTHORIZED: &str = r#"{"message":"Unauthorized"}"#;

async fn banks(handler: Handler) -> (u16, String, String) {
    let stack = Stack::start(TEMPLATE, &[("Authorizer", handler)]).await;
    let response = stack.get("/banks").await;
    let kind = header(&response, "x-amzn-errortype")
        .unwrap_or_default()
        .to_owned();
    let (status, body) = status_and_body(response).await;
    assert_eq!(stack.events("Guarded").len(), usize::from(status == 200));
    (status, kind, body)
}

#[tokio::test]
async fn an_allow_lets_in() {
    assert_eq!(banks(allow()).await.0, 200);
}

/// Deviation: authorizer-failures.
#[tokio::test]
async fn the_error_unauthorized_is_a_401_and_any_other_a_500() {
    let unauthorized = (401, "UnauthorizedException".into(), UNAUTHORIZED.into());
    assert_eq!(banks(fail("Unauthorized")).await, unauthorized);
    let failure = (
        500,
        "AuthorizerFailureException".to_owned(),
        r#"{"message":null}"#.to_owned(),
    );
    for message in ["unauthorized", "Unauthorized ", "the table is down"] {
        assert_eq!(banks(fail(message)).await, failure, "{message}");
    }
}

#[tokio::test]
async fn a_panic_or_a_timeout_of_the_authorizer_is_its_failure() {
    let panics: Handler = Arc::new(|_| Box::pin(async { panic!("on purpose") }));
    assert_eq!(banks(panics).await.1, "AuthorizerFailureException");
    let template = TEMPLATE.replace("Timeout: 5", "Timeout: 1");
    let stack = Stack::start(&template, &[("Authorizer", never())]).await;
    let response = stack.get("/banks").await;
    assert_eq!(
        header(&response, "x-amzn-errortype"),
        Some("AuthorizerFailureException")
    );
}

/// Deviation: authorizer-failures, null-context, policy-conditions, error-types.
#[tokio::test]
async fn malformed_answers_are_configuration_errors() {
    let good = policy("Allow", &json!({}));
    let without = |member: &str| {
        let mut answer = good.clone();
        answer.as_object_mut().unwrap().remove(member);
        answer
    };
    let with_statement = |statement: Value| {
        let mut answer = good.clone();
        answer["policyDocument"]["Statement"] = statement;
        answer
    };
    for answer_ in [
        Value::Null,
        json!("Allow"),
        json!({"statusCode": 401}),
        without("principalId"),
        without("policyDocument"),
        policy("allow", &json!({})),
        policy("Allow", &json!({"nested": {"a": 1}})),
        policy("Allow", &json!({"list": ["a"]})),
        policy("Allow", &json!({"nothing": null})),
        policy("Allow", &json!("text")),
        with_statement(json!("x")),
        with_statement(json!([{"Effect": "Allow", "Action": "*"}])),
        with_statement(json!([{"Effect": "Allow", "Resource": "*"}])),
        with_statement(json!([{"Effect": "Allow", "Action": "*", "Resource": [1]}])),
        with_statement(
            json!([{"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {}}]),
        ),
    ] {
        let expected = (
            500,
            "AuthorizerConfigurationException".to_owned(),
            r#"{"message":null}"#.to_owned(),
        );
        assert_eq!(banks(answer(&answer_)).await, expected, "{answer_}");
    }
}

#[tokio::test]
async fn denials_are_explicit_or_implicit() {
    let denied = |message: &str| {
        (
            403,
            "AccessDeniedException".to_owned(),
            json!({"Message": message}).to_string(),
        )
    };
    let explicit = denied("User is not authorized to access this resource with an explicit deny");
    assert_eq!(banks(answer(&policy("Deny", &json!({})))).await, explicit);
    let mut elsewhere = policy("Allow", &json!({}));
    elsewhere["policyDocument"]["Statement"][0]["Resource"] =
        json!("arn:aws:execute-api:*:*:*/v1/GET/other");
    let implicit = denied("User is not authorized to access this resource");
    assert_eq!(banks(answer(&elsewhere)).await, implicit);
}

#[test]
fn policies_decide_as_iam_does() {
    const ARN: &str = "arn:aws:execute-api:eu-west-1:000000000000:localapi00/v1/GET/banks/17";
    let decide = |statements: Value| {
        let answer = json!({"principalId": "x", "policyDocument": {"Statement": statements}});
        Verdict::parse(&answer).unwrap().decide(ARN)
    };
    let statement = |effect: &str, action: &str, resource: &str| {
        json!({
            "Effect": effect,
            "Action": action,
            "Resource": resource,
        })
    };
    let allow_all = statement("Allow", "*", "*");
    assert_eq!(decide(json!([])), Decision::ImplicitDeny);
    assert_eq!(decide(allow_all.clone()), Decision::Allow);
    assert_eq!(
        decide(json!([statement("Allow", "EXECUTE-api:inv*", ARN)])),
        Decision::Allow
    );
    assert_eq!(
        decide(json!([statement(
            "Allow",
            "execute-api:ManageConnections",
            ARN
        )])),
        Decision::ImplicitDeny
    );
    let deny = statement(
        "Deny",
        "execute-api:Invoke",
        "arn:aws:execute-api:*:*:localapi00/v1/*/banks/?7",
    );
    assert_eq!(decide(json!([allow_all, deny])), Decision::ExplicitDeny);
    let lists =
        json!([{"Effect": "Allow", "Action": ["a", "execute-api:*"], "Resource": ["b", "arn:*"]}]);
    assert_eq!(decide(lists), Decision::Allow);
    let inverted = json!([{"Effect": "Allow", "NotAction": "s3:*", "NotResource": "*/v2/*"}]);
    assert_eq!(decide(inverted), Decision::Allow);
    assert_eq!(
        decide(json!([statement("Allow", "*", &ARN.to_uppercase())])),
        Decision::ImplicitDeny
    );
}

#[test]
fn wildcards_cross_slashes_and_need_the_whole_text() {
    for (pattern, text, matches) in [
        ("*", "", true),
        ("a*c", "a/b/c", true),
        ("a*c", "a/b/cd", false),
        ("a?c", "abc", true),
        ("a?c", "ac", false),
        ("*a*b*", "xxaxxbxx", true),
        ("", "a", false),
        ("abc", "ab", false),
        ("a**", "a", true),
    ] {
        assert_eq!(wildcard(pattern, text), matches, "{pattern} {text}");
    }
}

#[tokio::test]
async fn a_missing_identity_source_is_a_401_without_asking() {
    let stack = Stack::start(TEMPLATE, &[("Authorizer", allow())]).await;
    assert_eq!(
        status_and_body(stack.get("/cached").await).await,
        (401, UNAUTHORIZED.to_owned())
    );
    let empty = stack
        .request(Method::GET, "/cached")
        .header("authorization", "")
        .send()
        .await
        .unwrap();
    assert_eq!(empty.status(), 401);
    assert!(stack.events("Authorizer").is_empty());
    // Without sources the function is asked whatever is absent.
    assert_eq!(stack.get("/banks").await.status(), 200);
    assert_eq!(stack.events("Authorizer").len(), 1);
}

#[tokio::test]
async fn answers_are_cached_by_identity_until_the_ttl_ends() {
    let stack = Stack::start(TEMPLATE, &[("Authorizer", allow())]).await;
    let get = async |token: &str, address: &str| {
        let request = stack
            .request(Method::GET, "/cached")
            .header("authorization", token);
        assert_eq!(
            request
                .header("x-local-source-ip", address)
                .send()
                .await
                .unwrap()
                .status(),
            200
        );
        stack.events("Authorizer").len()
    };
    assert_eq!(get("a", "1.1.1.1").await, 1);
    assert_eq!(get("a", "1.1.1.1").await, 1);
    assert_eq!(get("b", "1.1.1.1").await, 2);
    assert_eq!(get("a", "2.2.2.2").await, 3);
    stack.advance(59_999);
    assert_eq!(get("a", "1.1.1.1").await, 3);
    stack.advance(1);
    assert_eq!(get("a", "1.1.1.1").await, 4);
    // The cached policy is evaluated against each method that it is used for.
    let other = stack
        .request(Method::POST, "/cached")
        .header("authorization", "a");
    assert_eq!(
        other
            .header("x-local-source-ip", "1.1.1.1")
            .send()
            .await
            .unwrap()
            .status(),
        200
    );
    assert_eq!(stack.events("Authorizer").len(), 4);
}

#[tokio::test]
async fn errors_are_not_cached_and_a_ttl_of_zero_caches_nothing() {
    let stack = Stack::start(TEMPLATE, &[("Authorizer", fail("Unauthorized"))]).await;
    for _ in 0..2 {
        stack
            .request(Method::GET, "/cached")
            .header("authorization", "a")
            .send()
            .await
            .unwrap();
    }
    assert_eq!(stack.events("Authorizer").len(), 2);
    let stack = Stack::start(TEMPLATE, &[("Authorizer", allow())]).await;
    for _ in 0..2 {
        stack.get("/banks").await;
    }
    assert_eq!(stack.events("Authorizer").len(), 2);
}

#[tokio::test]
async fn a_cached_policy_may_deny_another_method() {
    let mut only_get = policy("Allow", &json!({}));
    only_get["policyDocument"]["Statement"][0]["Resource"] =
        json!("arn:aws:execute-api:*:*:*/v1/GET/*");
    let stack = Stack::start(TEMPLATE, &[("Authorizer", answer(&only_get))]).await;
    for (method, status) in [(Method::GET, 200), (Method::POST, 403)] {
        let request = stack
            .request(method, "/cached")
            .header("authorization", "a");
        assert_eq!(request.send().await.unwrap().status(), status);
    }
    assert_eq!(stack.events("Authorizer").len(), 1);
}

#[tokio::test]
async fn token_authorizers_get_the_token_alone_once_it_matches_the_expression() {
    let stack = Stack::start(TEMPLATE, &[("Authorizer", allow())]).await;
    for wrong in [
        None,
        Some("Bearer A1"),
        Some("xBearer abc"),
        Some("Bearer abc "),
    ] {
        let mut request = stack.request(Method::GET, "/token");
        if let Some(token) = wrong {
            request = request.header("authorization", token);
        }
        let response = request.send().await.unwrap();
        // HTTP itself strips the blank at the end.
        let expected = if wrong == Some("Bearer abc ") {
            200
        } else {
            401
        };
        assert_eq!(response.status(), expected, "{wrong:?}");
    }
    let arn = "arn:aws:execute-api:eu-west-1:000000000000:localapi00/v1/GET/token";
    let expected = json!({"type": "TOKEN", "authorizationToken": "Bearer abc", "methodArn": arn});
    assert_eq!(stack.events("Authorizer"), [expected]);
}
