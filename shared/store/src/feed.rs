//! The revocation feed: both sides of the protocol that `domain::feed` describes and its model
//! checks.

use std::time::Duration;

use aws_config::{retry::RetryConfig, timeout::TimeoutConfig};
use aws_sdk_dynamodb::{config::Builder, types::AttributeValue};
use domain::{
    feed::{Effect, Entry, Exchange, Publication, Rules, Subject},
    time::Timestamp,
};

use crate::{
    Store, budget::Counted, error::StoreError, item_keys, record, transaction::Transaction,
    witness::Witness,
};

const RULES: Rules = Rules::STANDARD;

/// Times that an entry is written again because it became visible late.
const MAX_REWRITES: u32 = 5;

/// What the feed says of a subject.
pub(crate) type FeedChange = (Subject, Effect);

impl Transaction {
    /// Writes feed entries with the change that they are about.
    pub(crate) fn entries(self, store: &Store, entries: &[Entry]) -> Result<Self, StoreError> {
        entries.iter().try_fold(self, |transaction, entry| {
            transaction.create(&store.tables.feed, item(entry)?)
        })
    }
}

fn item(entry: &Entry) -> Result<record::Item, StoreError> {
    let item = record::write(item_keys::feed_entry(entry.time, &entry.id), entry)?;
    Ok(record::sweep_after(item, RULES.entry_expires(entry.time)))
}

impl Store {
    /// Commits a change that reduces (or gives back) authority together with its feed entries,
    /// tried this many times, and returns only once every reader of the feed will learn of it. The
    /// entries were counted.
    pub(crate) async fn commit_and_publish(
        &self,
        tries: u32,
        feed_changes: &[FeedChange],
        _: Counted,
        build: impl Fn(Timestamp, &[Entry]) -> Result<Transaction, StoreError>,
    ) -> Result<(), StoreError> {
        let ids: Vec<_> = feed_changes
            .iter()
            .map(|_| self.new_id().to_string())
            .collect();
        let entries = |time| -> Vec<_> {
            let named = feed_changes.iter().zip(&ids);
            named
                .map(|((subject, effect), id)| Entry {
                    time,
                    id: id.clone(),
                    effect: *effect,
                    subject: subject.clone(),
                })
                .collect()
        };
        let (time, witness) = self
            .commit_witnessed(tries, |now| build(now, &entries(now)))
            .await?;
        if !is_published(&witness, time) {
            for change in feed_changes {
                self.publish(change).await?;
            }
        }
        Ok(())
    }

    /// Writes an entry of a change that stands already, until every reader will learn of it.
    pub(crate) async fn publish(&self, (subject, effect): &FeedChange) -> Result<(), StoreError> {
        for attempt in 0..MAX_REWRITES {
            self.require_a_true_clock().await?;
            let entry = Entry {
                time: self.now(),
                id: self.new_id().to_string(),
                effect: *effect,
                subject: subject.clone(),
            };
            let witness = Witness::new(self.clock.clone());
            let put = self
                .client
                .put_item()
                .table_name(&self.tables.feed)
                .set_item(Some(item(&entry)?));
            put.customize()
                .interceptor(witness.clone())
                .send()
                .await
                .map_err(StoreError::unavailable)?;
            if is_published(&witness, entry.time) {
                return Ok(());
            }
            tracing::warn!(
                attempt,
                "a feed entry became visible late and is written again"
            );
        }
        Err(StoreError::Unavailable(format!(
            "a feed entry became visible late {MAX_REWRITES} times"
        )))
    }

    /// Every entry from `from` on, and the exchange of the read's first page; strongly consistent,
    /// all pages or nothing, within `deadline` and without a retry of its own.
    ///
    /// # Errors
    /// What any read can meet, a `Date` missing from the answer included.
    pub async fn read_feed(
        &self,
        from: Timestamp,
        deadline: Duration,
    ) -> Result<(Vec<Entry>, Exchange), StoreError> {
        let late = |_| {
            StoreError::Unavailable(format!(
                "the revocation feed was not read within {deadline:?}"
            ))
        };
        tokio::time::timeout(deadline, self.read_feed_whole(from, deadline))
            .await
            .map_err(late)?
    }

    async fn read_feed_whole(
        &self,
        from: Timestamp,
        deadline: Duration,
    ) -> Result<(Vec<Entry>, Exchange), StoreError> {
        let no_retry = Builder::new()
            .retry_config(RetryConfig::disabled())
            .timeout_config(
                TimeoutConfig::builder()
                    .operation_attempt_timeout(deadline)
                    .operation_timeout(deadline)
                    .build(),
            );
        let (mut entries, mut first, mut start) = (Vec::new(), None, None);
        loop {
            let witness = Witness::new(self.clock.clone());
            let page = self
                .client
                .query()
                .table_name(&self.tables.feed)
                .consistent_read(true)
                .scan_index_forward(false)
                .key_condition_expression("PK = :feed AND SK >= :from")
                .expression_attribute_values(":feed", AttributeValue::S(item_keys::FEED.into()))
                .expression_attribute_values(":from", AttributeValue::S(from.to_string()))
                .set_exclusive_start_key(start)
                .customize()
                .interceptor(witness.clone())
                .config_override(no_retry.clone())
                .send()
                .await
                .map_err(StoreError::unavailable)?;
            // The read's age is its first page's: a later page's time in its place would understate
            // it.
            let exchange = witness.exchange().ok_or_else(|| {
                StoreError::Unavailable("an answer of DynamoDB has no Date".into())
            })?;
            let first = *first.get_or_insert(exchange);
            for item in page.items.unwrap_or_default() {
                entries.push(record::read(item)?);
            }
            start = page.last_evaluated_key;
            if start.is_none() {
                return Ok((entries, first));
            }
        }
    }
}

fn is_published(witness: &Witness, time: Timestamp) -> bool {
    witness
        .exchange()
        .is_some_and(|exchange| RULES.publication(&exchange, time) == Publication::Published)
}
