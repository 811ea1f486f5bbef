use super::{
    planted::{self, Bug},
    queues::Turn,
    state::{Phase, RunState},
};
use crate::{
    graph::Form,
    model::{NodeIx, Timestamp},
};

impl RunState {
    /// Attempts and items that may still start beside those that have a slot.
    pub(super) fn free_slots(&self) -> u32 {
        self.shape.max_parallel.max(1).saturating_sub(self.queues.slots)
    }

    /// Steps without items that may start at `now` as far as time is concerned, before `turn`.
    fn ready_before(&self, turn: Turn, now: Timestamp, at_most: u32) -> u32 {
        let at_most = at_most as usize;
        let ready = self.queues.ready.range(..turn).take(at_most).count();
        let due = self.queues.delayed.range(..=(now, NodeIx(u32::MAX)));
        let due = due.filter(|(_, node)| self.turn(*node) < turn).take(at_most).count();
        (ready + due) as u32
    }

    /// The next step that gets a slot, if one is free and the turn is not an item's.
    pub(super) fn next_ready(&self, now: Timestamp) -> Option<NodeIx> {
        if self.free_slots() == 0 && !planted::has(Bug::IgnoresRunLimit) {
            return None;
        }
        let ready = self.queues.ready.first().copied();
        let due = self.queues.delayed.range(..=(now, NodeIx(u32::MAX))).map(|(_, node)| self.turn(*node)).min();
        ready.into_iter().chain(due).min().map(|(_, node)| node)
    }

    /// Gives free slots to items, leaving one for each step whose turn comes before. Part of applying
    /// any event, so that a log always gives the same items the same slots.
    pub(super) fn fill(&mut self, at: Timestamp) {
        if !matches!(self.core.phase, Phase::Steps | Phase::Closing(_)) {
            return;
        }
        if self.free_slots() == 0 || self.queues.filling.is_empty() {
            return;
        }
        let fan_outs: Vec<Turn> = self.queues.filling.iter().copied().collect();
        for turn in fan_outs {
            let node = turn.1;
            let Some((state, shape)) = self.pair(node) else { continue };
            let (Some(items), Form::ForEach { max_parallel, min_success }) = (&state.items, &shape.form) else {
                continue;
            };
            let hopeless = self.shape.fail_fast && !items.reaches(*min_success, items.left());
            if hopeless || self.is_ending(node) || self.is_over_deadline(node, at) {
                continue;
            }
            let free = self.free_slots();
            let own = max_parallel.map_or(u32::MAX, |limit| limit.max(1));
            let own = if planted::has(Bug::IgnoresItemLimit) { u32::MAX } else { own };
            let more = (free - self.ready_before(turn, at, free).min(free))
                .min(own.saturating_sub(items.under_way.len() as u32))
                .min(items.left() - items.under_way.len() as u32);
            if more > 0 {
                self.change(node, |state| {
                    if let Some(items) = &mut state.items {
                        (0..more).for_each(|_| {
                            items.start_next();
                        });
                    }
                });
            }
        }
    }
}
