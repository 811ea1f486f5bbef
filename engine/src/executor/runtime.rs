use std::{fmt, path::PathBuf, sync::Arc};

use async_trait::async_trait;
use serde_json::Value as Json;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::{
    Envelope, Frozen, MemoryShares,
    attempt::{Work, run_kind},
    evaluate::{self, StateValues},
    fan::{ItemDone, run_item},
    identity::identity,
    keep::{self, Kept, Outputs},
    load,
    permits::Permits,
    slot::{Slot, Stragglers, Timers},
};
use crate::{
    crash::crash_point,
    graph::{Form, PlanNode},
    model::{Fault, FaultCode, Labels, NodeIx, RunId, event::Cause, event::ItemOutcome, event::StoredOutputs},
    run::{AttemptEnd, ItemEnd},
    step::{JournalStore, SecretProvider, Services, StepEnd, StepOutput, TableAccess},
    store::{ItemRow, OutputRow, RunReader},
};

/// The name of the threads that run steps. A panic there is caught, and is the fault of its step.
pub const COMPUTE: &str = "millwork-compute";

/// Ends of runs of sub-pipelines.
#[async_trait]
pub trait ChildEnds: Send + Sync + fmt::Debug {
    /// Waits until a child has ended; gives its status, outputs and fault, as a parent's answer. `asks` is told
    /// whenever the child begins or ceases to wait for a person.
    async fn ended(&self, run: RunId, asks: &(dyn Fn(bool) + Send + Sync)) -> Result<Json, Fault>;

    /// Asks for a child's end, because its parent is cancelled, and waits for it.
    async fn cancel(&self, run: RunId, by: &str) -> Result<(), Fault>;
}

/// What attempts use, made once a process.
#[derive(Debug)]
pub struct Deps {
    /// What kinds may use.
    pub services: Services,
    /// Opens secrets.
    pub secrets: Arc<dyn SecretProvider>,
    /// Reads rows of outputs.
    pub store: Arc<dyn RunReader>,
    /// Journals.
    pub journals: Arc<dyn JournalStore>,
    /// Waits for children.
    pub children: Arc<dyn ChildEnds>,
    /// Reads tables.
    pub tables: TableAccess,
    /// The home folder, with `logs/` and `tmp/`.
    pub home: PathBuf,
    /// What an attempt may hold where the pipeline does not say less.
    pub memory: Option<MemoryShares>,
    /// Attempts under way at once.
    pub parallel: usize,
}

/// What the executor tells of an attempt.
#[derive(Debug)]
pub enum Report {
    /// The step returned, and its outputs are on the board; they are being made durable.
    Returned {
        /// Which step.
        node: NodeIx,
    },
    /// An attempt at a step ended, its outputs durable.
    Ended {
        /// Which.
        envelope: Envelope,
        /// How.
        end: AttemptEnd,
        /// A row for the same transaction.
        row: Option<OutputRow>,
        /// `state:` values for the same transaction.
        state: StateValues,
    },
    /// An attempt at an item ended.
    ItemEnded {
        /// Which.
        envelope: Envelope,
        /// How.
        end: ItemEnd,
        /// Its row for the same transaction; none where it was stopped.
        row: Option<ItemRow>,
    },
}

/// Takes reports; called on the compute runtime.
pub type Reporter = Arc<dyn Fn(Report) + Send + Sync>;

/// Bytes of stack that a thread of steps may use.
const STACK: usize = 32 << 20;

/// How much lower the priority is in the background: who shares a processor with such a thread gets ten times as much.
#[cfg(target_os = "linux")]
const NICE: i32 = 10;

/// Runs attempts on a runtime of their own, so that a step that computes does not delay the scheduler.
#[derive(Clone)]
pub struct Executor(Arc<Inner>);

struct Inner {
    runtime: Option<Runtime>,
    permits: Permits,
    deps: Arc<Deps>,
    stragglers: Stragglers,
}

impl Executor {
    /// An executor for so many attempts at once. In the background, its threads have a lower priority than others.
    /// Every run may have one attempt under way whatever others do, up to `extra` of them.
    pub fn new(deps: Deps, max_parallel: usize, extra: usize, background: bool) -> Result<Self, Fault> {
        let runtime = Builder::new_multi_thread()
            // One more than may be blocked by the steps that there are permits for. Those beyond share the threads: an
            // await gives way to others, and what blocks belongs on a thread for that.
            .worker_threads(max_parallel.max(1) + 1)
            .thread_name(COMPUTE)
            // Planners of queries go deep; what is not used costs no memory.
            .thread_stack_size(STACK)
            .enable_all()
            .on_thread_start(move || {
                if background {
                    give_way();
                }
            })
            .build()
            .map_err(|e| Fault::external("executor.threads", format!("threads cannot be started: {e}")))?;
        let count = max_parallel.max(1);
        let permits = Permits::new(count, extra);
        Ok(Self(Arc::new(Inner {
            runtime: Some(runtime),
            permits,
            deps: Arc::new(deps),
            stragglers: Stragglers::default(),
        })))
    }

    /// What attempts use.
    pub fn deps(&self) -> &Arc<Deps> {
        &self.0.deps
    }

    /// Runs something on the compute runtime that is no attempt and needs no permit.
    pub fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        if let Some(runtime) = &self.0.runtime {
            runtime.spawn(work);
        }
    }

    /// Steps that were told to stop and have not returned yet.
    pub fn stragglers(&self) -> Vec<String> {
        self.0.stragglers.names()
    }

    /// Begins an attempt, from the control runtime. The permit that it waits for belongs to it until its work really
    /// ends. `step` is the span of its step.
    pub fn begin(
        &self,
        run: Arc<Frozen>,
        envelope: Envelope,
        cancel: CancellationToken,
        report: Reporter,
        step: &tracing::Span,
    ) {
        let (deps, permits, stragglers) = (self.0.deps.clone(), self.0.permits.clone(), self.0.stragglers.clone());
        let timers = Timers { clock: deps.services.clock.clone(), control: Handle::current() };
        let Some(runtime) = &self.0.runtime else { return };
        let span = tracing::info_span!(
            parent: step,
            "attempt",
            otel.name = %format_args!("attempt {}", envelope.attempt),
            otel.status_code = tracing::field::Empty,
            fault = tracing::field::Empty,
            run = %envelope.run,
            step = run.plan.nodes.get(envelope.node.index()).map(|node| node.id.as_str()),
            item = envelope.item,
            attempt = envelope.attempt
        );
        let work = async move {
            // What a run starts takes its turns as a part of it.
            let whole = match &run.origin.cause {
                Cause::Parent { root, run, .. } => root.unwrap_or(*run),
                _ => envelope.run,
            };
            let slot = Slot::acquire(permits, whole, cancel, stragglers, timers).await;
            let ended = match (&slot, envelope.item) {
                (None, None) => stopped(envelope),
                (None, Some(_)) => Report::ItemEnded { envelope, end: ItemEnd::Cancelled, row: None },
                (Some(slot), None) => attempt(&deps, &run, envelope, slot, &report).await,
                (Some(slot), Some(_)) => item(&deps, &run, envelope, slot).await,
            };
            drop(slot);
            report(ended);
        };
        runtime.spawn(work.instrument(span));
    }
}

/// Gives the calling thread a lower priority. Where it shares its processors with nobody, it is as fast as before.
#[cfg(target_os = "linux")]
fn give_way() {
    // Of this thread alone; elsewhere the priority is the whole process's.
    if let Err(error) = rustix::process::nice(NICE) {
        tracing::debug!(%error, "a thread of steps keeps its priority");
    }
}

#[cfg(not(target_os = "linux"))]
fn give_way() {}

impl Drop for Inner {
    fn drop(&mut self) {
        // A runtime cannot be waited for where futures run; what is left stops at its next await.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl fmt::Debug for Executor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Executor").field("free", &self.0.permits.free()).finish_non_exhaustive()
    }
}

/// Says in the span of an attempt that it failed.
fn failed(fault: &Fault) {
    let span = tracing::Span::current();
    span.record("otel.status_code", "ERROR");
    span.record("fault", fault.code.as_str());
}

fn stopped(envelope: Envelope) -> Report {
    Report::Ended { envelope, end: AttemptEnd::Cancelled, row: None, state: Vec::new() }
}

async fn attempt(deps: &Deps, run: &Frozen, envelope: Envelope, slot: &Slot, report: &Reporter) -> Report {
    match try_attempt(deps, run, &envelope, slot, report).await {
        Ok((end, row, state)) => Report::Ended { envelope, end, row, state },
        Err(fault) if fault.code == FaultCode::CANCELLED => stopped(envelope),
        Err(fault) => {
            failed(&fault);
            let end = AttemptEnd::Failed(run.scrubber.fault(fault));
            Report::Ended { envelope, end, row: None, state: Vec::new() }
        }
    }
}

async fn try_attempt(
    deps: &Deps,
    run: &Frozen,
    envelope: &Envelope,
    slot: &Slot,
    report: &Reporter,
) -> Result<(AttemptEnd, Option<OutputRow>, StateValues), Fault> {
    let node = run.node(envelope.node)?;
    let loaded = load::load_for(deps, run, node).await?;
    crash_point("attempt.loaded");
    let answer = run.board.with(node.ix, |facts| facts.answer.clone()).flatten();
    let work = Work { deps, run, node, envelope, loaded: &loaded, item: None, body: None, slot };
    let (output, labels) = match run_kind(&work, answer).await? {
        (StepEnd::Done(output), labels) => (output, labels),
        (StepEnd::Park(wait), _) => return Ok((AttemptEnd::Parked(wait), None, Vec::new())),
    };
    crash_point("attempt.returned");
    if slot.cancel.is_cancelled() && node.effect == crate::step::Effect::Pure {
        // Nothing happened that counts, and a newer attempt's values may be on the board.
        return Err(Fault::cancelled());
    }
    let rows = output.rows;
    let outputs = Arc::new(output.values);
    let recomputable =
        run.plan.shape.nodes.get(node.ix.index()).is_some_and(|n| n.recomputable && n.form == Form::Single);
    let pinned = if recomputable { identity(deps, run, node, &loaded)? } else { None };
    run.board.remember(node.ix, outputs.clone());
    report(Report::Returned { node: node.ix });
    let state = evaluate::state(run, node, &loaded, &outputs, &labels)?;
    let kept = match pinned {
        Some(inputs) => Kept { stored: StoredOutputs::Recomputable { inputs }, row: None },
        None => keep::keep(&deps.services.artifacts, &outputs).await?,
    };
    crash_point("keep.done");
    Ok((AttemptEnd::Succeeded { outputs: kept.stored, labels, rows }, kept.row, state))
}

async fn item(deps: &Deps, run: &Frozen, envelope: Envelope, slot: &Slot) -> Report {
    let index = envelope.item.unwrap_or_default();
    let attempts = envelope.attempt;
    let row =
        |outcome, outputs, fault| Some(ItemRow { node: envelope.node, item: index, outcome, attempts, outputs, fault });
    let (end, row) = match try_item(deps, run, &envelope, slot).await {
        Ok(Some(outputs)) => (ItemEnd::Succeeded, row(ItemOutcome::Succeeded, outputs, None)),
        Ok(None) => (ItemEnd::Skipped, row(ItemOutcome::Skipped, None, None)),
        Err(fault) if fault.code == FaultCode::CANCELLED => (ItemEnd::Cancelled, None),
        Err(fault) => {
            failed(&fault);
            let fault = run.scrubber.fault(fault);
            let row = row(ItemOutcome::Failed, None, Some(fault.clone()));
            (ItemEnd::Failed { attempt: attempts, fault }, row)
        }
    };
    Report::ItemEnded { envelope, end, row }
}

/// `None`: the item was skipped.
async fn try_item(deps: &Deps, run: &Frozen, envelope: &Envelope, slot: &Slot) -> Result<Option<Option<Json>>, Fault> {
    let node = run.node(envelope.node)?;
    match run_item(deps, run, node, envelope, slot).await? {
        ItemDone::Skipped => Ok(None),
        ItemDone::Succeeded(output, labels) => Ok(Some(item_outputs(deps, node, output, &labels).await?)),
    }
}

/// The outputs of an item as its row holds them. Large ones are an artifact, named in their place.
async fn item_outputs(
    deps: &Deps,
    node: &PlanNode,
    output: StepOutput,
    labels: &std::collections::BTreeMap<String, Labels>,
) -> Result<Option<Json>, Fault> {
    if output.values.is_empty() && node.outputs.is_empty() {
        return Ok(None);
    }
    let mut object = keep::durable_object(&deps.services.artifacts, &output.values as &Outputs).await?;
    let text = serde_json::to_string(&object).unwrap_or_default();
    if text.len() > super::keep::ROW {
        let info = deps.services.artifacts.put(text.into_bytes()).await?;
        object = serde_json::Map::new();
        object.insert(KEPT.to_owned(), Json::String(info.id.to_string()));
    }
    let item_labels: std::collections::BTreeMap<_, _> = labels.iter().filter(|(_, l)| !l.is_empty()).collect();
    if !item_labels.is_empty() {
        object.insert(LABELS.to_owned(), serde_json::to_value(item_labels).unwrap_or(Json::Null));
    }
    Ok(Some(Json::Object(object)))
}

/// The member of an item's outputs that names the artifact they are in.
pub(crate) const KEPT: &str = "$artifact";
/// The member of an item's outputs with their labels.
pub(crate) const LABELS: &str = "$labels";
