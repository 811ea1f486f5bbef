use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use serde_json::Value as Json;
use tokio_util::sync::CancellationToken;

use super::{Journal, Read, TableAccess};
use crate::{
    data::{Table, Value},
    expr::Labelled,
    model::{AttemptKey, Fault, Name, RunId, Timestamp},
    spec::{Access, Grants},
};

/// What one attempt is given.
#[derive(Debug)]
pub struct StepContext {
    /// The run.
    pub run: RunId,
    /// The step.
    pub step: Name,
    /// The item, inside a fan-out.
    pub item: Option<u32>,
    /// Which attempt, from 1.
    pub attempt: u32,
    /// The same for every attempt at this work.
    pub key: AttemptKey,
    /// When the attempt began.
    pub started_at: Timestamp,
    /// What [`StepKind::reads`](super::StepKind::reads) asked for.
    pub inputs: Inputs,
    /// Values of `env:`, secrets opened.
    pub env: BTreeMap<String, String>,
    /// The answer to what the step parked for; `None` in an attempt that did not follow a park.
    pub answer: Option<Json>,
    /// The folder that relative paths start from.
    pub base: PathBuf,
    /// A folder of this attempt's own, empty, removed after it. Pure kinds find it not yet made, and make
    /// it if they need it.
    pub scratch: PathBuf,
    /// What the step was granted.
    pub permissions: Arc<Grants>,
    /// Bytes that the attempt may hold in memory, if limited.
    pub memory: Option<u64>,
    /// Durable parts of the step.
    pub journal: Journal,
    /// Reads tables of any form.
    pub tables: TableAccess,
    /// Lines that people see live and afterwards.
    pub log: LogSink,
    /// How far the work is.
    pub progress: Progress,
    /// Triggered when the attempt shall stop.
    pub cancel: CancellationToken,
}

impl StepContext {
    /// The fault `permissions.files` if a file may not be used so. Relative paths start from [`StepContext::base`];
    /// links are followed.
    pub fn permit(&self, path: &Path, access: Access) -> Result<(), Fault> {
        if self.permissions.allow_real(&self.base, path, access) {
            return Ok(());
        }
        let done = match access {
            Access::Read => "read",
            Access::Write => "written",
        };
        let message =
            format!("`{}` may not be {done}: it is outside of what `permissions: files` allows", path.display());
        Err(Fault::user("permissions.files", message)
            .help(format!("allowed: {}; `:rw` allows writing", self.permissions.files().join(", "))))
    }
}

/// Values by what was read.
#[derive(Debug, Clone, Default)]
pub struct Inputs(pub BTreeMap<Read, Labelled>);

impl Inputs {
    /// The table that a step's name stands for.
    pub fn table(&self, step: &Name) -> Result<&Table, Fault> {
        match self.0.get(&Read::TableOf(step.clone())).map(|labelled| &labelled.value) {
            Some(Value::Table(table)) => Ok(table),
            _ => Err(Fault::internal("input.missing", format!("the table of step `{step}` was not loaded"))),
        }
    }
}

/// Where a log line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LogStream {
    /// The step itself.
    Step,
    /// A child's standard output.
    Stdout,
    /// A child's standard error.
    Stderr,
}

/// Takes log lines of one attempt; scrubs secrets before anything is kept. Cheap to clone.
#[derive(Clone)]
pub struct LogSink(Arc<dyn Fn(LogStream, &str) + Send + Sync>);

impl LogSink {
    /// A sink that hands each line to `write`.
    pub fn new(write: impl Fn(LogStream, &str) + Send + Sync + 'static) -> Self {
        Self(Arc::new(write))
    }

    /// A sink that drops everything.
    pub fn none() -> Self {
        Self::new(|_, _| {})
    }

    /// Writes one line of the step's own.
    pub fn line(&self, text: impl AsRef<str>) {
        (self.0)(LogStream::Step, text.as_ref());
    }

    /// Writes one line of a child's.
    pub fn child(&self, stream: LogStream, text: &str) {
        (self.0)(stream, text);
    }
}

impl fmt::Debug for LogSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LogSink")
    }
}

/// How far an attempt is. Cheap to clone and to update.
#[derive(Debug, Clone, Default)]
pub struct Progress(Arc<(AtomicU64, AtomicU64)>);

impl Progress {
    /// Work done so far, in units of the step's choice.
    pub fn set_done(&self, done: u64) {
        self.0.0.store(done, Ordering::Relaxed);
    }

    /// Adds to the work done.
    pub fn add(&self, done: u64) {
        self.0.0.fetch_add(done, Ordering::Relaxed);
    }

    /// All work, if known.
    pub fn set_total(&self, total: u64) {
        self.0.1.store(total, Ordering::Relaxed);
    }

    /// Done and total; a total of 0 is not known.
    pub fn get(&self) -> (u64, u64) {
        (self.0.0.load(Ordering::Relaxed), self.0.1.load(Ordering::Relaxed))
    }
}
