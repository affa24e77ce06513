//! A secret as it is kept: its versions, the labels on them, and its rotation.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use domain::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::aws_json::{AwsError, Blob};

pub(super) const CURRENT: &str = "AWSCURRENT";
const PREVIOUS: &str = "AWSPREVIOUS";

/// A secret as it is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in super::super) struct Secret {
    pub(in super::super) arn: String,
    pub(super) description: Option<String>,
    /// What its key was called when it was made over the API. The template's secrets have theirs in
    /// the template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in super::super) kms_key_id: Option<String>,
    pub(super) created: Timestamp,
    pub(super) changed: Timestamp,
    /// By version id; each one carries at least one label.
    pub(super) versions: BTreeMap<String, Version>,
    /// Nothing before it was configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) rotation: Option<Rotation>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Version {
    /// Nothing while a rotation was started and has put none.
    pub(super) value: Option<Content>,
    pub(super) created: Timestamp,
    pub(super) stages: BTreeSet<String>,
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

/// How a secret is rotated.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Rotation {
    pub(super) enabled: bool,
    pub(super) function: String,
    pub(super) rules: Option<Value>,
}

impl Rotation {
    /// What `DescribeSecret` says of it.
    pub(super) fn describe(&self, answer: &mut Value) {
        answer["RotationEnabled"] = self.enabled.into();
        answer["RotationLambdaARN"] = self.function.as_str().into();
        if let Some(rules) = &self.rules {
            answer["RotationRules"] = rules.clone();
        }
    }
}

impl Secret {
    /// Adds a version, or gives one its value that a rotation was started for, and moves the labels
    /// to it.
    pub(super) fn label(
        &mut self,
        id: &str,
        value: Content,
        stages: &BTreeSet<String>,
        now: Timestamp,
    ) -> Result<(), AwsError> {
        let existing = self.versions.get(id);
        if let Some(put) = existing.and_then(|version| version.value.as_ref()) {
            return if *put == value {
                Ok(())
            } else {
                let message = "You can't use ClientRequestToken because that value is already in \
                               use for a version of secret";
                Err(exists(format!("{message} {}.", self.arn)))
            };
        }
        let kept = existing
            .map(|version| version.stages.clone())
            .unwrap_or_default();
        self.versions.insert(
            id.to_owned(),
            Version {
                value: Some(value),
                created: now,
                stages: kept,
            },
        );
        for stage in stages {
            self.move_stage(stage, Some(id));
        }
        self.versions
            .retain(|_, version| !version.stages.is_empty());
        Ok(())
    }

    /// Which version has a label.
    pub(super) fn labelled(&self, stage: &str) -> Option<&String> {
        self.versions
            .iter()
            .find(|(_, version)| version.stages.contains(stage))
            .map(|(id, _)| id)
    }

    /// Moves a label, or takes it away. When `AWSCURRENT` moves, its former version becomes
    /// `AWSPREVIOUS`.
    pub(super) fn move_stage(&mut self, stage: &str, to: Option<&str>) {
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

    pub(super) fn version(
        &self,
        id: Option<&String>,
        stage: Option<&String>,
    ) -> Result<(&String, &Version), AwsError> {
        let Some(id) = id else {
            let stage = stage.map_or(CURRENT, String::as_str);
            let labelled = self
                .versions
                .iter()
                .find(|(_, version)| version.stages.contains(stage));
            return labelled.ok_or_else(|| no_value(&format!("staging label: {stage}")));
        };
        let found = self
            .versions
            .get_key_value(id)
            .ok_or_else(|| no_value(&format!("VersionId: {id}")))?;
        if stage.is_some_and(|stage| !found.1.stages.contains(stage)) {
            let message =
                "You provided a VersionStage that is not associated to the provided VersionId.";
            return Err(AwsError::new("InvalidRequestException", message));
        }
        Ok(found)
    }
}

pub(in super::super) fn missing() -> AwsError {
    AwsError::new(
        "ResourceNotFoundException",
        "Secrets Manager can't find the specified secret.",
    )
}

pub(super) fn no_value(what: &str) -> AwsError {
    AwsError::new(
        "ResourceNotFoundException",
        format!("Secrets Manager can't find the specified secret value for {what}"),
    )
}

pub(super) fn exists(message: String) -> AwsError {
    AwsError::new("ResourceExistsException", message)
}
