//! Friendly names of keys.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    super::{
        arn,
        aws_json::{AwsError, epoch_seconds, required},
        state::Api,
    },
    key::Alias,
};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct CreateAlias {
    pub(crate) alias_name: Option<String>,
    pub(crate) target_key_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListAliases {
    key_id: Option<String>,
}

/// `CreateAlias`.
pub(crate) fn create(api: &Api, request: &CreateAlias) -> Result<Value, AwsError> {
    let target = required("targetKeyId", request.target_key_id.as_ref())?;
    let name = required("aliasName", request.alias_name.as_ref())?.clone();
    check_name(&name)?;
    let created = (api.clock)();
    api.services.change(|services| {
        if target.contains("alias/") {
            return Err(AwsError::new(
                "ValidationException",
                "Aliases must refer to keys. Not aliases",
            ));
        }
        let target = services.key(target)?.0.clone();
        if services.aliases.contains_key(&name) {
            let message = format!("An alias with the name {} already exists", arn::kms(&name));
            return Err(AwsError::new("AlreadyExistsException", message));
        }
        services.aliases.insert(name, Alias { target, created });
        Ok(())
    })?;
    // AWS answers with an empty body; an empty object reads the same to every SDK.
    Ok(json!({}))
}

/// `ListAliases`, of all keys or of one, always in one page.
pub(super) fn list(api: &Api, request: &ListAliases) -> Result<Value, AwsError> {
    api.services.read(|services| {
        let of = request
            .key_id
            .as_deref()
            .map(|name| services.key(name))
            .transpose()?
            .map(|(id, _)| id);
        let aliases = services
            .aliases
            .iter()
            .filter(|(_, alias)| of.is_none_or(|id| alias.target == *id));
        let aliases: Vec<Value> = aliases
            .map(|(name, alias)| {
                json!({
                    "AliasName": name,
                    "AliasArn": arn::kms(name),
                    "TargetKeyId": alias.target,
                    "CreationDate": epoch_seconds(alias.created),
                    "LastUpdatedDate": epoch_seconds(alias.created),
                })
            })
            .collect();
        Ok(json!({"Aliases": aliases, "Truncated": false}))
    })
}

fn check_name(name: &str) -> Result<(), AwsError> {
    let Some(own) = name.strip_prefix("alias/").filter(|own| !own.is_empty()) else {
        return Err(AwsError::new(
            "InvalidAliasNameException",
            "Alias must start with the prefix \"alias/\"",
        ));
    };
    if own.starts_with("aws/") {
        return Err(AwsError::new(
            "NotAuthorizedException",
            "The alias prefix alias/aws/ is reserved for AWS",
        ));
    }
    if name.len() > 256 || own.contains(|c: char| !c.is_ascii_alphanumeric() && !"/_-".contains(c))
    {
        return Err(AwsError::new(
            "InvalidAliasNameException",
            format!("{name} is not a valid alias name"),
        ));
    }
    Ok(())
}
