//! Changes: all or nothing, each condition naming the failure that it stands for.

use std::{collections::HashMap, time::Duration};

use aws_sdk_dynamodb::{
    operation::transact_write_items::TransactWriteItemsError,
    types::{
        AttributeValue, CancellationReason, Put, TransactWriteItem, Update,
        builders::{PutBuilder, UpdateBuilder},
    },
};
use domain::{feed::Rules, time::Timestamp};

use crate::{
    Store,
    error::StoreError,
    positions::{self, Position},
    record::Item,
    witness::Witness,
};

/// A transaction under construction. Items of different tables may be in it.
#[derive(Default)]
pub(crate) struct Transaction {
    items: Vec<TransactWriteItem>,
    /// For each item, what it means that its condition failed.
    failures: Vec<Option<StoreError>>,
}

impl Transaction {
    /// Puts an item where none may be yet.
    pub(crate) fn create(self, table: &str, item: Item) -> Result<Self, StoreError> {
        let put = Put::builder().condition_expression("attribute_not_exists(PK)");
        self.push_put(put, table, item, Some(StoreError::Exists))
    }

    /// Puts an item over the one that has `expected` as its version, and to which `and` applies.
    pub(crate) fn replace(self, table: &str, item: Item, expected: u64) -> Result<Self, StoreError> {
        let put = Put::builder()
            .condition_expression("version = :expected")
            .expression_attribute_values(":expected", AttributeValue::N(expected.to_string()));
        self.push_put(put, table, item, Some(StoreError::Changed))
    }

    /// Updates an item under a condition whose failure means `failure`.
    pub(crate) fn update(
        mut self,
        table: &str,
        at: Position,
        update: UpdateBuilder,
        failure: StoreError,
    ) -> Result<Self, StoreError> {
        let update: Update = update.table_name(table).set_key(Some(at.into_key())).build().map_err(corrupt)?;
        self.items.push(TransactWriteItem::builder().update(update).build());
        self.failures.push(Some(failure));
        Ok(self)
    }

    fn push_put(mut self, put: PutBuilder, table: &str, item: Item, failure: Option<StoreError>) -> Result<Self, StoreError> {
        let put = put.table_name(table).set_item(Some(item)).build().map_err(corrupt)?;
        self.items.push(TransactWriteItem::builder().put(put).build());
        self.failures.push(failure);
        Ok(self)
    }

    /// Counts one more of a class, up to `max`.
    pub(crate) fn count(self, table: &str, at: Position, max: usize) -> Result<Self, StoreError> {
        let update = Update::builder()
            .update_expression("ADD n :one")
            .condition_expression("attribute_not_exists(n) OR n < :max")
            .expression_attribute_values(":one", AttributeValue::N("1".into()))
            .expression_attribute_values(":max", AttributeValue::N(max.to_string()));
        self.update(table, at, update, StoreError::LimitReached)
    }

    /// What the first failed condition stands for; nothing when the cancellation has another cause.
    fn failure(&self, reasons: &[CancellationReason]) -> Option<StoreError> {
        reasons
            .iter()
            .zip(&self.failures)
            .find(|(reason, _)| reason.code() == Some("ConditionalCheckFailed"))
            .and_then(|(_, failure)| failure.clone())
    }
}

fn corrupt(error: impl std::error::Error) -> StoreError {
    StoreError::Corrupt(error.to_string())
}

/// Times that a change is tried when it meets another transaction on the same item, or throttling.
const TRIES: u32 = 8;

impl Store {
    /// Commits what `build` makes for the moment of each attempt. A conflict with another transaction is tried again
    /// after a jittered wait; a failed condition is not.
    pub(crate) async fn commit(&self, build: impl Fn(Timestamp) -> Result<Transaction, StoreError>) -> Result<(), StoreError> {
        self.commit_witnessed(build).await.map(drop)
    }

    /// As [`Store::commit`]; gives the moment for which the committed transaction was made, and the witness of the exchange
    /// that committed it.
    pub(crate) async fn commit_witnessed(
        &self,
        build: impl Fn(Timestamp) -> Result<Transaction, StoreError>,
    ) -> Result<(Timestamp, Witness), StoreError> {
        self.require_a_true_clock().await?;
        for attempt in 0..TRIES {
            let now = self.now();
            let transaction = build(now)?;
            let witness = Witness::new(self.clock.clone());
            let call = self.client.transact_write_items().set_transact_items(Some(transaction.items.clone()));
            let Err(error) = call.customize().interceptor(witness.clone()).send().await else { return Ok((now, witness)) };
            let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error.as_service_error() else {
                return Err(StoreError::unavailable(error));
            };
            if let Some(failure) = transaction.failure(cancelled.cancellation_reasons()) {
                return Err(failure);
            }
            tracing::debug!(attempt, "a transaction met another one");
            self.pause(attempt).await;
        }
        Err(StoreError::Unavailable(format!("a transaction met others {TRIES} times")))
    }

    /// Waits a random part of a time that doubles with each attempt from 20 ms.
    pub(crate) async fn pause(&self, attempt: u32) {
        let random = u64::from(self.new_id().to_string().bytes().map(u32::from).sum::<u32>() % 64);
        tokio::time::sleep(Duration::from_millis((20_u64 << attempt.min(5)) * random / 64)).await;
    }

    /// A clock that is far off makes no changes (architecture.md, Revocation feed): unless the newest exchange proves it
    /// true, `DynamoDB` is asked for the time.
    pub(crate) async fn require_a_true_clock(&self) -> Result<(), StoreError> {
        let holds = || self.witness.exchange().is_some_and(|exchange| Rules::STANDARD.clock_within_bound(&exchange));
        if holds() {
            return Ok(());
        }
        let _: Option<HashMap<String, String>> = self.read(positions::clock_probe()).await?;
        if holds() { Ok(()) } else { Err(StoreError::ClockSkewed) }
    }
}
