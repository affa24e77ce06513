//! The protocol itself.

use serde_json::{Value, json};

use super::*;

#[tokio::test]
async fn what_is_not_offered_is_an_unknown_operation() {
    let cloud = start(Storage::Memory).await;
    let refused = kms(&cloud)
        .list_grants()
        .key_id("x")
        .send()
        .await
        .unwrap_err();
    assert_eq!(
        refused.as_service_error().unwrap().meta().code(),
        Some("UnknownOperationException")
    );
    assert_eq!(refused.raw_response().unwrap().status().as_u16(), 400);
    cloud.stop().await;
}

#[tokio::test]
async fn an_error_stands_in_the_body_and_in_a_header() {
    let cloud = start(Storage::Memory).await;
    let post = |target: &'static str, signed: bool, body: &'static str| {
        let request = reqwest::Client::new()
            .post(format!("http://{}", cloud.api_address()))
            .header("x-amz-target", target);
        let request = if signed {
            request.header(
                "authorization",
                "AWS4-HMAC-SHA256 Credential=local/20261123/eu-west-1/kms/aws4_request",
            )
        } else {
            request
        };
        async move {
            let answer = request.body(body).send().await.unwrap();
            assert_eq!(
                answer.headers()["content-type"],
                "application/x-amz-json-1.1"
            );
            let kind = answer.headers()["x-amzn-errortype"]
                .to_str()
                .unwrap()
                .to_owned();
            let (status, body) = (answer.status().as_u16(), answer.text().await.unwrap());
            let body: Value = serde_json::from_str(&body).unwrap();
            assert_eq!(body["__type"], kind.as_str());
            assert!(body["message"].is_string(), "{body}");
            (status, kind)
        }
    };
    let refused = |status: u16, kind: &str| (status, kind.to_owned());
    let unknown = refused(400, "UnknownOperationException");
    assert_eq!(post("", true, "{}").await, unknown);
    assert_eq!(post("TrentService.Nonsense", true, "{}").await, unknown);
    assert_eq!(post("DynamoDB_20120810.GetItem", true, "{}").await, unknown);
    assert_eq!(
        post("TrentService.Sign", false, "{}").await,
        refused(400, "MissingAuthenticationTokenException")
    );
    assert_eq!(
        post("TrentService.Sign", true, "{").await,
        refused(400, "SerializationException")
    );
    assert_eq!(
        post("TrentService.Sign", true, "{\"Message\":\"*\"}").await,
        refused(400, "SerializationException")
    );
    assert_eq!(
        post("TrentService.Sign", true, "{}").await,
        refused(400, "ValidationException")
    );
    assert_eq!(
        post("secretsmanager.GetSecretValue", true, "{}").await,
        refused(400, "ValidationException")
    );
    cloud.stop().await;
}

#[tokio::test]
async fn the_environment_names_both_doors() {
    let cloud = start(Storage::Memory).await;
    let environment = cloud.environment();
    assert_eq!(
        environment["AWS_ENDPOINT_URL"],
        format!("http://{}", cloud.api_address())
    );
    assert_eq!(
        environment["AWS_ENDPOINT_URL_DYNAMODB"],
        format!("http://{}", cloud.dynamodb_address())
    );
    assert_eq!(environment["AWS_REGION"], REGION);
    assert!(cloud.api_address().ip().is_loopback() && cloud.dynamodb_address().ip().is_loopback());
    cloud.stop().await;
}

#[tokio::test]
async fn a_fixed_port_can_be_taken_again_after_a_stop_and_not_before() {
    let cloud = start(Storage::Memory).await;
    let ports = Ports {
        dynamodb: cloud.dynamodb_address().port(),
        api: cloud.api_address().port(),
    };
    kms(&cloud).list_aliases().send().await.unwrap();
    let taken = Cloud::start(Storage::Memory, ports, Hands::new().clock())
        .await
        .unwrap_err();
    assert!(
        taken.to_string().starts_with("cannot listen on 127.0.0.1:"),
        "{taken}"
    );
    cloud.stop().await;
    let again = Cloud::start(Storage::Memory, ports, Hands::new().clock())
        .await
        .unwrap();
    assert_eq!(again.api_address().port(), ports.api);
    again.stop().await;
}

#[tokio::test]
async fn items_expire_when_swept_and_not_before() {
    let hands = Hands::new();
    let cloud = Cloud::start(Storage::Memory, Ports::default(), hands.clock())
        .await
        .unwrap();
    provisioned(&cloud).await;
    let item = json!({
        "PK": {"S": "a"},
        "SK": {"S": "b"},
        "expires": {"N": (NOW / 1000 + 60).to_string()},
    });
    cloud
        .database
        .put_item(serde_json::from_value(json!({"TableName": "audit", "Item": item})).unwrap())
        .unwrap();
    assert_eq!(cloud.sweep_ttl().await.unwrap(), 0);
    hands.advance(120);
    assert_eq!(cloud.sweep_ttl().await.unwrap(), 1);
    cloud.stop().await;
}
