//! Reads that belong together go in one batch: what is known beforehand in the first, and what only
//! that tells of in a second.

use std::collections::{HashMap, HashSet};

use domain::user::User;
use serde::de::DeserializeOwned;

use crate::{
    Store,
    error::StoreError,
    item_keys::ItemKey,
    record::{self, Item},
};

/// Items of `core` as they were read; strongly consistent.
pub(crate) struct Reading<'a> {
    store: &'a Store,
    asked: HashSet<ItemKey>,
    found: HashMap<ItemKey, Item>,
}

impl<'a> Reading<'a> {
    pub(crate) fn of(store: &'a Store) -> Self {
        Self {
            store,
            asked: HashSet::new(),
            found: HashMap::new(),
        }
    }

    pub(crate) const fn store(&self) -> &'a Store {
        self.store
    }

    /// Reads those of these items that were not asked for before, in one call; none where nothing
    /// is left.
    pub(crate) async fn read(
        &mut self,
        items: impl IntoIterator<Item = ItemKey>,
    ) -> Result<(), StoreError> {
        let wanted: Vec<_> = items
            .into_iter()
            .filter(|at| self.asked.insert(at.clone()))
            .collect();
        if !wanted.is_empty() {
            self.found.extend(self.store.read_items(&wanted).await?);
        }
        Ok(())
    }

    /// One of the items, where there is one.
    pub(crate) fn get<T: DeserializeOwned>(&self, at: &ItemKey) -> Result<Option<T>, StoreError> {
        self.found.get(at).cloned().map(record::read).transpose()
    }

    /// Those of these users that there are.
    pub(crate) fn users(
        &self,
        items: impl IntoIterator<Item = ItemKey>,
    ) -> Result<Vec<User>, StoreError> {
        items
            .into_iter()
            .filter_map(|at| self.get(&at).transpose())
            .collect()
    }
}
