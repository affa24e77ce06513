//! `AWS::KMS::Key` and `AWS::KMS::Alias`.

use sam::template::PhysicalResource;
use serde::{Deserialize, de::IgnoredAny};

use super::super::{
    arn,
    aws_json::AwsError,
    error::CloudError,
    kms::{self, key::Key},
    state::Api,
};

/// Only what the embedded KMS can do is accepted; `Enabled: false` is not.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct KeyProperties {
    key_spec: Option<String>,
    key_usage: Option<String>,
    description: Option<String>,
    origin: Option<String>,
    multi_region: Option<bool>,
    enabled: Option<bool>,
    #[serde(rename = "KeyPolicy")]
    _key_policy: Option<IgnoredAny>,
    enable_key_rotation: Option<bool>,
    #[serde(rename = "PendingWindowInDays")]
    _pending_window: Option<IgnoredAny>,
    #[serde(rename = "BypassPolicyLockoutSafetyCheck")]
    _bypass: Option<IgnoredAny>,
    #[serde(rename = "Tags")]
    _tags: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct AliasProperties {
    alias_name: String,
    target_key_id: String,
}

pub(super) fn provision(
    api: &Api,
    logical_id: &str,
    wanted: KeyProperties,
) -> Result<PhysicalResource, CloudError> {
    if wanted.enabled == Some(false) {
        return Err(CloudError::new("a disabled key is not supported here"));
    }
    let request = kms::CreateKey {
        description: wanted.description,
        key_spec: wanted.key_spec,
        key_usage: wanted.key_usage,
        origin: wanted.origin,
        multi_region: wanted.multi_region,
    };
    // Generated in any case, which also is how the properties are checked.
    let (new_id, new) = kms::generate(api, request)?;
    let known = api.services.read(|services| {
        let id = services.physical.get(logical_id)?;
        services.keys.get(id).map(|key| (id.clone(), key.spec()))
    });
    let id = match known {
        None => keep(api, logical_id, new_id, new)?,
        Some((id, spec)) if spec == new.spec() => id,
        Some((id, spec)) => {
            return Err(CloudError::new(format!(
                "the stored key {id} is {spec}, not {}: start with a new data directory",
                new.spec()
            )));
        }
    };
    rotate(api, &id, wanted.enable_key_rotation == Some(true))?;
    let attributes = [
        ("Arn", arn::kms(&format!("key/{id}"))),
        ("KeyId", id.clone()),
    ];
    Ok(PhysicalResource {
        attributes: attributes
            .map(|(name, value)| (name.to_owned(), value))
            .into(),
        reference: id,
    })
}

pub(super) fn provision_alias(
    api: &Api,
    wanted: AliasProperties,
) -> Result<PhysicalResource, CloudError> {
    let AliasProperties {
        alias_name,
        target_key_id,
    } = wanted;
    let existing = api.services.read(|services| {
        let alias = services.aliases.get(&alias_name)?;
        Some(
            alias.target == target_key_id
                || arn::kms(&format!("key/{}", alias.target)) == target_key_id,
        )
    });
    match existing {
        Some(true) => (),
        Some(false) => {
            return Err(CloudError::new(format!(
                "{alias_name} already stands for another key"
            )));
        }
        None => {
            let request = kms::CreateAlias {
                alias_name: Some(alias_name.clone()),
                target_key_id: Some(target_key_id),
            };
            kms::create_alias(api, &request)?;
        }
    }
    Ok(PhysicalResource {
        reference: alias_name,
        ..PhysicalResource::default()
    })
}

/// Keeps the key and whose it is in one change, so that a crash cannot leave a key that nobody
/// finds again.
fn keep(api: &Api, logical_id: &str, id: String, key: Key) -> Result<String, AwsError> {
    api.services.change(|services| {
        services.keys.insert(id.clone(), key);
        services.physical.insert(logical_id.to_owned(), id.clone());
        Ok(id)
    })
}

/// The template's word, also about a key of an earlier start.
fn rotate(api: &Api, id: &str, rotates: bool) -> Result<(), AwsError> {
    api.services.change(|services| {
        services
            .keys
            .get_mut(id)
            .into_iter()
            .for_each(|key| key.set_rotation(rotates));
        Ok(())
    })
}
