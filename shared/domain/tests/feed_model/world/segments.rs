//! The compactor of the model, and what a reader makes of its segments.

use domain::feed::{Compaction, Exchange, SegmentPage, SegmentQuery};

use super::{
    World,
    state::{Action, Read, State},
};

impl World {
    pub(super) fn compactor_actions(&self, state: &State, actions: &mut Vec<Action>) {
        let compactor = &state.compactor;
        if self.compactor_runs == 0 {
            return;
        }
        // One that dies while it reads leaves nothing. Another one may run before what it sent
        // arrives.
        if compactor.runs_left > 0 && (compactor.run.is_none() || compactor.to_store.is_some()) {
            actions.push(Action::Run);
        }
        if compactor.read.is_some() {
            actions.push(Action::FinishPage);
        }
        if compactor.to_store.is_some() {
            actions.push(Action::Store);
        }
        let wants_them = Self::segment_query(state).is_some();
        let is_awake = state.reader.frozen_since.is_none() && state.now >= self.reader_starts_at;
        if wants_them && is_awake && !state.segments.is_empty() {
            actions.push(Action::ReadSegments(None));
            actions.extend((0..state.segments.len()).map(|one| Action::ReadSegments(Some(one))));
        }
    }

    fn segment_query(state: &State) -> Option<SegmentQuery> {
        let exchange = Self::exchange(state, state.reader.clock_off);
        state.reader.feed.segment_query(exchange.sent)
    }

    pub(super) fn act_on_segments(&self, state: &mut State, action: Action) {
        match action {
            Action::Run => {
                state.compactor.runs_left -= 1;
                let newest = state.segments.last().map(|segment| segment.until);
                let exchange = Self::compactors_exchange(state);
                state.compactor.run = Compaction::after(self.rules, newest, &exchange).ok();
                self.send_page(state);
            }
            Action::FinishPage => {
                Self::finish_page(state);
                self.send_page(state);
            }
            Action::Store => {
                let Some(segment) = state.compactor.to_store.take() else {
                    return;
                };
                let mut stored = state.segments.iter();
                if stored.all(|other| other.from != segment.from) {
                    state.segments.insert(segment);
                    Self::cut(state);
                } else {
                    state.compactor.run = None;
                }
            }
            Action::ReadSegments(but) => {
                let Some(query) = Self::segment_query(state) else {
                    return;
                };
                let asked_for = state
                    .segments
                    .iter()
                    .enumerate()
                    .filter(|(index, segment)| Some(*index) != but && segment.from >= query.from);
                let page = SegmentPage {
                    segments: asked_for.map(|(_, segment)| segment.clone()).collect(),
                    has_more: false,
                    exchange: Self::exchange(state, state.reader.clock_off),
                };
                let feed = &mut state.reader.feed;
                // A read that does not count is a read that failed.
                let _ = feed.absorb_segments(&query, page);
            }
            _ => {}
        }
    }

    fn send_page(&self, state: &mut State) {
        while let Some(query) = state.compactor.run.as_ref().and_then(Compaction::query) {
            let exchange = Self::compactors_exchange(state);
            state.compactor.read = Some(self.page(state, query, exchange));
            if self.longest_page > 0 {
                break;
            }
            Self::finish_page(state);
        }
    }

    fn finish_page(state: &mut State) {
        let now = Self::compactors_exchange(state);
        let compactor = &mut state.compactor;
        let (Some(run), Some(read)) = (&mut compactor.run, compactor.read.take()) else {
            return;
        };
        let Read {
            query, mut page, ..
        } = read;
        page.exchange.answered = now.answered;
        page.exchange.date = now.date;
        // One whose clock is not proven ends its run.
        if run.absorb(&query, page).is_err() {
            compactor.run = None;
        }
        Self::cut(state);
    }

    /// Makes the next segment, if the compactor has read enough for one.
    fn cut(state: &mut State) {
        let compactor = &mut state.compactor;
        let Some(run) = &mut compactor.run else {
            return;
        };
        if run.query().is_some() || compactor.to_store.is_some() {
            return;
        }
        match run.segment().expect("entries are short") {
            Some(segment) => {
                run.go_on_after(&segment);
                compactor.to_store = Some(segment);
            }
            None => compactor.run = None,
        }
    }

    fn compactors_exchange(state: &State) -> Exchange {
        Self::exchange(state, state.compactor.clock_off)
    }
}
