use std::sync::Arc;

use super::{
    planted::{self, Bug},
    state::{Phase, RunState},
};
use crate::{
    graph::Section,
    model::{SkipReason, StepStatus, Timestamp},
};

/// With `--only`, the steps named and all they need run; other steps of `steps` do not.
pub(super) fn leave_out(state: &mut RunState) {
    let only = state.core.origin.as_ref().map(|origin| origin.only.clone()).unwrap_or_default();
    if only.is_empty() {
        return;
    }
    let mut wanted = vec![false; state.nodes.len()];
    let mut open = only;
    while let Some(node) = open.pop() {
        if let Some(place) = wanted.get_mut(node.index())
            && !std::mem::replace(place, true)
        {
            open.extend(&state.shape.nodes[node.index()].needs);
        }
    }
    for (ix, wanted) in wanted.iter().enumerate() {
        if !wanted && state.shape.nodes[ix].section == Section::Main {
            Arc::make_mut(&mut state.nodes[ix]).left_out = true;
        }
    }
    state.rebuild();
}

/// What did not succeed is pending again; attempts go on counting but the policy begins anew. Attempts
/// that ran when the run was interrupted are made again under their number.
pub(super) fn resume(state: &mut RunState, at: Timestamp) {
    let steps = state.nodes.iter().zip(&state.shape.nodes);
    let runs_again = steps.map(|(node, shape)| {
        let closing = shape.section != Section::Main;
        match (node.status, node.skip) {
            (StepStatus::Failed, _) => closing || !shape.continue_on_error,
            (StepStatus::Succeeded, _) => planted::has(Bug::ResumesSucceeded),
            (StepStatus::Cancelled, _) => true,
            (StepStatus::Skipped, Some(SkipReason::NotSelected)) => false,
            (StepStatus::Skipped, Some(SkipReason::Condition)) => closing,
            (StepStatus::Skipped, _) => true,
            _ => closing,
        }
    });
    let mut again: Vec<bool> = runs_again.collect();
    // A condition that was false may have been so because of a step that runs again; and what had not
    // ended begins anew where a step that it needs does.
    let mut changed = true;
    while changed {
        changed = false;
        for ix in 0..state.nodes.len() {
            let node = &state.nodes[ix];
            let open = !node.status.is_final() || node.skip == Some(SkipReason::Condition);
            if open && !again[ix] && state.shape.nodes[ix].needs.iter().any(|need| again[need.index()]) {
                again[ix] = true;
                changed = true;
            }
        }
    }
    for (place, _) in state.nodes.iter_mut().zip(again).filter(|(_, again)| *again) {
        let node = Arc::make_mut(place);
        node.status = StepStatus::Pending;
        node.floor = node.attempt;
        (node.skip, node.began, node.due, node.wait, node.fault) = (None, None, None, None, None);
        (node.answer, node.outputs, node.rows) = (None, None, None);
        node.labels.clear();
        (node.condition_held, node.answered, node.checking) = (false, false, false);
        node.iterations = 0;
        if let Some(items) = &mut node.items {
            items.resume();
        }
    }
    let core = &mut state.core;
    core.phase = Phase::Steps;
    core.deadline = core.deadline.filter(|deadline| *deadline > at);
    (core.cancelled_by, core.fault, core.outputs) = (None, None, None);
    (core.deadline_reached, core.failed, core.closing_failed) = (false, false, false);
    state.rebuild();
}
