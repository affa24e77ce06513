//! What API Gateway and Lambda have and the local stack has not: it is refused when the template is
//! read, or stands there without effect.

use tokio::sync::Barrier;

use super::*;

fn gateway_error(template: &str) -> String {
    let description = Template::parse(template, Settings::default())
        .and_then(|template| template.resolve(&Physical::new()));
    description.map_or_else(|error| error.to_string(), |_| "understood".to_owned())
}

/// Deviation: refused-properties.
#[test]
fn what_would_change_answers_is_refused_when_the_template_is_read() {
    for property in [
        "Models: {Key: {type: object}}",
        "Cors: \"'*'\"",
        "CanarySetting: {PercentTraffic: 10}",
        "CacheClusterEnabled: true",
        "MinimumCompressionSize: 0",
        "DefinitionBody: {openapi: 3.0.1}",
        "Mode: overwrite",
    ] {
        let name = property.split(':').next().unwrap();
        let edited = TEMPLATE.replace("StageName: v1", &format!("StageName: v1\n      {property}"));
        assert!(
            gateway_error(&edited)
                .starts_with(&format!("Api.Properties.{name}: is not understood")),
            "{name}: {}",
            gateway_error(&edited)
        );
    }
    let policy = TEMPLATE.replace(
        "DefaultAuthorizer: Guard",
        "DefaultAuthorizer: Guard\n        ResourcePolicy: {IpRangeDenylist: [1.2.3.4]}",
    );
    assert!(
        gateway_error(&policy).starts_with("Api.Properties.Auth.ResourcePolicy: is not understood"),
        "{}",
        gateway_error(&policy)
    );
    for validation in [
        "RequestModel: {Model: Key}",
        "RequestParameters: [method.request.header.x]",
    ] {
        let name = validation.split(':').next().unwrap();
        let edited = TEMPLATE.replace(
            "Path: /banks, Method: get",
            &format!("Path: /banks, Method: get, {validation}"),
        );
        assert!(
            gateway_error(&edited).starts_with(&format!(
                "Guarded.Properties.Events.List.Properties.{name}: is not understood"
            )),
            "{name}: {}",
            gateway_error(&edited)
        );
    }
}

/// Deviation: custom-domains.
#[tokio::test]
async fn a_custom_domain_is_passed_over() {
    let domain = "Domain: {DomainName: api.example.com, CertificateArn: x}\n      \
                  EndpointConfiguration: {Type: EDGE}\n      Tags: {a: b}";
    let template = TEMPLATE.replace("StageName: v1", &format!("StageName: v1\n      {domain}"));
    let stack = Stack::start(&template, &[]).await;
    assert_eq!(stack.get("/open").await.status(), 200);
    assert_eq!(
        stack.event("Open")["requestContext"]["domainName"],
        "127.0.0.1"
    );
}

/// Deviation: one-api.
#[test]
fn a_second_api_is_refused() {
    let second = format!(
        "{TEMPLATE}  Other: {{Type: AWS::Serverless::Api, Properties: {{StageName: v2}}}}\n"
    );
    assert_eq!(
        gateway_error(&second),
        "Resources: there must be one AWS::Serverless::Api, not 2"
    );
}

/// Deviation: concurrency.
#[tokio::test]
async fn reserved_concurrency_limits_nothing() {
    let template = TEMPLATE.replacen(
        "Type: AWS::Serverless::Function",
        "Type: AWS::Serverless::Function\n    Properties: {ReservedConcurrentExecutions: 1}",
        1,
    );
    assert!(template.contains("Authorizer:\n    Type: AWS::Serverless::Function\n    Properties"));
    let template = template.replace("Timeout: 5", "Timeout: 29");
    // None of three ends before all of them run.
    let together = Arc::new(Barrier::new(3));
    let waiting: Handler = Arc::new(move |_| {
        let together = Arc::clone(&together);
        Box::pin(async move {
            together.wait().await;
            Ok(policy("Allow", &json!({})))
        })
    });
    let stack = Stack::start(&template, &[("Authorizer", waiting)]).await;
    let (first, second, third) = tokio::join!(
        stack.get("/banks"),
        stack.get("/banks"),
        stack.get("/banks")
    );
    assert_eq!(
        [first, second, third].map(|response| response.status().as_u16()),
        [200; 3]
    );
}

/// Deviation: response-header-names.
#[tokio::test]
async fn names_of_response_headers_are_in_lower_case() {
    let stack = Stack::start(
        TEMPLATE,
        &[("Open", answer(&json!({"headers": {"X-Own-Name": "1"}})))],
    )
    .await;
    let answer = stack
        .raw("GET /open HTTP/1.1\r\nHost: local\r\nConnection: close\r\n\r\n")
        .await;
    let names: Vec<&str> = answer
        .lines()
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split(':').next())
        .collect();
    assert!(
        names.contains(&"x-own-name") && names.contains(&"x-amzn-requestid"),
        "{names:?}"
    );
    assert!(
        names.iter().all(|name| *name == name.to_lowercase()),
        "{names:?}"
    );
}

/// Deviation: too-many-headers.
#[tokio::test]
async fn a_hundred_headers_are_the_most() {
    let stack = Stack::start(TEMPLATE, &[]).await;
    let request = |others: usize| {
        let headers = (0..others)
            .map(|number| format!("X-{number}: 1\r\n"))
            .collect::<Vec<_>>()
            .concat();
        format!("GET /open HTTP/1.1\r\nHost: local\r\nConnection: close\r\n{headers}\r\n")
    };
    assert!(stack.raw(&request(98)).await.starts_with("HTTP/1.1 200"));
    let refused = stack.raw(&request(99)).await;
    assert!(refused.starts_with("HTTP/1.1 431"), "{refused}");
    assert!(refused.ends_with("\r\n\r\n"), "{refused}");
}
