//! Getting the secret that is to be the next `AWSCURRENT`, whatever an earlier rotation left
//! behind.
//!
//! A key has two secrets at most. Where `AWSCURRENT` is the newest, it mints another; an older one
//! that still works is ended first, since no third is possible. Where it is not the newest, a newer
//! one was minted, and is one of these:
//!
//! - on its way to the version by another run of this step: that one is waited for;
//! - lost, because the run that minted it ended before it was stored. Nobody has used it, so it is
//!   replaced;
//! - stored by an earlier rotation that was given up, and not used: it is replaced as well;
//! - stored so and used, by that rotation's test. It is adopted: it has never been `AWSCURRENT`;
//! - minted by somebody else. Then the function does not have it, cannot get it, and says so.

use std::time::Duration;

use tokio::time::{sleep, timeout};
use zeroize::Zeroizing;

use crate::{
    Failure, Rotation,
    event::Event,
    key::{Key, Minted, Proof},
    value::Stored,
    vault::Stages,
};

/// How often the value of another run is looked for while it is waited for.
const POLLS: u32 = 10;

impl Rotation {
    /// Presents a secret.
    pub(crate) async fn prove(&self, stored: &Stored) -> Result<Proof, Failure> {
        Key::prove(&self.deployment, &self.clock.0, stored).await
    }

    /// Stores a new secret as the event's version.
    pub(crate) async fn mint(
        &self,
        event: &Event,
        stages: &Stages,
    ) -> Result<&'static str, Failure> {
        let current = self.vault.current(event, stages).await?;
        let Proof::Works(key) = self.prove(&current).await? else {
            return self.adopt(event, stages, &current).await;
        };
        match self
            .store(event, &current, async || rotate(&key).await)
            .await?
        {
            Some(()) => return Ok("minted"),
            None if self.another_run_stores_one(event).await? => {
                return Ok("another run stored one");
            }
            None => {}
        }
        match self
            .store(event, &current, async || key.replace().await)
            .await?
        {
            Some(()) => Ok("replaced one that nobody has used"),
            None => self.adopt(event, stages, &current).await,
        }
    }

    /// Stores what `mint` mints, in the time that a run has for both; nothing where it mints
    /// nothing, since the secret that asks is not the newest.
    async fn store(
        &self,
        event: &Event,
        current: &Stored,
        mint: impl AsyncFnOnce() -> Result<Minted, Failure>,
    ) -> Result<Option<()>, Failure> {
        let both = async {
            let secret: Zeroizing<String> = match mint().await? {
                Minted::Secret(secret) => secret,
                Minted::NotNewest => return Ok(None),
                Minted::Busy => {
                    return Err(Failure::Temporary(
                        "the key is being changed by somebody else".into(),
                    ));
                }
            };
            self.vault
                .put(event, &current.with_secret(&secret)?)
                .await
                .map(Some)
        };
        let late = |_| Failure::Temporary("a new secret was not minted and stored in time".into());
        timeout(self.pace.minting, both).await.map_err(late)?
    }

    /// Waits until a run that minted before must have stored its secret, or is over. A run that
    /// would not wait could replace a secret that the other is about to store.
    async fn another_run_stores_one(&self, event: &Event) -> Result<bool, Failure> {
        for _ in 0..POLLS {
            sleep(self.pace.settling / POLLS).await;
            if self.vault.value(event, &event.version).await?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Stores the secret that an earlier rotation minted and stored, and that works: with
    /// `AWSCURRENT`'s it makes two, so it is the newest.
    async fn adopt(
        &self,
        event: &Event,
        stages: &Stages,
        current: &Stored,
    ) -> Result<&'static str, Failure> {
        if let Some(newest) = stages
            .newest
            .as_ref()
            .filter(|newest| **newest != stages.current)
            && let Some(newest) = self.vault.value(event, newest).await?
            && newest.client_id() == current.client_id()
            && !newest.is_same(current)
            && let Proof::Works(_) = self.prove(&newest).await?
        {
            self.vault
                .put(event, &current.with_secret(newest.secret())?)
                .await?;
            return Ok("adopted the one of an earlier rotation");
        }
        Err(Failure::Final(
            "AWSCURRENT does not rotate its key: it is not the key's newest secret, or does not \
             work. Somebody else has rotated the key, or it was stopped: store the newest secret \
             as AWSCURRENT"
                .into(),
        ))
    }
}

/// Mints a secret, after an older one than the one that asks has been ended: there can be no third.
/// What it was of has been replaced twice by now.
async fn rotate(key: &Key) -> Result<Minted, Failure> {
    match key.rotate().await? {
        Minted::Busy => {}
        minted => return Ok(minted),
    }
    match key.finish(0).await? {
        Some(()) => key.rotate().await,
        None => Ok(Minted::NotNewest),
    }
}

/// How often what changes nothing the second time is tried.
const MAX_ATTEMPTS: u32 = 3;

/// Tries again what changes nothing the second time, while that may help.
pub(crate) async fn persist<T>(
    pause: Duration,
    attempt: impl AsyncFn() -> Result<T, Failure>,
) -> Result<T, Failure> {
    let mut tried = 1;
    loop {
        match attempt().await {
            Err(Failure::Temporary(_)) if tried < MAX_ATTEMPTS => sleep(pause * tried).await,
            result => return result,
        }
        tried += 1;
    }
}
