//! What a driver lets happen beside its loop: evaluations of fan-outs, the cache.

use super::{driver::Driver, message::Message};
use crate::{
    executor::{fingerprint, gather, plan_items, verify_stored},
    model::NodeIx,
    run::{Command, Input},
    store::CacheEntry,
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
}
