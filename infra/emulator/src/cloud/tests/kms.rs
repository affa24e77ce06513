//! KMS, its signatures verified by aws-lc.

use aws_lc_rs::{
    digest::{SHA256, digest},
    signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey},
};
use aws_sdk_kms::{
    Client,
    operation::sign::builders::SignFluentBuilder,
    primitives::Blob,
    types::{KeySpec, KeyState, KeyUsageType, MessageType, SigningAlgorithmSpec},
};

use super::*;

const MESSAGE: &[u8] = b"header.claims";

async fn key(client: &Client) -> String {
    let key = client
        .create_key()
        .key_spec(KeySpec::EccNistP256)
        .key_usage(KeyUsageType::SignVerify)
        .send()
        .await
        .unwrap();
    key.key_metadata.unwrap().arn.unwrap()
}

fn sign(client: &Client, key: &str, kind: MessageType, message: &[u8]) -> SignFluentBuilder {
    let request = client
        .sign()
        .key_id(key)
        .message_type(kind)
        .message(Blob::new(message));
    request.signing_algorithm(SigningAlgorithmSpec::EcdsaSha256)
}

#[tokio::test]
async fn signatures_of_the_message_and_of_its_digest_verify_elsewhere() {
    let cloud = start(Storage::Memory).await;
    let client = kms(&cloud);
    let key = key(&client).await;
    let public = client
        .get_public_key()
        .key_id(&key)
        .send()
        .await
        .unwrap()
        .public_key
        .unwrap();
    let verifier = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, public.into_inner());
    let digest = digest(&SHA256, MESSAGE);
    for (kind, message) in [
        (MessageType::Digest, digest.as_ref()),
        (MessageType::Raw, MESSAGE),
    ] {
        let signature = sign(&client, &key, kind.clone(), message)
            .send()
            .await
            .unwrap()
            .signature
            .unwrap();
        verifier.verify(MESSAGE, signature.as_ref()).unwrap();
        assert!(verifier.verify(b"another", signature.as_ref()).is_err());
        let verify = client
            .verify()
            .key_id(&key)
            .signing_algorithm(SigningAlgorithmSpec::EcdsaSha256)
            .message_type(kind);
        let verify = verify.message(Blob::new(message));
        assert!(
            verify
                .clone()
                .signature(signature.clone())
                .send()
                .await
                .unwrap()
                .signature_valid
        );
        let mut forged = signature.into_inner();
        *forged.last_mut().unwrap() ^= 1;
        let refused = verify
            .signature(Blob::new(forged))
            .send()
            .await
            .unwrap_err();
        assert!(
            refused
                .as_service_error()
                .unwrap()
                .is_kms_invalid_signature_exception(),
            "{refused:?}"
        );
    }
    cloud.stop().await;
}

#[tokio::test]
async fn a_key_is_found_by_id_arn_and_alias() {
    let cloud = start(Storage::Memory).await;
    let client = kms(&cloud);
    let arn = key(&client).await;
    let id = arn.rsplit_once('/').unwrap().1;
    client
        .create_alias()
        .alias_name("alias/a")
        .target_key_id(id)
        .send()
        .await
        .unwrap();
    for name in [
        id,
        &arn,
        "alias/a",
        "arn:aws:kms:eu-west-1:000000000000:alias/a",
    ] {
        let found = client
            .describe_key()
            .key_id(name)
            .send()
            .await
            .unwrap()
            .key_metadata
            .unwrap();
        assert_eq!((found.key_id(), found.arn()), (id, Some(arn.as_str())));
        assert_eq!(found.key_state(), Some(&KeyState::Enabled));
        assert_eq!(found.creation_date().unwrap().to_millis().unwrap(), NOW);
        assert_eq!(
            sign(&client, name, MessageType::Raw, MESSAGE)
                .send()
                .await
                .unwrap()
                .key_id(),
            Some(arn.as_str())
        );
    }
    let aliases = client.list_aliases().key_id(&arn).send().await.unwrap();
    assert_eq!(aliases.aliases()[0].target_key_id(), Some(id));
    let taken = client
        .create_alias()
        .alias_name("alias/a")
        .target_key_id(id)
        .send()
        .await
        .unwrap_err();
    assert!(
        taken
            .as_service_error()
            .unwrap()
            .is_already_exists_exception()
    );
    let wrong = client
        .create_alias()
        .alias_name("a")
        .target_key_id(id)
        .send()
        .await
        .unwrap_err();
    assert!(
        wrong
            .as_service_error()
            .unwrap()
            .is_invalid_alias_name_exception()
    );
    cloud.stop().await;
}

#[tokio::test]
async fn an_unknown_key_is_not_found() {
    let cloud = start(Storage::Memory).await;
    let client = kms(&cloud);
    for name in [
        "4c1e0e3c-9df5-4a6e-8d56-2b9f1b0e9a11",
        "alias/none",
        "arn:aws:kms:eu-west-1:000000000000:key/none",
        "arn:aws:kms:eu-west-1:000000000000:none",
        "arn:aws:kms:us-east-1:000000000000:alias/a",
    ] {
        let refused = sign(&client, name, MessageType::Raw, MESSAGE)
            .send()
            .await
            .unwrap_err();
        assert!(
            refused.as_service_error().unwrap().is_not_found_exception(),
            "{refused:?}"
        );
        let refused = client
            .get_public_key()
            .key_id(name)
            .send()
            .await
            .unwrap_err();
        assert!(
            refused.as_service_error().unwrap().is_not_found_exception(),
            "{refused:?}"
        );
    }
    cloud.stop().await;
}

#[tokio::test]
async fn what_cannot_be_signed_is_refused() {
    let cloud = start(Storage::Memory).await;
    let client = kms(&cloud);
    let key = key(&client).await;
    let long = vec![0; 4097];
    for (kind, message) in [
        (MessageType::Digest, MESSAGE),
        (MessageType::Raw, long.as_slice()),
        (MessageType::Raw, b"".as_slice()),
    ] {
        let refused = sign(&client, &key, kind, message).send().await.unwrap_err();
        assert_eq!(
            refused.as_service_error().unwrap().meta().code(),
            Some("ValidationException")
        );
    }
    let wrong = sign(&client, &key, MessageType::Raw, MESSAGE)
        .signing_algorithm(SigningAlgorithmSpec::EcdsaSha384);
    assert!(
        wrong
            .send()
            .await
            .unwrap_err()
            .as_service_error()
            .unwrap()
            .is_invalid_key_usage_exception()
    );
    let dry = sign(&client, &key, MessageType::Raw, MESSAGE)
        .dry_run(true)
        .send()
        .await
        .unwrap_err();
    assert!(
        dry.as_service_error()
            .unwrap()
            .is_dry_run_operation_exception()
    );
    for (spec, usage, code) in [
        (
            KeySpec::EccNistP384,
            KeyUsageType::SignVerify,
            "UnsupportedOperationException",
        ),
        (
            KeySpec::SymmetricDefault,
            KeyUsageType::SignVerify,
            "ValidationException",
        ),
        (
            KeySpec::EccNistP256,
            KeyUsageType::EncryptDecrypt,
            "ValidationException",
        ),
    ] {
        let refused = client
            .create_key()
            .key_spec(spec)
            .key_usage(usage)
            .send()
            .await
            .unwrap_err();
        assert_eq!(
            refused.as_service_error().unwrap().meta().code(),
            Some(code)
        );
    }
    cloud.stop().await;
}
