//! A bounded memory of what was found out about credentials, by their digests: no credential is
//! kept.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use aws_lc_rs::digest::{SHA256, SHA256_OUTPUT_LEN, digest};

/// What is remembered at once; the oldest goes first. At some 4 KB each, some megabytes at most.
pub(crate) const CAPACITY: usize = 2_000;

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
pub(crate) struct Memory<T>(Mutex<Remembered<T>>);

#[derive(Debug)]
struct Remembered<T> {
    by_digest: HashMap<Digest, (u64, Arc<T>)>,
    /// In the order they came.
    order: BTreeMap<u64, Digest>,
    count: u64,
}

impl<T> Default for Memory<T> {
    fn default() -> Self {
        Self(Mutex::new(Remembered {
            by_digest: HashMap::new(),
            order: BTreeMap::new(),
            count: 0,
        }))
    }
}

impl<T> Memory<T> {
    /// What is remembered, if it is good still; what is not is forgotten.
    pub(crate) fn get(&self, digest: &Digest, is_good: impl FnOnce(&T) -> bool) -> Option<Arc<T>> {
        let mut remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let thing = Arc::clone(&remembered.by_digest.get(digest)?.1);
        if is_good(&thing) {
            return Some(thing);
        }
        remembered.forget(digest);
        None
    }

    pub(crate) fn put(&self, digest: Digest, thing: &Arc<T>) {
        let mut remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        remembered.forget(&digest);
        remembered.count += 1;
        let place = remembered.count;
        remembered
            .by_digest
            .insert(digest, (place, Arc::clone(thing)));
        remembered.order.insert(place, digest);
        if remembered.order.len() > CAPACITY
            && let Some((_, oldest)) = remembered.order.pop_first()
        {
            remembered.by_digest.remove(&oldest);
        }
    }
}

impl<T> Remembered<T> {
    fn forget(&mut self, digest: &Digest) {
        if let Some((place, _)) = self.by_digest.remove(digest) {
            self.order.remove(&place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(number: usize) -> Digest {
        Digest::of(&number.to_string())
    }

    #[test]
    fn the_oldest_goes_first_and_what_is_put_again_is_young_again() {
        let memory = Memory::default();
        for number in 0..CAPACITY {
            memory.put(digest(number), &Arc::new(number));
        }
        memory.put(digest(0), &Arc::new(0));
        assert!(
            memory.get(&digest(1), |_| true).is_some(),
            "putting one again drives nothing out"
        );
        memory.put(digest(CAPACITY), &Arc::new(CAPACITY));
        assert!(memory.get(&digest(1), |_| true).is_none());
        assert!(
            [0, 2, CAPACITY]
                .into_iter()
                .all(|number| memory.get(&digest(number), |_| true).is_some())
        );
    }

    #[test]
    fn what_is_not_good_any_more_is_forgotten_and_makes_room() {
        let memory = Memory::default();
        for number in 0..=CAPACITY {
            memory.put(digest(7), &Arc::new(number));
            assert!(memory.get(&digest(7), |_| false).is_none());
        }
        assert!(memory.get(&digest(7), |_| true).is_none());
        let remembered = memory.0.lock().unwrap();
        assert!(remembered.by_digest.is_empty() && remembered.order.is_empty());
    }
}
