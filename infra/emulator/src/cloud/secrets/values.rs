//! Making, reading and writing secrets.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    super::{
        arn::{ACCOUNT, REGION},
        aws_json::{AwsError, Blob, epoch_seconds, required},
        random,
        state::Api,
    },
    secret::{CURRENT, Content, Secret, exists, missing, no_value},
};

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(in super::super) struct CreateSecret {
    pub(in super::super) name: Option<String>,
    pub(in super::super) description: Option<String>,
    pub(in super::super) kms_key_id: Option<String>,
    pub(in super::super) client_request_token: Option<String>,
    pub(in super::super) secret_string: Option<String>,
    pub(in super::super) secret_binary: Option<Blob>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct NamedSecret {
    secret_id: Option<String>,
    version_id: Option<String>,
    version_stage: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PutSecretValue {
    secret_id: Option<String>,
    client_request_token: Option<String>,
    secret_string: Option<String>,
    secret_binary: Option<Blob>,
    version_stages: Option<BTreeSet<String>>,
}

/// `CreateSecret`. The same token with the same value is a retry and answers the same.
pub(in super::super) fn create(api: &Api, request: CreateSecret) -> Result<Value, AwsError> {
    let name = required("name", request.name.as_ref())?;
    if name.is_empty()
        || name.len() > 512
        || name.contains(|c: char| !c.is_ascii_alphanumeric() && !"/_+=.@!-".contains(c))
    {
        let message = "Invalid name. Must be a valid name containing alphanumeric characters, or \
                       any of the following: -/_+=.@!";
        return Err(AwsError::new("ValidationException", message));
    }
    let content = content(request.secret_string, request.secret_binary)?;
    let (token, now) = (token(request.client_request_token)?, (api.clock)());
    let arn = format!(
        "arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{name}-{}",
        random::text(&random::alphanumeric(), 6)?
    );
    api.services.change(|services| {
        if let Some(existing) = services.secrets.get(name) {
            let retried = existing
                .versions
                .get(&token)
                .and_then(|version| version.value.as_ref());
            return match content {
                Some(content) if retried == Some(&content) => {
                    Ok(answer_of(&existing.arn, name, Some(&token)))
                }
                _ => Err(exists(format!(
                    "The operation failed because the secret {name} already exists."
                ))),
            };
        }
        let mut secret = Secret {
            arn,
            description: request.description,
            kms_key_id: request.kms_key_id,
            created: now,
            changed: now,
            versions: BTreeMap::new(),
            rotation: None,
        };
        let version = content.is_some().then_some(&token);
        let answer = answer_of(&secret.arn, name, version);
        if let Some(content) = content {
            secret.label(&token, content, &[CURRENT.to_owned()].into(), now)?;
        }
        services.secrets.insert(name.clone(), secret);
        Ok(answer)
    })
}

/// `DescribeSecret`.
pub(super) fn describe(api: &Api, request: &NamedSecret) -> Result<Value, AwsError> {
    let id = required("secretId", request.secret_id.as_ref())?;
    api.services.read(|services| {
        let name = services.secret_name(id)?;
        let secret = &services.secrets[&name];
        let stages: BTreeMap<_, _> = secret
            .versions
            .iter()
            .map(|(id, version)| (id, &version.stages))
            .collect();
        let mut answer = answer_of(&secret.arn, &name, None);
        answer["CreatedDate"] = epoch_seconds(secret.created).into();
        answer["LastChangedDate"] = epoch_seconds(secret.changed).into();
        answer["VersionIdsToStages"] = json!(stages);
        if let Some(description) = &secret.description {
            answer["Description"] = description.as_str().into();
        }
        if let Some(rotation) = &secret.rotation {
            rotation.describe(&mut answer);
        }
        Ok(answer)
    })
}

/// `GetSecretValue`, of the current version unless a version or a label is named.
pub(super) fn value(api: &Api, request: &NamedSecret) -> Result<Value, AwsError> {
    let id = required("secretId", request.secret_id.as_ref())?;
    api.services.read(|services| {
        let name = services.secret_name(id)?;
        let secret = &services.secrets[&name];
        let (version_id, version) =
            secret.version(request.version_id.as_ref(), request.version_stage.as_ref())?;
        let mut answer = answer_of(&secret.arn, &name, Some(version_id));
        answer["CreatedDate"] = epoch_seconds(version.created).into();
        answer["VersionStages"] = json!(version.stages);
        match &version.value {
            Some(Content::String(text)) => answer["SecretString"] = text.as_str().into(),
            Some(Content::Binary(bytes)) => answer["SecretBinary"] = json!(bytes),
            None => return Err(no_value(&format!("VersionId: {version_id}"))),
        }
        Ok(answer)
    })
}

/// `PutSecretValue`: a new version, current unless it is given other labels.
pub(super) fn put(api: &Api, request: PutSecretValue) -> Result<Value, AwsError> {
    let id = required("secretId", request.secret_id.as_ref())?;
    let Some(content) = content(request.secret_string, request.secret_binary)? else {
        return Err(AwsError::new(
            "InvalidRequestException",
            "You must provide either SecretString or SecretBinary.",
        ));
    };
    let (token, now) = (token(request.client_request_token)?, (api.clock)());
    let mut stages = request
        .version_stages
        .unwrap_or_else(|| [CURRENT.to_owned()].into());
    api.services.change(|services| {
        let name = services.secret_name(id)?;
        let secret = services.secrets.get_mut(&name).ok_or_else(missing)?;
        if secret.versions.is_empty() {
            stages.insert(CURRENT.to_owned());
        }
        secret.label(&token, content, &stages, now)?;
        secret.changed = now;
        let mut answer = answer_of(&secret.arn, &name, Some(&token));
        answer["VersionStages"] = json!(secret.versions.get(&token).map(|version| &version.stages));
        Ok(answer)
    })
}

fn content(string: Option<String>, binary: Option<Blob>) -> Result<Option<Content>, AwsError> {
    match (string, binary) {
        (Some(_), Some(_)) => Err(AwsError::new(
            "InvalidParameterException",
            "You can't specify both SecretString and SecretBinary.",
        )),
        (Some(text), None) => Ok(Some(Content::String(text))),
        (None, Some(bytes)) => Ok(Some(Content::Binary(bytes))),
        (None, None) => Ok(None),
    }
}

pub(super) fn token(given: Option<String>) -> Result<String, AwsError> {
    match given {
        Some(token) if !(32..=64).contains(&token.len()) => Err(AwsError::new(
            "InvalidParameterException",
            "ClientRequestToken must be 32-64 characters long.",
        )),
        Some(token) => Ok(token),
        None => Ok(random::uuid()?),
    }
}

pub(super) fn answer_of(arn: &str, name: &str, version: Option<&String>) -> Value {
    let mut answer = json!({"ARN": arn, "Name": name});
    if let Some(version) = version {
        answer["VersionId"] = version.as_str().into();
    }
    answer
}
