//! The one way in which a versioned item changes: it is read, decided on, written if nobody changed
//! it in between, and what that withdraws or gives back is published to the readers of the feed.
//!
//! An item keeps the feed entries of its newest change in an outbox until it is certain that every
//! reader will learn of them: whoever made the change may have died before. Then repeating the
//! change, or any later one, publishes them again.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{
    audit::{Action, Origin},
    error::causes,
    feed::Entry,
    ids::Guid,
    time::Timestamp,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    Store,
    audit::differences,
    budget::Counted,
    error::StoreError,
    feed::FeedChange,
    item_keys::ItemKey,
    record,
    transaction::{MAX_ATTEMPTS, MAX_REDUCING_ATTEMPTS, Transaction},
};

/// What changes this way: a key, a user, a gate, a bank, a profile.
pub(crate) trait Versioned: Clone + Serialize + DeserializeOwned {
    /// Counts its changes.
    fn version(&self) -> u64;
    /// In whose audit trail its changes stand.
    fn organization(&self) -> Guid;
    /// What its audit events call it.
    fn name(&self) -> String;
}

/// A versioned item as it is stored.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Recorded<T> {
    #[serde(flatten)]
    pub(crate) value: T,
    /// Entries that may not have reached every reader of the feed yet. Where there are none,
    /// repeating a change writes nothing, so that nobody floods the feed with entries that say
    /// nothing new.
    #[serde(
        rename = "unannounced",
        default = "Vec::new",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub(crate) outbox: Vec<Entry>,
}

impl<T> Recorded<T> {
    /// `next` with the entries of its change; those of an earlier one stay while this one has none.
    fn with(&self, next: T, entries: &[Entry]) -> Recorded<T> {
        let outbox = if entries.is_empty() {
            self.outbox.clone()
        } else {
            entries.to_vec()
        };
        Recorded {
            value: next,
            outbox,
        }
    }
}

/// What was decided.
pub(crate) struct Change<T> {
    /// The item after it.
    pub(crate) next: T,
    /// What the feed says of it.
    pub(crate) feed_changes: Vec<FeedChange>,
    /// What also changes with it.
    pub(crate) also: Transaction,
}

impl<T> Change<T> {
    /// A change that the feed says nothing of.
    pub(crate) fn quiet(next: T) -> Self {
        Self {
            next,
            feed_changes: Vec::new(),
            also: Transaction::default(),
        }
    }
}

/// When an item's outbox may be cleared.
pub(crate) enum ClearOutboxWhen {
    /// While it has this version.
    Version(u64),
    /// While it is a revoked key: that is final, and a revoke does not know which version it made.
    Revoked,
}

impl Store {
    /// Changes the item of a key to what `decide` makes of it; where somebody changed it in
    /// between, that is decided again. A decision for nothing, or against a change, writes nothing
    /// but entries that readers may have missed.
    pub(crate) async fn update<T: Versioned, E: From<StoreError>>(
        &self,
        at: &ItemKey,
        action: Action,
        origin: &Origin,
        decide: impl Fn(T) -> Result<Option<Change<T>>, E>,
    ) -> Result<T, E> {
        let (mut attempt, mut counted) = (0, None);
        loop {
            let record: Recorded<T> = self.read(at.clone()).await?.ok_or(StoreError::NotFound)?;
            let decided = decide(record.value.clone());
            if !matches!(&decided, Ok(Some(change)) if change.feed_changes.is_empty()) {
                // Before a change too: its entries take the place of these.
                self.publish_outbox(
                    at,
                    &record.outbox,
                    ClearOutboxWhen::Version(record.value.version()),
                )
                .await?;
            }
            let Some(change) = decided? else {
                return Ok(record.value);
            };
            let sum = self
                .count(
                    counted,
                    (action, &change.feed_changes),
                    record.value.organization(),
                    origin,
                )
                .await?;
            counted = Some(sum);
            let tries = if change.feed_changes.is_empty() {
                MAX_ATTEMPTS
            } else {
                MAX_REDUCING_ATTEMPTS
            };
            let written = self.write(at, &record, &change, sum, action, origin).await;
            if !self.should_retry(&written, &mut attempt, tries).await {
                return written.map(|()| change.next).map_err(E::from);
            }
        }
    }

    async fn write<T: Versioned>(
        &self,
        at: &ItemKey,
        record: &Recorded<T>,
        change: &Change<T>,
        counted: Counted,
        action: Action,
        origin: &Origin,
    ) -> Result<(), StoreError> {
        let Recorded { value, .. } = record;
        let differences = differences(value, &change.next);
        let build = |now: Timestamp, entries: &[Entry]| {
            let item = record::write(at.clone(), &record.with(change.next.clone(), entries))?;
            Transaction::default()
                .replace(&self.tables.core, item, value.version())?
                .and(change.also.clone())
                .entries(self, entries)?
                .audit(
                    self,
                    now,
                    value.organization(),
                    action,
                    &value.name(),
                    origin,
                    differences.clone(),
                )
        };
        if change.feed_changes.is_empty() {
            return self.commit(|now| build(now, &[])).await;
        }
        self.commit_and_publish(MAX_REDUCING_ATTEMPTS, &change.feed_changes, counted, build)
            .await?;
        self.clear_outbox(at, ClearOutboxWhen::Version(change.next.version()))
            .await;
        Ok(())
    }

    /// Makes sure that every reader of the feed will learn of these entries, the outbox of an item.
    pub(crate) async fn publish_outbox(
        &self,
        at: &ItemKey,
        entries: &[Entry],
        when: ClearOutboxWhen,
    ) -> Result<(), StoreError> {
        if entries.is_empty() {
            return Ok(());
        }
        for entry in entries {
            self.publish(&(entry.subject.clone(), entry.effect)).await?;
        }
        self.clear_outbox(at, when).await;
        Ok(())
    }

    /// Clears the outbox: every reader will learn of the newest change. Where that fails, or the
    /// item has changed since, the next repetition writes an entry more than it had to.
    pub(crate) async fn clear_outbox(&self, at: &ItemKey, when: ClearOutboxWhen) {
        let update = self
            .client
            .update_item()
            .table_name(&self.tables.core)
            .set_key(Some(at.clone().into_key()))
            .update_expression("REMOVE unannounced");
        let update = match when {
            ClearOutboxWhen::Version(version) => update
                .condition_expression("version = :version")
                .expression_attribute_values(":version", AttributeValue::N(version.to_string())),
            ClearOutboxWhen::Revoked => update
                .condition_expression("#state.#name = :revoked")
                .expression_attribute_names("#state", "state")
                .expression_attribute_names("#name", "name")
                .expression_attribute_values(":revoked", AttributeValue::S("revoked".into())),
        };
        if let Err(error) = update.send().await {
            tracing::debug!(
                error = causes(&error),
                item = at.pk,
                "a change stays marked as unannounced"
            );
        }
    }
}
