//! A bounded memory of what was found out about credentials, by their digests: no credential is
//! kept.

use std::{
    num::NonZeroUsize,
    sync::{Arc, Mutex, PoisonError},
};

use aws_lc_rs::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use lru::LruCache;

/// What is remembered at once; the least recently used goes first. At some 4 KB each, some
/// megabytes at most.
pub(crate) const CAPACITY: NonZeroUsize = NonZeroUsize::new(2_000).expect("it is not zero");

/// The SHA-256 digest of a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Digest([u8; SHA256_OUTPUT_LEN]);

impl Digest {
    pub(crate) fn of(credential: &str) -> Self {
        let mut bytes = [0; SHA256_OUTPUT_LEN];
        bytes.copy_from_slice(digest(&SHA256, credential.as_bytes()).as_ref());
        Self(bytes)
    }
}

/// Up to [`CAPACITY`] things.
#[derive(Debug)]
pub(crate) struct Memory<T>(Mutex<LruCache<Digest, Arc<T>>>);

impl<T> Default for Memory<T> {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(CAPACITY)))
    }
}

impl<T> Memory<T> {
    /// What is remembered, if it is good still; what is not is forgotten.
    pub(crate) fn get(&self, digest: &Digest, is_good: impl FnOnce(&T) -> bool) -> Option<Arc<T>> {
        let mut remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let thing = Arc::clone(remembered.get(digest)?);
        if is_good(&thing) {
            return Some(thing);
        }
        remembered.pop(digest);
        None
    }

    pub(crate) fn put(&self, digest: Digest, thing: &Arc<T>) {
        let mut remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        remembered.put(digest, Arc::clone(thing));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(number: usize) -> Digest {
        Digest::of(&number.to_string())
    }

    #[test]
    fn the_least_recently_used_goes_first() {
        let (memory, capacity) = (Memory::default(), CAPACITY.get());
        let has = |number| memory.get(&digest(number), |_| true).is_some();
        for number in 0..capacity {
            memory.put(digest(number), &Arc::new(number));
        }
        memory.put(digest(0), &Arc::new(0));
        assert!(has(1), "putting one again drives nothing out");
        memory.put(digest(capacity), &Arc::new(capacity));
        assert!(!has(2) && [0, 1, 3, capacity].into_iter().all(has));
    }

    #[test]
    fn what_is_not_good_any_more_is_forgotten() {
        let memory = Memory::default();
        memory.put(digest(7), &Arc::new(7));
        assert!(memory.get(&digest(7), |_| false).is_none());
        assert!(memory.get(&digest(7), |_| true).is_none());
    }
}
