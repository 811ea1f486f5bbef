use std::sync::Mutex;

use tokio::sync::mpsc;

use super::guard::lock;
use crate::{
    model::{NodeIx, Recorded},
    step::LogStream,
};

/// Something new about a run, for those who watch.
#[derive(Debug, Clone)]
pub enum Update {
    /// A committed event.
    Event(Recorded),
    /// A log line, scrubbed.
    Log {
        /// Which step.
        node: NodeIx,
        /// Which item.
        item: Option<u32>,
        /// From where.
        stream: LogStream,
        /// The line.
        line: String,
    },
    /// How far an attempt is; sent at most a few times a second.
    Progress {
        /// Which step.
        node: NodeIx,
        /// Work done.
        done: u64,
        /// All work; 0 if not known.
        total: u64,
    },
}

/// Where updates of a run go: a watcher, as long as it listens.
#[derive(Debug, Default)]
pub struct Updates(Mutex<Option<mpsc::UnboundedSender<Update>>>);

impl Updates {
    /// Updates that somebody listens to.
    pub fn channel() -> (Self, mpsc::UnboundedReceiver<Update>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self(Mutex::new(Some(sender))), receiver)
    }

    /// Whether somebody still listens.
    pub fn watched(&self) -> bool {
        let mut sender = lock(&self.0);
        if sender.as_ref().is_some_and(mpsc::UnboundedSender::is_closed) {
            *sender = None;
        }
        sender.is_some()
    }

    /// Tells, if somebody listens.
    pub fn send(&self, update: Update) {
        let mut sender = lock(&self.0);
        if sender.as_ref().is_some_and(|sender| sender.send(update).is_err()) {
            *sender = None;
        }
    }

    /// Nothing more will come.
    pub fn end(&self) {
        *lock(&self.0) = None;
    }
}
