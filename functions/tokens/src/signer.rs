//! KMS signs. A key signs only once it is published, so that no verifier meets a token before its key.

use std::time::Duration;

use aws_sdk_kms::{
    Client,
    config::{retry::RetryConfig, timeout::TimeoutConfig},
    primitives::Blob,
    types::{MessageType, SigningAlgorithmSpec},
};
use domain::{
    error::{Error, Kind as ErrorKind, causes},
    kind::Kind,
    time::Timestamp,
};
use jwt::{Claims, Jwk, SigningError};
use store::{PublishedKey, Store};
use tokio::sync::OnceCell;

/// The signing key of one kind.
pub(crate) struct Signer {
    kms: Client,
    kind: Kind,
    key_id: String,
    published: OnceCell<Jwk>,
}

/// A KMS client that gives a try up early enough for another one within the gateway's patience.
pub(crate) fn client(aws: &web::edge::SdkConfig) -> Client {
    let config = aws_sdk_kms::config::Builder::from(aws)
        .retry_config(RetryConfig::standard().with_max_attempts(3).with_initial_backoff(Duration::from_millis(50)))
        .timeout_config(
            TimeoutConfig::builder()
                .operation_attempt_timeout(Duration::from_secs(2))
                .operation_timeout(Duration::from_secs(5))
                .build(),
        )
        .build();
    Client::from_conf(config)
}

impl Signer {
    pub(crate) fn new(kms: Client, kind: Kind, key_id: &str) -> Self {
        Self { kms, kind, key_id: key_id.to_owned(), published: OnceCell::new() }
    }

    /// Makes sure that the key is published; once per instance.
    pub(crate) async fn publish(&self, store: &Store, now: Timestamp) -> Result<&Jwk, Error> {
        let publish = || async {
            let answer = self.kms.get_public_key().key_id(&self.key_id).send().await.map_err(unavailable)?;
            let jwk = Jwk::from_spki(answer.public_key().map(Blob::as_ref).unwrap_or_default()).map_err(broken)?;
            let key =
                PublishedKey { kid: jwk.kid().to_owned(), jwk: serde_json::to_value(&jwk).map_err(broken)?, published_at: now };
            store.publish_signing_key(self.kind, &key).await?;
            Ok(jwk)
        };
        self.published.get_or_try_init(publish).await
    }

    /// The signed token.
    pub(crate) async fn sign(&self, store: &Store, claims: &Claims, now: Timestamp) -> Result<String, Error> {
        let jwk = self.publish(store, now).await?;
        let unsigned = jwt::unsigned(jwk.kid(), claims).map_err(unsignable)?;
        let digest = sha256(&unsigned);
        let call = self.kms.sign().key_id(&self.key_id).message(Blob::new(digest)).message_type(MessageType::Digest);
        let answer = call.signing_algorithm(SigningAlgorithmSpec::EcdsaSha256).send().await.map_err(unavailable)?;
        jwt::finish(unsigned, answer.signature().map(Blob::as_ref).unwrap_or_default()).map_err(unsignable)
    }
}

fn sha256(message: &str) -> Vec<u8> {
    aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, message.as_bytes()).as_ref().to_vec()
}

/// A key that holds more scopes than a token can carry asks for some of them.
fn unsignable(error: SigningError) -> Error {
    match error {
        SigningError::TooLong => Error::new(
            ErrorKind::InvalidScope,
            "A token with all these scopes would be longer than 4096 bytes; ask for fewer by scope",
        ),
        other => broken(other),
    }
}

fn broken(error: impl std::fmt::Display) -> Error {
    tracing::error!(cause = %error, "KMS gave what cannot be used");
    Error::internal()
}

fn unavailable(error: impl std::error::Error) -> Error {
    tracing::error!(cause = causes(&error), "KMS is unavailable");
    Error::temporarily_unavailable()
}
