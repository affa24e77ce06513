//! The state that operations work on, and how it finds what a request names.

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
};

use domain::time::Clock;
use serde::{Deserialize, Serialize};

use super::{
    access::authority::Authority,
    api_gateway::ControlPlane,
    arn,
    aws_json::AwsError,
    document::Document,
    kms::key::{Alias, Key},
    logs::groups::Logs,
    secrets::secret::{Secret, missing},
    sqs::queue::Queue,
};

/// What every operation works on.
pub(super) struct Api {
    pub(super) services: Document<Services>,
    pub(super) clock: Clock,
    pub(super) authority: Arc<Authority>,
    pub(super) logs: Logs,
    /// Nothing before a template was deployed.
    pub(super) control: OnceLock<ControlPlane>,
}

/// What KMS, Secrets Manager, SQS and the provisioning remember, kept in `services.json`.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Services {
    /// KMS keys by id.
    pub(super) keys: BTreeMap<String, Key>,
    /// By name, `alias/…`.
    pub(super) aliases: BTreeMap<String, Alias>,
    /// By name.
    pub(super) secrets: BTreeMap<String, Secret>,
    /// By name.
    #[serde(default)]
    pub(super) queues: BTreeMap<String, Queue>,
    /// Which key is which of the template's, by logical id. Tables and secrets are found by their
    /// names.
    pub(super) physical: BTreeMap<String, String>,
}

impl Services {
    /// The key that is meant by an id, a key ARN, an alias name or an alias ARN.
    pub(super) fn key(&self, name: &str) -> Result<(&String, &Key), AwsError> {
        let missing = |message| AwsError::new("NotFoundException", message);
        let prefix = arn::kms("");
        let local = name.strip_prefix(&prefix);
        let id = match local.unwrap_or(name) {
            alias if alias.starts_with("alias/") => {
                let alias = self
                    .aliases
                    .get(alias)
                    .ok_or_else(|| missing(format!("Alias {prefix}{alias} is not found.")))?;
                &alias.target
            }
            key if local.is_some() => key
                .strip_prefix("key/")
                .ok_or_else(|| missing(format!("Invalid arn {name}")))?,
            id => id,
        };
        let found = self.keys.get_key_value(id);
        found.ok_or_else(|| {
            missing(format!(
                "Key '{}' does not exist",
                arn::kms(&format!("key/{id}"))
            ))
        })
    }

    /// The name of the secret that is meant by a name, an ARN or an ARN without its six random
    /// characters.
    pub(super) fn secret_name(&self, id: &str) -> Result<String, AwsError> {
        let meant = |(name, secret): &(&String, &Secret)| {
            name.as_str() == id
                || secret.arn == id
                || secret.arn.len() == id.len() + 7 && secret.arn.starts_with(id)
        };
        self.secrets
            .iter()
            .find(meant)
            .map(|(name, _)| name.clone())
            .ok_or_else(missing)
    }

    /// What the template's `Ref` of the secret of this name yields.
    pub(super) fn secret_arn(&self, name: &str) -> Option<&str> {
        self.secrets.get(name).map(|secret| secret.arn.as_str())
    }

    /// What the key of the secret that is meant was called when it was made over the API.
    pub(super) fn key_of_secret(&self, id: &str) -> Option<&str> {
        self.secrets[&self.secret_name(id).ok()?]
            .kms_key_id
            .as_deref()
    }
}
