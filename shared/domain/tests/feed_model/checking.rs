//! What a model is checked for, and what is printed of it (with `--nocapture`).

use std::{collections::BTreeSet, fmt::Debug, hash::Hash};

use stateright::{Checker, HasDiscoveries, Model};

/// Every property holds in every state that there can be.
pub fn keeps_its_promise<M>(world: M)
where
    M: Model + Send + Sync + 'static,
    M::State: Debug + Hash + Send + Sync + Clone + PartialEq,
    M::Action: Debug + Clone + PartialEq,
{
    let checked = world.checker().spawn_bfs().join();
    println!(
        "{} states, {} steps deep",
        checked.unique_state_count(),
        checked.max_depth()
    );
    checked.assert_properties();
}

/// There is a counterexample to this property.
pub fn breaks<M>(world: M, property: &'static str)
where
    M: Model + Send + Sync + 'static,
    M::State: Debug + Hash + Send + Sync + Clone + PartialEq,
    M::Action: Debug + Clone + PartialEq,
{
    let checked = world
        .checker()
        .finish_when(HasDiscoveries::AnyOf(BTreeSet::from([property])))
        .spawn_bfs()
        .join();
    let counterexample = checked.assert_any_discovery(property).into_actions();
    println!(
        "{} states; {counterexample:?}",
        checked.unique_state_count()
    );
}
