use std::collections::BTreeMap;

use super::{Decider, IllegalInput};
use crate::{
    graph::Form,
    model::{
        Event, Fault, Labels, NodeIx, StepStatus, Timestamp,
        event::{ItemOutcome, ItemRange, ItemRetry, StoredOutputs},
    },
    run::{
        input::{ItemEnd, Planned},
        items::to_ranges,
        planted::{self, Bug},
    },
};

impl Decider<'_> {
    pub(super) fn items_planned(&mut self, node: NodeIx, planned: Result<Planned, Fault>) -> Result<(), IllegalInput> {
        if !self.is_active() || self.state.step_status(node) != StepStatus::Running || !self.state.is_fan_out(node) {
            return Ok(());
        }
        let attempt = self.state.attempt(node);
        match (planned, self.state.items_planned(node)) {
            (Ok(Planned { count, digest }), None) => self.emit(Event::ItemsPlanned { node, count, digest }),
            (Ok(Planned { count, digest }), Some(known)) if known == (count, digest) => Ok(()),
            (Ok(Planned { count, .. }), Some((known, _))) => {
                let message = format!("the list of items is not the one planned: {known} items then, {count} now");
                let fault = Fault::user("items.changed", message)
                    .help("make the list from the run's inputs and the outputs of steps, or start a new run");
                self.emit(Event::StepFailed { node, attempt, fault, partial: None })
            }
            (Err(fault), _) => self.emit(Event::StepFailed { node, attempt, fault, partial: None }),
        }
    }

    /// Notes how an item ended; [`settle`](Self::settle) makes events of the notes.
    pub(super) fn item_ended(&mut self, node: NodeIx, item: u32, end: ItemEnd) {
        let Some((state, shape)) = self.state.pair(node) else { return };
        let Some(items) = &state.items else { return };
        let noted = self.settled.get(&node).is_some_and(|notes| notes.contains_key(&item))
            || self.retried.get(&node).is_some_and(|notes| notes.contains_key(&item));
        let Some(under_way) = items.under_way.get(&item) else { return };
        if noted || !self.is_active() || state.status != StepStatus::Running {
            return;
        }
        let outcome = match end {
            ItemEnd::Succeeded => ItemOutcome::Succeeded,
            ItemEnd::Skipped => ItemOutcome::Skipped,
            ItemEnd::Cancelled => ItemOutcome::Cancelled,
            ItemEnd::Failed { attempt, fault } => {
                if attempt != under_way.attempt {
                    return;
                }
                let over = self.state.is_ending(node) || self.state.is_over_deadline(node, self.now);
                let failed = attempt - items.floor;
                let failed = if planted::has(Bug::OneRetryTooMany) { failed.saturating_sub(1) } else { failed };
                let delay = if over { None } else { shape.retry.next_delay(failed, &fault, (self.chance)()) };
                if let Some(delay) = delay {
                    let retry = ItemRetry { item, attempt, retry_at: self.now.after(delay) };
                    self.retried.entry(node).or_default().insert(item, retry);
                    return;
                }
                ItemOutcome::Failed
            }
        };
        self.settled.entry(node).or_default().insert(item, outcome);
    }

    /// Makes events of the items noted.
    pub(super) fn settle(&mut self) -> Result<(), IllegalInput> {
        for (node, retries) in std::mem::take(&mut self.retried) {
            self.emit(Event::ItemsRetried { node, retries: retries.into_values().collect() })?;
        }
        for (node, ended) in std::mem::take(&mut self.settled) {
            let mut ranges = to_ranges(&ended);
            if planted::has(Bug::LosesItemAtRangeEdge) {
                ranges.iter_mut().filter(|range| range.to > range.from).for_each(|range| range.to -= 1);
            }
            self.emit(Event::ItemsSettled { node, ranges })?;
        }
        Ok(())
    }

    /// Ends a fan-out's items that are under way: nothing runs for them any more.
    pub(super) fn drop_items(&mut self, node: NodeIx) -> Result<(), IllegalInput> {
        self.cancel_items(node, |_| true)
    }

    /// Ends a fan-out's items that are between two attempts. One that is due may run already.
    pub(super) fn drop_delayed_items(&mut self, node: NodeIx) -> Result<(), IllegalInput> {
        let now = self.now;
        self.cancel_items(node, |due| due.is_some_and(|due| due > now))
    }

    /// Ends those items with a slot for which `which` holds of their due time.
    fn cancel_items(&mut self, node: NodeIx, which: impl Fn(Option<Timestamp>) -> bool) -> Result<(), IllegalInput> {
        let Some(items) = self.state.get(node).and_then(|state| state.items.as_ref()) else { return Ok(()) };
        let ended: BTreeMap<u32, ItemOutcome> = items
            .under_way
            .iter()
            .filter(|(_, slot)| which(slot.due))
            .map(|(item, _)| (*item, ItemOutcome::Cancelled))
            .collect();
        if ended.is_empty() {
            return Ok(());
        }
        let ranges: Vec<ItemRange> = to_ranges(&ended);
        self.emit(Event::ItemsSettled { node, ranges })
    }

    pub(super) fn gathered(
        &mut self,
        node: NodeIx,
        outputs: Result<StoredOutputs, Fault>,
        labels: BTreeMap<String, Labels>,
        rows: Option<u64>,
    ) -> Result<(), IllegalInput> {
        if !self.is_active() || !self.state.wants_gather(node) {
            return Ok(());
        }
        let Some((state, shape)) = self.state.pair(node) else { return Ok(()) };
        let (Some(items), Form::ForEach { min_success, .. }) = (&state.items, &shape.form) else { return Ok(()) };
        let attempt = state.attempt;
        let enough = items.reaches(*min_success, 0) && items.complete();
        match outputs {
            Ok(outputs) if enough => {
                self.emit(Event::StepSucceeded { node, attempt, outputs, labels, rows, reused: false })
            }
            Ok(outputs) => {
                let (count, succeeded) = (items.count, items.succeeded());
                let fault = Fault::external(
                    "items.failed",
                    format!("{succeeded} of {count} items succeeded, a share of {min_success} is needed"),
                )
                .help("`outputs.failed_items` says why; a resume runs the items that did not succeed");
                self.emit(Event::StepFailed { node, attempt, fault, partial: Some(outputs) })
            }
            Err(fault) => self.emit(Event::StepFailed { node, attempt, fault, partial: None }),
        }
    }
}
