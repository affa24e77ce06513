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
    /// How many may spare somebody, each naming up to [`Cohort::MAX_SPARED`] owners: so many
    /// windows, which are among those 200, and beside them so many of the whole organization, so
    /// that no number of windows keeps an administrator from an emergency stop.
    pub const MAX_SPARING: usize = 20;

    /// The gate with these keys revoked too; nothing when it covers them already. What a cohort of
    /// the whole organization covers goes, and however full the gate is, there is room for it: that
    /// is an emergency.
    ///
    /// # Errors
    /// [`TooMany`], when merging what overlaps makes no room.
    pub fn revoke(&self, cohort: Cohort) -> Result<Option<Self>, TooMany> {
        let cohort = plain(cohort);
        if self.revocations.iter().any(|wider| covers(wider, &cohort)) {
            return Ok(None);
        }
        let mut revocations = self.revocations.clone();
        if is_of_all(&cohort) {
            revocations.retain(|narrower| !covers(&cohort, narrower));
        }
        let sweeping = is_sweeping(&cohort);
        revocations.push(cohort);
        if !sweeping && is_over_full(&revocations) {
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

/// The cohort without what it says in vain: of one owner's keys nobody else's are spared.
fn plain(mut cohort: Cohort) -> Cohort {
    if let Some(only) = cohort.owner {
        cohort.spared.retain(|spared| *spared == only);
    }
    cohort
}

/// Whether it is of the whole organization, of one kind or both, up to its end; but for those whom
/// it spares.
const fn is_of_all(cohort: &Cohort) -> bool {
    cohort.owner.is_none() && cohort.created_from.is_none()
}

/// The same, sparing nobody.
const fn is_sweeping(cohort: &Cohort) -> bool {
    is_of_all(cohort) && cohort.spared.is_empty()
}

fn is_over_full(cohorts: &[Cohort]) -> bool {
    let count = |counts: fn(&&Cohort) -> bool| cohorts.iter().filter(counts).count();
    count(|cohort| !is_of_all(cohort)) > OrganizationGate::MAX_REVOCATIONS
        || count(|cohort| !is_of_all(cohort) && !cohort.spared.is_empty())
            > OrganizationGate::MAX_SPARING
        || count(|cohort| is_of_all(cohort) && !cohort.spared.is_empty())
            > OrganizationGate::MAX_SPARING
}

/// Whether every key of `narrower` is one of `wider`.
fn covers(wider: &Cohort, narrower: &Cohort) -> bool {
    wider
        .environment
        .is_none_or(|only| narrower.environment == Some(only))
        && wider.owner.is_none_or(|only| narrower.owner == Some(only))
        && wider.spared.iter().all(|spared| {
            narrower.spared.contains(spared) || narrower.owner.is_some_and(|only| only != *spared)
        })
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
    let shape = |cohort: &Cohort| (cohort.environment, cohort.owner, cohort.spared.clone());
    cohorts.sort_by_key(|cohort| (shape(cohort), cohort.created_from));
    let mut merged: Vec<Cohort> = Vec::new();
    for cohort in cohorts {
        match merged.last_mut() {
            Some(last) if shape(last) == shape(&cohort) && reaches(last, &cohort) => {
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
        let guid = |byte| Guid::from_bytes([byte; 16]);
        let owner = proptest::option::of((0..2_u8).prop_map(guid));
        let spared = proptest::sample::subsequence(vec![guid(0), guid(1), guid(2)], 0..3);
        (kind, time(), time(), owner, spared).prop_map(
            |(environment, created_from, created_until, owner, spared)| Cohort {
                environment,
                created_from,
                created_until,
                owner,
                spared,
            },
        )
    }

    #[test]
    fn leak_8_a_sweep_that_spares_somebody_neither_covers_them_nor_hides_a_later_one() {
        let sweep = |spared: &[u8]| Cohort {
            created_until: Some(Timestamp::from_seconds(100)),
            spared: spared
                .iter()
                .map(|byte| Guid::from_bytes([*byte; 16]))
                .collect(),
            ..Cohort::default()
        };
        let gate = OrganizationGate::NEW.revoke(sweep(&[1])).unwrap().unwrap();
        assert_eq!(
            gate.revoke(sweep(&[1, 2])),
            Ok(None),
            "who is spared more is covered"
        );
        let of = |byte| Cohort {
            owner: Some(Guid::from_bytes([byte; 16])),
            ..sweep(&[])
        };
        assert_eq!(gate.revoke(of(2)), Ok(None));
        assert!(
            gate.revoke(of(1)).unwrap().is_some(),
            "their keys still work"
        );
        let all = gate.revoke(sweep(&[])).unwrap().unwrap();
        assert_eq!(
            all.revocations,
            [sweep(&[])],
            "what spares nobody takes its place"
        );
    }

    #[test]
    fn leak_8_twenty_sweeps_may_spare_somebody_whatever_windows_there_are_and_any_other_has_room() {
        let sparing = |n: u8| Cohort {
            created_until: Some(Timestamp::from_seconds(i64::from(n))),
            spared: vec![Guid::from_bytes([n; 16])],
            ..Cohort::default()
        };
        let in_window = |n: u8| Cohort {
            created_from: Some(Timestamp::from_seconds(i64::from(n) * 2 + 1000)),
            created_until: Some(Timestamp::from_seconds(i64::from(n) * 2 + 1001)),
            ..sparing(n)
        };
        let fill = |gate, cohort: &dyn Fn(u8) -> Cohort| {
            (0..20).fold(gate, |gate: OrganizationGate, n| {
                gate.revoke(cohort(n)).unwrap().unwrap()
            })
        };
        let windows = fill(OrganizationGate::NEW, &in_window);
        assert_eq!(windows.revoke(in_window(20)), Err(TooMany));
        let sweeps = fill(windows, &sparing);
        assert_eq!(sweeps.revoke(sparing(20)), Err(TooMany));
        let all = Cohort {
            spared: Vec::new(),
            created_until: Some(Timestamp::from_seconds(5000)),
            ..sparing(21)
        };
        assert_eq!(
            sweeps.revoke(all.clone()).unwrap().unwrap().revocations,
            [all]
        );
    }

    proptest! {
        #[test]
        fn merging_revokes_the_same_keys(
            cohorts in proptest::collection::vec(any_cohort(), 0..12),
        ) {
            let merged = merged(cohorts.iter().cloned().map(plain).collect());
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
                gate.revoke(cohort.clone()).unwrap().unwrap_or(gate)
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
