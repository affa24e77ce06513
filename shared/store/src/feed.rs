//! The revocation feed: both sides of the protocol that `domain::feed` describes and its model
//! checks.

use std::time::Duration;

use aws_sdk_dynamodb::{primitives::Blob, types::AttributeValue};
use domain::{
    audit::Origin,
    feed::{Effect, Entry, EntryKey, Page, Publication, Rules, Start, Subject, decode, encode},
    ids::ClientId,
    time::Timestamp,
};

use crate::{
    Store,
    entry_plan::{EntryPlan, PlannedEntries},
    error::StoreError,
    item_keys::{self, ItemKey},
    record,
    transaction::Transaction,
    without_retry,
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
            transaction.create(&store.tables.feed, item(entry))
        })
    }
}

/// The attribute of an entry that says what became of what.
const STATEMENT: &str = "e";

fn item(entry: &Entry) -> record::Item {
    let mut item = item_keys::feed_entry(&entry.key()).into_key();
    let statement = encode(&entry.subject, entry.effect);
    item.insert(STATEMENT.into(), AttributeValue::B(Blob::new(statement)));
    record::sweep_after(item, RULES.entry_expires(entry.time))
}

fn read(item: &record::Item) -> Result<Entry, StoreError> {
    let key = ItemKey::of(item);
    let corrupt = |problem| StoreError::Corrupt(format!("{key:?}: {problem}"));
    let EntryKey { time, id } = key.sk.parse().map_err(corrupt)?;
    let statement = item
        .get(STATEMENT)
        .and_then(|value| value.as_b().ok())
        .ok_or_else(|| corrupt("it says nothing"))?;
    let (subject, effect) = decode(statement.as_ref()).map_err(corrupt)?;
    Ok(Entry {
        time,
        id,
        effect,
        subject,
    })
}

impl Store {
    /// Commits a change that reduces (or gives back) authority with the entries that its plan
    /// names, in up to `tries` attempts. Returns only once every reader will learn of the change:
    /// by its entries, or by looking it up.
    pub(crate) async fn commit_and_publish(
        &self,
        tries: u32,
        feed_changes: &[FeedChange],
        (plan, origin): (EntryPlan, &Origin),
        build: impl Fn(Timestamp, &[Entry]) -> Result<Transaction, StoreError>,
    ) -> Result<(), StoreError> {
        let _write = (!feed_changes.is_empty()).then(|| self.feed_writes.begin());
        // One for each entry, for all attempts; a cover takes the first.
        let ids: Vec<_> = feed_changes.iter().map(|_| self.new_entry_id()).collect();
        let entries = |time| -> Vec<_> {
            let planned = match plan.entries() {
                PlannedEntries::Own => feed_changes.to_vec(),
                PlannedEntries::Omitted { .. } => Vec::new(),
                PlannedEntries::Cover(covered) => vec![covered.feed_change(time)],
            };
            let named = planned.into_iter().zip(&ids);
            named
                .map(|((subject, effect), id)| Entry {
                    time,
                    id: id.clone(),
                    effect,
                    subject,
                })
                .collect()
        };
        let (time, witness) = self
            .commit_witnessed(tries, |now| build(now, &entries(now)))
            .await?;
        match plan.entries() {
            PlannedEntries::Own if is_published(&witness, time) => {}
            PlannedEntries::Omitted { covered_until } if is_covered(&witness, covered_until) => {}
            PlannedEntries::Own | PlannedEntries::Omitted { .. } => {
                for change in feed_changes {
                    self.publish(change).await?;
                }
            }
            PlannedEntries::Cover(covered) => {
                let written_at = if is_published(&witness, time) {
                    time
                } else {
                    self.publish_at(|time| covered.feed_change(time)).await?
                };
                self.note_cover(covered, written_at, origin).await;
            }
        }
        Ok(())
    }

    /// Writes an entry of a change that stands already, until every reader will learn of it.
    pub(crate) async fn publish(&self, change: &FeedChange) -> Result<(), StoreError> {
        self.publish_at(|_| change.clone()).await.map(drop)
    }

    /// Publishes the entry that `change` makes for the entry's own time. Returns that time.
    async fn publish_at(
        &self,
        change: impl Fn(Timestamp) -> FeedChange,
    ) -> Result<Timestamp, StoreError> {
        let _write = self.feed_writes.begin();
        for attempt in 0..MAX_REWRITES {
            self.require_a_true_clock().await?;
            let time = self.now();
            let (subject, effect) = change(time);
            let entry = Entry {
                time,
                id: self.new_entry_id(),
                effect,
                subject,
            };
            let witness = Witness::new(self.clock.clone());
            let put = self
                .client
                .put_item()
                .table_name(&self.tables.feed)
                .set_item(Some(item(&entry)));
            put.customize()
                .interceptor(witness.clone())
                .send()
                .await
                .map_err(StoreError::unavailable)?;
            if is_published(&witness, time) {
                return Ok(time);
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

    /// Eight random characters, which keep entries of one millisecond apart.
    fn new_entry_id(&self) -> String {
        let id = ClientId::of(self.new_id()).to_string();
        id.chars().skip(ClientId::LENGTH - 8).collect()
    }

    /// How many writes of entries by this store and its clones are over, those included that may
    /// have failed. A feed whose reading was sent at an earlier count may lack the newest.
    #[must_use]
    pub fn feed_writes(&self) -> u64 {
        self.feed_writes.count()
    }

    /// One page of the feed of at most `limit` entries, oldest first; strongly consistent, within
    /// `deadline` and without a retry of its own.
    ///
    /// # Errors
    /// What any read can meet, a `Date` missing from the answer included.
    pub async fn read_feed_page(
        &self,
        start: &Start,
        limit: u32,
        deadline: Duration,
    ) -> Result<Page, StoreError> {
        let late = |_| {
            StoreError::Unavailable(format!(
                "a page of the revocation feed was not read within {deadline:?}"
            ))
        };
        let (condition, from) = match start {
            Start::At(time) => ("PK = :feed AND SK >= :from", time.to_string()),
            Start::After(key) => ("PK = :feed AND SK > :from", key.to_string()),
        };
        let witness = Witness::new(self.clock.clone());
        let query = self
            .client
            .query()
            .table_name(&self.tables.feed)
            .consistent_read(true)
            .key_condition_expression(condition)
            .expression_attribute_values(":feed", AttributeValue::S(item_keys::FEED.into()))
            .expression_attribute_values(":from", AttributeValue::S(from))
            .limit(limit.cast_signed())
            .customize()
            .interceptor(witness.clone())
            .config_override(without_retry(deadline));
        let answer = tokio::time::timeout(deadline, query.send())
            .await
            .map_err(late)?
            .map_err(StoreError::unavailable)?;
        let exchange = witness.exchange_of_answer()?;
        let entries: Vec<Entry> = answer.items().iter().map(read).collect::<Result<_, _>>()?;
        let more_after = match (answer.last_evaluated_key, entries.last()) {
            (None, _) => None,
            (Some(_), Some(last)) => Some(last.key()),
            (Some(_), None) => {
                return Err(StoreError::Unavailable(
                    "a page of the revocation feed is empty and not the last".into(),
                ));
            }
        };
        Ok(Page {
            entries,
            more_after,
            exchange,
        })
    }
}

fn is_published(witness: &Witness, time: Timestamp) -> bool {
    witness
        .exchange()
        .is_some_and(|exchange| RULES.publication(&exchange, time) == Publication::Published)
}

fn is_covered(witness: &Witness, until: Timestamp) -> bool {
    witness
        .exchange()
        .is_some_and(|exchange| RULES.may_answer_without_entry(until, &exchange))
}
