//! Covers, model-checked (`domain::feed::Rules`, Covers): what changes too often is told by one
//! entry, and then looked up in the tables.
//!
//! The rules and the feed are those of `domain::feed`. The model supplies a writer that opens a
//! cover, a writer that leaves its change out of the feed by it, a token that is issued as late as
//! may be from a read before the change, and a reader with its memory of look-ups, which may be
//! replaced by a cold one at any moment. Their clocks differ as far as they may. Small numbers: a
//! second is a tick.
//!
//! The rules must hold; then one at a time is left out, and there must be a counterexample. Run
//! with `--nocapture` it prints the counts of states and the shortest counterexamples.

mod state;
mod world;

use std::time::Duration;

use domain::feed::{LeftOut, Rules};

use self::world::{GIVEN_BACK, Habit, NO_LATE_ALLOW, Story, World};
use super::checking::{breaks, keeps_its_promise};

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

impl World {
    fn of(story: Story) -> Self {
        let rules = Rules {
            visible_within: seconds(1),
            clock_bound: seconds(1),
            date_resolution: Duration::ZERO,
            overlap: seconds(3),
            usable: seconds(2),
            // The last moment at which a change may be left out.
            cover_renewal: Duration::ZERO,
            prune_interval: seconds(2),
            ..Rules::STANDARD
        };
        // The shortest that show everything: what is looked up must last for a token and the skew
        // of two clocks, and for longer than what was told matters.
        let (rules, end) = match story {
            Story::Deactivation => (
                Rules {
                    cover_duration: seconds(3),
                    longest_token: seconds(2),
                    window_margin: seconds(2),
                    look_up_margin: Duration::ZERO,
                    ..rules
                },
                14,
            ),
            Story::Restoration => (
                Rules {
                    cover_duration: seconds(2),
                    longest_token: seconds(1),
                    window_margin: seconds(1),
                    look_up_margin: seconds(3),
                    ..rules
                },
                11,
            ),
        };
        Self {
            story,
            rules,
            readers_rules: rules,
            end,
            bound: 2,
            left_out: None,
        }
    }

    /// The reader follows other rules than the writers.
    fn where_readers(self, change: impl FnOnce(&mut Rules)) -> Self {
        let mut readers_rules = self.rules;
        change(&mut readers_rules);
        Self {
            readers_rules,
            ..self
        }
    }

    fn without(self, habit: Habit) -> Self {
        Self {
            left_out: Some(habit),
            ..self
        }
    }
}

mod the_promise_holds {
    use super::*;

    #[test]
    fn for_a_key_that_is_stopped_under_a_cover() {
        keeps_its_promise(World::of(Story::Deactivation));
    }

    #[test]
    fn for_a_key_that_is_given_back_under_a_cover() {
        keeps_its_promise(World::of(Story::Restoration));
    }
}

mod the_promise_breaks_without {
    use super::*;

    fn allows_late(world: World) {
        breaks(world, NO_LATE_ALLOW);
    }

    #[test]
    fn looking_up_after_the_end_of_the_cover() {
        allows_late(World::of(Story::Deactivation).where_readers(|rules| {
            rules.longest_token = Duration::ZERO;
            rules.window_margin = Duration::ZERO;
        }));
    }

    #[test]
    fn looking_up_as_long_as_tokens_and_the_skew_of_two_clocks() {
        let world = World::of(Story::Deactivation);
        allows_late(world.where_readers(|rules| rules.window_margin = Duration::ZERO));
    }

    #[test]
    fn reaching_back_to_before_the_cover_began() {
        allows_late(
            World::of(Story::Deactivation)
                .where_readers(|rules| rules.cover_duration = Duration::ZERO),
        );
    }

    #[test]
    fn publishing_a_cover_before_it_is_noted() {
        allows_late(World::of(Story::Deactivation).without(Habit::PublishBeforeNoting));
    }

    #[test]
    fn publishing_a_change_that_ends_after_its_cover() {
        allows_late(World::of(Story::Deactivation).without(Habit::PublishAfterCover));
    }

    #[test]
    fn using_a_look_up_no_longer_than_a_feed() {
        allows_late(World::of(Story::Deactivation).without(Habit::AgeLookUps));
    }

    #[test]
    fn strongly_consistent_look_ups() {
        allows_late(World::of(Story::Deactivation).without(Habit::StrongReads));
    }

    #[test]
    fn looking_up_for_longer_than_suspends_stay_in_the_feed() {
        let world = World::of(Story::Restoration);
        let no_longer = world.where_readers(|rules| rules.look_up_margin = Duration::ZERO);
        breaks(no_longer, GIVEN_BACK);
    }

    #[test]
    fn asking_the_tables_alone_what_is_stopped() {
        let world = World::of(Story::Restoration);
        let beside = world.where_readers(|rules| rules.left_out = Some(LeftOut::TablesAlone));
        breaks(beside, GIVEN_BACK);
    }
}
