//! Look-ups: reads of a key, a gate and a revoked token of which the feed does not tell all
//! (`domain::feed::Rules`, Covers and Segments). Each of them is one item, so no snapshot is
//! needed.

use std::{collections::HashMap, time::Duration};

use aws_sdk_dynamodb::types::KeysAndAttributes;
use domain::{
    feed::Exchange,
    gate::OrganizationGate,
    ids::{ClientId, Guid},
    key::Key,
};

use crate::{
    Store,
    error::StoreError,
    item_keys::{self, ItemKey},
    record, without_retry,
    witness::Witness,
};

/// An item that a look-up reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LookUpItem {
    /// The item of a key.
    Key(ClientId),
    /// The gate of an organization.
    Organization(Guid),
    /// The record of a revoked token, by its `jti`.
    Token(Guid),
}

/// What the table has under an item's key.
#[derive(Clone, Debug)]
pub enum ItemState {
    /// The key.
    Key(Box<Key>),
    /// The gate.
    Organization(Box<OrganizationGate>),
    /// The record of a revoked token.
    Revoked,
    /// No item: no such key or organization, or a token that was not revoked.
    Absent,
}

impl LookUpItem {
    fn item_key(self) -> ItemKey {
        match self {
            Self::Key(client_id) => item_keys::key(client_id),
            Self::Organization(guid) => item_keys::gate(guid),
            Self::Token(jti) => item_keys::revoked_token(jti),
        }
    }

    const fn is_of_core(self) -> bool {
        !matches!(self, Self::Token(_))
    }

    fn read(self, item: record::Item) -> Result<ItemState, StoreError> {
        Ok(match self {
            Self::Key(_) => ItemState::Key(Box::new(record::read(item)?)),
            Self::Organization(_) => ItemState::Organization(Box::new(record::read(item)?)),
            Self::Token(_) => ItemState::Revoked,
        })
    }
}

impl Store {
    /// Reads these items in one strongly consistent request, within `deadline` and without a retry.
    /// The answers are in the order of `items`; no item may be named twice.
    ///
    /// # Errors
    /// What any read can meet. An unprocessed item is an error too.
    pub async fn look_up(
        &self,
        items: &[LookUpItem],
        deadline: Duration,
    ) -> Result<(Vec<ItemState>, Exchange), StoreError> {
        let (of_core, of_feed): (Vec<LookUpItem>, Vec<LookUpItem>) =
            items.iter().partition(|item| item.is_of_core());
        let witness = Witness::new(self.clock.clone());
        let mut call = self.client.batch_get_item();
        for (table, items) in [(&self.tables.core, of_core), (&self.tables.feed, of_feed)] {
            if items.is_empty() {
                continue;
            }
            let keys = items.iter().map(|item| item.item_key().into_key());
            let keys = KeysAndAttributes::builder()
                .set_keys(Some(keys.collect()))
                .consistent_read(true)
                .build();
            let keys = keys.map_err(|error| StoreError::Corrupt(error.to_string()))?;
            call = call.request_items(table, keys);
        }
        let call = call
            .customize()
            .interceptor(witness.clone())
            .config_override(without_retry(deadline));
        let unavailable = |what: &str| StoreError::Unavailable(what.to_owned());
        let answer = tokio::time::timeout(deadline, call.send())
            .await
            .map_err(|_| unavailable("a look-up took too long"))?
            .map_err(StoreError::unavailable)?;
        if answer
            .unprocessed_keys()
            .is_some_and(|left| !left.is_empty())
        {
            return Err(unavailable("a look-up was left unprocessed"));
        }
        let exchange = witness.exchange_of_answer()?;
        let answered = answer.responses.into_iter();
        let mut found: HashMap<ItemKey, record::Item> = answered
            .flat_map(HashMap::into_values)
            .flatten()
            .map(|item| (ItemKey::of(&item), item))
            .collect();
        let states = items
            .iter()
            .map(|asked| match found.remove(&asked.item_key()) {
                Some(item) => asked.read(item),
                None => Ok(ItemState::Absent),
            });
        Ok((states.collect::<Result<_, _>>()?, exchange))
    }
}
