//! The promise of the revocation feed, model-checked: *no allow later than the bound* (CBM-4, X-1).
//!
//! Writers and readers here run the real `domain::feed`; the model supplies what surrounds them:
//! clocks that differ and step, transactions that become visible late, answers that come late,
//! writers that die, instances that freeze, wake with their clock behind, or are replaced, and
//! reads that fail or hang. Stateright tries every order of these.
//!
//! Time advances in ticks, and everything else takes none. A request needs no action of its own: in
//! *every* state the properties ask what an instance would answer to one that arrives now, whether
//! its reads fail or succeed. Readers never meet, so one of them stands for all.
//!
//! The rules must hold; then one at a time is left out, and there must be a counterexample, so that
//! a model too tame to find anything fails. Run with `--nocapture` it prints the counts of states
//! and the shortest counterexamples.

mod checking;
mod covers;
mod world;

use std::time::Duration;

use domain::feed::{LeftOut, Rules};

use self::{
    checking::{breaks, keeps_its_promise},
    world::{COMPLETENESS_HOLDS, Faults, Habit, NO_LATE_ALLOW, World},
};

impl World {
    /// Two writers whose clocks differ as far as they may and step, late commits and answers, a
    /// writer that dies.
    fn of_writers() -> Self {
        Self {
            rules: Rules::STANDARD,
            tick: 5,
            end: 30,
            bound: 4,
            // One more second behind and the whole-second `Date` proves nothing.
            writer_clocks: &[[-4, 5], [5, -4]],
            reader_starts: &[0],
            reader_starts_at: 0,
            reader_clocks: &[],
            issued_after: None,
            compactor_runs: 0,
            compactor_clocks: &[0],
            longest_page: 0,
            slow_writes: true,
            page: usize::MAX,
            late_date: false,
            longest_read: 0,
            other_writes: 1,
            other_is_quick: false,
            faults: Faults {
                writer_steps: 1,
                deaths: 1,
                ..Faults::default()
            },
            left_out: None,
        }
    }

    /// One right writer, and a reader whose clock steps, whose reads hang, that freezes and may
    /// wake with its clock behind.
    fn of_readers() -> Self {
        Self {
            tick: 1,
            end: 9,
            bound: 5,
            writer_clocks: &[[0, 0]],
            reader_clocks: &[0, 4, -4],
            slow_writes: false,
            longest_read: 1,
            other_writes: 0,
            faults: Faults {
                reader_steps: 2,
                freezes: 1,
                ..Faults::default()
            },
            ..Self::of_writers()
        }
    }

    /// Small numbers, and a reader that reads one entry a page: pages that are lost, or end long
    /// after they were sent, while entries before and behind them become visible.
    fn of_pages() -> Self {
        Self {
            rules: Rules {
                visible_within: Duration::from_secs(1),
                clock_bound: Duration::from_secs(1),
                date_resolution: Duration::ZERO,
                overlap: Duration::from_secs(3),
                usable: Duration::from_secs(2),
                ..Rules::STANDARD
            },
            tick: 1,
            end: 5,
            bound: 2,
            // The revoker behind, the other one ahead: the farther apart, the more is missed.
            writer_clocks: &[[1, -1]],
            reader_starts: &[-1, 1],
            page: 1,
            late_date: true,
            longest_read: 1,
            other_writes: 2,
            other_is_quick: true,
            faults: Faults::default(),
            ..Self::of_writers()
        }
    }

    /// As small, and a compactor: its segments are stored late, also after another one ran, and a
    /// cold reader finds all of them or all but one.
    fn of_segments() -> Self {
        let pages = Self::of_pages();
        Self {
            rules: Rules {
                segments_after: Duration::ZERO,
                segments_pause: Duration::ZERO,
                segment_interval: Duration::ZERO,
                segment_entries: 1,
                longest_segment: Duration::from_hours(2),
                segment_hints: 1,
                most_records: 0,
                ..pages.rules
            },
            compactor_runs: 2,
            compactor_clocks: &[1],
            reader_starts: &[0],
            reader_starts_at: 5,
            page: usize::MAX,
            other_writes: 1,
            longest_read: 0,
            ..pages
        }
    }

    fn of_segments_without(rule: LeftOut) -> Self {
        let mut world = Self::of_segments();
        world.rules.left_out = Some(rule);
        world
    }

    fn of_pages_without(rule: LeftOut) -> Self {
        let mut world = Self::of_pages();
        world.rules.left_out = Some(rule);
        world
    }

    /// TOKEN authorizers hear no time with the request. Their promise rests on a wall clock that is
    /// right when they wake; a clock set back by an hour is noticed.
    fn of_events_without_a_time() -> Self {
        Self {
            reader_clocks: &[0, -3_600],
            faults: Faults {
                reader_steps: 1,
                ..Faults::default()
            },
            left_out: Some(Habit::RequestTime),
            ..Self::of_readers()
        }
    }

    /// Hours: cold starts at the edge of the window, pruning, tokens issued late and long-lived.
    fn of_hours() -> Self {
        Self {
            tick: 600,
            end: 9_000,
            issued_after: Some(590),
            slow_writes: false,
            faults: Faults {
                replacements: 1,
                ..Faults::default()
            },
            ..Self::of_writers()
        }
    }
}

fn breaks_its_promise(world: World) {
    breaks(world, NO_LATE_ALLOW);
}

fn claims_too_much(world: World) {
    breaks(world, COMPLETENESS_HOLDS);
}

mod the_promise_holds {
    use super::*;

    #[test]
    fn whatever_writers_meet() {
        keeps_its_promise(World::of_writers());
    }

    #[test]
    fn whatever_readers_meet() {
        keeps_its_promise(World::of_readers());
    }

    #[test]
    fn however_a_pass_is_cut_into_pages() {
        keeps_its_promise(World::of_pages());
    }

    #[test]
    fn whatever_a_compactor_folds() {
        keeps_its_promise(World::of_segments());
    }

    #[test]
    fn however_slowly_a_compactor_reads() {
        keeps_its_promise(World {
            compactor_runs: 1,
            longest_page: 1,
            page: 1,
            ..World::of_segments()
        });
    }

    #[test]
    fn for_events_without_a_time_while_clocks_are_right_or_far_behind() {
        keeps_its_promise(World::of_events_without_a_time());
    }

    #[test]
    fn over_hours() {
        keeps_its_promise(World::of_hours());
    }

    #[test]
    fn with_half_the_overlap() {
        let rules = Rules {
            overlap: Duration::from_secs(15),
            ..Rules::STANDARD
        };
        let faults = Faults {
            writer_steps: 1,
            ..Faults::default()
        };
        keeps_its_promise(World {
            rules,
            faults,
            ..World::of_writers()
        });
    }

    #[test]
    fn within_four_seconds_where_clocks_run_steadily() {
        keeps_its_promise(World {
            bound: 4,
            faults: Faults::default(),
            ..World::of_readers()
        });
    }
}

/// The numbers are no larger than they must be: a second less and there is a counterexample.
mod the_promise_breaks_if_it_promises_more {
    use super::*;

    #[test]
    fn than_five_seconds() {
        breaks_its_promise(World {
            bound: 4,
            ..World::of_readers()
        });
    }

    #[test]
    fn than_four_seconds_where_clocks_run_steadily() {
        breaks_its_promise(World {
            bound: 3,
            faults: Faults::default(),
            ..World::of_readers()
        });
    }
}

mod the_promise_breaks_without {
    use super::*;

    #[test]
    fn the_whole_of_the_skew_in_the_overlap() {
        let mut world = World::of_pages();
        world.rules.overlap = Duration::from_secs(2);
        claims_too_much(world);
    }

    #[test]
    fn completeness_before_a_pass_began_and_not_before_its_newest_entry() {
        claims_too_much(World {
            other_writes: 3,
            ..World::of_pages_without(LeftOut::SendingCompletes)
        });
    }

    #[test]
    fn completeness_by_the_first_page_of_a_pass() {
        claims_too_much(World::of_pages_without(LeftOut::FirstPageCompletes));
    }

    #[test]
    fn going_on_with_a_pass_behind_the_very_horizon() {
        claims_too_much(World {
            other_writes: 3,
            ..World::of_pages_without(LeftOut::HorizonIsOpen)
        });
    }

    #[test]
    fn dating_a_pass_by_its_first_page() {
        breaks_its_promise(World::of_pages_without(LeftOut::FirstPageDates));
    }

    #[test]
    fn dating_a_pass_at_its_end_only() {
        breaks_its_promise(World::of_pages_without(LeftOut::WholePassDates));
    }

    #[test]
    fn ending_a_segment_where_its_compactor_is_complete() {
        claims_too_much(World::of_segments_without(LeftOut::CompactorsHorizon));
    }

    #[test]
    fn a_proven_clock_of_the_compactor() {
        claims_too_much(World {
            compactor_runs: 1,
            compactor_clocks: &[3],
            longest_page: 3,
            ..World::of_segments_without(LeftOut::CompactorsClock)
        });
    }

    #[test]
    fn all_entries_of_a_millisecond_in_one_segment() {
        claims_too_much(World::of_segments_without(LeftOut::WholeMilliseconds));
    }

    #[test]
    fn reading_what_lies_between_segments() {
        claims_too_much(World::of_segments_without(LeftOut::NoHole));
    }

    #[test]
    fn an_overlap() {
        let rules = Rules {
            overlap: Duration::ZERO,
            ..Rules::STANDARD
        };
        breaks_its_promise(World {
            rules,
            ..World::of_writers()
        });
    }

    #[test]
    fn writing_again_what_became_visible_late() {
        let rules = Rules {
            visible_within: Duration::from_hours(1),
            ..Rules::STANDARD
        };
        breaks_its_promise(World {
            rules,
            tick: 20,
            end: 100,
            faults: Faults::default(),
            ..World::of_writers()
        });
    }

    #[test]
    fn holding_the_writer_s_clock_against_the_table_s() {
        let rules = Rules {
            clock_bound: Duration::from_hours(1),
            ..Rules::STANDARD
        };
        breaks_its_promise(World {
            rules,
            writer_clocks: &[[0, -90], [-90, 0]],
            ..World::of_writers()
        });
    }

    #[test]
    fn writing_the_entry_when_a_revoke_is_repeated() {
        let faults = Faults {
            deaths: 1,
            ..Faults::default()
        };
        let world = World {
            tick: 20,
            end: 100,
            faults,
            ..World::of_writers()
        };
        breaks_its_promise(World {
            left_out: Some(Habit::WriteOnRepeat),
            ..world
        });
    }

    #[test]
    fn strongly_consistent_reads() {
        breaks_its_promise(World {
            left_out: Some(Habit::StrongReads),
            ..World::of_writers()
        });
    }

    #[test]
    fn refusing_above_four_seconds() {
        let rules = Rules {
            usable: Duration::from_secs(6),
            ..Rules::STANDARD
        };
        breaks_its_promise(World {
            rules,
            ..World::of_readers()
        });
    }

    #[test]
    fn dating_a_read_by_its_sending() {
        breaks_its_promise(World {
            left_out: Some(Habit::DateBySending),
            ..World::of_readers()
        });
    }

    #[test]
    fn limiting_that_by_the_answer_s_date() {
        let rules = Rules {
            date_resolution: Duration::from_secs(4),
            ..Rules::STANDARD
        };
        breaks_its_promise(World {
            rules,
            ..World::of_readers()
        });
    }

    #[test]
    fn refusing_a_negative_age() {
        let rules = Rules {
            negative_age: Duration::from_hours(2),
            ..Rules::STANDARD
        };
        breaks_its_promise(World {
            rules,
            ..World::of_events_without_a_time()
        });
    }

    #[test]
    fn the_event_s_time_when_an_instance_wakes_with_its_clock_behind() {
        let faults = Faults {
            freezes: 1,
            ..Faults::default()
        };
        breaks_its_promise(World {
            left_out: Some(Habit::RequestTime),
            faults,
            ..World::of_readers()
        });
    }

    #[test]
    fn the_event_s_time_when_a_clock_is_set_back_a_little() {
        breaks_its_promise(World {
            reader_clocks: &[0, -4],
            ..World::of_events_without_a_time()
        });
    }

    #[test]
    fn a_margin_to_the_window() {
        let rules = Rules {
            window_margin: Duration::ZERO,
            ..Rules::STANDARD
        };
        breaks_its_promise(World {
            rules,
            ..World::of_hours()
        });
    }

    #[test]
    fn a_window_as_long_as_tokens_live() {
        let rules = Rules {
            longest_token: Duration::from_mins(20),
            ..Rules::STANDARD
        };
        breaks_its_promise(World {
            rules,
            ..World::of_hours()
        });
    }
}
