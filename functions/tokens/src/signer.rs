//! KMS signs. A key signs only once it is published, so that no verifier meets a token before its
//! key. Which of the published keys signs is data (`store::Signer`), and the operator's to change
//! (docs/signing-keys.md); only the first key of a deployment names itself.

use std::{sync::Arc, time::Duration};

use aws_sdk_kms::{
    Client,
    config::{retry::RetryConfig, timeout::TimeoutConfig},
    error::ProvideErrorMetadata,
    primitives::Blob,
    types::{MessageType, SigningAlgorithmSpec},
};
use domain::{
    error::{Error, Kind, causes},
    key_mode::KeyMode,
    signing::{self, SIGNER_REFRESH_INTERVAL, SIGNER_TTL},
    time::Clock,
};
use jwt::{Claims, Jwk, SigningError};
use runtime::refreshing::{Lifetime, Read, Refreshing};
use store::{PublishedKey, Signer as Named, Store};
use tokio::sync::OnceCell;

const LIFETIME: Lifetime = Lifetime {
    usable: Some(SIGNER_TTL),
    retry_after: Duration::from_secs(3),
    timeout: Duration::from_millis(500),
    ..Lifetime::fresh_for(SIGNER_REFRESH_INTERVAL)
};

/// What signs tokens of one kind.
pub(crate) struct Signer {
    kms: Client,
    kind: KeyMode,
    clock: Clock,
    /// The KMS keys that may: the first is the one that a fresh deployment begins with.
    keys: Vec<KmsKey>,
    /// Which of them does, as this instance last read it.
    chosen: Refreshing<Kid>,
}

struct KmsKey {
    id: String,
    public: OnceCell<Jwk>,
}

/// The name of a signing key: its thumbprint (RFC 7638).
struct Kid(String);

/// A KMS client that gives a try up early enough for another one within the gateway's timeout.
pub(crate) fn client(aws: &runtime::ambient::SdkConfig) -> Client {
    let config = aws_sdk_kms::config::Builder::from(aws)
        .retry_config(
            RetryConfig::standard()
                .with_max_attempts(3)
                .with_initial_backoff(Duration::from_millis(50)),
        )
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
    pub(crate) fn new(kms: Client, kind: KeyMode, clock: Clock, keys: &[String]) -> Self {
        let keys = keys
            .iter()
            .map(|id| KmsKey {
                id: id.clone(),
                public: OnceCell::new(),
            })
            .collect();
        Self {
            kms,
            kind,
            chosen: Refreshing::new("the signer", clock.clone(), LIFETIME),
            clock,
            keys,
        }
    }

    /// Makes sure that some key is published and signs; once per instance.
    pub(crate) async fn begin(&self, store: &Store) -> Result<(), Error> {
        match self.chosen.known() {
            Some(_) => Ok(()),
            None => self.choose(store).await.map(|_| ()),
        }
    }

    /// The signed token.
    pub(crate) async fn sign_with_kms(
        &self,
        store: &Store,
        claims: &Claims,
    ) -> Result<String, Error> {
        let kid = self.choose(store).await?;
        let key = self.key(&kid.0).await?;
        let unsigned = jwt::unsigned(&kid.0, claims).map_err(unsignable)?;
        let digest = sha256(&unsigned);
        let call = self
            .kms
            .sign()
            .key_id(&key.id)
            .message(Blob::new(digest))
            .message_type(MessageType::Digest);
        let answer = call
            .signing_algorithm(SigningAlgorithmSpec::EcdsaSha256)
            .send()
            .await
            .map_err(|error| unavailable(&error))?;
        jwt::assemble(
            unsigned,
            answer.signature().map(Blob::as_ref).unwrap_or_default(),
        )
        .map_err(unsignable)
    }

    /// The key that signs: as it was last read while that is fresh, read again after that.
    async fn choose(&self, store: &Store) -> Result<Arc<Kid>, Error> {
        let read = || -> Read<'_, Kid> {
            Box::pin(async { self.load_or_initialize_signer(store).await.map(Kid) })
        };
        self.chosen.current(read).await
    }

    /// Reads which key signs; where none is named yet, publishes the first key and names it.
    async fn load_or_initialize_signer(&self, store: &Store) -> Result<String, Error> {
        match store.signer(self.kind).await? {
            Some(Named { kid, .. }) => Ok(kid),
            None => self.first(store).await,
        }
    }

    /// Publishes the first key and has it sign; whichever instance is first.
    async fn first(&self, store: &Store) -> Result<String, Error> {
        let key = self.keys.first().ok_or_else(Error::internal)?;
        let (jwk, now) = (self.public(key).await?, (self.clock)());
        // The settings are compared as texts, and one key has several: its id, its ARN, an alias.
        let other = match self.kind {
            KeyMode::Sandbox => KeyMode::Live,
            KeyMode::Live => KeyMode::Sandbox,
        };
        if store
            .all_signing_keys(other)
            .await?
            .iter()
            .any(|key| key.kid == jwk.kid())
        {
            tracing::error!(
                kind = %self.kind,
                kid = jwk.kid(),
                "the first key is published for the other kind of tokens"
            );
            return Err(Error::temporarily_unavailable());
        }
        let public = serde_json::to_value(jwk).map_err(broken)?;
        let key = PublishedKey {
            kid: jwk.kid().to_owned(),
            jwk: public,
            published_at: now,
            stopped_at: None,
            retired_at: None,
        };
        let published = store.publish_signing_key(self.kind, &key).await?;
        // Where other keys are published, somebody may hold a list without this one. Where none is,
        // nobody holds any.
        let others = store
            .signing_keys(self.kind)
            .await?
            .iter()
            .any(|other| other.kid != published.kid);
        if published.retired_at.is_some()
            || others && now < signing::may_sign_at(published.published_at)
        {
            tracing::error!(
                kind = %self.kind,
                kid = published.kid,
                "no key is named that signs, and the first one may not"
            );
            return Err(Error::temporarily_unavailable());
        }
        store
            .name_first_signer(
                self.kind,
                &Named {
                    kid: published.kid,
                    since: now,
                },
            )
            .await?;
        let named = store.signer(self.kind).await?;
        named
            .map(|signer| signer.kid)
            .ok_or_else(Error::temporarily_unavailable)
    }

    /// The key of this name, among those that this function may use.
    async fn key(&self, kid: &str) -> Result<&KmsKey, Error> {
        let mut failure = None;
        for key in &self.keys {
            match self.public(key).await {
                Ok(jwk) if jwk.kid() == kid => return Ok(key),
                Ok(_) => {}
                // Another key that is out of order is no reason not to sign by this one.
                Err(error) => failure = Some(error),
            }
        }
        Err(failure.unwrap_or_else(|| {
            tracing::error!(
                kind = %self.kind,
                kid,
                "the key that signs is not among this function's settings"
            );
            Error::temporarily_unavailable()
        }))
    }

    async fn public<'a>(&self, key: &'a KmsKey) -> Result<&'a Jwk, Error> {
        let read = || async {
            let answer = self
                .kms
                .get_public_key()
                .key_id(&key.id)
                .send()
                .await
                .map_err(|error| unavailable(&error))?;
            Jwk::from_spki(answer.public_key().map(Blob::as_ref).unwrap_or_default())
                .map_err(broken)
        };
        key.public.get_or_try_init(read).await
    }
}

fn sha256(message: &str) -> Vec<u8> {
    aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, message.as_bytes())
        .as_ref()
        .to_vec()
}

/// A key that holds more scopes than a token can carry asks for some of them.
fn unsignable(error: SigningError) -> Error {
    match error {
        SigningError::TooLong => Error::new(
            Kind::InvalidScope,
            "A token with all these scopes would be longer than 4096 bytes; ask for fewer by scope",
        ),
        other => broken(other),
    }
}

fn broken(error: impl std::fmt::Display) -> Error {
    tracing::error!(cause = %error, "KMS gave what cannot be used");
    Error::internal()
}

/// `code` is what the template's metric filter for KMS's throttling reads.
fn unavailable(error: &(impl std::error::Error + ProvideErrorMetadata)) -> Error {
    tracing::error!(
        code = error.code(),
        cause = causes(error),
        "KMS is unavailable"
    );
    Error::temporarily_unavailable()
}

#[cfg(test)]
mod tests;
