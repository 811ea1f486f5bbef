//! Layer 9: the facade. Everything that a program does with pipelines goes through [`Engine`].

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use serde_json::Value as Json;

mod budget;
mod bundle;
mod children;
mod gc;
mod handle;
mod home;
mod inner;
mod inputs;
mod launch;
mod look;
mod request;
mod rerun;
mod summary;
#[cfg(test)]
mod tests;
mod tick;
mod triggered;

pub use crate::{
    executor::{ItemCounts, LogLine, LogPage, LogPlace, LogQuery, Update},
    store::Durability,
};
pub use bundle::thaw;
pub use handle::RunHandle;
pub use home::RunOwner;
pub use launch::Prepared;
pub use look::RunLook;
pub use tick::{Tick, schedules};
pub use triggered::triggers_of;

use crate::{
    data::{ArtifactStore, ScanReader, Value},
    graph::Plan,
    model::{
        Clock, Digest, Event, Fault, Labels, Name, NodeIx, RunId, RunStatus, StepStatus, Wait,
        event::{Cause, Interval, RunOrigin},
    },
    step::{Extensions, Registry, SecretProvider, TableAccess},
    store::StateStore,
};
use inner::Inner;

/// How an engine is opened.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// The folder for everything durable: `state.db`, `artifacts/`, `logs/`, `cache/`, `owners/`, `tmp/`.
    pub home: PathBuf,
    /// What a commit survives.
    pub durability: Durability,
    /// Attempts under way at once in this process. 0 takes the number of processors, and then every run may have one
    /// whatever others do.
    pub max_parallel: usize,
    /// Whether steps give way to what else this process does: their threads, and what these start, have a lower priority.
    pub background: bool,
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
    /// The time that the run is about: `run.interval`.
    pub interval: Option<Interval>,
    /// What its trigger brought: `event`.
    pub event: Option<Value>,
    /// Labels of inputs whose values come from where they may not be trusted.
    pub labels: BTreeMap<String, Labels>,
    /// In place of the pipeline's `priority:`.
    pub priority: Option<u32>,
    /// Digest of what was asked for, where asking twice with one key must mean the same.
    pub asked: Option<Digest>,
}

/// What came of [`Engine::start_once`].
#[derive(Debug)]
pub enum Started {
    /// A new run.
    Now(RunHandle),
    /// There is one of the key.
    Before(RunId),
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
    /// The step that the fault is of; `None` if it is of the run itself, such as a deadline or an output.
    pub failed_at: Option<NodeIx>,
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
    /// What it waits for.
    pub wait: Option<Wait>,
    /// Its items, if it is a fan-out that knows them.
    pub items: Option<ItemCounts>,
}

/// Runs pipelines and tells of them. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

impl Engine {
    /// Opens a home, making it if it is not there.
    pub async fn open(options: EngineOptions) -> Result<Self, Fault> {
        home::open(options).await.map(|inner| Self { inner })
    }

    /// Opens a home for looking only: nothing in it is written, so that the right to read it is enough. What would
    /// write is refused.
    pub async fn open_to_read(options: EngineOptions) -> Result<Self, Fault> {
        home::open_to_read(options).await.map(|inner| Self { inner })
    }

    /// An engine over a store and artifacts of the caller's: for tests, and for other backends.
    pub async fn with_store(
        options: EngineOptions,
        store: Arc<dyn StateStore>,
        artifacts: Arc<dyn ArtifactStore>,
    ) -> Result<Self, Fault> {
        inner::assemble(options, store, artifacts, None).map(|inner| Self { inner })
    }

    /// Starts a run of a checked pipeline and owns it.
    pub async fn start(&self, plan: Arc<Plan>, request: RunRequest) -> Result<RunHandle, Fault> {
        self.inner.launch(launch::New::of(plan, request)).await?.run()
    }

    /// Starts a run unless there is one of the same key, however often it is asked and whatever dies meanwhile.
    pub async fn start_once(
        &self,
        plan: Arc<Plan>,
        request: RunRequest,
        cause: Cause,
        key: &str,
    ) -> Result<Started, Fault> {
        // Most who ask again are told without the work of a start.
        if let Some(run) = self.inner.store.run_of_key(key).await? {
            return Ok(Started::Before(run));
        }
        let prepared = self.prepare(plan, request, cause, Some(key)).await?;
        self.begin(prepared).await
    }

    /// Checks what a run is asked for with, and says what it needs before it may start. Nothing is written; it
    /// goes on with [`Engine::begin`] or [`Engine::put_in_queue`].
    pub async fn prepare(
        &self,
        plan: Arc<Plan>,
        request: RunRequest,
        cause: Cause,
        key: Option<&str>,
    ) -> Result<Prepared, Fault> {
        let new = launch::New { cause, key: key.map(str::to_owned), ..launch::New::of(plan, request) };
        self.inner.prepare(new).await
    }

    /// Starts a prepared run, unless there is one of its key.
    pub async fn begin(&self, prepared: Prepared) -> Result<Started, Fault> {
        Ok(match self.inner.begin(prepared).await? {
            launch::Launched::Run(handle) => Started::Now(handle),
            launch::Launched::Exists(run) => Started::Before(run),
        })
    }

    /// Records a prepared run as `queued`, unless there is one of its key, and gives the id of the one that there
    /// is now. [`Engine::resume`] starts it.
    pub async fn put_in_queue(&self, prepared: Prepared) -> Result<RunId, Fault> {
        self.inner.put_in_queue(prepared).await
    }

    /// What a run was created from.
    pub async fn origin(&self, run: RunId) -> Result<RunOrigin, Fault> {
        let first = self.inner.store.events(run, 0, 1).await?.into_iter().next();
        match first.map(|recorded| recorded.event) {
            Some(Event::RunCreated { origin }) => Ok(*origin),
            _ => Err(Fault::internal("run.origin", format!("the log of {run} does not begin with its creation"))),
        }
    }

    /// A run as it stands: also one that another process owns.
    pub async fn look(&self, run: RunId) -> Result<Arc<RunLook>, Fault> {
        self.inner.run_look(run).await
    }

    /// The plan of a revision that a run was made of.
    pub async fn plan_of_revision(&self, revision: Digest) -> Result<Arc<Plan>, Fault> {
        self.inner.plan_for(revision).await
    }

    /// The home folder.
    pub fn home(&self) -> &std::path::Path {
        &self.inner.home
    }

    /// Bytes that runs left.
    pub fn artifacts(&self) -> Arc<dyn ArtifactStore> {
        self.inner.hub.executor.deps().services.artifacts.clone()
    }

    /// Whether this process drives a run.
    pub fn drives(&self, run: RunId) -> bool {
        self.inner.live(run).is_some()
    }

    /// A handle of a run that this process drives.
    pub async fn handle(&self, run: RunId) -> Result<Option<RunHandle>, Fault> {
        self.inner.handle(run).await
    }

    /// Lets go of a run as a crash would: nothing is recorded, what is under way is stopped, and whoever opens the
    /// home next goes on with it. Returns when nothing of it is under way here.
    pub async fn leave(&self, run: RunId) {
        self.inner.leave(run).await;
    }

    /// Goes on with an interrupted or failed run, or with one whose owner died, from its frozen bundle.
    /// A run that another live process owns is the fault `run.owned`, which names it.
    pub async fn resume(&self, run: RunId, by: &str) -> Result<RunHandle, Fault> {
        self.inner.resume(run, by).await
    }

    /// What [`Engine::rerun`] would do: steps reused and steps run again.
    pub async fn rerun_plan(&self, run: RunId, from: &str, plan: Option<Arc<Plan>>) -> Result<RerunPlan, Fault> {
        self.inner.rerun_plan(run, from, plan).await.map(|repeat| repeat.shown)
    }

    /// A new run with a parent link: steps before `from` are reused where their fingerprints match.
    /// `plan` is the edited file's; `None` takes the frozen one.
    pub async fn rerun(&self, run: RunId, from: &str, plan: Option<Arc<Plan>>) -> Result<RunHandle, Fault> {
        self.inner.begin(self.inner.prepare_rerun(run, from, plan).await?).await?.run()
    }

    /// The same, without starting it (see [`Engine::prepare`]).
    pub async fn prepare_rerun(&self, run: RunId, from: &str, plan: Option<Arc<Plan>>) -> Result<Prepared, Fault> {
        self.inner.prepare_rerun(run, from, plan).await
    }

    /// Asks for the end of a run, wherever it is owned. A second call interrupts it.
    pub async fn cancel(&self, run: RunId, by: &str) -> Result<(), Fault> {
        self.inner.cancel(run, by).await
    }

    /// Answers an approval, wherever the run is owned. An answer to something other than what was
    /// shown is refused.
    pub async fn answer(&self, run: RunId, step: &str, answer: Json, by: &str) -> Result<(), Fault> {
        self.inner.answer(run, step, answer, by).await
    }

    /// A run as it stands: also one that another process owns.
    pub async fn summary(&self, run: RunId) -> Result<RunSummary, Fault> {
        self.inner.summary(run).await
    }

    /// The plan of a run, from its frozen bundle.
    pub async fn plan_of(&self, run: RunId) -> Result<Arc<Plan>, Fault> {
        self.inner.plan_of(run).await
    }

    /// The living process that owns a run, in words; `None` if nobody drives it.
    pub async fn owner_of(&self, run: RunId) -> Result<Option<String>, Fault> {
        Ok(self.owner(run).await?.map(|owner| owner.to_string()))
    }

    /// The living process that owns a run; `None` if nobody drives it.
    pub async fn owner(&self, run: RunId) -> Result<Option<RunOwner>, Fault> {
        self.inner.owner_of(run).await
    }

    /// Log lines of a step, oldest first: all attempts and items, or one item.
    pub async fn logs(&self, run: RunId, step: Option<&str>, item: Option<u32>) -> Result<Vec<LogLine>, Fault> {
        let query = LogQuery { step: step.map(str::to_owned), item, text: None };
        Ok(self.log_page(run, query, LogPlace::From(0), u64::MAX).await?.lines)
    }

    /// A part of a run's log. What was looked at once is not looked at again: a part costs its lines, however long the
    /// log is, and following costs what is new.
    pub async fn log_page(&self, run: RunId, query: LogQuery, place: LogPlace, limit: u64) -> Result<LogPage, Fault> {
        let logs = self.inner.logs.clone();
        let read = tokio::task::spawn_blocking(move || logs.read(run, query, place, limit));
        read.await.map_err(|e| Fault::internal("log.read", format!("reading was stopped: {e}")))?
    }

    /// An output of a step that succeeded, tables ready to be read.
    pub async fn outputs(&self, run: RunId, step: &str) -> Result<BTreeMap<Name, Value>, Fault> {
        self.inner.outputs(run, step).await
    }

    /// Forgets what is older than `keep` says, then removes artifacts and files that nothing names. With `dry`
    /// it only counts.
    pub async fn gc(&self, keep: Keep, dry: bool) -> Result<GcReport, Fault> {
        self.inner.gc(keep, dry).await
    }

    /// Reads tables of any form, such as those that [`Engine::outputs`] gives.
    pub fn tables(&self) -> &TableAccess {
        &self.inner.hub.executor.deps().tables
    }

    /// Reads what is recorded.
    pub fn reader(&self) -> Arc<dyn StateStore> {
        self.inner.store.clone()
    }

    /// Interrupts what still runs here, and closes the store.
    pub async fn close(self) -> Result<(), Fault> {
        self.inner.close().await
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

/// How long `gc` keeps things. An artifact is kept as long as anything that names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// Runs, with all that is recorded of them, since their end. One that can be resumed is kept unless it failed.
    pub runs: Duration,
    /// Log lines of runs, since their end.
    pub logs: Duration,
    /// Cached results, since the start of the run that made them.
    pub cache: Duration,
}

impl Keep {
    /// Everything for the same time.
    pub const fn all(time: Duration) -> Self {
        Self { runs: time, logs: time, cache: time }
    }
}

/// What `gc` removed, or would.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GcReport {
    /// Runs forgotten.
    pub runs: u64,
    /// Runs that lost their log lines, forgotten ones included.
    pub logs: u64,
    /// Artifacts removed.
    pub artifacts: u64,
    /// Bytes freed.
    pub bytes: u64,
    /// Artifacts that nothing names and that are kept for now, being younger than an hour: a run may be about to
    /// name them.
    pub young: u64,
    /// Their bytes.
    pub young_bytes: u64,
}
