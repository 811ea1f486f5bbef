//! Layer 8: the facade. Everything that a program does with pipelines goes through [`Engine`].

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use serde_json::Value as Json;
use tokio::sync::mpsc;

use crate::{
    data::{ScanReader, Value},
    graph::Plan,
    model::{Clock, Fault, Name, NodeIx, Recorded, RunId, RunStatus, StepStatus},
    step::{Extensions, LogStream, Registry, SecretProvider},
    store::StateStore,
};

pub use crate::store::Durability;

/// How an engine is opened.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// The folder for everything durable: `state.db`, `artifacts/`, `logs/`, `cache/`, `owners/`, `tmp/`.
    pub home: PathBuf,
    /// What a commit survives.
    pub durability: Durability,
    /// Attempts under way at once in this process; 0 takes the number of processors.
    pub max_parallel: usize,
    /// Bytes that all attempts together may hold, shared out to steps that spill.
    pub memory: Option<u64>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Kinds of steps.
    pub registry: Registry,
    /// Opens secrets.
    pub secrets: Arc<dyn SecretProvider>,
    /// Reads files of tables.
    pub scans: Arc<dyn ScanReader>,
    /// What families share among their kinds.
    pub extensions: Extensions,
}

/// A run to start.
#[derive(Debug, Clone, Default)]
pub struct RunRequest {
    /// Inputs given; defaults fill the rest. Texts are converted to the input's type.
    pub inputs: BTreeMap<String, Value>,
    /// Steps that alone may run, with those they need (`--only`); empty means all.
    pub only: Vec<Name>,
    /// Stand-ins for steps (`tests:`): outputs by step.
    pub given: BTreeMap<Name, BTreeMap<Name, Value>>,
}

/// A run under way in this process. Dropping it does not stop the run.
#[derive(Debug)]
pub struct RunHandle {
    id: RunId,
    _private: (),
}

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

/// How a run ended, or stopped.
#[derive(Debug, Clone)]
pub struct RunSummary {
    /// Which.
    pub id: RunId,
    /// How.
    pub status: RunStatus,
    /// The pipeline's outputs, as JSON for people.
    pub outputs: Json,
    /// The first fault.
    pub fault: Option<Fault>,
    /// Steps in the order of the file.
    pub steps: Vec<StepSummary>,
    /// From creation to end.
    pub took: Duration,
}

/// How a step ended.
#[derive(Debug, Clone)]
pub struct StepSummary {
    /// Which.
    pub node: NodeIx,
    /// Its id.
    pub id: Name,
    /// How.
    pub status: StepStatus,
    /// Attempts made.
    pub attempts: u32,
    /// Rows, where it says.
    pub rows: Option<u64>,
    /// From its first attempt's start to its end.
    pub took: Option<Duration>,
    /// Why it failed.
    pub fault: Option<Fault>,
}

/// Runs pipelines and tells of them. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Engine {
    store: Arc<dyn StateStore>,
}

impl Engine {
    /// Opens a home, making it if it is not there.
    pub async fn open(options: EngineOptions) -> Result<Self, Fault> {
        let _ = options;
        todo!()
    }

    /// Starts a run of a checked pipeline and owns it.
    pub async fn start(&self, plan: Arc<Plan>, request: RunRequest) -> Result<RunHandle, Fault> {
        let _ = (plan, request);
        todo!()
    }

    /// Goes on with an interrupted or failed run, or with one whose owner died, from its frozen bundle.
    /// A run that another live process owns is the fault `run.owned`, which names it.
    pub async fn resume(&self, run: RunId, by: &str) -> Result<RunHandle, Fault> {
        let _ = (run, by);
        todo!()
    }

    /// What [`Engine::rerun`] would do: steps reused and steps run again.
    pub async fn rerun_plan(&self, run: RunId, from: &str, plan: Option<Arc<Plan>>) -> Result<RerunPlan, Fault> {
        let _ = (run, from, plan);
        todo!()
    }

    /// A new run with a parent link: steps before `from` are reused where their fingerprints match.
    /// `plan` is the edited file's; `None` takes the frozen one.
    pub async fn rerun(&self, run: RunId, from: &str, plan: Option<Arc<Plan>>) -> Result<RunHandle, Fault> {
        let _ = (run, from, plan);
        todo!()
    }

    /// Asks for the end of a run, wherever it is owned. A second call interrupts it.
    pub async fn cancel(&self, run: RunId, by: &str) -> Result<(), Fault> {
        let _ = (run, by);
        todo!()
    }

    /// Answers an approval, wherever the run is owned. An answer to something other than what was
    /// shown is refused.
    pub async fn answer(&self, run: RunId, step: &str, answer: Json, by: &str) -> Result<(), Fault> {
        let _ = (run, step, answer, by);
        todo!()
    }

    /// A run as it stands: also one that another process owns.
    pub async fn summary(&self, run: RunId) -> Result<RunSummary, Fault> {
        let _ = run;
        todo!()
    }

    /// The plan of a run, from its frozen bundle.
    pub async fn plan_of(&self, run: RunId) -> Result<Arc<Plan>, Fault> {
        let _ = run;
        todo!()
    }

    /// Log lines of a step, oldest first: all attempts and items, or one item.
    pub async fn logs(&self, run: RunId, step: Option<&str>, item: Option<u32>) -> Result<Vec<LogLine>, Fault> {
        let _ = (run, step, item);
        todo!()
    }

    /// An output of a step that succeeded, tables ready to be read.
    pub async fn outputs(&self, run: RunId, step: &str) -> Result<BTreeMap<Name, Value>, Fault> {
        let _ = (run, step);
        todo!()
    }

    /// Forgets runs that ended before `keep`, then removes artifacts and files that nothing names.
    pub async fn gc(&self, keep: Duration, dry: bool) -> Result<GcReport, Fault> {
        let _ = (keep, dry);
        todo!()
    }

    /// Reads what is recorded.
    pub fn reader(&self) -> Arc<dyn StateStore> {
        self.store.clone()
    }

    /// Interrupts what still runs here, and closes the store.
    pub async fn close(self) -> Result<(), Fault> {
        todo!()
    }
}

impl RunHandle {
    /// Which run.
    pub fn id(&self) -> RunId {
        self.id
    }

    /// What happens from its begin (of this ownership) on. Can be taken once.
    pub fn updates(&mut self) -> mpsc::UnboundedReceiver<Update> {
        todo!()
    }

    /// First stage of stopping: cancels, then runs `finally`.
    pub fn cancel(&self, by: &str) {
        let _ = by;
    }

    /// Second stage: stops now; the run is interrupted.
    pub fn interrupt(&self, reason: &str) {
        let _ = reason;
    }

    /// Waits until the run has ended, is interrupted, or waits for a person (`detach_on_wait`).
    pub async fn ended(self, detach_on_wait: bool) -> Result<RunSummary, Fault> {
        let _ = detach_on_wait;
        todo!()
    }
}

/// What a rerun would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RerunPlan {
    /// Steps whose outputs are taken over.
    pub reused: Vec<Name>,
    /// Steps that run again, and why.
    pub again: Vec<(Name, String)>,
}

/// A stored log line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// When.
    pub at: crate::model::Timestamp,
    /// Which step.
    pub step: Name,
    /// Which item.
    pub item: Option<u32>,
    /// Which attempt.
    pub attempt: u32,
    /// From where.
    pub stream: LogStream,
    /// The text.
    pub text: String,
}

/// What `gc` removed, or would.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GcReport {
    /// Runs forgotten.
    pub runs: u64,
    /// Artifacts removed.
    pub artifacts: u64,
    /// Bytes freed.
    pub bytes: u64,
}
