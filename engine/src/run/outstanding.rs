use super::{
    command::Command,
    state::{Phase, RunState},
};
use crate::{
    graph::{Form, Section},
    model::{NodeIx, RunStatus, StepStatus, Timestamp},
};

/// All that the driver must see to now. Follows from the state alone: a new owner is told the same.
/// Costs what is under way, never the number of steps or items.
pub fn outstanding(state: &RunState, now: Timestamp) -> Vec<Command> {
    let mut commands = Vec::new();
    if !matches!(state.core.phase, Phase::Steps | Phase::Closing(_)) {
        return commands;
    }
    commands.extend(state.queues.evaluating.iter().map(|node| Command::Evaluate { node: *node }));
    let mut wake: Option<Timestamp> = None;
    let mut wake_at = |at: Timestamp| wake = Some(wake.map_or(at, |wake| wake.min(at)));
    for node in state.queues.running.iter().copied() {
        let Some((step, shape)) = state.pair(node) else { continue };
        if state.is_stopped(node, now) {
            commands.push(Command::Stop { node });
        } else if step.checking {
            commands.push(Command::CheckUntil { node });
        } else if let Some(items) = &step.items {
            if state.wants_gather(node) {
                commands.push(Command::Gather { node });
            }
            for (item, slot) in &items.under_way {
                match slot.due {
                    Some(due) if due > now => wake_at(due),
                    _ => commands.push(Command::Item { node, item: *item, attempt: slot.attempt }),
                }
            }
        } else if matches!(shape.form, Form::ForEach { .. }) {
            commands.push(Command::PlanItems { node });
        } else {
            commands.push(Command::Attempt { node, attempt: step.attempt });
        }
    }
    if state.wants_finish() {
        commands.push(Command::Finish);
    }
    let later = |set: &std::collections::BTreeSet<(Timestamp, NodeIx)>| {
        set.range((now, NodeIx(u32::MAX))..).next().map(|(at, _)| *at)
    };
    // What is due already and has not gone on waits for a slot, unless one is free.
    let delayed = match state.queues.delayed.first() {
        Some((at, _)) if state.free_slots() > 0 => Some(*at),
        _ => None,
    };
    let run = state
        .core
        .deadline
        .filter(|_| state.core.phase == Phase::Steps && state.open(Section::Main) > 0 && !state.is_stopping());
    let waits = state.queues.waits.first().map(|(at, _)| *at);
    let overdue = state.queues.deadlines.range(..=(now, NodeIx(u32::MAX))).find(|(_, node)| {
        let running = state.get(*node).is_some_and(|step| step.status == StepStatus::Running && !step.checking);
        !running || (state.is_fan_out(*node) && state.has_nothing_under_way(*node))
    });
    [delayed, run, waits, overdue.map(|(at, _)| *at), later(&state.queues.deadlines)]
        .into_iter()
        .flatten()
        .for_each(&mut wake_at);
    commands.extend(wake.map(|at| Command::Wake { at }));
    commands
}

impl RunState {
    /// Whether a fan-out's items are over, as far as they will run.
    pub(super) fn wants_gather(&self, node: NodeIx) -> bool {
        let Some((state, shape)) = self.pair(node) else { return false };
        let (Some(items), Form::ForEach { min_success, .. }) = (&state.items, &shape.form) else { return false };
        let hopeless = self.shape.fail_fast && !items.reaches(*min_success, items.left());
        let over = items.complete() || (hopeless && items.under_way.is_empty() && !self.is_ending(node));
        state.status == StepStatus::Running && over
    }

    /// Whether nothing of a running fan-out that will not go on is under way.
    pub(super) fn has_nothing_under_way(&self, node: NodeIx) -> bool {
        self.get(node).is_some_and(|state| {
            state.items.as_ref().is_none_or(|items| items.under_way.is_empty() && !items.complete())
        })
    }

    /// Whether only the pipeline's outputs are left to evaluate.
    pub(super) fn wants_finish(&self) -> bool {
        let over = match self.core.phase {
            Phase::Steps => {
                self.open(Section::Main) == 0 && !self.shape.nodes.iter().any(|node| node.section != Section::Main)
            }
            Phase::Closing(_) => self.queues.open == [0; 3],
            _ => false,
        };
        over && self.shape.has_outputs && self.outcome() == RunStatus::Succeeded
    }
}
