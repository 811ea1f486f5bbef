//! What the machine calls for is begun, once each; what it wants stopped is stopped.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::{driver::Driver, machine, message::Message};
use crate::{
    executor::{Envelope, Reporter},
    model::{AttemptKey, NodeIx},
    run::{AttemptEnd, Command, Input},
    step::Effect,
};

impl Driver {
    /// Issues what is outstanding and not under way; with `early`, only attempts of pure steps.
    pub(super) fn issue(&mut self, early: bool) {
        if self.is_over() {
            return;
        }
        let now = self.hub.executor.deps().services.clock.now();
        if !early {
            self.wake = None;
        }
        for command in machine::outstanding(&self.state, now) {
            if early {
                match command {
                    Command::Attempt { node, .. } | Command::Item { node, .. } if self.is_pure(node) => {}
                    _ => continue,
                }
            }
            match command {
                Command::Attempt { node, attempt } => self.begin_attempt(node, attempt),
                Command::Item { node, item, attempt } => self.begin(node, Some(item), attempt),
                Command::PlanItems { .. } | Command::Gather { .. } => self.spawn_evaluation(command),
                Command::Stop { node } => self.stop(node),
                Command::Wake { at } => self.wake = Some(self.wake.map_or(at, |wake| wake.min(at))),
                Command::Evaluate { .. } | Command::CheckUntil { .. } | Command::Finish => {}
            }
        }
    }

    fn is_pure(&self, node: NodeIx) -> bool {
        self.state.shape().nodes.get(node.index()).is_some_and(|n| n.effect == Effect::Pure)
    }

    fn begin_attempt(&mut self, node: NodeIx, attempt: u32) {
        if self.under_way.contains_key(&(node, None, attempt)) {
            return;
        }
        if let Some(early) = self.heads.link(node, attempt) {
            self.under_way.insert((node, None, attempt), early.cancel);
            if let Some(report) = early.held {
                let _ = self.sender.send(Message::Report(report));
            }
            return;
        }
        let cached = self.run.plan.nodes.get(node.index()).is_some_and(|n| n.spec.cache);
        if cached && attempt == 1 && !self.caching.contains_key(&node) {
            return self.ask_cache(node, attempt);
        }
        self.begin(node, None, attempt);
    }

    pub(super) fn begin(&mut self, node: NodeIx, item: Option<u32>, attempt: u32) {
        if self.under_way.contains_key(&(node, item, attempt)) {
            return;
        }
        let cancel = CancellationToken::new();
        self.under_way.insert((node, item, attempt), cancel.clone());
        self.send_off(node, item, attempt, cancel);
    }

    fn send_off(&mut self, node: NodeIx, item: Option<u32>, attempt: u32, cancel: CancellationToken) {
        let Some(planned) = self.run.plan.nodes.get(node.index()) else { return };
        let key = AttemptKey::new(self.run.id, planned.id.as_str(), item);
        let envelope = Envelope { run: self.run.id, node, item, attempt, key };
        let step = self.spans.of(node, planned.id.as_str());
        self.hub.executor.begin(self.run.clone(), envelope, cancel, self.reporter(), &step);
    }

    fn reporter(&self) -> Reporter {
        let sender = self.sender.clone();
        Arc::new(move |report| drop(sender.send(Message::Report(report))))
    }

    /// A step returned: those who only need its values may begin.
    pub(super) fn head_starts(&mut self, node: NodeIx) {
        for (reader, cancel) in self.heads.returned(node, &self.readers, &self.state, &self.run) {
            self.send_off(reader, None, 1, cancel);
        }
    }

    /// Stops what runs of a step; where nothing does, says so.
    fn stop(&mut self, node: NodeIx) {
        let mut any = false;
        for ((of, _, _), cancel) in &self.under_way {
            if *of == node {
                any = true;
                cancel.cancel();
            }
        }
        if !any && self.stopping.insert(node) {
            let attempt = self.state.attempt(node);
            let input = Input::AttemptEnded { node, attempt, end: AttemptEnd::Cancelled };
            let _ = self.sender.send(Message::Input(input));
        }
    }
}
