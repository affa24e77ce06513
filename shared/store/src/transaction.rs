//! Changes: all or nothing, each condition naming the failure that it stands for.

use std::{collections::HashMap, sync::Arc, time::Duration};

use aws_sdk_dynamodb::{
    operation::transact_write_items::TransactWriteItemsError,
    types::{
        AttributeValue, CancellationReason, Put, TransactWriteItem,
        builders::{ConditionCheckBuilder, PutBuilder, UpdateBuilder},
    },
};
use domain::{
    feed::{Exchange, Rules},
    time::Timestamp,
};

use crate::{
    Store,
    error::StoreError,
    item_keys::{self, ItemKey},
    record::Item,
    witness::Witness,
};

/// A transaction under construction. Items of different tables may be in it.
#[derive(Clone, Default)]
pub(crate) struct Transaction {
    items: Vec<TransactWriteItem>,
    /// For each item, what it means that its condition failed.
    failures: Vec<StoreError>,
    /// Where each item stands: a transaction may name an item once.
    touched: Vec<ItemKey>,
    /// The versions over which items are put.
    replaced: Vec<(ItemKey, u64)>,
}

impl Transaction {
    /// Puts an item where none may be yet.
    pub(crate) fn create(self, table: &str, item: Item) -> Result<Self, StoreError> {
        let put = Put::builder().condition_expression("attribute_not_exists(PK)");
        self.put(put, table, item, StoreError::Exists)
    }

    /// Puts an item over the one that has `expected` as its version.
    pub(crate) fn replace(
        self,
        table: &str,
        item: Item,
        expected: u64,
    ) -> Result<Self, StoreError> {
        let put = Put::builder()
            .condition_expression("version = :expected")
            .expression_attribute_values(":expected", AttributeValue::N(expected.to_string()));
        let at = ItemKey::of(&item);
        let mut replaced = self.put(put, table, item, StoreError::Changed)?;
        replaced.replaced.push((at, expected));
        Ok(replaced)
    }

    /// Puts an item under a condition whose failure means `failure`.
    pub(crate) fn put(
        self,
        put: PutBuilder,
        table: &str,
        item: Item,
        failure: StoreError,
    ) -> Result<Self, StoreError> {
        let at = ItemKey::of(&item);
        let put = put
            .table_name(table)
            .set_item(Some(item))
            .build()
            .map_err(corrupt)?;
        Ok(self.push(TransactWriteItem::builder().put(put).build(), at, failure))
    }

    /// Updates an item under a condition whose failure means `failure`.
    pub(crate) fn update(
        self,
        table: &str,
        at: ItemKey,
        update: UpdateBuilder,
        failure: StoreError,
    ) -> Result<Self, StoreError> {
        let update = update
            .table_name(table)
            .set_key(Some(at.clone().into_key()))
            .build()
            .map_err(corrupt)?;
        Ok(self.push(
            TransactWriteItem::builder().update(update).build(),
            at,
            failure,
        ))
    }

    /// Changes nothing, under a condition whose failure means `failure`.
    pub(crate) fn check(
        self,
        table: &str,
        at: ItemKey,
        check: ConditionCheckBuilder,
        failure: StoreError,
    ) -> Result<Self, StoreError> {
        let check = check
            .table_name(table)
            .set_key(Some(at.clone().into_key()))
            .build()
            .map_err(corrupt)?;
        Ok(self.push(
            TransactWriteItem::builder().condition_check(check).build(),
            at,
            failure,
        ))
    }

    fn push(mut self, item: TransactWriteItem, at: ItemKey, failure: StoreError) -> Self {
        self.items.push(item);
        self.failures.push(failure);
        self.touched.push(at);
        self
    }

    /// Both in one.
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.items.extend(other.items);
        self.failures.extend(other.failures);
        self.touched.extend(other.touched);
        self.replaced.extend(other.replaced);
        self
    }

    /// With those items of `other` that this one does not name.
    pub(crate) fn and_unless_named(self, other: Self) -> Self {
        let parts = other.items.into_iter().zip(other.failures);
        parts
            .zip(other.touched)
            .fold(self, |all, ((item, failure), at)| {
                if all.touches(&at) {
                    all
                } else {
                    all.push(item, at, failure)
                }
            })
    }

    /// The version over which it puts the item of this key, where it puts one.
    pub(crate) fn replaces(&self, at: &ItemKey) -> Option<u64> {
        let mut replaced = self.replaced.iter();
        replaced
            .find(|(item, _)| item == at)
            .map(|(_, version)| *version)
    }

    /// Whether it names the item of this key.
    pub(crate) fn touches(&self, at: &ItemKey) -> bool {
        self.touched.contains(at)
    }

    /// What the first failed condition stands for; nothing when the cancellation has another cause.
    fn failure(&self, reasons: &[CancellationReason]) -> Option<StoreError> {
        reasons
            .iter()
            .zip(&self.failures)
            .find(|(reason, _)| reason.code() == Some("ConditionalCheckFailed"))
            .map(|(_, failure)| failure.clone())
    }
}

fn corrupt(error: impl std::error::Error) -> StoreError {
    StoreError::Corrupt(error.to_string())
}

/// How old an exchange may be that proves a clock, in milliseconds.
const MAX_EXCHANGE_AGE_MILLIS: u64 = 5000;
/// Times that a change is tried when it meets another transaction on the same item, or throttling.
pub(crate) const MAX_ATTEMPTS: u32 = 8;
/// Times that a change which reduces authority is tried: the key that it stops must not hold it off
/// by changes of its own, each of which checks that key. With the waits between them that is some
/// ten seconds.
pub(crate) const MAX_REDUCING_ATTEMPTS: u32 = 64;

impl Store {
    /// Commits what `build` makes for the moment of each attempt. A conflict with another
    /// transaction is tried again after a jittered wait; a failed condition is not.
    pub(crate) async fn commit(
        &self,
        build: impl Fn(Timestamp) -> Result<Transaction, StoreError>,
    ) -> Result<(), StoreError> {
        self.commit_witnessed(MAX_ATTEMPTS, build).await.map(drop)
    }

    /// As [`Store::commit`], tried this many times; gives the moment for which the committed
    /// transaction was made, and the witness of the exchange that committed it.
    pub(crate) async fn commit_witnessed(
        &self,
        tries: u32,
        build: impl Fn(Timestamp) -> Result<Transaction, StoreError>,
    ) -> Result<(Timestamp, Witness), StoreError> {
        let mut snapshot = self.behalf.clone();
        self.require_a_true_clock().await?;
        for attempt in 0..tries {
            let now = self.now();
            let mut transaction = build(now)?;
            if let Some(before) = snapshot.take_if(|caller| caller.is_stale(&transaction)) {
                snapshot = Some(Arc::new(self.read_again(&before).await?));
            }
            if let Some(snapshot) = &snapshot {
                transaction = snapshot.guard(transaction, &self.tables.core, now)?;
            }
            let witness = Witness::new(self.clock.clone());
            let call = self
                .client
                .transact_write_items()
                .set_transact_items(Some(transaction.items.clone()));
            let Err(error) = call.customize().interceptor(witness.clone()).send().await else {
                return Ok((now, witness));
            };
            let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) =
                error.as_service_error()
            else {
                return Err(StoreError::unavailable(error));
            };
            match transaction.failure(cancelled.cancellation_reasons()) {
                // Something about the caller changed; whether that stops it is another question.
                Some(StoreError::CallerStopped) => {
                    if let Some(before) = snapshot {
                        snapshot = Some(Arc::new(self.read_again(&before).await?));
                    }
                }
                Some(failure) => return Err(failure),
                None => {}
            }
            tracing::debug!(attempt, "a transaction met another one");
            self.pause(attempt).await;
        }
        Err(StoreError::Contended)
    }

    /// Whether somebody else changed the item between the read and the commit, so that it is to be
    /// read and decided again; after a wait, and a bounded number of times.
    pub(crate) async fn should_retry(
        &self,
        written: &Result<(), StoreError>,
        attempt: &mut u32,
        tries: u32,
    ) -> bool {
        let retry = *written == Err(StoreError::Changed) && *attempt < tries;
        if retry {
            self.pause(*attempt).await;
            *attempt += 1;
        }
        retry
    }

    /// Waits a random part of a time that doubles with each attempt from 20 ms to 320 ms.
    pub(crate) async fn pause(&self, attempt: u32) {
        let random = u64::from(
            self.new_id()
                .to_string()
                .bytes()
                .map(u32::from)
                .sum::<u32>()
                % 64,
        );
        tokio::time::sleep(Duration::from_millis(
            (20_u64 << attempt.min(4)) * random / 64,
        ))
        .await;
    }

    /// A clock that is far off makes no changes (docs/requirements.md, The revocation feed): unless
    /// the newest exchange proves it true, `DynamoDB` is asked for the time. Nor does it issue
    /// tokens: by a clock that is ahead they would come to life when the entry that revoked them
    /// has left the feed.
    ///
    /// # Errors
    /// [`StoreError::ClockSkewed`], and what any read can meet.
    pub async fn require_a_true_clock(&self) -> Result<(), StoreError> {
        let recent = |exchange: &Exchange| {
            self.now().since(exchange.answered).unsigned_abs() <= MAX_EXCHANGE_AGE_MILLIS
        };
        let holds = || {
            self.witness.exchange().is_some_and(|exchange| {
                recent(&exchange) && Rules::STANDARD.clock_within_bound(&exchange)
            })
        };
        if holds() {
            return Ok(());
        }
        let _: Option<HashMap<String, String>> = self.read(item_keys::clock_probe()).await?;
        if holds() {
            Ok(())
        } else {
            Err(StoreError::ClockSkewed)
        }
    }
}
