//! What a store holds of a run, and whether it keeps the promises of a log.

use std::{path::Path, sync::Arc};

use millwork_engine::{
    model::{Event, NodeIx, Recorded, RunId, RunStatus, SystemClock, event::ItemOutcome},
    store::{Durability, ItemFilter, RunFilter, RunReader as _, SqliteStore},
};

/// What is recorded of a run.
#[derive(Debug)]
pub struct Record {
    /// Which.
    pub run: RunId,
    /// How it stands.
    pub status: RunStatus,
    /// Its log.
    pub events: Vec<Recorded>,
    /// Items that succeeded.
    pub items: Vec<(NodeIx, u32)>,
}

impl Record {
    /// The newest run in a home that is no child of another; `None` before the first.
    pub fn newest(home: &Path) -> Option<Self> {
        if !home.join("state.db").exists() {
            return None;
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let store = SqliteStore::open(home, Durability::Process, Arc::new(SystemClock)).await.expect("a store");
            let runs = store.runs(&RunFilter { limit: 50, ..RunFilter::default() }).await.expect("runs");
            let mut record = None;
            if let Some(run) = runs.iter().find(|run| run.parent.is_none()) {
                let events = store.events(run.id, 0, 100_000).await.expect("events");
                let mut items = Vec::new();
                for node in 0..20 {
                    let wanted = ItemFilter { outcome: Some(ItemOutcome::Succeeded), from: 0, limit: 1000 };
                    let found = store.items(run.id, NodeIx(node), &wanted).await.expect("items").into_iter();
                    items.extend(found.map(|item| (NodeIx(node), item.item)));
                }
                record = Some(Record { run: run.id, status: run.status, events, items });
            }
            store.close().await;
            record
        })
    }

    /// Steps recorded as succeeded.
    pub fn succeeded(&self) -> Vec<NodeIx> {
        let of = |recorded: &Recorded| match recorded.event {
            Event::StepSucceeded { node, .. } => Some(node),
            _ => None,
        };
        self.events.iter().filter_map(of).collect()
    }

    /// A message, if the log has a step that began or succeeded after it had succeeded, or a gap.
    pub fn flaw(&self) -> Option<String> {
        let mut done = Vec::new();
        for (place, recorded) in self.events.iter().enumerate() {
            if recorded.seq != place as u64 + 1 {
                return Some(format!("event {} stands at place {}", recorded.seq, place + 1));
            }
            match recorded.event {
                Event::AttemptStarted { node, .. } | Event::StepSucceeded { node, .. } if done.contains(&node) => {
                    return Some(format!("{node:?} was recorded as succeeded, then {}", recorded.event.name()));
                }
                Event::StepSucceeded { node, .. } => done.push(node),
                _ => {}
            }
        }
        None
    }
}
