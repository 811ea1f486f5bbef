//! What a driver lets happen beside its loop: evaluations of fan-outs, the cache, children.

use std::sync::PoisonError;

use super::{driver::Driver, message::Message};
use crate::{
    executor::{fingerprint, gather, plan_items, verify_stored},
    model::{Fault, NodeIx, RunId, Wait},
    run::{Command, Input},
    store::{CacheEntry, Cursor, RunFilter},
};

impl Driver {
    pub(super) fn spawn_evaluation(&mut self, command: Command) {
        if !self.evaluating.insert(command) {
            return;
        }
        let (sender, run) = (self.sender.clone(), self.run.clone());
        let deps = self.hub.executor.deps().clone();
        self.hub.executor.spawn(async move {
            let message = match command {
                Command::PlanItems { node } => {
                    Message::Input(Input::Items { node, planned: plan_items(&deps, &run, node).await })
                }
                Command::Gather { node } => Message::Gathered { node, result: gather(&deps, &run, node).await },
                _ => return,
            };
            let _ = sender.send(message);
        });
    }

    /// Asks whether an equal earlier result may be taken.
    pub(super) fn ask_cache(&mut self, node: NodeIx, attempt: u32) {
        self.under_way.insert((node, None, attempt), tokio_util::sync::CancellationToken::new());
        let (sender, run, store) = (self.sender.clone(), self.run.clone(), self.hub.store.clone());
        let deps = self.hub.executor.deps().clone();
        self.hub.executor.spawn(async move {
            let fingerprint = fingerprint(&deps, &run, node).await.ok().flatten();
            let hit = match fingerprint {
                Some(fingerprint) => store.cached(fingerprint).await.ok().flatten(),
                None => None,
            };
            // A result whose bytes are gone is none.
            let hit = match hit {
                Some(entry) => verify_stored(&deps, &entry.outputs).await.ok().map(|()| entry),
                None => None,
            };
            let _ = sender.send(Message::Cached { node, attempt, fingerprint, hit });
        });
    }

    /// Puts a result that is committed now into the cache.
    pub(super) fn keep_cached(&mut self, node: NodeIx) {
        let Some(fingerprint) = self.caching.remove(&node) else { return };
        let facts = self.run.board.facts(node);
        let (Some(outputs), false) = (facts.stored, facts.reused) else { return };
        let labels = serde_json::to_value(&facts.labels).unwrap_or_default();
        let entry = CacheEntry { outputs, labels, rows: facts.rows, run: self.run.id };
        let store = self.hub.store.clone();
        self.writes.spawn(async move {
            if let Err(error) = store.cache(fingerprint, entry).await {
                tracing::warn!("a result was not cached: {error}");
            }
        });
    }

    /// Watches the run of a sub-pipeline; its end is the answer that the step waits for.
    pub(super) fn watch_child(&mut self, node: NodeIx, child: RunId) {
        if !self.children.insert((node, child)) {
            return;
        }
        let sender = self.sender.clone();
        let children = self.hub.executor.deps().children.clone();
        tokio::spawn(async move {
            let answer = children.ended(child).await.unwrap_or_else(|fault: Fault| {
                serde_json::json!({
                    "run": child.to_string(), "status": "failed", "outputs": {},
                    "fault": serde_json::to_value(&fault).unwrap_or_default(),
                })
            });
            let _ = sender.send(Message::Input(Input::Answer { node, answer, by: child.to_string() }));
        });
    }

    /// Children of a cancelled run are cancelled: those of steps, and those of items.
    pub(super) fn cancel_children(&self, by: &str) {
        if self.run.plan.bundle.files.is_empty() {
            return;
        }
        let (run, by, store) = (self.run.id, by.to_owned(), self.hub.store.clone());
        let children = self.hub.executor.deps().children.clone();
        let asked = self.asked_children.clone();
        tokio::spawn(async move {
            let mut filter = RunFilter { parent: Some(run), limit: 500, ..RunFilter::default() };
            while let Ok(page) = store.runs(&filter).await {
                let Some(last) = page.last() else { return };
                filter.after = Some(Cursor(last.id));
                for child in page.iter().filter(|child| !child.status.is_final()) {
                    // A second request would interrupt it.
                    if !asked.lock().unwrap_or_else(PoisonError::into_inner).insert(child.id) {
                        continue;
                    }
                    if let Err(fault) = children.cancel(child.id, &by).await {
                        tracing::warn!(run = %child.id, "a child was not cancelled: {fault}");
                    }
                }
            }
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
