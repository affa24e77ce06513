//! Failed look-ups. An organization that could not be looked up is not looked up again for a
//! second, so that its slow items take little of an instance's time from the others.

use std::{
    collections::BTreeSet,
    fmt,
    num::NonZeroUsize,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use domain::{ids::Guid, time::Timestamp};
use lru::LruCache;

/// How long after a failed look-up the same organization is not looked up again.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// After failures of this many organizations in a row, no organization is looked up.
const FAILING_ORGANIZATIONS_FOR_ALL: usize = 3;
/// How many organizations are remembered; the least recently used goes first.
const CAPACITY: NonZeroUsize = NonZeroUsize::new(1_000).expect("it is not zero");

/// The failures of this instance.
pub(crate) struct Failures(Mutex<Recent>);

struct Recent {
    by_organization: LruCache<Guid, Timestamp>,
    /// The organizations that failed since the last success, each within two seconds of the one
    /// before.
    in_a_row: BTreeSet<Guid>,
    last: Option<Timestamp>,
}

impl Default for Failures {
    fn default() -> Self {
        Self(Mutex::new(Recent {
            by_organization: LruCache::new(CAPACITY),
            in_a_row: BTreeSet::new(),
            last: None,
        }))
    }
}

impl Failures {
    /// Whether a look-up of this organization failed less than a second ago, or those of three
    /// organizations in a row did.
    pub(crate) fn must_wait(&self, organization: Guid, now: Timestamp) -> bool {
        let recent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_recent = |at: Timestamp| is_within(at, now, RETRY_AFTER);
        let of_all = recent.in_a_row.len() >= FAILING_ORGANIZATIONS_FOR_ALL;
        of_all && recent.last.is_some_and(is_recent)
            || recent
                .by_organization
                .peek(&organization)
                .copied()
                .is_some_and(is_recent)
    }

    pub(crate) fn note_failure(
        &self,
        organization: Guid,
        now: Timestamp,
        cause: &dyn fmt::Display,
    ) {
        tracing::warn!(%cause, %organization, "a look-up failed");
        let mut recent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_in_a_row = |last| is_within(last, now, RETRY_AFTER * 2);
        if !recent.last.is_some_and(is_in_a_row) {
            recent.in_a_row.clear();
        }
        recent.in_a_row.insert(organization);
        recent.last = Some(now);
        recent.by_organization.put(organization, now);
    }

    /// Notes that a look-up succeeded, of whichever organization.
    pub(crate) fn note_success(&self) {
        let mut recent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        recent.in_a_row.clear();
    }
}

fn is_within(at: Timestamp, now: Timestamp, time: Duration) -> bool {
    at <= now && now < at + time
}
