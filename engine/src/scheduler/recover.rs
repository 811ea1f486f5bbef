//! From what the store holds of a run back to its state and board.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    executor::{Board, Frozen, StepFacts},
    graph::{Plan, Shape},
    model::{Event, Fault, NodeIx, RunId, Timestamp, event::RunOrigin},
    run::{RunState, evolve},
    store::RunReader,
};

#[derive(Serialize, Deserialize)]
struct Facts {
    origin: RunOrigin,
    created_at: Timestamp,
    board: Vec<StepFacts>,
    first_fault: Option<(NodeIx, Fault)>,
}

/// A run as read from the store.
#[derive(Debug)]
pub(crate) struct Recovered {
    pub state: RunState,
    pub board: Board,
    pub origin: RunOrigin,
    pub created_at: Timestamp,
    pub values: Vec<(String, serde_json::Value)>,
}

/// Attempts and items in flight of a run whose pipeline sets no limit: the executor's permits limit what
/// really runs, and a window this wide lets many items share a commit.
const WINDOW: u32 = 1024;

/// The shape that the machine of a plan works with.
pub fn shape_of(plan: &Plan) -> Arc<Shape> {
    if plan.spec.max_parallel.is_some() {
        return plan.shape.clone();
    }
    Arc::new(Shape { max_parallel: WINDOW, ..(*plan.shape).clone() })
}

/// A snapshot of machine and board: the length of the board's part, that part, the machine's.
pub(super) fn snapshot(state: &RunState, run: &Frozen) -> Vec<u8> {
    let facts = Facts {
        origin: run.origin.clone(),
        created_at: run.created_at,
        board: run.board.all(),
        first_fault: run.board.first_fault(),
    };
    let facts = serde_json::to_vec(&facts).unwrap_or_default();
    let mut bytes = (facts.len() as u64).to_le_bytes().to_vec();
    bytes.extend(facts);
    bytes.extend(state.to_snapshot());
    bytes
}

fn read_snapshot(bytes: &[u8], shape: Arc<Shape>) -> Option<(RunState, Facts)> {
    let (length, rest) = bytes.split_first_chunk::<8>()?;
    let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
    let (facts, machine) = rest.split_at_checked(length)?;
    Some((RunState::from_snapshot(machine, shape).ok()?, serde_json::from_slice(facts).ok()?))
}

/// Reads a run: the newest snapshot and the events after it, or all events where it cannot be used.
pub(crate) async fn recover(store: &dyn RunReader, run: RunId, plan: &Plan) -> Result<Recovered, Fault> {
    let log = store.log(run).await?;
    let shape = shape_of(plan);
    let usable = log.snapshot.as_ref().and_then(|(_, bytes)| read_snapshot(bytes, shape.clone()));
    let (mut state, board, mut created, events) = match usable {
        Some((state, facts)) => {
            let board = Board::restore(facts.board, facts.first_fault);
            (state, board, Some((facts.origin, facts.created_at)), log.events)
        }
        None => {
            let events = match log.snapshot {
                Some(_) => all_events(store, run).await?,
                None => log.events,
            };
            (RunState::new(shape), Board::new(plan.nodes.len()), None, events)
        }
    };
    for recorded in events {
        evolve(&mut state, &recorded)
            .map_err(|e| Fault::internal("log.broken", format!("the log of {run} cannot be followed: {e}")))?;
        board.apply(&recorded);
        // What is to be done again forgets how it ended, before it begins again.
        if let Event::RunResumed { .. } = recorded.event {
            stand(&board, plan, &state);
        }
        if let Event::RunCreated { origin } = recorded.event {
            created = Some((*origin, recorded.at));
        }
    }
    stand(&board, plan, &state);
    let (origin, created_at) = created
        .ok_or_else(|| Fault::internal("log.broken", format!("the log of {run} does not begin with its creation")))?;
    Ok(Recovered { state, board, origin, created_at, values: log.state })
}

/// Sets how every step stands, as the machine has it.
pub(crate) fn stand(board: &Board, plan: &Plan, state: &RunState) {
    for node in &plan.nodes {
        board.set_status(node.ix, state.step_status(node.ix));
    }
}

async fn all_events(store: &dyn RunReader, run: RunId) -> Result<Vec<crate::model::Recorded>, Fault> {
    let mut all = Vec::new();
    loop {
        let page = store.events(run, all.len() as u64, 10_000).await?;
        if page.is_empty() {
            return Ok(all);
        }
        all.extend(page);
    }
}
