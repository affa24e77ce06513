//! The peppers, read from Secrets Manager when a secret is first hashed or checked, and kept for an
//! hour.
//!
//! The hour bounds how long an instance makes hashes under a version that is no longer the newest
//! (docs/peppers.md). A hash under a newer version than an instance has, it checks after another
//! reading, at once, unless it made such a one a few seconds ago: where a hash's pepper is gone,
//! guesses at the secret must not cost a reading each.

use std::{fmt, pin::Pin, sync::Arc, time::Duration};

use aws_config::{SdkConfig, timeout::TimeoutConfig};
use aws_sdk_secretsmanager::{Client, config::Builder};
use domain::{
    error::{Error, causes},
    pepper::Peppers,
    time::{Clock, Timestamp},
};
use tokio::sync::Mutex;

/// One try of one call to Secrets Manager, and all of them.
const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(1500);
const OPERATION_TIMEOUT: Duration = Duration::from_secs(4);
/// How long somebody waits for another reading of peppers that are known.
const REFRESH_TIMEOUT: Duration = Duration::from_millis(500);
/// How long peppers are gone by before they are read again.
pub const CACHE_TTL: Duration = Duration::from_hours(1);
/// How long after a reading that failed they are gone by nevertheless: the older ones are right for
/// every hash under them.
const RETRY_AFTER: Duration = Duration::from_mins(1);
/// Between two readings for hashes under versions that are not known.
const REREAD_INTERVAL: Duration = Duration::from_secs(5);

/// Where the peppers come from. Cheap to clone; clones share what was read.
#[derive(Clone)]
pub struct PepperSource {
    client: Client,
    secret: String,
    clock: Clock,
    kept: Arc<Mutex<Option<Kept>>>,
    /// When the last reading for an unknown version was begun, successful or not. Held while the
    /// secret is read for one.
    reread: Arc<Mutex<Option<Timestamp>>>,
}

struct Kept {
    peppers: Arc<Peppers>,
    /// When to read them again.
    until: Timestamp,
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
            clock,
            kept: Arc::default(),
            reread: Arc::default(),
        }
    }

    /// The peppers, as they were read within the last hour. Older ones are better than none: where
    /// they cannot be read again, they are gone by for another while.
    ///
    /// # Errors
    /// [`domain::error::Kind::TemporarilyUnavailable`] when Secrets Manager does not answer or the
    /// value is wrong.
    pub async fn peppers(&self) -> Result<Arc<Peppers>, Error> {
        let mut kept = self.kept.lock().await;
        let now = (self.clock)();
        // An end that is further away than it was ever set says that the clock went back.
        let current = |kept: &&Kept| now < kept.until && kept.until <= now + CACHE_TTL;
        if let Some(kept) = kept.as_ref().filter(current) {
            return Ok(Arc::clone(&kept.peppers));
        }
        let Some(older) = kept.as_mut() else {
            let peppers = Arc::new(self.read().await?);
            *kept = Some(Kept {
                peppers: Arc::clone(&peppers),
                until: now + CACHE_TTL,
            });
            return Ok(peppers);
        };
        // Before the reading: whoever waits for it may give it up.
        older.until = now + RETRY_AFTER;
        match tokio::time::timeout(REFRESH_TIMEOUT, self.read()).await {
            Ok(Ok(peppers)) => {
                *older = Kept {
                    peppers: Arc::new(peppers),
                    until: now + CACHE_TTL,
                }
            }
            // The failure is in the log.
            Ok(Err(_)) => {}
            Err(_) => tracing::warn!("the pepper secret was not read again in time"),
        }
        Ok(Arc::clone(&older.peppers))
    }

    /// The peppers, read again unless they were a moment ago: for a hash under a version that the
    /// kept ones do not have.
    ///
    /// # Errors
    /// As [`PepperSource::peppers`].
    pub async fn reread(&self) -> Result<Arc<Peppers>, Error> {
        let mut reread = self.reread.lock().await;
        let now = (self.clock)();
        if reread.is_some_and(|at| at <= now && now < at + REREAD_INTERVAL) {
            // Whoever read them meanwhile, read them for this one as well.
            return self.peppers().await;
        }
        *reread = Some(now);
        let peppers = Arc::new(self.read().await?);
        let mut kept = self.kept.lock().await;
        // Another reading may have been faster, and have come after a change that this one came
        // before: versions are only added.
        if kept
            .as_ref()
            .is_none_or(|kept| kept.peppers.current() <= peppers.current())
        {
            *kept = Some(Kept {
                peppers: Arc::clone(&peppers),
                until: now + CACHE_TTL,
            });
        }
        Ok(peppers)
    }

    /// In a box of no named type: the SDK's futures are deep, and everything that checks a secret
    /// waits for this one.
    fn read(&self) -> Pin<Box<dyn Future<Output = Result<Peppers, Error>> + Send + '_>> {
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
            Peppers::parse(answer.secret_string().unwrap_or_default())
                .map_err(|problem| unavailable(problem.into()))
        })
    }
}

impl fmt::Debug for PepperSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PepperSource")
    }
}
