//! Sign and Verify: ECDSA over P-256 and SHA-256, signatures in DER (RFC 3279 §2.2.3).

use p256::ecdsa::{
    Signature,
    signature::hazmat::{PrehashSigner, PrehashVerifier},
};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{
    super::{
        arn,
        aws_json::{AwsError, Blob, required},
        state::Api,
    },
    key::{ALGORITHM, Key},
};

/// KMS's bound on a raw message.
const LONGEST_MESSAGE: usize = 4096;

/// What `Sign` and `Verify` have in common.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SignOrVerify {
    key_id: Option<String>,
    message: Option<Blob>,
    message_type: Option<MessageType>,
    signing_algorithm: Option<String>,
    signature: Option<Blob>,
    #[serde(default)]
    dry_run: bool,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum MessageType {
    /// The message itself, which KMS hashes.
    Raw,
    /// Its SHA-256, which KMS must not hash again.
    Digest,
}

/// `Sign`.
pub(super) fn sign(api: &Api, request: &SignOrVerify) -> Result<Value, AwsError> {
    let (id, key, digest) = prepare(api, request)?;
    let signature: Signature = key
        .signing()?
        .sign_prehash(&digest)
        .map_err(|e| AwsError::internal(format!("cannot sign: {e}")))?;
    Ok(json!({
        "KeyId": arn::kms(&format!("key/{id}")),
        "Signature": Blob(signature.to_der().as_bytes().to_vec()),
        "SigningAlgorithm": ALGORITHM,
    }))
}

/// `Verify`. A signature that does not verify is an error, as in AWS, never
/// `SignatureValid: false`.
pub(super) fn verify(api: &Api, request: &SignOrVerify) -> Result<Value, AwsError> {
    let Blob(signature) = required("signature", request.signature.as_ref())?;
    let (id, key, digest) = prepare(api, request)?;
    let public = key.signing()?.verifying_key();
    let signature = Signature::from_der(signature);
    if !signature.is_ok_and(|signature| public.verify_prehash(&digest, &signature).is_ok()) {
        return Err(AwsError::new(
            "KMSInvalidSignatureException",
            "The signature does not verify",
        ));
    }
    Ok(json!({
        "KeyId": arn::kms(&format!("key/{id}")),
        "SignatureValid": true,
        "SigningAlgorithm": ALGORITHM,
    }))
}

fn prepare(api: &Api, request: &SignOrVerify) -> Result<(String, Key, Vec<u8>), AwsError> {
    let name = required("keyId", request.key_id.as_ref())?;
    let Blob(message) = required("message", request.message.as_ref())?;
    let algorithm = required("signingAlgorithm", request.signing_algorithm.as_ref())?;
    let digest = digest(message, request.message_type.unwrap_or(MessageType::Raw))?;
    let (id, key) = api.services.read(|services| {
        services
            .key(name)
            .map(|(id, key)| (id.clone(), key.clone()))
    })?;
    key.signing()?;
    if algorithm != ALGORITHM {
        let message = format!(
            "Algorithm {algorithm} is incompatible with key spec {}.",
            key.spec()
        );
        return Err(AwsError::new("InvalidKeyUsageException", message));
    }
    if request.dry_run {
        return Err(AwsError::dry_run());
    }
    Ok((id, key, digest))
}

fn digest(message: &[u8], kind: MessageType) -> Result<Vec<u8>, AwsError> {
    match kind {
        _ if message.is_empty() => Err(AwsError::validation(
            "Value at 'message' failed to satisfy constraint: Member must have length greater than \
             or equal to 1",
        )),
        _ if message.len() > LONGEST_MESSAGE => Err(AwsError::validation(
            "Value at 'message' failed to satisfy constraint: Member must have length less than or \
             equal to 4096",
        )),
        MessageType::Digest if message.len() != 32 => Err(AwsError::new(
            "ValidationException",
            "Digest is invalid length for algorithm ECDSA_SHA_256.",
        )),
        MessageType::Digest => Ok(message.to_vec()),
        MessageType::Raw => Ok(Sha256::digest(message).to_vec()),
    }
}
