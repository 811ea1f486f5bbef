//! Runs a run again from a step on; what came before is taken over where it would come out the same.

use std::{collections::BTreeMap, sync::Arc};

use super::{Prepared, RerunPlan, RunRequest, inner::Inner, launch::New};
use crate::{
    executor::Frozen,
    graph::{Plan, Section},
    model::{Fault, Labels, Name, NodeIx, RunId, StepStatus, event::Cause, event::StoredOutputs},
};

/// What a rerun does.
pub(super) struct Repeat {
    pub shown: RerunPlan,
    plan: Arc<Plan>,
    old: Frozen,
    from: Name,
    reused: BTreeMap<NodeIx, StoredOutputs>,
    labels: BTreeMap<NodeIx, BTreeMap<String, Labels>>,
}

impl Inner {
    pub(super) async fn rerun_plan(
        self: &Arc<Self>,
        run: RunId,
        from: &str,
        plan: Option<Arc<Plan>>,
    ) -> Result<Repeat, Fault> {
        let (old, _) = self.look(run).await?;
        let plan = plan.unwrap_or_else(|| old.plan.clone());
        let start = plan.node(from).ok_or_else(|| super::inner::no_step(&old.plan, from))?;
        let (start, from) = (start.ix, start.id.clone());
        let mut shown = RerunPlan { reused: Vec::new(), again: Vec::new() };
        let mut reused = BTreeMap::new();
        let mut labels = BTreeMap::new();
        // Steps that run again, by a walk in the order of needs.
        let mut again: BTreeMap<NodeIx, String> = BTreeMap::new();
        for node in ordered(&plan) {
            let Some(planned) = plan.nodes.get(node.index()) else { continue };
            if planned.section != Section::Main {
                continue;
            }
            let needs = plan.shape.nodes.get(node.index()).map(|shape| shape.needs.clone()).unwrap_or_default();
            let upstream =
                needs.iter().find(|need| again.contains_key(need)).and_then(|need| plan.nodes.get(need.index()));
            let before = old.find(planned.id.as_str());
            let reason = if node == start {
                Some("it was asked for".to_owned())
            } else if let Some(upstream) = upstream {
                Some(format!("it needs `{}`, which runs again", upstream.id))
            } else {
                match before.and_then(|ix| old.plan.nodes.get(ix.index()).map(|node| (ix, node.fingerprint))) {
                    None => Some("it is new".to_owned()),
                    Some((_, fingerprint)) if fingerprint != planned.fingerprint => {
                        Some("it, or something that it needs, was changed".to_owned())
                    }
                    Some((ix, _)) => match old.board.facts(ix) {
                        facts if facts.status != StepStatus::Succeeded => {
                            Some(format!("it was {} before", super::summary::word(facts.status)))
                        }
                        facts => match facts.stored {
                            Some(StoredOutputs::Recomputable { .. }) | None => {
                                Some("its outputs were not kept".to_owned())
                            }
                            Some(stored) => {
                                reused.insert(node, stored);
                                if !facts.labels.is_empty() {
                                    labels.insert(node, facts.labels);
                                }
                                None
                            }
                        },
                    },
                }
            };
            match reason {
                Some(reason) => drop(again.insert(node, reason)),
                None => shown.reused.push(planned.id.clone()),
            }
        }
        shown.again = again
            .into_iter()
            .filter_map(|(node, reason)| plan.nodes.get(node.index()).map(|node| (node.id.clone(), reason)))
            .collect();
        Ok(Repeat { shown, plan, old, from, reused, labels })
    }

    pub(super) async fn prepare_rerun(
        self: &Arc<Self>,
        run: RunId,
        from: &str,
        plan: Option<Arc<Plan>>,
    ) -> Result<Prepared, Fault> {
        let Repeat { plan, old, from, reused, labels: reused_labels, .. } = self.rerun_plan(run, from, plan).await?;
        let inputs = super::inputs::decoded(&old.origin.inputs)?;
        let known = inputs.into_iter().filter(|(name, _)| plan.spec.inputs.contains_key(name.as_str()));
        let interval = old.origin.interval.clone();
        let request = RunRequest { inputs: known.collect(), interval, ..RunRequest::default() };
        let labels = old.origin.labels.clone();
        let cause = Cause::Rerun { of: run, from };
        self.prepare(New { cause, labels, reused, reused_labels, ..New::of(plan, request) }).await
    }
}

/// Steps, each after those that it needs.
fn ordered(plan: &Plan) -> Vec<NodeIx> {
    let mut order = Vec::with_capacity(plan.nodes.len());
    let mut done = vec![false; plan.nodes.len()];
    let mut open: Vec<(NodeIx, bool)> = (0..plan.nodes.len()).rev().map(|ix| (NodeIx(ix as u32), false)).collect();
    while let Some((node, expanded)) = open.pop() {
        if done.get(node.index()).copied().unwrap_or(true) {
            continue;
        }
        if expanded {
            done[node.index()] = true;
            order.push(node);
            continue;
        }
        open.push((node, true));
        let needs = plan.shape.nodes.get(node.index()).map(|shape| shape.needs.as_slice()).unwrap_or_default();
        open.extend(needs.iter().filter(|need| !done[need.index()]).map(|need| (*need, false)));
    }
    order
}
