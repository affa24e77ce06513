//! Secrets Manager: secrets, their versions and the labels on them.
//!
//! Differs from AWS: values are not encrypted (on disk the file's mode protects them); a version that lost its last label is
//! gone at once, where AWS keeps about a hundred; tags, policies, replication and deletion are not offered. A rotation is started
//! (`RotateSecret`) and nothing carried out: there is no schedule, and nobody here invokes the function.

mod rotation;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use domain::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use self::rotation::Rotation;
use super::{
    arn::{ACCOUNT, REGION},
    aws_json::{Api, Blob, Refusal, epoch_seconds, read, required},
    random,
    services::Services,
};

const CURRENT: &str = "AWSCURRENT";
const PREVIOUS: &str = "AWSPREVIOUS";

/// A secret as it is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Secret {
    arn: String,
    description: Option<String>,
    /// What its key was called when it was made over the API. The template's secrets have theirs in the template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kms_key_id: Option<String>,
    created: Timestamp,
    changed: Timestamp,
    /// By version id; each one carries at least one label.
    versions: BTreeMap<String, Version>,
    /// Nothing before it was configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rotation: Option<Rotation>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Version {
    /// Nothing while a rotation was started and has put none.
    value: Option<Content>,
    created: Timestamp,
    stages: BTreeSet<String>,
}

/// A secret's value, never shown.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Content {
    /// `SecretString`.
    String(String),
    /// `SecretBinary`.
    Binary(Blob),
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// The operation's answer; `None` if there is no such operation here.
pub(super) fn answer(api: &Api, operation: &str, body: &[u8]) -> Option<Result<Value, Refusal>> {
    Some(match operation {
        "CreateSecret" => read(body).and_then(|request| create(api, request)),
        "DescribeSecret" => read(body).and_then(|request| describe(api, &request)),
        "GetSecretValue" => read(body).and_then(|request| value(api, &request)),
        "PutSecretValue" => read(body).and_then(|request| put(api, request)),
        _ => return rotation::answer(api, operation, body),
    })
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct CreateSecret {
    pub(super) name: Option<String>,
    pub(super) description: Option<String>,
    pub(super) kms_key_id: Option<String>,
    pub(super) client_request_token: Option<String>,
    pub(super) secret_string: Option<String>,
    pub(super) secret_binary: Option<Blob>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct NamedSecret {
    secret_id: Option<String>,
    version_id: Option<String>,
    version_stage: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutSecretValue {
    secret_id: Option<String>,
    client_request_token: Option<String>,
    secret_string: Option<String>,
    secret_binary: Option<Blob>,
    version_stages: Option<BTreeSet<String>>,
}

/// `CreateSecret`. The same token with the same value is a retry and answers the same.
pub(super) fn create(api: &Api, request: CreateSecret) -> Result<Value, Refusal> {
    let name = required("name", request.name.as_ref())?;
    if name.is_empty() || name.len() > 512 || name.contains(|c: char| !c.is_ascii_alphanumeric() && !"/_+=.@!-".contains(c)) {
        let message = "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!";
        return Err(Refusal::new("ValidationException", message));
    }
    let content = content(request.secret_string, request.secret_binary)?;
    let (token, now) = (token(request.client_request_token)?, (api.clock)());
    let arn = format!("arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{name}-{}", random::text(&random::alphanumeric(), 6)?);
    api.services.change(|services| {
        if let Some(existing) = services.secrets.get(name) {
            let retried = existing.versions.get(&token).and_then(|version| version.value.as_ref());
            return match content {
                Some(content) if retried == Some(&content) => Ok(answer_of(&existing.arn, name, Some(&token))),
                _ => Err(exists(format!("The operation failed because the secret {name} already exists."))),
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
fn describe(api: &Api, request: &NamedSecret) -> Result<Value, Refusal> {
    let id = required("secretId", request.secret_id.as_ref())?;
    api.services.read(|services| {
        let name = services.secret_name(id)?;
        let secret = &services.secrets[&name];
        let stages: BTreeMap<_, _> = secret.versions.iter().map(|(id, version)| (id, &version.stages)).collect();
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
fn value(api: &Api, request: &NamedSecret) -> Result<Value, Refusal> {
    let id = required("secretId", request.secret_id.as_ref())?;
    api.services.read(|services| {
        let name = services.secret_name(id)?;
        let secret = &services.secrets[&name];
        let (version_id, version) = secret.version(request.version_id.as_ref(), request.version_stage.as_ref())?;
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
fn put(api: &Api, request: PutSecretValue) -> Result<Value, Refusal> {
    let id = required("secretId", request.secret_id.as_ref())?;
    let Some(content) = content(request.secret_string, request.secret_binary)? else {
        return Err(Refusal::new("InvalidRequestException", "You must provide either SecretString or SecretBinary."));
    };
    let (token, now) = (token(request.client_request_token)?, (api.clock)());
    let mut stages = request.version_stages.unwrap_or_else(|| [CURRENT.to_owned()].into());
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

impl Services {
    /// The name of the secret that is meant by a name, an ARN or an ARN without its six random characters.
    pub(super) fn secret_name(&self, id: &str) -> Result<String, Refusal> {
        let meant = |(name, secret): &(&String, &Secret)| {
            name.as_str() == id || secret.arn == id || secret.arn.len() == id.len() + 7 && secret.arn.starts_with(id)
        };
        self.secrets.iter().find(meant).map(|(name, _)| name.clone()).ok_or_else(missing)
    }

    /// What the template's `Ref` of the secret of this name yields.
    pub(super) fn secret_arn(&self, name: &str) -> Option<&str> {
        self.secrets.get(name).map(|secret| secret.arn.as_str())
    }

    /// What the key of the secret that is meant was called when it was made over the API.
    pub(super) fn key_of_secret(&self, id: &str) -> Option<&str> {
        self.secrets[&self.secret_name(id).ok()?].kms_key_id.as_deref()
    }
}

impl Secret {
    /// Adds a version, or gives one its value that a rotation was started for, and moves the labels to it.
    fn label(&mut self, id: &str, value: Content, stages: &BTreeSet<String>, now: Timestamp) -> Result<(), Refusal> {
        let existing = self.versions.get(id);
        if let Some(put) = existing.and_then(|version| version.value.as_ref()) {
            return if *put == value {
                Ok(())
            } else {
                let message = "You can't use ClientRequestToken because that value is already in use for a version of secret";
                Err(exists(format!("{message} {}.", self.arn)))
            };
        }
        let kept = existing.map(|version| version.stages.clone()).unwrap_or_default();
        self.versions.insert(id.to_owned(), Version { value: Some(value), created: now, stages: kept });
        for stage in stages {
            self.move_stage(stage, Some(id));
        }
        self.versions.retain(|_, version| !version.stages.is_empty());
        Ok(())
    }

    /// Which version has a label.
    fn labelled(&self, stage: &str) -> Option<&String> {
        self.versions.iter().find(|(_, version)| version.stages.contains(stage)).map(|(id, _)| id)
    }

    /// Moves a label, or takes it away. When `AWSCURRENT` moves, its former version becomes `AWSPREVIOUS`.
    fn move_stage(&mut self, stage: &str, to: Option<&str>) {
        let former = self.labelled(stage).cloned();
        if former.as_deref() == to {
            return;
        }
        if let Some(former) = &former {
            if stage == CURRENT {
                self.move_stage(PREVIOUS, Some(former));
            }
            if let Some(version) = self.versions.get_mut(former) {
                version.stages.remove(stage);
            }
        }
        if let Some(version) = to.and_then(|to| self.versions.get_mut(to)) {
            version.stages.insert(stage.to_owned());
        }
    }

    fn version(&self, id: Option<&String>, stage: Option<&String>) -> Result<(&String, &Version), Refusal> {
        let Some(id) = id else {
            let stage = stage.map_or(CURRENT, String::as_str);
            let labelled = self.versions.iter().find(|(_, version)| version.stages.contains(stage));
            return labelled.ok_or_else(|| no_value(&format!("staging label: {stage}")));
        };
        let found = self.versions.get_key_value(id).ok_or_else(|| no_value(&format!("VersionId: {id}")))?;
        if stage.is_some_and(|stage| !found.1.stages.contains(stage)) {
            let message = "You provided a VersionStage that is not associated to the provided VersionId.";
            return Err(Refusal::new("InvalidRequestException", message));
        }
        Ok(found)
    }
}

fn content(string: Option<String>, binary: Option<Blob>) -> Result<Option<Content>, Refusal> {
    match (string, binary) {
        (Some(_), Some(_)) => {
            Err(Refusal::new("InvalidParameterException", "You can't specify both SecretString and SecretBinary."))
        }
        (Some(text), None) => Ok(Some(Content::String(text))),
        (None, Some(bytes)) => Ok(Some(Content::Binary(bytes))),
        (None, None) => Ok(None),
    }
}

fn token(given: Option<String>) -> Result<String, Refusal> {
    match given {
        Some(token) if !(32..=64).contains(&token.len()) => {
            Err(Refusal::new("InvalidParameterException", "ClientRequestToken must be 32-64 characters long."))
        }
        Some(token) => Ok(token),
        None => Ok(random::uuid()?),
    }
}

fn answer_of(arn: &str, name: &str, version: Option<&String>) -> Value {
    let mut answer = json!({"ARN": arn, "Name": name});
    if let Some(version) = version {
        answer["VersionId"] = version.as_str().into();
    }
    answer
}

fn missing() -> Refusal {
    Refusal::new("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
}

fn no_value(what: &str) -> Refusal {
    Refusal::new("ResourceNotFoundException", format!("Secrets Manager can't find the specified secret value for {what}"))
}

fn exists(message: String) -> Refusal {
    Refusal::new("ResourceExistsException", message)
}
