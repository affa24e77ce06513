//! The peppers, read from Secrets Manager when a secret is first hashed or checked, and kept.

use std::{fmt, sync::Arc, time::Duration};

use aws_config::{SdkConfig, timeout::TimeoutConfig};
use aws_sdk_secretsmanager::{Client, config::Builder};
use domain::{
    error::{Error, causes},
    pepper::Peppers,
};
use tokio::sync::Mutex;

/// One try of one call to Secrets Manager, and all of them.
const TRY: Duration = Duration::from_millis(1500);
const CALL: Duration = Duration::from_secs(4);

/// Where the peppers come from. Cheap to clone; clones share what was read.
#[derive(Clone)]
pub struct PepperSource {
    client: Client,
    secret: String,
    peppers: Arc<Mutex<Option<Arc<Peppers>>>>,
}

impl PepperSource {
    /// Reads the Secrets Manager secret of this name or ARN, later.
    #[must_use]
    pub fn new(aws: &SdkConfig, secret: &str) -> Self {
        let timeouts = TimeoutConfig::builder().operation_attempt_timeout(TRY).operation_timeout(CALL).build();
        let client = Client::from_conf(Builder::from(aws).timeout_config(timeouts).build());
        Self { client, secret: secret.to_owned(), peppers: Arc::default() }
    }

    /// The peppers, read once.
    ///
    /// # Errors
    /// [`domain::error::Kind::TemporarilyUnavailable`] when Secrets Manager does not answer or the value is wrong.
    pub async fn peppers(&self) -> Result<Arc<Peppers>, Error> {
        let mut kept = self.peppers.lock().await;
        if let Some(peppers) = &*kept {
            return Ok(Arc::clone(peppers));
        }
        let peppers = Arc::new(self.read().await?);
        *kept = Some(Arc::clone(&peppers));
        Ok(peppers)
    }

    /// The peppers, read anew: for a hash under a version that the kept ones do not have.
    ///
    /// # Errors
    /// As [`PepperSource::peppers`].
    pub async fn reread(&self) -> Result<Arc<Peppers>, Error> {
        let peppers = Arc::new(self.read().await?);
        *self.peppers.lock().await = Some(Arc::clone(&peppers));
        Ok(peppers)
    }

    async fn read(&self) -> Result<Peppers, Error> {
        let unavailable = |cause: String| {
            tracing::error!(cause, "the pepper secret cannot be read");
            Error::temporarily_unavailable()
        };
        let answer = self.client.get_secret_value().secret_id(&self.secret).send().await;
        let answer = answer.map_err(|error| unavailable(causes(&error)))?;
        Peppers::parse(answer.secret_string().unwrap_or_default()).map_err(|problem| unavailable(problem.into()))
    }
}

impl fmt::Debug for PepperSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PepperSource")
    }
}
