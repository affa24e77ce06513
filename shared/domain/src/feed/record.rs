//! What a reader knows of one subject.

use std::{cmp::Reverse, collections::BTreeMap};

use super::{Effect, Rules};
use crate::time::Timestamp;

/// The effects of one subject's entries. Each effect has the time of its latest entry, since the
/// effects cease to matter one by one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Record {
    revoked: Option<Timestamp>,
    /// The last suspend or resume: its version, and whether it was a suspend (which wins between
    /// equals).
    last: Option<(u64, bool, Timestamp)>,
    /// The last end that was set: its version, and when it is (of two the earlier wins between
    /// equals).
    end: Option<(u64, Reverse<Timestamp>, Timestamp)>,
    /// The entries that ask for another look.
    refreshes: BTreeMap<String, Timestamp>,
    /// The end of the last cover.
    cover_ends_at: Option<Timestamp>,
}

impl Record {
    pub(super) fn add(&mut self, time: Timestamp, id: String, effect: Effect) {
        match effect {
            Effect::Revoke => self.revoked = self.revoked.max(Some(time)),
            Effect::Suspend { version } => self.last = self.last.max(Some((version, true, time))),
            Effect::Resume { version } => self.last = self.last.max(Some((version, false, time))),
            Effect::Expire { at, version } => {
                self.end = self.end.max(Some((version, Reverse(at), time)));
            }
            Effect::Refresh => {
                let known = self.refreshes.entry(id).or_insert(time);
                *known = time.max(*known);
            }
            Effect::Cover { until } => self.cover_ends_at = self.cover_ends_at.max(Some(until)),
        }
    }

    pub(super) fn is_looked_up(&self, rules: &Rules, now: Timestamp) -> bool {
        self.cover_ends_at
            .is_some_and(|until| now <= until + rules.look_up_after_cover())
    }

    pub(super) const fn is_revoked(&self) -> bool {
        self.revoked.is_some()
    }

    pub(super) fn is_expired(&self, now: Timestamp) -> bool {
        self.end.is_some_and(|(_, Reverse(end), _)| end <= now)
    }

    pub(super) fn is_suspended(&self) -> bool {
        self.last.is_some_and(|(_, suspended, _)| suspended)
    }

    /// Forgets its effects, but for a cover, if all of them are from before `until`. Returns
    /// whether there were any.
    pub(super) fn fold_older(&mut self, until: Timestamp) -> bool {
        let revoked = self.revoked;
        let last = self.last.map(|(.., time)| time);
        let end = self.end.map(|(.., time)| time);
        let refreshed = self.refreshes.values().copied().max();
        let latest = revoked.max(last).max(end).max(refreshed);
        let is_older = latest.is_some_and(|latest| latest < until);
        if is_older {
            *self = Self {
                cover_ends_at: self.cover_ends_at,
                ..Self::default()
            };
        }
        is_older
    }

    /// Forgets the effects that have ceased to matter. Returns whether anything is left.
    pub(super) fn forget(&mut self, rules: &Rules, now: Timestamp) -> bool {
        let matters = |time: Timestamp| time >= now.earlier_by(rules.window());
        self.revoked = self.revoked.filter(|time| matters(*time));
        self.last = self.last.filter(|(.., time)| matters(*time));
        self.end = self.end.filter(|(.., time)| matters(*time));
        self.refreshes.retain(|_, time| matters(*time));
        let until_matters = |until: &Timestamp| now <= *until + rules.look_up_after_cover();
        self.cover_ends_at = self.cover_ends_at.filter(until_matters);
        *self != Self::default()
    }
}
