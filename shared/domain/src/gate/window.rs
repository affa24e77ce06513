//! Which keys count as made before an incident, and how a key that is made after one escapes it
//! (LEAK-8).
//!
//! A cohort is known by when its keys say that they were made, each by the clock of the instance
//! that made it, and an incident revokes *what there is*: no key that stood when the call was
//! answered may escape because its maker's clock was ahead, and no key that is made after it may
//! die of it.
//!
//! # No key escapes that was made before
//! Let `S` be [`Rules::clock_bound`] and `P` be [`Rules::visible_within`], and let the incident
//! choose its window when its own clock says `now`. It counts only if it was answered within `P` of
//! that by the same clock; else it is chosen and written again.
//! - A key's creation was stamped before its transaction, by a clock at most `S` ahead of the
//!   table's: `created <= committed + S`.
//! - The incident was committed by the table's clock before `now + S + P`: its own clock was less
//!   than `S` behind when it chose, and stood at most `P` later when it was answered.
//! - So of every key that was committed before the incident, `created < now + P + 2 S`: **fifteen
//!   seconds** ahead, what the feed's readers must overlap by for the same reasons ([`Rules`]).
//!   The window ends there, exclusive.
//! - A key that is committed after the incident, of a creation that began before it, is either
//!   within the window, or counts as made after it: one serial order or the other explains it. What
//!   was revoked makes none: each transaction of a caller holds only while nothing about it
//!   changed.
//!
//! # No key dies of it that is made after
//! Such a key may say a time within the window, by a clock that is right as well as by one that is
//! behind. But whoever makes it reads the gate, strongly consistent, and finds the cohort:
//! [`OrganizationGate::creation`] is then the window's end, up to fifteen seconds from now. So an
//! end by the clock alone could fall behind keys that an earlier incident had moved past its own:
//! [`OrganizationGate::window_end`] lies behind the ends of all earlier ones too, and an incident
//! is written only beside those that it was chosen beside.
//!
//! An end that is asked for and lies in the past is taken as it is: people name times that they
//! were shown.

use std::time::Duration;

use super::OrganizationGate;
use crate::{feed::Rules, key::Owner, key_mode::KeyMode, time::Timestamp};

/// How far ahead of its own clock an incident's window ends.
const WINDOW_MARGIN: Duration = Rules::STANDARD
    .visible_within
    .saturating_add(Rules::STANDARD.clock_bound.saturating_mul(2));

impl OrganizationGate {
    /// The end, exclusive, of the window of an incident that is chosen at `now`: the one that was
    /// asked for, if that is past, or one that no key reaches that was made before.
    #[must_use]
    pub fn window_end(&self, requested: Option<Timestamp>, now: Timestamp) -> Timestamp {
        let moved_to = self
            .revocations
            .iter()
            .filter_map(|cohort| cohort.created_until)
            .max();
        let moved_past = moved_to.map(|end| end + Duration::from_millis(1));
        requested
            .filter(|end| *end <= now)
            .unwrap_or_else(|| moved_past.max(Some(now + WINDOW_MARGIN)).unwrap_or(now))
    }

    /// Whether an incident that was chosen at `chosen` and answered at `answered`, by the same
    /// clock, had its window end late enough; else it is to be chosen and written again.
    #[must_use]
    pub fn window_holds(chosen: Timestamp, answered: Timestamp) -> bool {
        chosen <= answered && answered <= chosen + Rules::STANDARD.visible_within
    }

    /// When a key of this owner and kind counts as made that is made at `now`: then, or past the
    /// window of every incident so far that would cover it.
    #[must_use]
    pub fn creation(&self, owner: Owner, kind: KeyMode, now: Timestamp) -> Timestamp {
        let mut creation = now;
        let end = |at| {
            let covering = self
                .revocations
                .iter()
                .filter(move |cohort| cohort.contains(kind, at, &[owner.guid()]));
            covering.filter_map(|cohort| cohort.created_until).max()
        };
        while let Some(end) = end(creation) {
            creation = end;
        }
        creation
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{feed::Cohort, ids::Guid};

    const OWNER: Owner = Owner::Bank(Guid::from_bytes([1; 16]));

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000 + millis)
    }

    fn covers(gate: &OrganizationGate, created: Timestamp) -> bool {
        gate.revokes(OWNER, KeyMode::Live, created)
    }

    fn incident(gate: &OrganizationGate, cohort: Cohort, now: Timestamp) -> OrganizationGate {
        let cohort = Cohort {
            created_until: Some(gate.window_end(cohort.created_until, now)),
            ..cohort
        };
        gate.revoke(cohort).unwrap().unwrap_or_else(|| gate.clone())
    }

    #[test]
    fn leak_8_an_end_in_the_past_is_taken_as_it_is_and_any_other_lies_fifteen_seconds_ahead() {
        let gate = OrganizationGate::NEW;
        assert_eq!(gate.window_end(Some(at(-5)), at(0)), at(-5));
        for requested in [None, Some(at(1)), Some(at(3_600_000))] {
            assert_eq!(gate.window_end(requested, at(0)), at(15_000));
        }
        let again = incident(&gate, Cohort::default(), at(0));
        assert_eq!(
            again.window_end(None, at(-20_000)),
            at(15_001),
            "by a clock that is behind the last one's"
        );
        assert!(OrganizationGate::window_holds(at(0), at(5_000)));
        assert!(
            !OrganizationGate::window_holds(at(0), at(5_001))
                && !OrganizationGate::window_holds(at(0), at(-1))
        );
    }

    #[test]
    fn leak_8_a_creation_passes_every_window_that_would_cover_it_and_no_other() {
        let only = |owner: Owner| Cohort {
            owner: Some(owner.guid()),
            ..Cohort::default()
        };
        let gate = incident(&OrganizationGate::NEW, only(OWNER), at(0));
        assert_eq!(gate.creation(OWNER, KeyMode::Live, at(5)), at(15_000));
        assert_eq!(
            gate.creation(Owner::Bank(Guid::PLATFORM), KeyMode::Live, at(5)),
            at(5)
        );
        let twice = incident(
            &gate,
            Cohort {
                created_from: Some(at(5_000)),
                ..Cohort::default()
            },
            at(20_000),
        );
        assert_eq!(twice.creation(OWNER, KeyMode::Live, at(5)), at(35_000));
        let past = Cohort {
            created_until: Some(at(-1000)),
            ..Cohort::default()
        };
        let gate = incident(&OrganizationGate::NEW, past, at(0));
        assert_eq!(gate.creation(OWNER, KeyMode::Live, at(0)), at(0));
        assert_eq!(
            gate.creation(OWNER, KeyMode::Live, at(-8000)),
            at(-1000),
            "by a clock that is behind"
        );
    }

    proptest! {
        /// Two incidents and a key around each, every clock anywhere within its bound. Times are
        /// the table's, in milliseconds.
        #[test]
        fn leak_8_nothing_made_before_escapes_and_nothing_made_after_dies(
            skews in proptest::array::uniform4(-4_999_i64..=5_000),
            took in 0..=5_000_i64,
            before in 0..60_000_i64,
            between in 1..60_000_i64,
            after in 1..60_000_i64,
            narrow: bool,
        ) {
            let open = OrganizationGate::NEW;
            let (chosen, committed) = (60_000_i64, 60_000 + took);
            let early = open.creation(OWNER, KeyMode::Live, at(before.min(committed) + skews[0]));
            let owner = narrow.then_some(OWNER.guid());
            let cohort = Cohort { owner, ..Cohort::default() };
            let first = incident(&open, cohort, at(chosen + skews[1]));
            prop_assert!(covers(&first, early));
            let made = committed + between;
            let middle = first.creation(OWNER, KeyMode::Live, at(made + skews[2]));
            prop_assert!(!covers(&first, middle));
            let second = incident(&first, Cohort::default(), at(made + skews[3]));
            prop_assert!(covers(&second, middle) && covers(&second, early));
            let late = second.creation(OWNER, KeyMode::Live, at(made + took + after + skews[0]));
            prop_assert!(!covers(&second, late));
        }
    }
}
