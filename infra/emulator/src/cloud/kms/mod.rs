//! KMS: keys that sign with P-256, keys that encrypt (so far by name only), and aliases for them.
//!
//! Differs from AWS: only `ECC_NIST_P256` signs, and nothing encrypts yet; key policies, grants and tags are accepted and ignored; a signature
//! over the same message is the same each time (RFC 6979), where AWS draws a random one; keys are never disabled or deleted.

mod aliases;
mod keys;
mod signing;

use serde_json::Value;

pub(super) use self::{
    aliases::{Alias, CreateAlias, create as create_alias},
    keys::{CreateKey, Key, generate},
};
use super::{
    arn,
    aws_json::{Api, Refusal, read},
    services::Services,
};

/// The operation's answer; `None` if there is no such operation here.
pub(super) fn answer(api: &Api, operation: &str, body: &[u8]) -> Option<Result<Value, Refusal>> {
    Some(match operation {
        "CreateAlias" => read(body).and_then(|request| aliases::create(api, &request)),
        "CreateKey" => read(body).and_then(|request| keys::create(api, request)),
        "DescribeKey" => read(body).and_then(|request| keys::describe(api, &request)),
        "GetKeyRotationStatus" => read(body).and_then(|request| keys::rotation(api, &request)),
        "GetPublicKey" => read(body).and_then(|request| keys::public_key(api, &request)),
        "ListAliases" => read(body).and_then(|request| aliases::list(api, &request)),
        "Sign" => read(body).and_then(|request| signing::sign(api, &request)),
        "Verify" => read(body).and_then(|request| signing::verify(api, &request)),
        _ => return None,
    })
}

impl Services {
    /// The key that is meant by an id, a key ARN, an alias name or an alias ARN.
    pub(super) fn key(&self, name: &str) -> Result<(&String, &Key), Refusal> {
        let missing = |message| Refusal::new("NotFoundException", message);
        let prefix = arn::kms("");
        let local = name.strip_prefix(&prefix);
        let id = match local.unwrap_or(name) {
            alias if alias.starts_with("alias/") => {
                let alias = self.aliases.get(alias).ok_or_else(|| missing(format!("Alias {prefix}{alias} is not found.")))?;
                &alias.target
            }
            key if local.is_some() => key.strip_prefix("key/").ok_or_else(|| missing(format!("Invalid arn {name}")))?,
            id => id,
        };
        let found = self.keys.get_key_value(id);
        found.ok_or_else(|| missing(format!("Key '{}' does not exist", arn::kms(&format!("key/{id}")))))
    }
}
