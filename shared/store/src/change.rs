//! The one way in which a versioned item changes: it is read, decided on, written if nobody changed
//! it in between, and what that withdraws or gives back is published to the readers of the feed.
//!
//! An item keeps the feed entries of its newest change in an outbox until it is certain that every
//! reader will learn of them: whoever made the change may have died before. Then repeating the
//! change, or any later one, publishes them again.

use std::{collections::BTreeMap, sync::Arc};

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{
    audit::{Action, Origin},
    error::causes,
    feed::Entry,
    ids::{ClientId, Guid},
    time::Timestamp,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{
    Store,
    audit::differences,
    entry_plan::{BudgetOwner, EntryPlan},
    error::StoreError,
    feed::FeedChange,
    item_keys::ItemKey,
    outbox::Outbox,
    record,
    transaction::{MAX_ATTEMPTS, MAX_REDUCING_ATTEMPTS, Transaction},
};

/// What changes this way: a key, a user, a gate, a bank, a profile.
pub(crate) trait Versioned: Clone + Serialize + DeserializeOwned + Send {
    /// Counts its changes.
    fn version(&self) -> u64;
    /// In whose audit trail its changes stand.
    fn organization(&self) -> Guid;
    /// The key, where it is one.
    fn as_key(&self) -> Option<ClientId> {
        None
    }
    /// Whose budgets its changes count against.
    fn budget_owner(&self) -> BudgetOwner {
        BudgetOwner {
            organization: self.organization(),
            key: self.as_key(),
        }
    }
    /// What its audit events call it.
    fn name(&self) -> String;
    /// The item as changes are decided on it, and what is written with the next of them: not all
    /// that is known of it need stand in the item itself.
    fn resolved(
        self,
        _store: &Store,
    ) -> impl Future<Output = Result<(Self, Transaction), StoreError>> + Send {
        async { Ok((self, Transaction::default())) }
    }
}

/// A versioned item as it is stored.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Recorded<T> {
    #[serde(flatten)]
    pub(crate) value: T,
    /// What may not have reached every reader of the feed yet. Where there is nothing,
    /// repeating a change writes nothing, so that nobody floods the feed with entries that say
    /// nothing new.
    #[serde(
        rename = "unannounced",
        default,
        skip_serializing_if = "Outbox::is_empty"
    )]
    pub(crate) outbox: Outbox,
}

impl<T> Recorded<T> {
    /// `next` with the statements of its change in the outbox. A change without statements keeps
    /// those of an earlier one.
    fn with(&self, next: T, feed_changes: &[FeedChange]) -> Recorded<T> {
        let outbox = if feed_changes.is_empty() {
            self.outbox.clone()
        } else {
            Outbox::of(feed_changes)
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
    /// What its entries say, or would say without a cover.
    pub(crate) feed_changes: Vec<FeedChange>,
    /// What also changes with it.
    pub(crate) also: Transaction,
    /// What the audit event says beside the members that changed.
    pub(crate) notes: BTreeMap<String, Value>,
}

impl<T> Change<T> {
    /// A change that the feed says nothing of.
    pub(crate) fn quiet(next: T) -> Self {
        Self {
            next,
            feed_changes: Vec::new(),
            also: Transaction::default(),
            notes: BTreeMap::new(),
        }
    }
}

/// When an item's outbox may be cleared.
pub(crate) enum ClearOutboxWhen {
    /// While it has this version.
    Version(u64),
    /// While it is a revoked key: that is final, and a revoke does not know which version it made.
    Revoked,
    /// Where it is that of a revoked token, which changes no more.
    Always,
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
        self.update_from(None, at, action, origin, decide).await
    }

    /// As [`Store::update`], of an item that was `first` read already.
    pub(crate) async fn update_from<T: Versioned, E: From<StoreError>>(
        &self,
        mut first: Option<Recorded<T>>,
        at: &ItemKey,
        action: Action,
        origin: &Origin,
        decide: impl Fn(T) -> Result<Option<Change<T>>, E>,
    ) -> Result<T, E> {
        let (mut attempt, mut planned, mut store) = (0, None, self.clone());
        loop {
            let record: Recorded<T> = match first.take() {
                Some(record) => record,
                None => self.read(at.clone()).await?.ok_or(StoreError::NotFound)?,
            };
            let (value, resolution) = record.value.clone().resolved(self).await?;
            let decided = decide(value.clone());
            if !matches!(&decided, Ok(Some(change)) if change.feed_changes.is_empty()) {
                // Before a change too: its entries take the place of these.
                self.publish_outbox(
                    at,
                    &record.outbox,
                    ClearOutboxWhen::Version(record.value.version()),
                    record.value.budget_owner(),
                )
                .await?;
            }
            let Some(mut change) = decided? else {
                return Ok(value);
            };
            change.also = change.also.and_unless_named(resolution);
            let entries = change.feed_changes.len();
            let (tries, written) = if entries == 0 {
                let build = |now| store.transaction(at, &record, &change, action, origin, now, &[]);
                (MAX_ATTEMPTS, store.commit(build).await)
            } else {
                let plan = match planned {
                    Some(plan) => plan,
                    None => {
                        self.plan_entries(record.value.budget_owner(), entries, origin)
                            .await
                    }
                };
                planned = Some(plan);
                let written = store.write(at, &record, &change, plan, action, origin);
                (MAX_REDUCING_ATTEMPTS, written.await)
            };
            if !self.should_retry(&written, &mut attempt, tries).await {
                return written.map(|()| change.next).map_err(E::from);
            }
            // What changed may be the caller's own key: then it is not decided again on the caller
            // as they were at first.
            if let Some(caller) = &store.behalf {
                store.behalf = Some(Arc::new(self.read_again(caller).await?));
            }
        }
    }

    async fn write<T: Versioned>(
        &self,
        at: &ItemKey,
        record: &Recorded<T>,
        change: &Change<T>,
        plan: EntryPlan,
        action: Action,
        origin: &Origin,
    ) -> Result<(), StoreError> {
        self.commit_and_publish(
            MAX_REDUCING_ATTEMPTS,
            &change.feed_changes,
            (plan, origin),
            |now, entries| self.transaction(at, record, change, action, origin, now, entries),
        )
        .await?;
        self.clear_outbox(at, ClearOutboxWhen::Version(change.next.version()))
            .await;
        Ok(())
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "they are what a change consists of"
    )]
    fn transaction<T: Versioned>(
        &self,
        at: &ItemKey,
        record: &Recorded<T>,
        change: &Change<T>,
        action: Action,
        origin: &Origin,
        now: Timestamp,
        entries: &[Entry],
    ) -> Result<Transaction, StoreError> {
        let Recorded { value, .. } = record;
        let mut differences = differences(value, &change.next);
        differences.extend(change.notes.clone());
        let next = record.with(change.next.clone(), &change.feed_changes);
        Transaction::default()
            .replace(
                &self.tables.core,
                record::write(at.clone(), &next)?,
                value.version(),
            )?
            .and(change.also.clone())
            .entries(self, entries)?
            .audit(
                self,
                now,
                value.organization(),
                action,
                &value.name(),
                origin,
                differences,
            )
    }

    /// Publishes what the outbox of an item holds, unless readers look the item up, and clears it.
    pub(crate) async fn publish_outbox(
        &self,
        at: &ItemKey,
        outbox: &Outbox,
        when: ClearOutboxWhen,
        owner: BudgetOwner,
    ) -> Result<(), StoreError> {
        if outbox.is_empty() {
            return Ok(());
        }
        self.require_a_true_clock().await?;
        // Readers look the committed change up, so it needs no entry.
        if !self.is_covered(owner).await {
            for statement in outbox.statements() {
                self.publish(statement).await?;
            }
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
            .set_key(Some(at.clone().into_key()))
            .update_expression("REMOVE unannounced");
        let update = match when {
            ClearOutboxWhen::Version(version) => update
                .table_name(&self.tables.core)
                .condition_expression("version = :version")
                .expression_attribute_values(":version", AttributeValue::N(version.to_string())),
            ClearOutboxWhen::Revoked => update
                .table_name(&self.tables.core)
                .condition_expression("#state.#name = :revoked")
                .expression_attribute_names("#state", "state")
                .expression_attribute_names("#name", "name")
                .expression_attribute_values(":revoked", AttributeValue::S("revoked".into())),
            ClearOutboxWhen::Always => update
                .table_name(&self.tables.feed)
                .condition_expression("attribute_exists(PK)"),
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
