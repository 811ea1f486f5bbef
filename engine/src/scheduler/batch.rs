//! What one commit is made of: messages as inputs for the machine, and the rows that go with them.

use std::collections::BTreeMap;

use super::{driver::Driver, message::Message};
use crate::{
    executor::{Report, StateValues},
    model::Wait,
    run::{AttemptEnd, Input},
    store::{ItemRow, OutputRow, RequestKind},
};

#[derive(Debug, Default)]
pub(super) struct Batch {
    pub inputs: Vec<Input>,
    pub items: Vec<ItemRow>,
    pub outputs: Vec<OutputRow>,
    pub state: StateValues,
}

impl Driver {
    /// Takes a message into the batch. `None`: vanish.
    pub(super) async fn take(&mut self, message: Message, batch: &mut Batch) -> Option<()> {
        match message {
            Message::Abandon => return None,
            Message::Input(input) => {
                if let Input::Items { node, .. } = &input {
                    self.evaluating.remove(&crate::run::Command::PlanItems { node: *node });
                }
                batch.inputs.push(input);
            }
            Message::Cancel { by } => {
                self.cancels += 1;
                batch.inputs.push(if self.cancels == 1 {
                    Input::Cancel { by }
                } else {
                    Input::Interrupt { reason: format!("{by} asked twice") }
                });
            }
            Message::Interrupt { reason } => batch.inputs.push(Input::Interrupt { reason }),
            Message::ChildAsks { node, asks } => {
                self.children.asks(node, asks);
                self.tell_stand();
            }
            Message::Poll => self.poll(batch).await,
            Message::Report(report) => self.take_report(report, batch),
            Message::Gathered { node, result } => {
                self.evaluating.remove(&crate::run::Command::Gather { node });
                batch.inputs.push(match result {
                    Ok(gathered) => {
                        batch.outputs.extend(gathered.kept.row);
                        let (labels, rows) = (gathered.labels, gathered.rows);
                        Input::Gathered { node, outputs: Ok(gathered.kept.stored), labels, rows }
                    }
                    Err(fault) => {
                        let fault = self.run.scrubber.fault(fault);
                        Input::Gathered { node, outputs: Err(fault), labels: BTreeMap::new(), rows: None }
                    }
                });
            }
            Message::Cached { node, attempt, fingerprint, hit } => match hit {
                Some(entry) => {
                    self.under_way.remove(&(node, None, attempt));
                    let labels = serde_json::from_value(entry.labels).unwrap_or_default();
                    batch.inputs.push(Input::Reuse { node, outputs: entry.outputs, labels, rows: entry.rows });
                }
                None => {
                    self.under_way.remove(&(node, None, attempt));
                    if let Some(fingerprint) = fingerprint {
                        self.caching.insert(node, fingerprint);
                    }
                    if self.is_running(node) {
                        self.begin(node, None, attempt);
                    }
                }
            },
        }
        Some(())
    }

    fn take_report(&mut self, report: Report, batch: &mut Batch) {
        if let Report::Returned { node } = report {
            return self.head_starts(node);
        }
        if !self.ended_key(&report) {
            let Report::Ended { envelope, .. } = &report else { return };
            // Of an early attempt, or of one that was given up.
            self.heads.hold(envelope.node, report);
            return;
        }
        match report {
            Report::Ended { envelope, end, row, state } => {
                if !matches!(end, AttemptEnd::Succeeded { .. }) {
                    self.heads.drop_readers(envelope.node, &self.readers, &self.run);
                }
                batch.outputs.extend(row);
                batch.state.extend(state);
                batch.inputs.push(Input::AttemptEnded { node: envelope.node, attempt: envelope.attempt, end });
            }
            Report::ItemEnded { envelope, end, row } => {
                batch.items.extend(row);
                batch.inputs.push(Input::ItemEnded {
                    node: envelope.node,
                    item: envelope.item.unwrap_or_default(),
                    end,
                });
            }
            Report::Returned { .. } => {}
        }
    }

    /// Requests of other processes.
    pub(super) async fn poll(&mut self, batch: &mut Batch) {
        let Ok(requests) = self.hub.store.requests(self.run.id, self.asked).await else { return };
        let old = std::mem::take(&mut self.old_requests);
        for request in requests {
            self.asked = self.asked.max(request.id);
            match request.kind {
                RequestKind::Cancel | RequestKind::Interrupt if old => {}
                RequestKind::Cancel => {
                    let _ = self.sender.send(Message::Cancel { by: request.by });
                }
                RequestKind::Interrupt => batch.inputs.push(Input::Interrupt { reason: request.by }),
                RequestKind::Answer { node, shown, answer } => {
                    let waits = self.run.board.with(node, |facts| facts.wait.clone().zip(facts.waits_since)).flatten();
                    // An answer to an earlier question with the same words is none to this one.
                    let waits = waits.filter(|(_, since)| request.at >= *since);
                    let asked = match waits.map(|(wait, _)| wait) {
                        Some(Wait::Approval { shown, .. }) => Some(shown),
                        Some(Wait::Budget { .. }) => Some(Wait::budget_shown()),
                        _ => None,
                    };
                    if asked == Some(shown) {
                        batch.inputs.push(Input::Answer { node, answer, by: request.by });
                    }
                }
            }
        }
    }
}
