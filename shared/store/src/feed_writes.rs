//! How often this instance has written to the revocation feed: a reader of the feed in the same
//! instance knows by it that there is more to read.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// The count of a store and its clones.
#[derive(Clone, Default)]
pub(crate) struct FeedWrites(Arc<AtomicU64>);

impl FeedWrites {
    pub(crate) fn count(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    /// A write that is under way. It counts once it is over, whatever became of it and also if it
    /// is given up: what a table answered late was written too.
    pub(crate) fn begin(&self) -> FeedWrite {
        FeedWrite(self.clone())
    }
}

/// Counts when it is dropped.
pub(crate) struct FeedWrite(FeedWrites);

impl Drop for FeedWrite {
    fn drop(&mut self) {
        self.0.0.fetch_add(1, Ordering::Release);
    }
}
