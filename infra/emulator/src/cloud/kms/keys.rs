//! Making and describing keys.

use p256::pkcs8::EncodePublicKey;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    super::{
        arn::{self, ACCOUNT},
        aws_json::{AwsError, Blob, epoch_seconds, required},
        random,
        state::Api,
    },
    key::{ALGORITHM, Key, Material, PrivateKey},
};

#[derive(Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct CreateKey {
    pub(crate) description: Option<String>,
    pub(crate) key_spec: Option<String>,
    pub(crate) key_usage: Option<String>,
    pub(crate) origin: Option<String>,
    pub(crate) multi_region: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct NamedKey {
    key_id: Option<String>,
}

/// `CreateKey`.
pub(super) fn create(api: &Api, request: CreateKey) -> Result<Value, AwsError> {
    let (id, key) = generate(api, request)?;
    let answer = json!({"KeyMetadata": metadata(&id, &key)});
    api.services.change(|services| {
        services.keys.insert(id, key);
        Ok(answer)
    })
}

/// A new key and its id, not yet kept.
pub(crate) fn generate(api: &Api, request: CreateKey) -> Result<(String, Key), AwsError> {
    let spec = request.key_spec.as_deref().unwrap_or("SYMMETRIC_DEFAULT");
    let usage = request.key_usage.as_deref().unwrap_or("ENCRYPT_DECRYPT");
    let unsupported = |what: &str| {
        AwsError::new(
            "UnsupportedOperationException",
            format!("{what} is not offered by the embedded KMS"),
        )
    };
    if let Some(origin) = request.origin.filter(|origin| origin != "AWS_KMS") {
        return Err(unsupported(&format!("Origin {origin}")));
    }
    if request.multi_region == Some(true) {
        return Err(unsupported("a multi-Region key"));
    }
    let material = match (spec, usage) {
        ("ECC_NIST_P256", "SIGN_VERIFY") => Material::P256(PrivateKey::generate()?),
        ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT") => {
            Material::Symmetric(Blob(random::bytes::<32>()?.to_vec()))
        }
        ("ECC_NIST_P256", "ENCRYPT_DECRYPT") | ("SYMMETRIC_DEFAULT", "SIGN_VERIFY") => {
            let message = format!("KeyUsage {usage} is not compatible with KeySpec {spec}");
            return Err(AwsError::new("ValidationException", message));
        }
        _ => {
            return Err(unsupported(&format!(
                "KeySpec {spec} with KeyUsage {usage}"
            )));
        }
    };
    let key = Key {
        material,
        description: request.description.unwrap_or_default(),
        created: (api.clock)(),
        rotates: false,
    };
    Ok((random::uuid()?, key))
}

/// `DescribeKey`.
pub(super) fn describe(api: &Api, request: &NamedKey) -> Result<Value, AwsError> {
    let name = required("keyId", request.key_id.as_ref())?;
    api.services.read(|services| {
        let (id, key) = services.key(name)?;
        Ok(json!({"KeyMetadata": metadata(id, key)}))
    })
}

/// `GetKeyRotationStatus`.
pub(super) fn rotation(api: &Api, request: &NamedKey) -> Result<Value, AwsError> {
    let name = required("keyId", request.key_id.as_ref())?;
    api.services.read(|services| {
        let (id, key) = services.key(name)?;
        Ok(json!({"KeyId": arn::kms(&format!("key/{id}")), "KeyRotationEnabled": key.rotates}))
    })
}

/// `GetPublicKey`: the key as `SubjectPublicKeyInfo`, DER (RFC 5280 §4.1.2.7).
pub(super) fn public_key(api: &Api, request: &NamedKey) -> Result<Value, AwsError> {
    let name = required("keyId", request.key_id.as_ref())?;
    let (id, key) = api.services.read(|services| {
        services
            .key(name)
            .map(|(id, key)| (id.clone(), key.clone()))
    })?;
    let arn = arn::kms(&format!("key/{id}"));
    let Material::P256(private) = &key.material else {
        let message = format!("{arn} is not an asymmetric key: it has no public key.");
        return Err(AwsError::new("UnsupportedOperationException", message));
    };
    let der = private.0.verifying_key().to_public_key_der();
    let der = der.map_err(|e| AwsError::internal(format!("cannot encode the public key: {e}")))?;
    Ok(json!({
        "KeyId": arn,
        "PublicKey": Blob(der.into_vec()),
        "CustomerMasterKeySpec": key.spec(),
        "KeySpec": key.spec(),
        "KeyUsage": key.usage(),
        "SigningAlgorithms": [ALGORITHM],
    }))
}

fn metadata(id: &str, key: &Key) -> Value {
    let (kind, algorithm) = match key.material {
        Material::P256(_) => ("SigningAlgorithms", ALGORITHM),
        Material::Symmetric(_) => ("EncryptionAlgorithms", "SYMMETRIC_DEFAULT"),
    };
    json!({
        "AWSAccountId": ACCOUNT,
        "KeyId": id,
        "Arn": arn::kms(&format!("key/{id}")),
        "CreationDate": epoch_seconds(key.created),
        "Enabled": true,
        "Description": key.description,
        "KeyUsage": key.usage(),
        "KeyState": "Enabled",
        "Origin": "AWS_KMS",
        "KeyManager": "CUSTOMER",
        "CustomerMasterKeySpec": key.spec(),
        "KeySpec": key.spec(),
        kind: [algorithm],
        "MultiRegion": false,
    })
}
