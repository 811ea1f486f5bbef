//! Attempts of steps, told from the logs of runs. A log is read once, and then what is new of it: what one step costs
//! does not depend on how much the others did.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use millwork_engine::{
    Engine,
    model::{Event, Fault, NodeIx, Recorded, RunId},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    problem::Answer,
    views::{FaultView, time},
};

/// One try.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct AttemptView {
    /// From 1.
    attempt: u32,
    /// When it began.
    started_at: String,
    /// When it ended. One that waits has not: it goes on under its number.
    ended_at: Option<String>,
    /// Why it failed.
    fault: Option<FaultView>,
}

/// Runs whose attempts are remembered.
const RUNS: usize = 32;
/// Events read at once.
const PAGE: u32 = 5_000;

#[derive(Debug, Default)]
struct OfRun {
    /// The last event that was read.
    upto: u64,
    of: HashMap<NodeIx, Vec<AttemptView>>,
}

/// Attempts of the runs that somebody looked at lately.
#[derive(Debug, Default)]
pub(crate) struct Attempts(Mutex<Vec<(RunId, Arc<tokio::sync::Mutex<OfRun>>)>>);

impl Attempts {
    /// The attempts of a step, oldest first.
    pub(crate) async fn of(&self, engine: &Engine, run: RunId, node: NodeIx) -> Answer<Vec<AttemptView>> {
        let known = self.known(run);
        let mut known = known.lock().await;
        let reader = engine.reader();
        loop {
            let page = reader.events(run, known.upto, PAGE).await?;
            let Some(last) = page.last() else { break };
            for recorded in &page {
                known.apply(recorded);
            }
            known.upto = last.seq;
        }
        Ok(known.of.get(&node).cloned().unwrap_or_default())
    }

    fn known(&self, run: RunId) -> Arc<tokio::sync::Mutex<OfRun>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = all.iter().position(|(of, _)| *of == run).map(|n| all.remove(n).1).unwrap_or_default();
        all.push((run, found.clone()));
        let gone = all.len().saturating_sub(RUNS);
        all.drain(..gone);
        found
    }
}

impl OfRun {
    fn apply(&mut self, recorded: &Recorded) {
        let mut end = |node: NodeIx, fault: Option<&Fault>| {
            if let Some(open) = self.of.get_mut(&node).and_then(|all| all.last_mut()) {
                open.ended_at = Some(time(recorded.at));
                open.fault = fault.map(Into::into);
            }
        };
        match &recorded.event {
            Event::AttemptFailed { node, fault, .. } | Event::StepFailed { node, fault, .. } => end(*node, Some(fault)),
            Event::StepSucceeded { node, .. } | Event::StepCancelled { node } => end(*node, None),
            Event::AttemptStarted { node, attempt } => {
                let all = self.of.entry(*node).or_default();
                // One that waited, or that a crash cut off, goes on under its number.
                if all.last().is_some_and(|last| last.attempt == *attempt && last.ended_at.is_none()) {
                    return;
                }
                all.push(AttemptView { attempt: *attempt, started_at: time(recorded.at), ended_at: None, fault: None });
            }
            _ => {}
        }
    }
}
