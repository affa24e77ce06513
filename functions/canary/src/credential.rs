//! The canary's own key, read from Secrets Manager at every round: it may have been rotated since
//! the last.

use std::{fmt, time::Duration};

use aws_sdk_secretsmanager::{Client, config::Builder};
use domain::error::causes;
use runtime::ambient::SdkConfig;
use serde::Deserialize;
use zeroize::Zeroizing;

/// A key of an organization. It cannot be printed.
pub struct Key {
    /// `client_id`.
    pub client_id: String,
    /// Its secret.
    pub client_secret: Zeroizing<String>,
}

/// The secret's value.
#[derive(Deserialize)]
struct Value {
    client_id: String,
    client_secret: String,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}

/// Where the key is.
pub(crate) struct Secret {
    client: Client,
    name: String,
}

/// One try of the read, and all of them.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(3);
const OPERATION_TIMEOUT: Duration = Duration::from_secs(10);

impl Secret {
    pub(crate) fn named(aws: &SdkConfig, name: &str) -> Self {
        let timeouts = aws_sdk_secretsmanager::config::timeout::TimeoutConfig::builder();
        let timeouts = timeouts
            .operation_attempt_timeout(ATTEMPT_TIMEOUT)
            .operation_timeout(OPERATION_TIMEOUT)
            .build();
        Self {
            client: Client::from_conf(Builder::from(aws).timeout_config(timeouts).build()),
            name: name.to_owned(),
        }
    }

    /// The key. The error never shows the value.
    pub(crate) async fn read(&self) -> Result<Key, String> {
        let answer = self
            .client
            .get_secret_value()
            .secret_id(&self.name)
            .send()
            .await;
        let answer = answer
            .map_err(|error| format!("the canary's secret cannot be read: {}", causes(&error)))?;
        let value = Zeroizing::new(answer.secret_string.unwrap_or_default());
        // What serde would say of it quotes it.
        let value: Value = serde_json::from_str(&value)
            .map_err(|_| "the canary's secret is no JSON of client_id and client_secret")?;
        Ok(Key {
            client_id: value.client_id,
            client_secret: value.client_secret.into(),
        })
    }
}
