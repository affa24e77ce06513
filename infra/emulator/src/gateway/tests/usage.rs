use super::*;

/// The template with the banks counted by a usage plan.
fn counted(plan: &str) -> String {
    let plan = format!(
        "  Plan:
    Type: AWS::ApiGateway::UsagePlan
    Properties: {{ApiStages: [{{ApiId: !Ref Api, Stage: !Ref Api.Stage}}], {plan}}}
  Key:
    Type: AWS::ApiGateway::ApiKey
    Properties: {{Enabled: true, Value: abcdefghij0123456789}}
  PlanKey:
    Type: AWS::ApiGateway::UsagePlanKey
    Properties: {{UsagePlanId: !Ref Plan, KeyId: !Ref Key, KeyType: API_KEY}}
"
    );
    let template = TEMPLATE.replace(
        "StageName: v1",
        "StageName: v1\n      ApiKeySourceType: AUTHORIZER",
    );
    template.replace(
        "Path: /banks, Method: get",
        "Path: /banks, Method: get, Auth: {ApiKeyRequired: true}",
    ) + &plan
}

fn allow_as(key: &str) -> Handler {
    let mut allowed = policy("Allow", &json!({}));
    allowed["usageIdentifierKey"] = json!(key);
    answer(&allowed)
}

/// Deviation: usage-plans.
#[tokio::test]
async fn a_call_over_the_rate_is_429_and_the_function_is_not_asked() {
    let template = counted("Throttle: {RateLimit: 0.5, BurstLimit: 2}");
    let stack = Stack::start(
        &template,
        &[("Authorizer", allow_as("abcdefghij0123456789"))],
    )
    .await;
    for status in [200, 200, 429, 429] {
        assert_eq!(stack.get("/banks").await.status(), status);
    }
    let response = stack.get("/banks").await;
    assert_eq!(
        header(&response, "x-amzn-errortype"),
        Some("TooManyRequestsException")
    );
    assert_eq!(
        status_and_body(response).await,
        (429, r#"{"message":"Too Many Requests"}"#.to_owned())
    );
    assert_eq!(
        (
            stack.events("Authorizer").len(),
            stack.events("Guarded").len()
        ),
        (5, 2),
        "the authorizer is asked first"
    );
    assert_eq!(
        stack.event("Guarded")["requestContext"]["identity"]["apiKey"],
        "abcdefghij0123456789"
    );
    assert_eq!(
        stack.get("/banks/05").await.status(),
        200,
        "a method that asks for no key is not counted"
    );
    stack.advance(2_000);
    assert_eq!(stack.get("/banks").await.status(), 200);
    assert_eq!(stack.get("/banks").await.status(), 429);
}

#[tokio::test]
async fn a_call_over_the_quota_is_429_until_the_period_ends() {
    let template = counted("Quota: {Limit: 1, Period: DAY}");
    let stack = Stack::start(
        &template,
        &[("Authorizer", allow_as("abcdefghij0123456789"))],
    )
    .await;
    assert_eq!(stack.get("/banks").await.status(), 200);
    let response = stack.get("/banks").await;
    assert_eq!(
        header(&response, "x-amzn-errortype"),
        Some("LimitExceededException")
    );
    assert_eq!(
        status_and_body(response).await,
        (429, r#"{"message":"Limit Exceeded"}"#.to_owned())
    );
    stack.advance(86_400_000);
    assert_eq!(stack.get("/banks").await.status(), 200);
}

#[tokio::test]
async fn a_key_of_no_plan_is_403_and_so_is_none() {
    for authorizer in [allow(), allow_as("abcdefghij9999999999")] {
        let stack = Stack::start(&counted(""), &[("Authorizer", authorizer)]).await;
        let request = stack
            .request(Method::GET, "/banks")
            .header("X-Api-Key", "abcdefghij0123456789");
        let response = request.send().await.unwrap();
        assert_eq!(
            header(&response, "x-amzn-errortype"),
            Some("ForbiddenException"),
            "a header is not asked"
        );
        assert_eq!(
            status_and_body(response).await,
            (403, r#"{"message":"Forbidden"}"#.to_owned())
        );
        assert!(stack.events("Guarded").is_empty());
    }
}

#[test]
fn a_usage_plan_that_is_not_understood_is_refused() {
    let good = counted("Throttle: {RateLimit: 1, BurstLimit: 2}");
    let read = |text: &str| {
        Template::parse(text, Settings::default())
            .and_then(|template| template.resolve(&Physical::new()))
    };
    assert!(read(&good).is_ok());
    for (from, to, expected) in [
        (
            "AUTHORIZER",
            "HEADER",
            "Auth.ApiKeyRequired: only with ApiKeySourceType: AUTHORIZER",
        ),
        (
            "RateLimit: 1,",
            "RateLimit: fast,",
            "Plan.Properties.Throttle.RateLimit: is not a rate",
        ),
        (
            "Throttle: {RateLimit: 1, BurstLimit: 2}",
            "Quota: {Limit: 1, Period: YEAR}",
            "Quota.Period: YEAR is not",
        ),
        (
            "Throttle: {RateLimit: 1, BurstLimit: 2}",
            "Quota: {Limit: 1, Period: DAY, Offset: 1}",
            "Quota.Offset: is not understood",
        ),
        (
            "Stage: !Ref Api.Stage",
            "Stage: other",
            "Plan.Properties.ApiStages: ",
        ),
        (
            "Stage: !Ref Api.Stage",
            "Stage: !Ref Api.Stage, Throttle: {}",
            "throttling of single methods",
        ),
        (
            "abcdefghij0123456789",
            "too-short",
            "Key.Properties.Value: is not 20 to 128",
        ),
        (
            "KeyId: !Ref Key",
            "KeyId: other",
            "PlanKey.Properties.KeyId: other is no API key",
        ),
        (
            "UsagePlanId: !Ref Plan",
            "UsagePlanId: other",
            "PlanKey.Properties.UsagePlanId: there is no usage plan other",
        ),
    ] {
        assert!(good.contains(from), "{from}");
        let error = read(&good.replacen(from, to, 1))
            .err()
            .map(|error| error.to_string())
            .unwrap_or_default();
        assert!(error.contains(expected), "{to}: {error}");
    }
}
