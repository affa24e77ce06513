//! A value that is read from a service, kept, and read again as it ages: trusted keys, the signer,
//! peppers, the proxy's proofs, the JWKS document.
//!
//! A value's age counts from when its read was sent, by the injected clock. That is the wall clock,
//! which goes on while a Lambda is frozen: a value ages meanwhile, and so does one whose read was
//! under way. Where the clock was set back behind the read, the age is unknown and the value counts
//! as old.

use std::{
    fmt,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use domain::{
    error::Error,
    time::{Clock, Timestamp},
};

use crate::flight::Flight;

/// How long a value is used, and how often it is read.
#[derive(Clone, Copy, Debug)]
pub struct Lifetime {
    /// For this long a value is used without another read.
    pub fresh: Duration,
    /// For this long it is used if it cannot be read again. `None`: until a newer value is read.
    pub usable: Option<Duration>,
    /// While a value is usable, the next read is sent no sooner than this after the last one.
    pub retry_after: Duration,
    /// How long a caller waits for a read while a value is usable. Otherwise, and for something
    /// unknown, the read's own time limit counts.
    pub timeout: Duration,
    /// A read for something that the value does not know is sent no sooner than this after the last
    /// one of its kind, so that guesses do not cost a read each.
    pub reread_after: Duration,
    /// No read is sent sooner than this after the last one, unless that one was given up.
    pub min_interval: Duration,
}

impl Lifetime {
    /// Fresh for this long, then usable until a newer value is read; without any other limit.
    #[must_use]
    pub const fn fresh_for(fresh: Duration) -> Self {
        Self {
            fresh,
            usable: None,
            retry_after: Duration::ZERO,
            timeout: Duration::MAX,
            reread_after: Duration::ZERO,
            min_interval: Duration::ZERO,
        }
    }
}

/// A read of a value. Boxed because the SDK's futures are large and most calls make no read.
pub type Read<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

/// The value. Concurrent callers share one read.
pub struct Refreshing<T> {
    /// What it is, for the log.
    name: &'static str,
    lifetime: Lifetime,
    /// Whether a value has all that it will have.
    is_complete: fn(&T) -> bool,
    clock: Clock,
    last: Mutex<Last<T>>,
    flight: Flight,
}

/// What is known of the reads so far.
struct Last<T> {
    /// The newest value, and when its read was sent.
    value: Option<(Arc<T>, Timestamp)>,
    /// When the newest read was sent.
    sent_at: Option<Timestamp>,
    /// When the newest one was sent for something unknown.
    reread_at: Option<Timestamp>,
    outcome: Outcome,
}

/// What became of the newest read.
enum Outcome {
    /// It has not ended yet, or its caller gave up; also before the first one.
    Open,
    Succeeded,
    Failed(Error),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Age {
    Fresh,
    Ageing,
    Stale,
}

impl<T> Refreshing<T> {
    /// Nothing yet: the first caller reads it.
    #[must_use]
    pub fn new(name: &'static str, clock: Clock, lifetime: Lifetime) -> Self {
        Self {
            name,
            lifetime,
            is_complete: |_| true,
            clock,
            last: Mutex::new(Last {
                value: None,
                sent_at: None,
                reread_at: None,
                outcome: Outcome::Open,
            }),
            flight: Flight::default(),
        }
    }

    /// The same, of values that may lack something for now: such a value is read again for each
    /// caller, and is an error if that fails.
    #[must_use]
    pub fn complete_if(self, is_complete: fn(&T) -> bool) -> Self {
        Self {
            is_complete,
            ..self
        }
    }

    /// The value, after a read if its age asks for one. `read` logs why it failed.
    ///
    /// # Errors
    /// The failure of the newest read, if there is no value that is young enough.
    pub async fn current<'a>(&self, read: impl FnOnce() -> Read<'a, T>) -> Result<Arc<T>, Error> {
        self.current_at((self.clock)(), read).await
    }

    /// As [`Refreshing::current`], for a request that another clock dated: the later one of both
    /// clocks decides about ages.
    ///
    /// # Errors
    /// As [`Refreshing::current`].
    pub async fn current_at<'a>(
        &self,
        request: Timestamp,
        read: impl FnOnce() -> Read<'a, T>,
    ) -> Result<Arc<T>, Error> {
        let now = || request.max((self.clock)());
        if self.should_read(now()) {
            self.flight
                .join(async || {
                    // A read that was given up may leave a usable value.
                    let is_due = self.should_read(now());
                    if is_due {
                        self.read(read(), self.lifetime.timeout).await;
                    }
                    is_due
                })
                .await;
        }
        let last = self.last();
        let is_stale = last.age(&self.lifetime, now()) == Age::Stale;
        let has_failed = matches!(last.outcome, Outcome::Failed(_));
        let is_unusable = is_stale || has_failed && self.lacks_something(&last);
        match &last.value {
            Some((value, _)) if !is_unusable => Ok(Arc::clone(value)),
            _ => Err(last.failure()),
        }
    }

    /// The value, after a read unless one of this kind was sent a moment ago
    /// ([`Lifetime::reread_after`]): for something that the value does not know, and that may be
    /// newer.
    ///
    /// # Errors
    /// The failure of the newest read, or one that took too long: nobody knows whether there is
    /// such a thing.
    pub async fn reread<'a>(&self, read: impl FnOnce() -> Read<'a, T>) -> Result<Arc<T>, Error> {
        // A read that is under way is shared, however young it is.
        if matches!(self.last().outcome, Outcome::Open) || self.may_reread() {
            self.flight
                .join(async || {
                    let may_reread = self.may_reread();
                    if may_reread {
                        self.last().reread_at = Some((self.clock)());
                        self.read(read(), Duration::MAX).await;
                    }
                    may_reread
                })
                .await;
        }
        let last = self.last();
        let is_stale = last.age(&self.lifetime, (self.clock)()) == Age::Stale;
        match (&last.value, &last.outcome) {
            (Some((value, _)), Outcome::Succeeded) if !is_stale => Ok(Arc::clone(value)),
            _ => Err(last.failure()),
        }
    }

    /// The newest value, of whatever age.
    #[must_use]
    pub fn known(&self) -> Option<Arc<T>> {
        let last = self.last();
        last.value.as_ref().map(|(value, _)| Arc::clone(value))
    }

    fn should_read(&self, now: Timestamp) -> bool {
        let last = self.last();
        let has_waited = |time| !is_within(last.sent_at, now, time);
        let is_due = match last.age(&self.lifetime, now) {
            Age::Fresh => false,
            Age::Ageing => has_waited(self.lifetime.retry_after),
            Age::Stale => true,
        };
        (is_due || self.lacks_something(&last)) && self.may_send(&last, now)
    }

    fn may_reread(&self) -> bool {
        let now = (self.clock)();
        let last = self.last();
        let has_waited = !is_within(last.reread_at, now, self.lifetime.reread_after);
        has_waited && self.may_send(&last, now)
    }

    fn may_send(&self, last: &Last<T>, now: Timestamp) -> bool {
        let is_open = matches!(last.outcome, Outcome::Open);
        is_open || !is_within(last.sent_at, now, self.lifetime.min_interval)
    }

    fn lacks_something(&self, last: &Last<T>) -> bool {
        let value = last.value.as_ref();
        value.is_some_and(|(value, _)| !(self.is_complete)(value))
    }

    /// Reads it. `timeout` counts while a value is usable.
    async fn read(&self, read: Read<'_, T>, timeout: Duration) {
        let sent_at = (self.clock)();
        let is_usable = {
            let mut last = self.last();
            // Before the read: whoever waits for it may give up.
            last.sent_at = Some(sent_at);
            last.outcome = Outcome::Open;
            last.age(&self.lifetime, sent_at) != Age::Stale
        };
        let timeout = if is_usable { timeout } else { Duration::MAX };
        let result = tokio::time::timeout(timeout, read).await;
        let mut last = self.last();
        match result {
            Ok(Ok(value)) => {
                last.value = Some((Arc::new(value), sent_at));
                last.outcome = Outcome::Succeeded;
            }
            Ok(Err(error)) => last.outcome = Outcome::Failed(error),
            Err(_) => {
                tracing::warn!("{} was not read again in time", self.name);
                last.outcome = Outcome::Failed(Error::temporarily_unavailable());
            }
        }
    }

    fn last(&self) -> MutexGuard<'_, Last<T>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Last<T> {
    fn age(&self, lifetime: &Lifetime, now: Timestamp) -> Age {
        let Some((_, read_at)) = self.value else {
            return Age::Stale;
        };
        let is_within = |time| is_within(Some(read_at), now, time);
        if is_within(lifetime.fresh) {
            Age::Fresh
        } else if lifetime.usable.is_none_or(is_within) {
            Age::Ageing
        } else {
            Age::Stale
        }
    }

    fn failure(&self) -> Error {
        match &self.outcome {
            Outcome::Failed(error) => error.clone(),
            Outcome::Open | Outcome::Succeeded => Error::temporarily_unavailable(),
        }
    }
}

/// Whether something happened less than this time ago.
fn is_within(at: Option<Timestamp>, now: Timestamp, time: Duration) -> bool {
    at.is_some_and(|at| at <= now && now < at + time)
}

/// The value may be a secret.
impl<T> fmt::Debug for Refreshing<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Refreshing")
    }
}

#[cfg(test)]
mod tests;
