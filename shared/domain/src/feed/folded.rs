//! What a reader keeps of older entries: hints, which its copies share.

use super::{Credential, Hints, Rules, Subject, hints::Hint};
use crate::time::Timestamp;

/// The hints of a reader, in sets that are forgotten one by one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Folded(Vec<HintsUntil>);

/// Hints of entries that were older than `until`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct HintsUntil {
    hints: Hints,
    /// The earliest and the latest such time of what was put together here.
    first_until: Timestamp,
    until: Timestamp,
}

impl HintsUntil {
    fn matter(&self, rules: &Rules, now: Timestamp) -> bool {
        now <= self.until + rules.reach()
    }
}

impl Folded {
    pub(super) const NONE: Self = Self(Vec::new());

    /// Keeps hints of entries that were older than `until`. Small sets are put together, so that
    /// few have to be searched.
    pub(super) fn add(&mut self, rules: &Rules, hints: Hints, until: Timestamp) {
        if hints.is_empty() {
            return;
        }
        let fits = |last: &&mut HintsUntil| {
            let together = last.hints.len() + hints.len();
            together <= rules.segment_hints
                && last.first_until <= until
                && until <= last.first_until + rules.longest_segment
        };
        match self.0.last_mut().filter(fits) {
            Some(last) => {
                last.hints = last.hints.union(&hints);
                last.until = last.until.max(until);
            }
            None => self.0.push(HintsUntil {
                hints,
                first_until: until,
                until,
            }),
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.iter().map(|folded| folded.hints.len()).sum()
    }

    pub(super) fn forget(&mut self, rules: &Rules, now: Timestamp) {
        self.0.retain(|folded| folded.matter(rules, now));
    }

    /// Whether there is a hint of one of the credential's facts. Owners and organizations have
    /// none.
    pub(super) fn has_hint_of(
        &self,
        rules: &Rules,
        credential: &Credential<'_>,
        now: Timestamp,
    ) -> bool {
        if self.0.is_empty() {
            return false;
        }
        let parents = credential.parents.iter();
        let of_parents = parents.flat_map(|parent| {
            [
                Subject::Key(parent.client_id),
                Subject::Secret(parent.sid),
                Subject::Token(parent.jti),
            ]
        });
        let users = credential.user.iter().chain(credential.minters);
        let subjects = [
            Subject::Key(credential.client_id),
            Subject::Secret(credential.secret),
        ]
        .into_iter()
        .chain(credential.token.map(Subject::Token))
        .chain(users.map(|user| Subject::User(*user)))
        .chain(of_parents);
        let hints: Vec<_> = subjects.filter_map(|subject| Hint::of(&subject)).collect();
        self.has_one(rules, &hints, now)
    }

    fn has_one(&self, rules: &Rules, hints: &[Hint], now: Timestamp) -> bool {
        let mut sets = self.0.iter().filter(|folded| folded.matter(rules, now));
        sets.any(|folded| hints.iter().any(|hint| folded.hints.contains(*hint)))
    }
}
