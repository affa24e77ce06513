//! Requests to KMS, Secrets Manager and whatever else stands behind their door, as the actions that
//! IAM decides on.

use sam::iam::Context;
use serde_json::Value;

use super::{
    super::{
        arn::{self, ACCOUNT, REGION},
        aws_json::AwsError,
        state::{Api, Services},
    },
    calls::Call,
    rules::Rules,
    signature::Signed,
};

/// Lets the request pass, or refuses it as AWS does.
pub(in super::super) fn permit(
    api: &Api,
    request: Signed<'_>,
    service: &str,
    operation: &str,
) -> Result<(), AwsError> {
    let caller = api.authority.caller(request).map_err(|stranger| {
        let (kind, message) = stranger.error();
        AwsError::new(kind, message)
    })?;
    let incomplete = || {
        AwsError::new(
            "IncompleteSignatureException",
            "Authorization header requires 'Credential'.",
        )
    };
    let caller = caller.ok_or_else(incomplete)?;
    // What cannot be read is refused by the operation itself, and nobody but the root gets that
    // far.
    let body: Value = serde_json::from_slice(request.body).unwrap_or_default();
    let rules = api.authority.rules();
    let calls = match service {
        "TrentService" => vec![of_key(api, operation, &body)],
        "secretsmanager" => of_secret(api, &rules, operation, &body),
        other => vec![Call::on(&format!("{}:{operation}", prefix(other)), "*")],
    };
    let denied =
        |denied: sam::iam::AccessDenied| AwsError::new("AccessDeniedException", denied.to_string());
    api.authority.permit(&caller, &calls).map_err(denied)
}

/// The service's name in actions, of its name in `x-amz-target`.
fn prefix(service: &str) -> String {
    let name = service.split(['_', '.']).next().unwrap_or_default();
    match name {
        "AmazonSQS" => "sqs".to_owned(),
        other => other.to_ascii_lowercase(),
    }
}

fn of_key(api: &Api, operation: &str, body: &Value) -> Call {
    let named = body["KeyId"].as_str();
    let arn = named.map(|name| {
        api.services
            .read(|services| services.key_arn(name))
            .unwrap_or_else(|| name.to_owned())
    });
    let mut call = Call::on(&format!("kms:{operation}"), arn.as_deref().unwrap_or("*"));
    call.context = Context::default().with("kms:CallerAccount", ACCOUNT);
    if matches!(operation, "Sign" | "Verify") {
        let algorithm = body["SigningAlgorithm"].as_str();
        call.context.add("kms:SigningAlgorithm", algorithm);
        call.context.add(
            "kms:MessageType",
            [body["MessageType"].as_str().unwrap_or("RAW")],
        );
    }
    add_encryption_context(&mut call.context, &body["EncryptionContext"]);
    call
}

/// A message to a queue, and what its key is asked for by whoever sends it.
///
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html>
pub(super) fn sending(rules: &Rules, queue: &str) -> Vec<Call> {
    let mut calls = vec![Call::on("sqs:SendMessage", queue)];
    for action in rules
        .key_of(queue)
        .into_iter()
        .flat_map(|key| ["kms:GenerateDataKey", "kms:Decrypt"].map(|action| (action, key)))
    {
        let mut call = Call::on(action.0, action.1);
        call.context = Context::default()
            .with("kms:ViaService", format!("sqs.{REGION}.amazonaws.com"))
            .with("kms:CallerAccount", ACCOUNT)
            .with("kms:EncryptionContext:aws:sqs:arn", queue);
        calls.push(call);
    }
    calls
}

fn add_encryption_context(context: &mut Context, members: &Value) {
    for (name, value) in members.as_object().into_iter().flatten() {
        context.add("kms:EncryptionContextKeys", [name]);
        context.add(&format!("kms:EncryptionContext:{name}"), value.as_str());
    }
}

/// An operation on a secret, and what its key is asked for by whoever reads or writes its value.
///
/// <https://docs.aws.amazon.com/secretsmanager/latest/userguide/security-encryption.html>
fn of_secret(api: &Api, rules: &Rules, operation: &str, body: &Value) -> Vec<Call> {
    let named = body["SecretId"].as_str();
    let arn = named.map(|id| {
        api.services
            .read(|services| services.arn_of_secret(id))
            .unwrap_or_else(|| id.to_owned())
    });
    let resource = arn.as_deref().unwrap_or("*");
    let mut call = Call::on(&format!("secretsmanager:{operation}"), resource);
    call.context
        .add("secretsmanager:VersionStage", body["VersionStage"].as_str());
    let mut calls = vec![call];
    let of_key: &[&str] = match operation {
        "GetSecretValue" => &["kms:Decrypt"],
        "PutSecretValue" => &["kms:GenerateDataKey", "kms:Decrypt"],
        _ => &[],
    };
    // A key that is not there opens nothing: its name is nobody's resource.
    let told = || {
        api.services.read(|all| {
            all.key_of_secret(resource)
                .map(|key| all.key_arn(key).unwrap_or_else(|| key.to_owned()))
        })
    };
    if let Some(key) = rules.key_of(resource).cloned().or_else(told) {
        for action in of_key {
            let mut call = Call::on(action, &key);
            call.context = Context::default()
                .with(
                    "kms:ViaService",
                    format!("secretsmanager.{REGION}.amazonaws.com"),
                )
                .with("kms:CallerAccount", ACCOUNT)
                .with("kms:EncryptionContext:SecretARN", resource);
            calls.push(call);
        }
    }
    calls
}

impl Services {
    /// The ARN of the key that is meant, however it is named.
    fn key_arn(&self, name: &str) -> Option<String> {
        self.key(name)
            .ok()
            .map(|(id, _)| arn::kms(&format!("key/{id}")))
    }

    /// The ARN of the secret that is meant, however it is named.
    fn arn_of_secret(&self, id: &str) -> Option<String> {
        let name = self.secret_name(id).ok()?;
        self.secret_arn(&name).map(str::to_owned)
    }
}
