//! What KMS, Secrets Manager and the provisioning remember.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    kms::{Alias, Key},
    secrets::Secret,
    sqs::Queue,
};

/// The whole state, kept in `services.json`.
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
    /// Which key is which of the template's, by logical id. Tables and secrets are found by their names.
    pub(super) physical: BTreeMap<String, String>,
}
