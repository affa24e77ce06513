//! `AWS::SecretsManager::Secret`.

use sam::template::PhysicalResource;
use serde::{Deserialize, de::IgnoredAny};

use super::{
    super::{
        aws_json::AwsError,
        error::CloudError,
        secrets::{self, CreateSecret},
        state::Api,
    },
    generated::GenerateSecretString,
};

/// The value is made once; a later change of the recipe does not touch it.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct SecretProperties {
    name: Option<String>,
    description: Option<String>,
    generate_secret_string: Option<GenerateSecretString>,
    secret_string: Option<String>,
    #[serde(rename = "KmsKeyId")]
    _kms_key: Option<IgnoredAny>,
    #[serde(rename = "ReplicaRegions")]
    _replicas: Option<IgnoredAny>,
    #[serde(rename = "Tags")]
    _tags: Option<IgnoredAny>,
}

pub(super) fn provision(
    api: &Api,
    logical_id: &str,
    wanted: SecretProperties,
) -> Result<PhysicalResource, CloudError> {
    let name = wanted.name.clone().unwrap_or_else(|| logical_id.to_owned());
    let existing = api
        .services
        .read(|services| services.secret_arn(&name).map(str::to_owned));
    let arn = existing.map_or_else(|| make(api, name, wanted), Ok)?;
    Ok(PhysicalResource {
        attributes: [("Id".to_owned(), arn.clone())].into(),
        reference: arn,
    })
}

fn make(api: &Api, name: String, wanted: SecretProperties) -> Result<String, CloudError> {
    let secret_string = match (wanted.secret_string, wanted.generate_secret_string) {
        (Some(_), Some(_)) => {
            return Err(CloudError::new(
                "SecretString and GenerateSecretString exclude each other",
            ));
        }
        (given, None) => given,
        (None, Some(recipe)) => Some(recipe.generate()?),
    };
    let request = CreateSecret {
        name: Some(name),
        description: wanted.description,
        secret_string,
        ..CreateSecret::default()
    };
    let answer = secrets::create(api, request)?;
    let arn = answer["ARN"]
        .as_str()
        .ok_or_else(|| AwsError::internal("a secret without an ARN"))?;
    Ok(arn.to_owned())
}
