use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    planted::{self, Bug},
    state::{NodeState, Phase, RunState},
};
use crate::{
    graph::{Form, Section},
    model::{NodeIx, RunStatus, SkipReason, StepStatus, Timestamp, Wait},
};

/// The order in which steps get slots: the longest path to an end first, then the order of the file.
pub(super) type Turn = (Reverse<u32>, NodeIx);

/// Steps by what they wait for. Follows from the states of the steps.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Queues {
    /// Needs of each step that have not ended.
    pub(super) unmet: Vec<u32>,
    /// Steps of each section that have not ended.
    pub(super) open: [u32; 3],
    /// To be skipped, and why.
    pub(super) to_skip: BTreeMap<NodeIx, SkipReason>,
    /// Their outputs are taken over from another run.
    pub(super) to_reuse: BTreeSet<NodeIx>,
    /// Their `if` is to be evaluated.
    pub(super) evaluating: BTreeSet<NodeIx>,
    /// May start as soon as a slot is free.
    pub(super) ready: BTreeSet<Turn>,
    /// Fan-outs that may start: they take no slot themselves.
    pub(super) ready_fan_outs: BTreeSet<NodeIx>,
    /// May start later.
    pub(super) delayed: BTreeSet<(Timestamp, NodeIx)>,
    pub(super) running: BTreeSet<NodeIx>,
    /// Running fan-outs with items that have no slot yet.
    pub(super) filling: BTreeSet<Turn>,
    /// Slots taken by attempts and items.
    pub(super) slots: u32,
    /// Ends of waits.
    pub(super) waits: BTreeSet<(Timestamp, NodeIx)>,
    pub(super) waiting: u32,
    /// Deadlines of steps that began and have not ended.
    pub(super) deadlines: BTreeSet<(Timestamp, NodeIx)>,
}

fn section_slot(section: Section) -> usize {
    match section {
        Section::Main => 0,
        Section::OnFailure => 1,
        Section::Finally => 2,
    }
}

impl RunState {
    pub(super) fn turn(&self, node: NodeIx) -> Turn {
        (Reverse(self.shape.nodes.get(node.index()).map_or(0, |node| node.priority)), node)
    }

    pub(super) fn open(&self, section: Section) -> u32 {
        self.queues.open[section_slot(section)]
    }

    /// Whether steps of a section may start now.
    fn is_active(&self, section: Section) -> bool {
        match (self.core.phase, section) {
            (Phase::Steps, Section::Main) => true,
            (Phase::Closing(_), Section::OnFailure) => true,
            (Phase::Closing(_), Section::Finally) => self.open(Section::OnFailure) == 0,
            _ => false,
        }
    }

    /// All queues anew.
    pub(super) fn rebuild(&mut self) {
        self.queues = Queues { unmet: vec![0; self.nodes.len()], ..Queues::default() };
        for (ix, shape) in self.shape.nodes.iter().enumerate() {
            let open = |need: &&NodeIx| self.get(**need).is_none_or(|need| !need.status.is_final());
            self.queues.unmet[ix] = shape.needs.iter().filter(open).count() as u32;
            if !self.nodes[ix].status.is_final() {
                self.queues.open[section_slot(shape.section)] += 1;
            }
        }
        for ix in 0..self.nodes.len() {
            self.enter(NodeIx(ix as u32));
        }
    }

    /// Changes a step and moves it to the queues that it then belongs to.
    pub(super) fn change(&mut self, node: NodeIx, change: impl FnOnce(&mut NodeState)) {
        self.leave(node);
        let Some(place) = self.nodes.get_mut(node.index()) else { return };
        let was_final = place.status.is_final();
        change(Arc::make_mut(place));
        let is_final = place.status.is_final();
        if is_final && !was_final {
            self.ended(node);
        }
        self.enter(node);
    }

    fn ended(&mut self, node: NodeIx) {
        let section = self.section_of(node);
        let open = &mut self.queues.open[section_slot(section)];
        *open = open.saturating_sub(1);
        let needed_by = Arc::clone(&self.needed_by);
        for next in &needed_by[node.index()] {
            let unmet = &mut self.queues.unmet[next.index()];
            *unmet = unmet.saturating_sub(1);
            if *unmet == 0 {
                self.leave(*next);
                self.enter(*next);
            }
        }
        if section == Section::OnFailure && self.open(Section::OnFailure) == 0 {
            self.activate(Section::Finally);
        }
    }

    /// Looks again at the steps of a section that has just become active.
    pub(super) fn activate(&mut self, section: Section) {
        for ix in 0..self.nodes.len() {
            if self.shape.nodes[ix].section == section {
                self.leave(NodeIx(ix as u32));
                self.enter(NodeIx(ix as u32));
            }
        }
    }

    /// Whether the needs of a step, all ended, leave it something to run for.
    fn has_bad_need(&self, node: NodeIx) -> bool {
        let Some((_, shape)) = self.pair(node) else { return false };
        shape.needs.iter().any(|need| {
            let Some((state, shape)) = self.pair(*need) else { return false };
            match state.status {
                StepStatus::Failed => !shape.continue_on_error || planted::has(Bug::ForgetsContinueOnError),
                StepStatus::Cancelled => true,
                StepStatus::Skipped => state.skip == Some(SkipReason::Upstream),
                _ => false,
            }
        }) && !planted::has(Bug::RunsAfterFailedNeed)
    }

    fn leave(&mut self, node: NodeIx) {
        let Some(state) = self.nodes.get(node.index()) else { return };
        let turn = self.turn(node);
        match state.status {
            StepStatus::Pending => {
                self.queues.to_skip.remove(&node);
                self.queues.to_reuse.remove(&node);
                self.queues.evaluating.remove(&node);
                self.queues.ready.remove(&turn);
                self.queues.ready_fan_outs.remove(&node);
            }
            StepStatus::Ready => {
                self.queues.to_reuse.remove(&node);
                self.queues.ready.remove(&turn);
                self.queues.ready_fan_outs.remove(&node);
                if let Some(due) = state.due {
                    self.queues.delayed.remove(&(due, node));
                }
            }
            StepStatus::Running => {
                self.queues.running.remove(&node);
                self.queues.filling.remove(&turn);
                self.queues.slots = self.queues.slots.saturating_sub(self.slots_of(node));
            }
            StepStatus::Waiting => {
                self.queues.waiting = self.queues.waiting.saturating_sub(1);
                if let Some(at) = state.wait.as_ref().and_then(wait_end) {
                    self.queues.waits.remove(&(at, node));
                }
            }
            _ => {}
        }
        if let Some(at) = self.deadline_of(node) {
            self.queues.deadlines.remove(&(at, node));
        }
    }

    fn enter(&mut self, node: NodeIx) {
        let Some((state, shape)) = self.pair(node) else { return };
        if state.status.is_final() {
            return;
        }
        let (status, due, turn) = (state.status, state.due, self.turn(node));
        let fan_out = matches!(shape.form, Form::ForEach { .. });
        let wait = state.wait.as_ref().and_then(wait_end);
        let filling = state.items.as_ref().is_some_and(super::items::Items::has_unstarted);
        match status {
            StepStatus::Pending => self.classify(node),
            StepStatus::Ready => {
                let queues = &mut self.queues;
                match due {
                    Some(due) => queues.delayed.insert((due, node)),
                    None if fan_out => queues.ready_fan_outs.insert(node),
                    None => queues.ready.insert(turn),
                };
            }
            StepStatus::Running => {
                self.queues.running.insert(node);
                self.queues.slots += self.slots_of(node);
                if filling {
                    self.queues.filling.insert(turn);
                }
            }
            StepStatus::Waiting => {
                self.queues.waiting += 1;
                if let Some(at) = wait {
                    self.queues.waits.insert((at, node));
                }
            }
            _ => {}
        }
        if let Some(at) = self.deadline_of(node) {
            self.queues.deadlines.insert((at, node));
        }
    }

    /// Where a pending step stands once its section is active and its needs ended.
    fn classify(&mut self, node: NodeIx) {
        let Some((state, shape)) = self.pair(node) else { return };
        if !self.is_active(shape.section) {
            return;
        }
        let reused =
            state.attempt == 0 && self.core.origin.as_ref().is_some_and(|origin| origin.reused.contains_key(&node));
        if reused {
            self.queues.to_reuse.insert(node);
            return;
        }
        let reason = if state.left_out {
            Some(SkipReason::NotSelected)
        } else if shape.section == Section::OnFailure
            && matches!(self.core.phase, Phase::Closing(outcome) if outcome != RunStatus::Failed)
        {
            Some(SkipReason::Condition)
        } else if self.queues.unmet[node.index()] > 0 {
            return;
        } else if !shape.handles_failure && self.has_bad_need(node) {
            Some(SkipReason::Upstream)
        } else {
            None
        };
        let skips_finally = planted::has(Bug::SkipsFinallyOnCancel)
            && shape.section == Section::Finally
            && self.core.cancelled_by.is_some();
        let has_condition = shape.has_condition;
        if let Some(reason) = reason {
            self.queues.to_skip.insert(node, reason);
        } else if skips_finally {
            self.queues.to_skip.insert(node, SkipReason::RunEnding);
        } else if has_condition {
            self.queues.evaluating.insert(node);
        } else {
            // Nothing is recorded for becoming ready: it follows from the needs.
            if let Some(place) = self.nodes.get_mut(node.index()) {
                Arc::make_mut(place).status = StepStatus::Ready;
            }
            self.enter(node);
        }
    }

    fn slots_of(&self, node: NodeIx) -> u32 {
        let Some((state, shape)) = self.pair(node) else { return 0 };
        match (&state.items, &shape.form) {
            (Some(items), _) => items.under_way.len() as u32,
            (None, Form::ForEach { .. }) => 0,
            (None, _) => u32::from(!state.checking),
        }
    }
}

/// When a wait ends by itself.
pub(super) fn wait_end(wait: &Wait) -> Option<Timestamp> {
    match wait {
        Wait::Until { at } => Some(*at),
        Wait::Approval { until, .. } => *until,
        Wait::Run { .. } | Wait::Budget { .. } => None,
    }
}
