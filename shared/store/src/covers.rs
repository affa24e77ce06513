//! Covers (`domain::feed::Rules`, Covers): of which keys and organizations one is published, and
//! until when.
//!
//! A note says when a published cover ends, and that only moves later. So a note is not atomic with
//! a change: two changes that open a cover at the same time write one each, which is harmless.

use std::{
    fmt,
    num::NonZeroUsize,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use aws_sdk_dynamodb::{operation::update_item::UpdateItemError, types::AttributeValue};
use domain::{
    audit::Origin,
    error::causes,
    feed::{Cohort, Rules, Subject},
    ids::{ClientId, Guid},
    time::Timestamp,
};
use lru::LruCache;
use serde::Deserialize;

use crate::{
    Store,
    entry_plan::BudgetOwner,
    feed::FeedChange,
    item_keys::{self, ItemKey},
    record,
};

const RULES: Rules = Rules::STANDARD;
/// How many covers an instance remembers; the least recently used goes first.
const CAPACITY: NonZeroUsize = NonZeroUsize::new(1_000).expect("it is not zero");
/// How long the note of a cover stays in the table after the cover's end.
const TTL: Duration = Duration::from_hours(1);

/// The key or organization of a cover.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct CoverSubject {
    /// The tenant.
    pub(crate) organization: Guid,
    /// Its key; without one the cover is of the whole organization.
    pub(crate) key: Option<ClientId>,
}

/// When the covers end that this instance knows.
#[derive(Clone)]
pub(crate) struct KnownCovers(Arc<Mutex<LruCache<CoverSubject, Timestamp>>>);

#[derive(Deserialize)]
struct CoverNote {
    until: Timestamp,
}

impl Default for KnownCovers {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(LruCache::new(CAPACITY))))
    }
}

impl KnownCovers {
    fn until(&self, subject: CoverSubject) -> Option<Timestamp> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&subject).copied()
    }

    fn note(&self, subject: CoverSubject, until: Timestamp) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let latest = known.get(&subject).map_or(until, |known| until.max(*known));
        known.put(subject, latest);
    }
}

impl CoverSubject {
    /// What the feed says of a cover that is written at `time`.
    pub(crate) fn feed_change(self, time: Timestamp) -> FeedChange {
        let guid = self.organization;
        let cohort = Cohort::default();
        let of_organization = Subject::Organization { guid, cohort };
        let subject = self.key.map_or(of_organization, Subject::Key);
        (subject, RULES.cover_at(time))
    }

    fn item_key(self) -> ItemKey {
        match self.key {
            Some(client_id) => item_keys::cover_of_key(self.organization, client_id),
            None => item_keys::cover_of_organization(self.organization),
        }
    }
}

impl fmt::Display for CoverSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.key {
            Some(client_id) => write!(f, "key {client_id}"),
            None => f.write_str("organization"),
        }
    }
}

impl Store {
    /// The end of a cover of the key or the organization, if a change that is about to be made may
    /// rely on it.
    pub(crate) async fn covered_until(&self, owner: BudgetOwner) -> Option<Timestamp> {
        let now = self.now();
        self.cover_where(owner, |until| RULES.may_omit_entry(until, now))
            .await
    }

    /// Whether a cover of the key or the organization is running, so that a committed change needs
    /// no entry.
    pub(crate) async fn is_covered(&self, owner: BudgetOwner) -> bool {
        let now = self.now();
        let cover = self.cover_where(owner, |until| now <= until).await;
        cover.is_some()
    }

    /// The end of a cover of the key or the organization that `is_enough`. If this instance knows
    /// of none, it reads the notes of both; if that fails, there is none.
    async fn cover_where(
        &self,
        owner: BudgetOwner,
        is_enough: impl Fn(Timestamp) -> bool,
    ) -> Option<Timestamp> {
        let subjects = owner.cover_subjects();
        let known = || {
            let ends = subjects
                .iter()
                .filter_map(|subject| self.covers.until(*subject));
            ends.filter(|until| is_enough(*until)).max()
        };
        if let Some(until) = known() {
            return Some(until);
        }
        let notes: Vec<_> = subjects.iter().map(|subject| subject.item_key()).collect();
        let mut notes = match self.read_items(&notes).await {
            Ok(notes) => notes,
            Err(error) => {
                let (organization, cause) = (owner.organization, error.to_string());
                tracing::warn!(cause, %organization, "the notes of covers were not read");
                return None;
            }
        };
        for subject in &subjects {
            let note = notes.remove(&subject.item_key());
            if let Some(Ok(CoverNote { until })) = note.map(record::read) {
                self.covers.note(*subject, until);
            }
        }
        known()
    }

    /// Notes a published cover in the table, so that changes may omit their entries. If the note
    /// fails, only this instance knows of the cover, and another instance writes one of its own.
    pub(crate) async fn note_cover(
        &self,
        covered: CoverSubject,
        written_at: Timestamp,
        origin: &Origin,
    ) {
        let until = written_at + RULES.cover_duration;
        let organization = covered.organization;
        // The message is what the template's metric filters read.
        tracing::warn!(
            %organization,
            %covered,
            actor = ?origin.actor,
            "a cover is written"
        );
        self.covers.note(covered, until);
        let noted = self
            .client
            .update_item()
            .table_name(&self.tables.core)
            .set_key(Some(covered.item_key().into_key()))
            .update_expression("SET #until = :until, #expires = :expires")
            .condition_expression("attribute_not_exists(#until) OR #until < :until")
            .expression_attribute_names("#until", "until")
            .expression_attribute_names("#expires", record::EXPIRES)
            .expression_attribute_values(":until", AttributeValue::S(until.to_string()))
            .expression_attribute_values(":expires", record::expires(until + TTL))
            .send()
            .await;
        let Err(error) = noted else {
            return;
        };
        let ends_later = error
            .as_service_error()
            .is_some_and(UpdateItemError::is_conditional_check_failed_exception);
        if !ends_later {
            let cause = causes(&error);
            tracing::warn!(
                cause,
                %organization,
                "a cover was not noted: other instances do not know of it"
            );
        }
    }
}
