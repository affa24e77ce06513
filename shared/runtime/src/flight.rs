//! One refresh at a time, shared by all who need it.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Mutex;

/// At most one refresh is under way. Whoever comes meanwhile waits for it and makes do with its
/// outcome, good or bad, so that an outage costs each request one wait and the service one read.
#[derive(Debug, Default)]
pub struct Flight {
    turn: Mutex<()>,
    landed: AtomicU64,
}

impl Flight {
    /// Refreshes, or waits for the refresh that is under way. One that is given up half-way counts
    /// as none, and so does one that returns false, since none was needed: the next in line makes
    /// its own.
    pub async fn join(&self, refresh: impl AsyncFnOnce() -> bool) {
        let before = self.landed.load(Ordering::Acquire);
        let _turn = self.turn.lock().await;
        if self.landed.load(Ordering::Acquire) == before && refresh().await {
            self.landed.fetch_add(1, Ordering::Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use tokio::{join, task::yield_now};

    use super::*;

    #[tokio::test]
    async fn those_who_come_while_it_runs_share_it_and_those_after_do_not() {
        let (flight, count) = (Flight::default(), AtomicUsize::new(0));
        let ask = || {
            flight.join(async || {
                yield_now().await;
                count.fetch_add(1, Ordering::Relaxed);
                true
            })
        };
        join!(ask(), ask(), ask());
        assert_eq!(count.load(Ordering::Relaxed), 1);
        ask().await;
        assert_eq!(count.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn one_that_is_given_up_is_made_by_the_next_in_line() {
        let (flight, made) = (Flight::default(), AtomicUsize::new(0));
        let mut given_up = Box::pin(flight.join(async || std::future::pending().await));
        let mut waiting = Box::pin(flight.join(async || made.fetch_add(1, Ordering::Relaxed) == 0));
        tokio::select! {
            biased;
            () = &mut given_up => unreachable!("it never ends"),
            () = &mut waiting => unreachable!("it waits for the other"),
            () = yield_now() => {}
        }
        drop(given_up);
        waiting.await;
        assert_eq!(made.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn one_that_was_not_needed_is_none_for_those_who_wait() {
        let (flight, made) = (Flight::default(), AtomicUsize::new(0));
        let idle = flight.join(async || {
            yield_now().await;
            false
        });
        let made_by_next = flight.join(async || made.fetch_add(1, Ordering::Relaxed) == 0);
        join!(idle, made_by_next);
        assert_eq!(made.load(Ordering::Relaxed), 1);
    }
}
