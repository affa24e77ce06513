//! The peppers, read from Secrets Manager when a secret is first hashed or checked, and kept for an
//! hour.
//!
//! The hour bounds how long an instance makes hashes under a version that is no longer the newest
//! (docs/peppers.md). A hash under a newer version than an instance has, it checks after another
//! reading, at once, unless it made such a one a few seconds ago: where a hash's pepper is gone,
//! guesses at the secret must not cost a reading each.

use std::{fmt, sync::Arc, time::Duration};

use aws_config::{SdkConfig, timeout::TimeoutConfig};
use aws_sdk_secretsmanager::{Client, config::Builder};
use domain::{
    error::{Error, causes},
    pepper::Peppers,
    time::Clock,
};
use runtime::refreshing::{Lifetime, Read, Refreshing};

/// One try of one call to Secrets Manager, and all of them.
const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(1500);
const OPERATION_TIMEOUT: Duration = Duration::from_secs(4);
/// How long peppers are used before they are read again.
pub const CACHE_TTL: Duration = Duration::from_hours(1);
/// Older peppers are right for every hash under them, so they are used until they can be read
/// again.
const LIFETIME: Lifetime = Lifetime {
    retry_after: Duration::from_mins(1),
    timeout: Duration::from_millis(500),
    reread_after: Duration::from_secs(5),
    ..Lifetime::fresh_for(CACHE_TTL)
};

/// Where the peppers come from. Cheap to clone; clones share what was read.
#[derive(Clone)]
pub struct PepperSource {
    client: Client,
    secret: String,
    kept: Arc<Refreshing<Arc<Peppers>>>,
}

impl PepperSource {
    /// Reads the Secrets Manager secret of this name or ARN, later.
    #[must_use]
    pub fn new(aws: &SdkConfig, secret: &str, clock: Clock) -> Self {
        let timeouts = TimeoutConfig::builder()
            .operation_attempt_timeout(ATTEMPT_TIMEOUT)
            .operation_timeout(OPERATION_TIMEOUT)
            .build();
        let client = Client::from_conf(Builder::from(aws).timeout_config(timeouts).build());
        Self {
            client,
            secret: secret.to_owned(),
            kept: Arc::new(Refreshing::new("the pepper secret", clock, LIFETIME)),
        }
    }

    /// The peppers, as they were read within the last hour; older ones where they cannot be read
    /// again.
    ///
    /// # Errors
    /// [`domain::error::Kind::TemporarilyUnavailable`] when Secrets Manager does not answer or the
    /// value is wrong.
    pub async fn peppers(&self) -> Result<Arc<Peppers>, Error> {
        let kept = self.kept.current(|| self.read()).await?;
        Ok(kept.as_ref().clone())
    }

    /// The peppers, read again unless they were a moment ago: for a hash under a version that the
    /// kept ones do not have.
    ///
    /// # Errors
    /// As [`PepperSource::peppers`].
    pub async fn reread(&self) -> Result<Arc<Peppers>, Error> {
        let kept = self.kept.reread(|| self.read()).await?;
        Ok(kept.as_ref().clone())
    }

    fn read(&self) -> Read<'_, Arc<Peppers>> {
        let unavailable = |cause: String| {
            tracing::error!(cause, "the pepper secret cannot be read");
            Error::temporarily_unavailable()
        };
        Box::pin(async move {
            let answer = self
                .client
                .get_secret_value()
                .secret_id(&self.secret)
                .send()
                .await;
            let answer = answer.map_err(|error| unavailable(causes(&error)))?;
            let read = Peppers::parse(answer.secret_string().unwrap_or_default())
                .map_err(|problem| unavailable(problem.into()))?;
            // An older answer may come after a newer one; versions are only added.
            match self.kept.known() {
                Some(known) if known.current() > read.current() => Ok(known.as_ref().clone()),
                _ => Ok(Arc::new(read)),
            }
        })
    }
}

impl fmt::Debug for PepperSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PepperSource")
    }
}
