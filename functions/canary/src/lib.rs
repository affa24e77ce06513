//! The canary: on a schedule it makes a key over the API, gets a token, calls the guarded API until
//! it is let in, revokes the key, calls on, and publishes the seconds from the revoke's answer to
//! the last admission (CBM-4, X-1).
//!
//! It is an ordinary client, with a key of an organization of its own (`docs/canary.md`): what it
//! meets is what customers meet. It revokes what it makes, also after a failure; what a round left
//! that was killed, a later one revokes. Its metrics are a line of its log in `CloudWatch`'s
//! embedded metric format, so that it needs no permission to publish them.

mod credential;
mod keys;
mod metrics;
mod round;
mod settings;
mod watch;

use std::{
    io::{self, Write},
    sync::Arc,
};

use domain::time::Clock;
use runtime::{Ambient, Entropy, Env, StartError};
use serde_json::Value;

pub use self::{
    credential::Key,
    metrics::line,
    round::{BOUND, Failure, Round, Step},
    settings::Target,
};
use self::{credential::Secret, settings::Settings};

/// Where the line with the metrics goes.
type Output = Arc<dyn Fn(&str) -> io::Result<()> + Send + Sync>;

/// The canary of one deployment.
pub struct Canary {
    settings: Settings,
    secret: Secret,
    clock: Clock,
    entropy: Entropy,
    output: Output,
}

/// Opens the canary over what `env` names.
///
/// # Errors
/// A setting that is missing or wrong.
pub fn start(env: &Env, ambient: &Ambient) -> Result<Canary, StartError> {
    Ok(Canary {
        settings: Settings::read(env)?,
        secret: Secret::named(&ambient.aws, env.required("LATCHKEY_CANARY_SECRET")?),
        clock: ambient.clock.clone(),
        entropy: ambient.entropy.clone(),
        output: Arc::new(printed),
    })
}

impl Canary {
    /// The same canary, with the line that has its metrics going elsewhere than to standard output.
    #[must_use]
    pub fn writing(self, output: impl Fn(&str) -> io::Result<()> + Send + Sync + 'static) -> Self {
        Self {
            output: Arc::new(output),
            ..self
        }
    }
}

/// Makes one round, whatever the event says, and publishes what it measured.
///
/// # Errors
/// What failed in the round, after its metrics were published: Lambda counts the invocation as
/// failed.
pub async fn handle(canary: &Canary, _event: Value) -> Result<Value, StartError> {
    let round = match canary.secret.read().await {
        Ok(key) => round::make(&canary.settings.target, key, &canary.clock, &canary.entropy).await,
        Err(problem) => Round::failed(Failure {
            step: Step::Credential,
            cause: problem,
        }),
    };
    (canary.output)(&metrics::line(
        &round,
        &canary.settings.stack,
        (canary.clock)(),
    ))?;
    match &round.failure {
        None => {
            tracing::info!(round = %round.json(), "the canary's round");
            Ok(round.json())
        }
        Some(failure) => {
            tracing::error!(
                step = failure.step.name(),
                cause = failure.cause,
                round = %round.json(),
                "the canary's round failed"
            );
            Err(failure.to_string().into())
        }
    }
}

/// Makes one round by this key.
pub async fn round(target: &Target, key: Key, ambient: &Ambient) -> Round {
    round::make(target, key, &ambient.clock, &ambient.entropy).await
}

/// A line of its own, past the form of the other log lines: `CloudWatch` reads the metrics out of
/// it.
fn printed(line: &str) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{line}")
}

impl std::fmt::Debug for Canary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Canary")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
