use std::sync::Arc;

use super::{
    items::Items,
    planted::{self, Bug},
    resume,
    state::{Phase, RunState},
    transition::{self, IllegalMove},
};
use crate::{
    graph::Section,
    model::{Event, Fault, NodeIx, Recorded, RunStatus, Timestamp, event::VERSION},
};

/// Applies a committed event. Recovery is this alone, over the log.
pub fn evolve(state: &mut RunState, recorded: &Recorded) -> Result<(), IllegalMove> {
    if recorded.version > VERSION {
        return Err(IllegalMove::Newer(recorded.version));
    }
    if recorded.seq != state.core.seq + 1 {
        return Err(IllegalMove::Gap { after: state.core.seq, got: recorded.seq });
    }
    apply(state, &recorded.event, recorded.at)
}

/// Applies the next event.
pub(super) fn apply(state: &mut RunState, event: &Event, at: Timestamp) -> Result<(), IllegalMove> {
    match event.node() {
        Some(node) => apply_to_step(state, node, event, at)?,
        None => apply_to_run(state, event, at)?,
    }
    state.fill(at);
    state.core.seq += 1;
    Ok(())
}

fn apply_to_run(state: &mut RunState, event: &Event, at: Timestamp) -> Result<(), IllegalMove> {
    let illegal = |state: &RunState| IllegalMove::Run { status: state.status(), event: event.name() };
    let phase = state.core.phase;
    let active = matches!(phase, Phase::Steps | Phase::Closing(_));
    match event {
        Event::RunCreated { origin } if phase == Phase::Created && state.core.origin.is_none() => {
            state.core.deadline = origin.deadline;
            state.core.origin = Some(Arc::new((**origin).clone()));
            resume::leave_out(state);
        }
        Event::OwnerTaken { owner, epoch } if state.core.owner.is_none_or(|(_, old)| old < *epoch) => {
            state.core.owner = Some((*owner, *epoch));
        }
        Event::RunStarted if phase == Phase::Created && state.core.origin.is_some() => {
            state.core.phase = Phase::Steps;
            state.activate(Section::Main);
        }
        Event::CancelRequested { by } if phase == Phase::Steps => state.core.cancelled_by = Some(by.clone()),
        Event::DeadlineReached if phase == Phase::Steps => {
            state.core.deadline_reached = true;
            state.core.fault.get_or_insert_with(run_deadline);
        }
        Event::ClosingStarted { outcome } if phase == Phase::Steps && state.open(Section::Main) == 0 => {
            state.core.phase = Phase::Closing(*outcome);
            state.activate(Section::OnFailure);
            state.activate(Section::Finally);
        }
        Event::RunInterrupted { .. } if active || phase == Phase::Created => {
            state.core.phase = Phase::Interrupted;
            // No section is active any more: what was about to start waits for nothing.
            state.rebuild();
        }
        Event::RunResumed { .. } if matches!(phase, Phase::Interrupted) || is_resumable(phase) => {
            resume::resume(state, at);
        }
        Event::RunEnded { status, outputs, fault } if active && state.queues.open == [0; 3] && status.is_final() => {
            state.core.phase = Phase::Ended(*status);
            state.core.outputs = (*status == RunStatus::Succeeded).then(|| outputs.clone());
            state.core.fault.clone_from(fault);
        }
        _ => return Err(illegal(state)),
    }
    Ok(())
}

pub(super) fn is_resumable(phase: Phase) -> bool {
    matches!(phase, Phase::Interrupted | Phase::Ended(RunStatus::Failed | RunStatus::Cancelled))
}

pub(super) fn run_deadline() -> Fault {
    Fault::external("run.deadline", "the run did not end before its deadline")
}

fn apply_to_step(state: &mut RunState, node: NodeIx, event: &Event, at: Timestamp) -> Result<(), IllegalMove> {
    let Some((now, _)) = state.pair(node) else { return Err(IllegalMove::NoStep(node)) };
    // An answer that comes while the run is interrupted is kept for its resume.
    let kept = state.core.phase == Phase::Interrupted && matches!(event, Event::WaitEnded { .. });
    if !kept && !matches!(state.core.phase, Phase::Steps | Phase::Closing(_)) {
        return Err(IllegalMove::Run { status: state.status(), event: event.name() });
    }
    let to = transition::next(node, now.status, event)?;
    let detail = |why| IllegalMove::Detail { node, event: event.name(), why };
    match event {
        Event::AttemptStarted { attempt, .. } => {
            let expected = if now.answered { now.attempt } else { now.attempt + 1 };
            if *attempt != expected {
                return Err(detail("attempts are numbered without holes"));
            }
        }
        Event::ItemsPlanned { .. } if now.items.is_some() => return Err(detail("the items are planned already")),
        Event::ItemsSettled { ranges, .. } if !now.items.as_ref().is_some_and(|items| items.can_settle(ranges)) => {
            return Err(detail("an item is not there or has ended"));
        }
        Event::ItemsRetried { retries, .. } => {
            let known = |item| now.items.as_ref().is_some_and(|items| items.under_way.contains_key(&item));
            if !retries.iter().all(|retry| known(retry.item)) {
                return Err(detail("an item is not under way"));
            }
        }
        _ => {}
    }
    count_failure(state, node, event);
    state.change(node, |step| {
        step.status = to;
        change(step, event, at);
    });
    Ok(())
}

/// What a failure means for the run.
fn count_failure(state: &mut RunState, node: NodeIx, event: &Event) {
    let Some(shape) = state.shape.nodes.get(node.index()) else { return };
    let fault = match event {
        Event::StepFailed { fault, .. } if !shape.continue_on_error => fault.clone(),
        Event::StepCancelled { .. } if !(state.is_ending(node)) => Fault::cancelled(),
        _ => return,
    };
    match shape.section {
        Section::Main => state.core.failed = true,
        Section::OnFailure => return,
        Section::Finally => state.core.closing_failed = !planted::has(Bug::ForgivesFinally),
    }
    state.core.fault.get_or_insert(fault);
}

fn change(step: &mut super::state::NodeState, event: &Event, at: Timestamp) {
    match event {
        Event::ConditionHeld { .. } => step.condition_held = true,
        Event::AttemptStarted { attempt, .. } => {
            step.attempt = *attempt;
            step.due = None;
            step.answered = false;
            step.began.get_or_insert(at);
        }
        Event::AttemptFailed { fault, retry_at, .. } => {
            step.fault = Some(fault.clone());
            step.due = Some(*retry_at);
        }
        Event::StepSucceeded { outputs, labels, rows, .. } => {
            step.outputs = Some(outputs.clone());
            step.labels.clone_from(labels);
            step.rows = *rows;
            (step.fault, step.due, step.answer) = (None, None, None);
            step.checking = false;
        }
        Event::IterationEnded { outputs, labels, rows, .. } => {
            step.outputs = Some(outputs.clone());
            step.labels.clone_from(labels);
            step.rows = *rows;
            step.checking = true;
        }
        Event::StepFailed { fault, partial, .. } => {
            step.fault = Some(fault.clone());
            step.outputs.clone_from(partial);
            end_badly(step);
        }
        Event::StepCancelled { .. } => end_badly(step),
        Event::StepSkipped { reason, .. } => {
            step.skip = Some(*reason);
            step.due = None;
        }
        Event::StepWaiting { wait, .. } => step.wait = Some(wait.clone()),
        Event::WaitEnded { answer, .. } => {
            step.wait = None;
            step.answer = Some(answer.clone());
            step.answered = true;
        }
        Event::ItemsPlanned { count, digest, .. } => step.items = Some(Items::new(*count, *digest)),
        Event::ItemsSettled { ranges, .. } => {
            if let Some(items) = &mut step.items {
                for range in ranges {
                    items.settle(*range);
                }
            }
        }
        Event::ItemsRetried { retries, .. } => {
            if let Some(items) = &mut step.items {
                for retry in retries {
                    items.delay(retry.item, retry.attempt, retry.retry_at);
                }
            }
        }
        Event::RepeatScheduled { iteration, at, .. } => {
            step.iterations = *iteration;
            step.floor = step.attempt;
            step.due = Some(*at);
            step.checking = false;
            step.fault = None;
        }
        _ => {}
    }
}

fn end_badly(step: &mut super::state::NodeState) {
    (step.due, step.wait, step.answer) = (None, None, None);
    (step.answered, step.checking) = (false, false);
    if let Some(items) = &mut step.items {
        items.under_way.clear();
    }
}
