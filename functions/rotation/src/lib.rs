//! The rotation function of AWS Secrets Manager for a secret that holds a Latchkey key (LEAK-11).
//! It runs in a customer's account, and has no credential but the secret itself, which may rotate
//! and finish its own key and nothing else.
//!
//! Secrets Manager calls it four times, and again from the start where a call fails. Whatever fails
//! at whatever point, and whoever retries or runs twice at once: `AWSCURRENT` is a secret that
//! works, no secret is lost while it is the only one, and the next rotation goes on from whatever
//! it finds. That rests on these:
//!
//! - The new secret is minted by a rotation with an open end: what is `AWSCURRENT` never ends by
//!   itself ([`mint`]). It ends some time after `AWSCURRENT` has moved away from it, and not before
//!   ([`steps::finish`]).
//! - A minted secret may be lost on its way here. Nobody has used it then, and the current secret
//!   replaces it: the rotation was one that waits for the first use.
//! - A minted secret that arrived carries a staging label of ours beside `AWSPENDING`. So it is not
//!   forgotten when its rotation is given up, and is there for the next one: once it was used,
//!   nobody without it could get another.
//! - A version's value never changes. One that was minted twice, by two runs of one step, may hold
//!   the secret that lost. The second run waits until the first must be done; should both have
//!   minted all the same, the test of the value finds out, and gives that rotation up.

mod error;
mod event;
mod key;
mod mint;
mod steps;
mod value;
mod vault;

use std::{sync::Arc, time::Duration};

use client::Deployment;
use domain::time::Clock;
use runtime::{Ambient, Env, SettingError, StartError};
use serde_json::Value;

pub use self::error::Failure;
use self::{
    event::{Event, Step},
    vault::Vault,
};

/// Whoever had the old secret in memory when it was replaced has a day to fetch the new one, as
/// CBM-3 has it.
const DEFAULT_GRACE_SECONDS: u64 = 86_400;
/// What the API takes (ARZ-5).
const MAX_GRACE_SECONDS: u64 = 7_776_000;
/// Longer than a gateway waits for a function.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// How long runs of one step leave each other.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// What a run has from asking for a secret until it is stored.
    pub minting: Duration,
    /// How long another run waits for that; longer.
    pub settling: Duration,
    /// Before what may be repeated at once is.
    pub pause: Duration,
}

impl Pace {
    /// Together less than the function's time on Lambda (`infra/rotation.yaml`).
    pub const LAMBDA: Self = Self {
        minting: Duration::from_secs(20),
        settling: Duration::from_secs(25),
        pause: Duration::from_secs(1),
    };
}

/// The function.
#[derive(Debug)]
pub struct Rotation {
    vault: Vault,
    deployment: Arc<Deployment>,
    clock: Marker,
    grace: u64,
    pace: Pace,
}

/// A clock, which has nothing to show.
struct Marker(Clock);

impl std::fmt::Debug for Marker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Clock")
    }
}

/// The function with these settings: `LATCHKEY_URL`, where the deployment answers, and
/// `LATCHKEY_GRACE_PERIOD_SECONDS`, how long the old secret works on after it was replaced; a day
/// where it is left out.
///
/// # Errors
/// A setting that is missing or wrong.
pub fn start(env: &Env, ambient: &Ambient) -> Result<Rotation, StartError> {
    start_at(env, ambient, Pace::LAMBDA)
}

/// As [`start`], at another pace.
///
/// # Errors
/// A setting that is missing or wrong.
pub fn start_at(env: &Env, ambient: &Ambient, pace: Pace) -> Result<Rotation, StartError> {
    let (url, period) = ("LATCHKEY_URL", "LATCHKEY_GRACE_PERIOD_SECONDS");
    let deployment = Deployment::within(env.required(url)?, READ_TIMEOUT).map_err(|_| {
        SettingError::new(
            url,
            "must be an https URL (http on loopback) without user, password or query",
        )
    })?;
    let grace = env.parsed(period, DEFAULT_GRACE_SECONDS)?;
    if grace > MAX_GRACE_SECONDS {
        return Err(SettingError::new(
            period,
            &format!("must be a whole number from 0 to {MAX_GRACE_SECONDS}"),
        )
        .into());
    }
    let clock = Marker(ambient.clock.clone());
    Ok(Rotation {
        vault: Vault::new(&ambient.aws),
        deployment: Arc::new(deployment),
        clock,
        grace,
        pace,
    })
}

impl Rotation {
    /// Takes a step.
    ///
    /// # Errors
    /// What keeps it from being taken. Secrets Manager tries every failure again; which ones that
    /// may help says [`Failure`].
    pub async fn handle(&self, event: Value) -> Result<(), Failure> {
        let event = Event::read(event)
            .inspect_err(|failure| tracing::error!(%failure, "an event that is none"))?;
        let (step, secret, version) = (event.step.name(), &event.secret_id, &event.version);
        match self.take(&event).await {
            Ok(done) => {
                tracing::info!(step, secret, version, outcome = done, "taken");
                Ok(())
            }
            Err(failure) => {
                tracing::error!(step, secret, version, kind = failure.kind(), %failure, "failed");
                Err(failure)
            }
        }
    }

    async fn take(&self, event: &Event) -> Result<&'static str, Failure> {
        let stages = self.vault.stages(event).await?;
        match event.step {
            Step::Finish => steps::finish(self, event, &stages).await,
            _ if stages.is_current => Ok("AWSCURRENT is this version already"),
            Step::Create => steps::create(self, event, &stages).await,
            // A Latchkey key's secret is set where it is minted: there is nothing else to tell it
            // to.
            Step::Set => Ok("there is nothing to set"),
            Step::Test => steps::test(self, event, &stages).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_wrong_setting_stops_the_start_by_its_name() {
        let ambient = Ambient::process().await;
        let env = |url: &str, grace: &str| {
            Env::default()
                .with("LATCHKEY_URL", url)
                .with("LATCHKEY_GRACE_PERIOD_SECONDS", grace)
        };
        for (env, name) in [
            (Env::default(), "LATCHKEY_URL"),
            (env("http://auth.example.com", ""), "LATCHKEY_URL"),
            (env("https://me:word@auth.example.com", ""), "LATCHKEY_URL"),
            (
                env("https://auth.example.com", "7776001"),
                "LATCHKEY_GRACE_PERIOD_SECONDS",
            ),
            (
                env("https://auth.example.com", "-1"),
                "LATCHKEY_GRACE_PERIOD_SECONDS",
            ),
            (
                env("https://auth.example.com", "a day"),
                "LATCHKEY_GRACE_PERIOD_SECONDS",
            ),
        ] {
            let error = start(&env, &ambient).unwrap_err().to_string();
            assert!(
                error.starts_with(name) && !error.contains("word@"),
                "{error}"
            );
        }
        let started = start(&env("https://auth.example.com/", ""), &ambient).unwrap();
        assert_eq!(
            (started.grace, started.deployment.url()),
            (86_400, "https://auth.example.com")
        );
        assert!(Pace::LAMBDA.minting < Pace::LAMBDA.settling);
    }
}
