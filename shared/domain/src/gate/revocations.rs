//! The cohorts of keys that an organization's gate holds for revoked. The gate is read with every
//! key: it stays small.

use std::fmt;

use super::OrganizationGate;
use crate::feed::Cohort;

/// A gate holds as many cohorts as it may, and none of them can be merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooMany;

impl fmt::Display for TooMany {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("as many revoked cohorts as a gate may hold")
    }
}

impl std::error::Error for TooMany {}

impl OrganizationGate {
    /// How many cohorts it holds at most beside those of the whole organization. Of these there are
    /// three at most, one of each kind and one of both: of two of the same kind, the later one
    /// covers the other.
    pub const MAX_REVOCATIONS: usize = 200;

    /// The gate with these keys revoked too; nothing when it covers them already. What a cohort of
    /// the whole organization covers goes, and however full the gate is, there is room for it: that
    /// is an emergency.
    ///
    /// # Errors
    /// [`TooMany`], when merging what overlaps makes no room.
    pub fn revoke(&self, cohort: Cohort) -> Result<Option<Self>, TooMany> {
        if self.revocations.iter().any(|wider| covers(wider, &cohort)) {
            return Ok(None);
        }
        let mut revocations = self.revocations.clone();
        if is_sweeping(&cohort) {
            revocations.retain(|narrower| !covers(&cohort, narrower));
        }
        revocations.push(cohort);
        if !is_sweeping(&cohort) && is_over_full(&revocations) {
            revocations = merged(revocations);
            if is_over_full(&revocations) {
                return Err(TooMany);
            }
        }
        Ok(Some(Self {
            revocations,
            ..self.clone()
        }))
    }
}

/// Whether it is of the whole organization, of one kind or both, up to its end.
const fn is_sweeping(cohort: &Cohort) -> bool {
    cohort.owner.is_none() && cohort.created_from.is_none()
}

fn is_over_full(cohorts: &[Cohort]) -> bool {
    cohorts.iter().filter(|cohort| !is_sweeping(cohort)).count() > OrganizationGate::MAX_REVOCATIONS
}

/// Whether every key of `narrower` is one of `wider`.
fn covers(wider: &Cohort, narrower: &Cohort) -> bool {
    wider
        .environment
        .is_none_or(|only| narrower.environment == Some(only))
        && wider.owner.is_none_or(|only| narrower.owner == Some(only))
        && wider.created_from.is_none_or(|from| {
            narrower
                .created_from
                .is_some_and(|narrower| from <= narrower)
        })
        && wider.created_until.is_none_or(|until| {
            narrower
                .created_until
                .is_some_and(|narrower| narrower <= until)
        })
}

/// The same keys in fewer cohorts: windows of the same kind and owner that overlap or adjoin become
/// one, and what another one covers goes.
fn merged(mut cohorts: Vec<Cohort>) -> Vec<Cohort> {
    cohorts.sort_by_key(|cohort| (cohort.environment, cohort.owner, cohort.created_from));
    let mut merged: Vec<Cohort> = Vec::new();
    for cohort in cohorts {
        match merged.last_mut() {
            Some(last)
                if (last.environment, last.owner) == (cohort.environment, cohort.owner)
                    && reaches(last, &cohort) =>
            {
                last.created_until = last
                    .created_until
                    .zip(cohort.created_until)
                    .map(|(one, other)| one.max(other));
            }
            _ => merged.push(cohort),
        }
    }
    let all = merged.clone();
    merged.retain(|cohort| {
        !all.iter()
            .any(|wider| wider != cohort && covers(wider, cohort))
    });
    merged
}

/// Whether a window leaves no gap before one that begins no earlier.
fn reaches(earlier: &Cohort, later: &Cohort) -> bool {
    earlier
        .created_until
        .is_none_or(|until| later.created_from.is_none_or(|from| from <= until))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{ids::Guid, key_mode::KeyMode, time::Timestamp};

    fn window(from: i64, until: i64) -> Cohort {
        let at = |seconds| Some(Timestamp::from_seconds(seconds));
        Cohort {
            created_from: at(from),
            created_until: at(until),
            ..Cohort::default()
        }
    }

    /// A gate of as many windows of ten seconds as it may hold, one every so many seconds.
    fn full(apart: i64) -> OrganizationGate {
        (0..200).fold(OrganizationGate::NEW, |gate, i| {
            gate.revoke(window(20 + i * apart, 30 + i * apart))
                .unwrap()
                .unwrap()
        })
    }

    #[test]
    fn what_is_covered_is_not_added() {
        let gate = OrganizationGate::NEW
            .revoke(window(10, 20))
            .unwrap()
            .unwrap();
        assert_eq!(gate.revoke(window(10, 20)), Ok(None));
        assert_eq!(
            gate.revoke(Cohort {
                environment: Some(KeyMode::Live),
                ..window(12, 15)
            }),
            Ok(None)
        );
        assert!(gate.revoke(window(10, 21)).unwrap().is_some());
        assert!(gate.revoke(Cohort::default()).unwrap().is_some());
    }

    #[test]
    fn a_full_gate_merges_what_it_can_and_refuses_else() {
        let adjoining = full(10);
        assert_eq!(adjoining.revocations.len(), 200);
        assert_eq!(
            adjoining
                .revoke(window(5000, 5001))
                .unwrap()
                .unwrap()
                .revocations,
            [window(20, 2020), window(5000, 5001)]
        );
        assert_eq!(full(11).revoke(window(5000, 5001)), Err(TooMany));
    }

    #[test]
    fn leak_8_a_full_gate_has_room_for_the_whole_organization_again_and_again() {
        let of = |environment, until| Cohort {
            environment,
            created_from: None,
            ..window(0, until)
        };
        let revoke = |gate: &OrganizationGate, cohort| gate.revoke(cohort).unwrap().unwrap();
        assert_eq!(
            revoke(&full(11), Cohort::default()).revocations,
            [Cohort::default()]
        );
        // These cover none of the windows; of each kind and of both, the last one stays.
        let mut gate = full(11);
        for until in 1..10 {
            for environment in [Some(KeyMode::Live), Some(KeyMode::Sandbox), None] {
                gate = revoke(&gate, of(environment, until));
                assert!(
                    (201..=203).contains(&gate.revocations.len()),
                    "{}",
                    gate.revocations.len()
                );
            }
        }
        assert!(
            gate.revoke(window(5000, 5001)) == Err(TooMany),
            "which is none"
        );
        gate = revoke(&gate, of(Some(KeyMode::Live), 3000));
        assert_eq!(
            gate.revocations.len(),
            202,
            "the windows are of either kind"
        );
        gate = revoke(&gate, of(None, 1100));
        assert_eq!(
            gate.revocations.len(),
            104,
            "98 of them ended before this one"
        );
        assert_eq!(revoke(&gate, of(None, 3000)).revocations, [of(None, 3000)]);
    }

    fn any_cohort() -> impl Strategy<Value = Cohort> {
        let time = || proptest::option::of((0..6_i64).prop_map(Timestamp::from_seconds));
        let kind = proptest::option::of(prop_oneof![Just(KeyMode::Sandbox), Just(KeyMode::Live)]);
        let owner = proptest::option::of((0..2_u8).prop_map(|byte| Guid::from_bytes([byte; 16])));
        (kind, time(), time(), owner).prop_map(
            |(environment, created_from, created_until, owner)| Cohort {
                environment,
                created_from,
                created_until,
                owner,
            },
        )
    }

    proptest! {
        #[test]
        fn merging_revokes_the_same_keys(
            cohorts in proptest::collection::vec(any_cohort(), 0..12),
        ) {
            let merged = merged(cohorts.clone());
            prop_assert!(merged.len() <= cohorts.len());
            for (kind, created, owner) in every_key(&[KeyMode::Sandbox, KeyMode::Live]) {
                let revoked = |cohorts: &[Cohort]| {
                    cohorts.iter().any(|cohort| cohort.contains(kind, created, &[owner]))
                };
                prop_assert_eq!(revoked(&merged), revoked(&cohorts));
            }
        }
    }

    proptest! {
        #[test]
        fn a_gate_revokes_what_its_incidents_did(
            cohorts in proptest::collection::vec(any_cohort(), 0..12),
        ) {
            let gate = cohorts.iter().fold(OrganizationGate::NEW, |gate, cohort| {
                gate.revoke(*cohort).unwrap().unwrap_or(gate)
            });
            for (kind, created, owner) in every_key(&[KeyMode::Sandbox, KeyMode::Live]) {
                let revoked = |cohorts: &[Cohort]| {
                    cohorts.iter().any(|cohort| cohort.contains(kind, created, &[owner]))
                };
                prop_assert_eq!(revoked(&gate.revocations), revoked(&cohorts));
            }
            prop_assert!(gate.revocations.iter().filter(|cohort| is_sweeping(cohort)).count() <= 3);
        }
    }

    /// Every key that the cohorts above can tell apart.
    fn every_key(kinds: &[KeyMode]) -> impl Iterator<Item = (KeyMode, Timestamp, Guid)> {
        kinds.iter().flat_map(|kind| {
            (0..14).flat_map(move |half| {
                (0..3).map(move |byte| {
                    (
                        *kind,
                        Timestamp::from_millis(half * 500),
                        Guid::from_bytes([byte; 16]),
                    )
                })
            })
        })
    }
}
