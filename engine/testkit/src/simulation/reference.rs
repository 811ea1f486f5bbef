use std::collections::BTreeMap;

use millwork_engine::{
    graph::{Form, Section},
    model::{NodeIx, RunStatus, SkipReason, StepStatus, event::ItemOutcome},
};

use super::scenario::{Fate, Scenario, Verdict};

/// How a run must end if nothing strikes it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ending {
    pub(super) status: RunStatus,
    pub(super) steps: Vec<(StepStatus, Option<SkipReason>)>,
    /// The number of the last attempt at each step.
    pub(super) attempts: Vec<u32>,
    pub(super) items: BTreeMap<(NodeIx, u32), ItemOutcome>,
}

/// The meaning of a plan, told in the simplest way: step after step, no time, no limits, no log.
pub(super) fn interpret(scenario: &Scenario) -> Ending {
    let count = scenario.shape.nodes.len();
    let mut ending = Ending {
        status: RunStatus::Succeeded,
        steps: vec![(StepStatus::Pending, None); count],
        attempts: vec![0; count],
        items: BTreeMap::new(),
    };
    let wanted = wanted(scenario);
    section(scenario, Section::Main, &wanted, &mut ending);
    if fails(scenario, Section::Main, &ending) {
        ending.status = RunStatus::Failed;
        section(scenario, Section::OnFailure, &wanted, &mut ending);
    } else {
        for (ix, shape) in scenario.shape.nodes.iter().enumerate() {
            if shape.section == Section::OnFailure {
                ending.steps[ix] = (StepStatus::Skipped, Some(SkipReason::Condition));
            }
        }
    }
    section(scenario, Section::Finally, &wanted, &mut ending);
    if fails(scenario, Section::Finally, &ending) {
        ending.status = RunStatus::Failed;
    }
    ending
}

fn wanted(scenario: &Scenario) -> Vec<bool> {
    let nodes = &scenario.shape.nodes;
    let mut wanted: Vec<bool> = (0..nodes.len() as u32)
        .map(|ix| {
            let only = &scenario.origin.only;
            only.is_empty() || only.contains(&NodeIx(ix)) || nodes[ix as usize].section != Section::Main
        })
        .collect();
    for ix in (0..nodes.len()).rev().filter(|ix| nodes[*ix].section == Section::Main) {
        if wanted[ix] {
            nodes[ix].needs.iter().for_each(|need| wanted[need.index()] = true);
        }
    }
    wanted
}

fn fails(scenario: &Scenario, section: Section, ending: &Ending) -> bool {
    let mut steps = scenario.shape.nodes.iter().zip(&ending.steps);
    steps.any(|(shape, (status, _))| {
        shape.section == section && *status == StepStatus::Failed && !shape.continue_on_error
    })
}

fn section(scenario: &Scenario, section: Section, wanted: &[bool], ending: &mut Ending) {
    for (ix, shape) in scenario.shape.nodes.iter().enumerate().filter(|(_, shape)| shape.section == section) {
        let node = NodeIx(ix as u32);
        let bad = bad_need(scenario, node, &ending.steps);
        let skipped = |reason| (StepStatus::Skipped, Some(reason));
        ending.steps[ix] = if scenario.origin.reused.contains_key(&node) {
            (StepStatus::Succeeded, None)
        } else if !wanted[ix] {
            skipped(SkipReason::NotSelected)
        } else if bad && !shape.handles_failure {
            skipped(SkipReason::Upstream)
        } else {
            match (shape.has_condition, scenario.verdict(node)) {
                (true, Verdict::Faults) => (StepStatus::Failed, None),
                (true, Verdict::HoldsNot) => skipped(SkipReason::Condition),
                (true, Verdict::HoldsAfterFailure) if !bad => skipped(SkipReason::Condition),
                _ => (run(scenario, node, ending), None),
            }
        };
    }
}

/// Whether a need of a step ended in a way that skips it.
pub(super) fn bad_need(scenario: &Scenario, node: NodeIx, steps: &[(StepStatus, Option<SkipReason>)]) -> bool {
    scenario.shape.nodes[node.index()].needs.iter().any(|need| match steps[need.index()] {
        (StepStatus::Failed, _) => !scenario.shape.nodes[need.index()].continue_on_error,
        (StepStatus::Cancelled, _) | (_, Some(SkipReason::Upstream)) => true,
        _ => false,
    })
}

fn run(scenario: &Scenario, node: NodeIx, ending: &mut Ending) -> StepStatus {
    let shape = &scenario.shape.nodes[node.index()];
    let to_status = |succeeded| if succeeded { StepStatus::Succeeded } else { StepStatus::Failed };
    match shape.form {
        Form::Single => {
            let (fate, last) = attempts(scenario, node, None, 0);
            ending.attempts[node.index()] = last;
            to_status(fate == Fate::Succeeds)
        }
        Form::Repeat { max, .. } => {
            let mut last = 0;
            for iteration in 1..=max {
                let (fate, number) = attempts(scenario, node, None, last);
                last = number;
                ending.attempts[node.index()] = last;
                if fate != Fate::Succeeds {
                    return StepStatus::Failed;
                }
                if iteration >= scenario.last_iteration(node) {
                    return StepStatus::Succeeded;
                }
            }
            StepStatus::Failed
        }
        Form::ForEach { min_success, .. } => {
            ending.attempts[node.index()] = 1;
            let Some(count) = scenario.item_count(node) else { return StepStatus::Failed };
            let (mut succeeded, mut counted) = (0, 0);
            for item in 0..count {
                let outcome = match attempts(scenario, node, Some(item), 0).0 {
                    Fate::Succeeds => ItemOutcome::Succeeded,
                    Fate::Skips => ItemOutcome::Skipped,
                    _ => ItemOutcome::Failed,
                };
                succeeded += u32::from(outcome == ItemOutcome::Succeeded);
                counted += u32::from(outcome != ItemOutcome::Skipped);
                ending.items.insert((node, item), outcome);
            }
            to_status(f64::from(succeeded) >= min_success * f64::from(counted))
        }
    }
}

/// Tries as often as the policy allows; attempts are numbered after `before`.
fn attempts(scenario: &Scenario, node: NodeIx, item: Option<u32>, before: u32) -> (Fate, u32) {
    let most = scenario.shape.nodes[node.index()].retry.max_attempts;
    let mut number = before;
    loop {
        number += 1;
        let fate = scenario.fate(node, item, number);
        if fate != Fate::Fails || number - before >= most {
            return (fate, number);
        }
    }
}
