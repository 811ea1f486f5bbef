use std::sync::{Arc, Mutex, PoisonError};

use super::inner::Inner;
use crate::{
    executor::{Board, StepFacts},
    graph::Plan,
    model::{Event, Fault, NodeIx, RunId, Timestamp, event::RunOrigin},
    run::{RunState, evolve},
    scheduler::stand,
    store::RunView,
};

/// A run as it stands in the store: all that is known of it and its steps.
#[derive(Debug)]
pub struct RunLook {
    /// Its plan, from its frozen bundle.
    pub plan: Arc<Plan>,
    /// What it was created from.
    pub origin: RunOrigin,
    /// When.
    pub created_at: Timestamp,
    /// What is known of each step, in the order of the plan.
    pub facts: Vec<StepFacts>,
    /// The machine's state after the last event.
    pub state: RunState,
}

impl RunLook {
    /// A step, by its id.
    pub fn step(&self, id: &str) -> Option<(NodeIx, &StepFacts)> {
        let node = self.plan.node(id)?.ix;
        Some((node, self.facts.get(node.index())?))
    }
}

/// Steps of the runs that are remembered, at most.
const STEPS: usize = 100_000;
/// Runs that are remembered, at most.
const RUNS: usize = 64;
/// Events read at once.
const PAGE: u32 = 10_000;

/// Runs as they were when somebody looked at them last; the one that was looked at last is the last.
#[derive(Debug, Default)]
pub(super) struct Looks(Mutex<Vec<(RunId, Arc<RunLook>)>>);

impl Looks {
    fn get(&self, run: RunId) -> Option<Arc<RunLook>> {
        let looks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        looks.iter().find(|(of, _)| *of == run).map(|(_, look)| look.clone())
    }

    fn put(&self, run: RunId, look: Arc<RunLook>) {
        let mut looks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        looks.retain(|(of, _)| *of != run);
        looks.push((run, look));
        let mut steps = 0;
        let fits = looks.iter().rev().take_while(|(_, look)| {
            steps += look.facts.len();
            steps <= STEPS
        });
        let keep = fits.count().clamp(1, RUNS);
        let gone = looks.len().saturating_sub(keep);
        looks.drain(..gone);
    }
}

impl Inner {
    /// A run as it stands. One that was looked at before costs the events since.
    pub(super) async fn run_look(&self, run: RunId) -> Result<Arc<RunLook>, Fault> {
        let view = self.store.run(run).await?;
        let before = self.looks.get(run).filter(|look| look.plan.revision == view.revision);
        if let Some(look) = before.as_ref().filter(|look| look.state.seq() == view.seq) {
            return Ok(look.clone());
        }
        let since = match &before {
            Some(before) if before.state.seq() < view.seq => self.look_on(&view, before).await?,
            _ => None,
        };
        let look = match since {
            Some(look) => look,
            None => {
                let (frozen, state) = self.look(run).await?;
                let facts = frozen.board.all();
                RunLook { plan: frozen.plan, origin: frozen.origin, created_at: frozen.created_at, facts, state }
            }
        };
        let look = Arc::new(look);
        self.looks.put(run, look.clone());
        Ok(look)
    }

    /// What a look became by the events since; `None` where they do not follow it.
    async fn look_on(&self, run: &RunView, before: &RunLook) -> Result<Option<RunLook>, Fault> {
        let mut state = before.state.clone();
        let board = Board::restore(before.facts.clone(), None);
        while state.seq() < run.seq {
            let page = self.store.events(run.id, state.seq(), PAGE).await?;
            if page.is_empty() {
                return Ok(None);
            }
            for recorded in &page {
                if evolve(&mut state, recorded).is_err() {
                    return Ok(None);
                }
                board.apply(recorded);
                if let Event::RunResumed { .. } = recorded.event {
                    stand(&board, &before.plan, &state);
                }
            }
        }
        stand(&board, &before.plan, &state);
        let (plan, origin) = (before.plan.clone(), before.origin.clone());
        Ok(Some(RunLook { plan, origin, created_at: before.created_at, facts: board.all(), state }))
    }
}
