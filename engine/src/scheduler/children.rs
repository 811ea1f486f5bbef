//! Runs of sub-pipelines, as the driver of their parent sees them: watched until they end, cancelled with it.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

use super::{driver::Driver, message::Message};
use crate::{
    model::{Fault, NodeIx, RunId, Wait},
    run::Input,
    store::{Cursor, RunFilter},
};

/// What a driver knows of its run's children.
#[derive(Debug, Default)]
pub(super) struct Children {
    watched: HashSet<(NodeIx, RunId)>,
    /// Steps whose child waits for a person.
    asking: HashSet<NodeIx>,
    /// Children that were asked to end: a second request would interrupt them.
    asked: Arc<Mutex<HashSet<RunId>>>,
}

impl Children {
    /// Whether a child waits for a person.
    pub(super) fn ask(&self) -> bool {
        !self.asking.is_empty()
    }

    /// A step's child begins or ceases to wait for a person.
    pub(super) fn asks(&mut self, node: NodeIx, asks: bool) {
        if asks {
            self.asking.insert(node);
        } else {
            self.asking.remove(&node);
        }
    }
}

impl Driver {
    /// Watches the run of a sub-pipeline; its end is the answer that the step waits for.
    pub(super) fn watch_child(&mut self, node: NodeIx, child: RunId) {
        if !self.children.watched.insert((node, child)) {
            return;
        }
        let sender = self.sender.clone();
        let children = self.hub.executor.deps().children.clone();
        tokio::spawn(async move {
            let telling = sender.clone();
            let asks = move |asks| drop(telling.send(Message::ChildAsks { node, asks }));
            let answer = children.ended(child, &asks).await.unwrap_or_else(|fault: Fault| {
                serde_json::json!({
                    "run": child.to_string(), "status": "failed", "outputs": {},
                    "fault": serde_json::to_value(&fault).unwrap_or_default(),
                })
            });
            asks(false);
            let _ = sender.send(Message::Input(Input::Answer { node, answer, by: child.to_string() }));
        });
    }

    /// Children of a cancelled run are cancelled: those of steps, and those of items. The run's driver waits for
    /// their ends before its own.
    pub(super) fn cancel_children(&mut self, by: &str) {
        if self.run.plan.bundle.files.is_empty() {
            return;
        }
        let (run, by, store) = (self.run.id, by.to_owned(), self.hub.store.clone());
        let children = self.hub.executor.deps().children.clone();
        let asked = self.children.asked.clone();
        self.writes.spawn(async move {
            let mut filter = RunFilter { parent: Some(run), limit: 500, ..RunFilter::default() };
            let mut open = Vec::new();
            while let Ok(page) = store.runs(&filter).await {
                let Some(last) = page.last() else { break };
                filter.after = Some(Cursor(last.id));
                let mut asked = asked.lock().unwrap_or_else(PoisonError::into_inner);
                open.extend(
                    page.iter().filter(|child| !child.status.is_final() && asked.insert(child.id)).map(|c| c.id),
                );
            }
            let cancels = open.into_iter().map(|child| {
                let (children, by) = (children.clone(), by.clone());
                async move {
                    if let Err(fault) = children.cancel(child, &by).await {
                        tracing::warn!(run = %child, "a child was not cancelled: {fault}");
                    }
                }
            });
            futures::future::join_all(cancels).await;
        });
    }

    /// After a recovery: children that steps wait for are watched again.
    pub(super) fn watch_children(&mut self) {
        for ix in 0..self.run.plan.nodes.len() {
            let node = NodeIx(ix as u32);
            if let Some(Some(Wait::Run { run })) = self.run.board.with(node, |facts| facts.wait.clone()) {
                self.watch_child(node, run);
            }
        }
    }
}
