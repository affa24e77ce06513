//! One reading at a time of each thing, shared by all who ask for it meanwhile.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use tokio::sync::OnceCell;

use crate::memory::Digest;

/// Readings that are under way. Whoever asks for one of them waits and shares its outcome, good or
/// bad, so that a burst of calls with one credential costs one reading; whoever comes after it has
/// ended makes another.
#[derive(Debug)]
pub(crate) struct Flights<T>(Mutex<HashMap<Digest, Weak<OnceCell<T>>>>);

impl<T> Default for Flights<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone> Flights<T> {
    /// What `read` gives, or the reading that is under way. One that is given up half-way counts as
    /// none: the next in line makes its own.
    pub(crate) async fn join(&self, digest: Digest, read: impl Future<Output = T>) -> T {
        let reading = self.under_way(digest);
        let outcome = reading.get_or_init(|| read).await.clone();
        let mut readings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if readings
            .get(&digest)
            .is_some_and(|current| std::ptr::eq(current.as_ptr(), Arc::as_ptr(&reading)))
        {
            readings.remove(&digest);
        }
        outcome
    }

    fn under_way(&self, digest: Digest) -> Arc<OnceCell<T>> {
        let mut readings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(reading) = readings.get(&digest).and_then(Weak::upgrade) {
            return reading;
        }
        // What everybody gave up is in nobody's way.
        readings.retain(|_, reading| reading.strong_count() > 0);
        let reading = Arc::default();
        readings.insert(digest, Arc::downgrade(&reading));
        reading
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::{join, task::yield_now};

    use super::*;

    #[tokio::test]
    async fn a_burst_for_one_thing_shares_one_reading_and_those_after_it_do_not() {
        let (flights, count) = (Flights::default(), AtomicUsize::new(0));
        let ask = |name: &str| {
            flights.join(Digest::of(name), async {
                yield_now().await;
                count.fetch_add(1, Ordering::Relaxed)
            })
        };
        let (one, two, other, three) = join!(ask("a"), ask("a"), ask("b"), ask("a"));
        assert!(
            one == two && two == three && one != other,
            "{one} {two} {three}, {other}"
        );
        assert_eq!(ask("a").await, 2, "two were made before");
        assert!(flights.0.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn one_that_is_given_up_is_made_by_the_next_in_line() {
        let flights = Flights::default();
        let mut given_up = Box::pin(flights.join(Digest::of("a"), std::future::pending()));
        let mut waiting = Box::pin(flights.join(Digest::of("a"), async { 7 }));
        tokio::select! {
            biased;
            _ = &mut given_up => unreachable!("it never ends"),
            _ = &mut waiting => unreachable!("it waits for the other"),
            () = yield_now() => {}
        }
        drop(given_up);
        assert_eq!(waiting.await, 7);
        let abandoned = Box::pin(flights.join(Digest::of("b"), async { 8 }));
        drop(abandoned);
        flights.join(Digest::of("c"), async { 9 }).await;
        assert!(flights.0.lock().unwrap().is_empty());
    }
}
