//! Head starts: a pure step may begin from values in memory while they are still being written. The
//! machine knows nothing of it; an early attempt is linked to its `AttemptStarted` when that comes, and
//! dropped if what it read could not be made durable.

use std::collections::{HashMap, HashSet};

use tokio_util::sync::CancellationToken;

use crate::{
    executor::{Frozen, Report},
    graph::{Form, Section},
    model::{NodeIx, StepStatus},
    run::RunState,
    step::Effect,
};

/// Attempts that began before the machine started them.
#[derive(Debug, Default)]
pub(super) struct HeadStarts {
    returned: HashSet<NodeIx>,
    begun: HashMap<NodeIx, Early>,
}

#[derive(Debug)]
pub(super) struct Early {
    pub cancel: CancellationToken,
    /// Its end, where that came before its `AttemptStarted`.
    pub held: Option<Report>,
}

impl HeadStarts {
    /// A step returned; its values are in memory. Gives the steps that may begin now.
    pub(super) fn returned(
        &mut self,
        node: NodeIx,
        readers: &[Vec<NodeIx>],
        state: &RunState,
        run: &Frozen,
    ) -> Vec<(NodeIx, CancellationToken)> {
        self.returned.insert(node);
        if state.cancelled_by().is_some() {
            return Vec::new();
        }
        let candidates = readers.get(node.index()).map(Vec::as_slice).unwrap_or_default();
        let able: Vec<NodeIx> =
            candidates.iter().copied().filter(|reader| self.may_begin(*reader, state, run)).collect();
        let begin = able.into_iter().map(|reader| {
            let cancel = CancellationToken::new();
            self.begun.insert(reader, Early { cancel: cancel.clone(), held: None });
            (reader, cancel)
        });
        begin.collect()
    }

    fn may_begin(&self, node: NodeIx, state: &RunState, run: &Frozen) -> bool {
        let Some(shape) = state.shape().nodes.get(node.index()) else { return false };
        let Some(planned) = run.plan.nodes.get(node.index()) else { return false };
        let chosen = run.origin.only.is_empty() || run.origin.only.contains(&node);
        chosen
            && shape.section == Section::Main
            && shape.form == Form::Single
            && shape.effect == Effect::Pure
            && !shape.has_condition
            && !shape.recomputable
            && !planned.spec.cache
            && state.step_status(node) == StepStatus::Pending
            && state.attempt(node) == 0
            && !self.begun.contains_key(&node)
            && shape
                .needs
                .iter()
                .all(|need| state.step_status(*need) == StepStatus::Succeeded || self.returned.contains(need))
    }

    /// The early attempt at a step whose first attempt the machine starts now.
    pub(super) fn link(&mut self, node: NodeIx, attempt: u32) -> Option<Early> {
        self.returned.remove(&node);
        let early = self.begun.remove(&node)?;
        if attempt == 1 {
            return Some(early);
        }
        early.cancel.cancel();
        None
    }

    /// Takes the end of an early attempt, if it is one; gives back what is not.
    pub(super) fn hold(&mut self, node: NodeIx, report: Report) -> Option<Report> {
        match self.begun.get_mut(&node) {
            Some(early) => {
                early.held = Some(report);
                None
            }
            None => Some(report),
        }
    }

    /// A step ended without durable outputs: whoever began from its values is dropped, and whoever
    /// began from theirs.
    pub(super) fn drop_readers(&mut self, node: NodeIx, readers: &[Vec<NodeIx>], run: &Frozen) {
        let mut dropped = vec![node];
        while let Some(node) = dropped.pop() {
            self.returned.remove(&node);
            run.board.forget(node);
            for reader in readers.get(node.index()).map(Vec::as_slice).unwrap_or_default() {
                if let Some(early) = self.begun.remove(reader) {
                    early.cancel.cancel();
                    dropped.push(*reader);
                }
            }
        }
    }

    /// A step's outputs are durable, or it will not run.
    pub(super) fn settled(&mut self, node: NodeIx) {
        self.returned.remove(&node);
    }

    /// Drops every early attempt.
    pub(super) fn drop_all(&mut self) {
        self.begun.drain().for_each(|(_, early)| early.cancel.cancel());
        self.returned.clear();
    }
}
