//! The template's resources.

use aws_sdk_kms::{
    primitives::Blob,
    types::{KeyUsageType, SigningAlgorithmSpec},
};

use super::*;

#[tokio::test]
async fn a_second_time_changes_nothing() {
    let cloud = start(Storage::Memory).await;
    let first = provisioned(&cloud).await;
    let state = || {
        cloud
            .api
            .services
            .read(|services| serde_json::to_string(services).unwrap())
    };
    let before = state();
    assert_eq!(provisioned(&cloud).await, first);
    assert_eq!(state(), before);

    assert_eq!(first["AuditTable"].reference, "audit");
    assert_eq!(
        first["AuditTable"].attributes["Arn"],
        "arn:aws:dynamodb:eu-west-1:000000000000:table/audit"
    );
    let stream = &first["AuditTable"].attributes["StreamArn"];
    assert!(
        stream.starts_with("arn:aws:dynamodb:eu-west-1:000000000000:table/audit/stream/"),
        "{stream}"
    );
    assert_eq!(first["SigningAlias"].reference, "alias/latchkey-sandbox");
    let key = &first["SigningKey"];
    assert_eq!(
        key.attributes["Arn"],
        format!("arn:aws:kms:eu-west-1:000000000000:key/{}", key.reference)
    );
    let described = kms(&cloud)
        .describe_key()
        .key_id("alias/latchkey-sandbox")
        .send()
        .await
        .unwrap();
    assert_eq!(described.key_metadata().unwrap().key_id(), key.reference);
    let ttl = tables(&cloud)
        .describe_time_to_live()
        .table_name("audit")
        .send()
        .await
        .unwrap();
    assert_eq!(
        ttl.time_to_live_description().unwrap().attribute_name(),
        Some("expires")
    );
    cloud.stop().await;
}

#[tokio::test]
async fn the_pepper_has_its_shape_and_is_never_shown() {
    let cloud = start(Storage::Memory).await;
    let physical = provisioned(&cloud).await;
    let secret = secrets(&cloud)
        .get_secret_value()
        .secret_id(&physical["Pepper"].reference)
        .send()
        .await
        .unwrap();
    let pepper: Value = serde_json::from_str(secret.secret_string().unwrap()).unwrap();
    let text = pepper["1"].as_str().unwrap();
    assert!(
        pepper.as_object().unwrap().len() == 1 && text.len() == 64,
        "{} characters",
        text.len()
    );
    assert!(text.chars().all(|c| c.is_ascii_alphanumeric()));

    let (kept, shown) = cloud.api.services.read(|services| {
        let shown = format!(
            "{cloud:?} {physical:?} {:?} {:?}",
            services.secrets, services.keys
        );
        (serde_json::to_value(services).unwrap(), shown)
    });
    assert!(!shown.contains(text), "the pepper is shown");
    for key in kept["keys"].as_object().unwrap().values() {
        let material = key["material"]
            .as_object()
            .unwrap()
            .values()
            .next()
            .unwrap()
            .as_str()
            .unwrap();
        assert!(
            material.len() == 44 && !shown.contains(material),
            "a key is shown"
        );
    }
    cloud.stop().await;
}

#[tokio::test]
async fn a_key_that_encrypts_does_not_sign() {
    let cloud = start(Storage::Memory).await;
    let key = provisioned(&cloud).await["DataKey"].reference.clone();
    let client = kms(&cloud);
    let described = client.describe_key().key_id(&key).send().await.unwrap();
    assert_eq!(
        described.key_metadata().unwrap().key_usage(),
        Some(&KeyUsageType::EncryptDecrypt)
    );
    let sign = client
        .sign()
        .key_id(&key)
        .message(Blob::new("m"))
        .signing_algorithm(SigningAlgorithmSpec::EcdsaSha256);
    assert!(
        sign.send()
            .await
            .unwrap_err()
            .as_service_error()
            .unwrap()
            .is_invalid_key_usage_exception()
    );
    let public = client
        .get_public_key()
        .key_id(&key)
        .send()
        .await
        .unwrap_err();
    assert!(
        public
            .as_service_error()
            .unwrap()
            .is_unsupported_operation_exception()
    );
    cloud.stop().await;
}

#[tokio::test]
async fn a_contradiction_is_refused_by_name() {
    let cloud = start(Storage::Memory).await;
    provisioned(&cloud).await;
    let refused = async |resource: &str, property: &str, value: Value| {
        let mut resources = resources();
        resources[resource]["Properties"][property] = value;
        provision(&cloud, &template(&resources))
            .await
            .unwrap_err()
            .to_string()
    };
    let keys = refused(
        "AuditTable",
        "KeySchema",
        json!([{"AttributeName": "PK", "KeyType": "HASH"}]),
    )
    .await;
    assert!(
        keys.contains(
            "resource AuditTable: the stored table audit has other keys than the template"
        ),
        "{keys}"
    );
    let index = refused("AuditTable", "GlobalSecondaryIndexes", json!([])).await;
    assert!(
        index.contains("resource AuditTable: unknown field `GlobalSecondaryIndexes`"),
        "{index}"
    );
    let spec = refused("SigningKey", "KeySpec", json!("RSA_2048")).await;
    assert!(
        spec.contains("resource SigningKey: UnsupportedOperationException: KeySpec RSA_2048"),
        "{spec}"
    );
    let other = refused("DataKey", "KeySpec", json!("ECC_NIST_P256")).await;
    assert!(
        other.contains(
            "resource DataKey: ValidationException: KeyUsage ENCRYPT_DECRYPT is not compatible"
        ),
        "{other}"
    );
    let target = refused("SigningAlias", "TargetKeyId", json!("elsewhere")).await;
    assert!(
        target.contains(
            "resource SigningAlias: alias/latchkey-sandbox already stands for another key"
        ),
        "{target}"
    );
    cloud.stop().await;
}

#[tokio::test]
async fn stream_and_ttl_follow_the_template() {
    let hands = Hands::new();
    let cloud = Cloud::start(Storage::Memory, Ports::default(), hands.clock())
        .await
        .unwrap();
    let first = provisioned(&cloud).await;
    let mut changed = resources();
    let table = &mut changed["AuditTable"]["Properties"];
    table["TimeToLiveSpecification"]["AttributeName"] = "until".into();
    table["StreamSpecification"]["StreamViewType"] = "NEW_IMAGE".into();
    hands.advance(1);
    let second = provision(&cloud, &template(&changed)).await.unwrap();
    assert_ne!(
        first["AuditTable"].attributes["StreamArn"],
        second["AuditTable"].attributes["StreamArn"]
    );
    assert_eq!(
        provision(&cloud, &template(&changed)).await.unwrap(),
        second
    );
    let ttl = tables(&cloud)
        .describe_time_to_live()
        .table_name("audit")
        .send()
        .await
        .unwrap();
    assert_eq!(
        ttl.time_to_live_description().unwrap().attribute_name(),
        Some("until")
    );
    changed["AuditTable"]["Properties"]
        .as_object_mut()
        .unwrap()
        .remove("StreamSpecification");
    assert!(
        !provision(&cloud, &template(&changed)).await.unwrap()["AuditTable"]
            .attributes
            .contains_key("StreamArn")
    );
    cloud.stop().await;
}
