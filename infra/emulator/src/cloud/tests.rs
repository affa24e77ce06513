//! The embedded services through the unmodified AWS SDK clients, verified where possible by
//! somebody else's code.

mod api;
mod kms;
mod provisioning;
mod queues;
mod restart;
mod secrets;
mod streams;

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use domain::time::Timestamp;
use sam::template::{Physical, Settings, Template};
use serde_json::{Value, json};

use super::{ACCOUNT, Cloud, Ports, REGION, Storage, provision::provision};

/// 2026-11-23T00:00:00.500Z.
const NOW: i64 = 1_795_392_000_500;

/// A clock that stands still until a test moves it.
#[derive(Clone)]
struct Hands(Arc<AtomicI64>);

impl Hands {
    fn new() -> Self {
        Self(Arc::new(AtomicI64::new(NOW)))
    }

    fn clock(&self) -> domain::time::Clock {
        let millis = Arc::clone(&self.0);
        Arc::new(move || Timestamp::from_millis(millis.load(Ordering::SeqCst)))
    }

    fn advance(&self, seconds: i64) {
        self.0.fetch_add(seconds * 1000, Ordering::SeqCst);
    }
}

async fn start(storage: Storage) -> Cloud {
    Cloud::start(storage, Ports::default(), Hands::new().clock())
        .await
        .unwrap()
}

fn kms(cloud: &Cloud) -> aws_sdk_kms::Client {
    let config = aws_sdk_kms::Config::builder()
        .behavior_version(aws_sdk_kms::config::BehaviorVersion::latest())
        .endpoint_url(format!("http://{}", cloud.api_address()))
        .region(aws_sdk_kms::config::Region::new(REGION))
        .credentials_provider(aws_sdk_kms::config::Credentials::new(
            "local", "local", None, None, "test",
        ));
    aws_sdk_kms::Client::from_conf(config.build())
}

fn secrets(cloud: &Cloud) -> aws_sdk_secretsmanager::Client {
    let config = aws_sdk_secretsmanager::Config::builder()
        .behavior_version(aws_sdk_secretsmanager::config::BehaviorVersion::latest())
        .endpoint_url(format!("http://{}", cloud.api_address()))
        .region(aws_sdk_secretsmanager::config::Region::new(REGION))
        .credentials_provider(aws_sdk_secretsmanager::config::Credentials::new(
            "local", "local", None, None, "test",
        ));
    aws_sdk_secretsmanager::Client::from_conf(config.build())
}

fn tables(cloud: &Cloud) -> aws_sdk_dynamodb::Client {
    super::provision::client(cloud)
}

/// A template: a table with stream and TTL, a signing key with its alias, a key that encrypts, a
/// pepper.
fn resources() -> Value {
    json!({
        "AuditTable": {"Type": "AWS::DynamoDB::Table", "Properties": {
            "TableName": "audit",
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [
                {"AttributeName": "PK", "AttributeType": "S"},
                {"AttributeName": "SK", "AttributeType": "S"},
            ],
            "KeySchema": [
                {"AttributeName": "PK", "KeyType": "HASH"},
                {"AttributeName": "SK", "KeyType": "RANGE"},
            ],
            "StreamSpecification": {"StreamViewType": "NEW_AND_OLD_IMAGES"},
            "TimeToLiveSpecification": {"AttributeName": "expires", "Enabled": true},
            "SSESpecification": {
                "SSEEnabled": true,
                "SSEType": "KMS",
                "KMSMasterKeyId": {"Fn::GetAtt": ["DataKey", "Arn"]},
            },
        }},
        "SigningKey": {"Type": "AWS::KMS::Key", "Properties": {
            "KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY", "KeyPolicy": {"Statement": []},
        }},
        "SigningAlias": {"Type": "AWS::KMS::Alias", "Properties": {
            "AliasName": "alias/latchkey-sandbox", "TargetKeyId": {"Ref": "SigningKey"},
        }},
        "DataKey": {"Type": "AWS::KMS::Key", "Properties": {"EnableKeyRotation": true}},
        "Pepper": {"Type": "AWS::SecretsManager::Secret", "Properties": {
            "KmsKeyId": {"Fn::GetAtt": ["DataKey", "Arn"]},
            "GenerateSecretString": {
                "SecretStringTemplate": "{}", "GenerateStringKey": "1", "PasswordLength": 64,
                "ExcludePunctuation": true,
            },
        }},
    })
}

fn template(resources: &Value) -> Template {
    let template = json!({"Transform": "AWS::Serverless-2016-10-31", "Resources": resources});
    let settings = Settings {
        region: REGION.to_owned(),
        account_id: ACCOUNT.to_owned(),
        ..Settings::default()
    };
    Template::parse(&template.to_string(), settings).unwrap()
}

async fn provisioned(cloud: &Cloud) -> Physical {
    provision(cloud, &template(&resources())).await.unwrap()
}
