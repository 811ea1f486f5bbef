//! The loop of one run, the only one that awaits: inputs to the machine, events to the store, commands to
//! the executor. One commit is in flight; what arrives meanwhile joins the next.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use futures::FutureExt as _;
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use super::{
    batch::Batch,
    children::Children,
    commit::{Birth, Stop},
    head_start::HeadStarts,
    machine,
    message::Message,
    spans::Spans,
};
use crate::{
    crash::crash_point,
    executor::{Executor, Frozen, Report, Update, condition, pipeline_outputs, until},
    model::{Digest, Event, Fault, NodeIx, Recorded, RunId, RunStatus, StepStatus, Timestamp, Wait},
    run::{Command, Input, RunState},
    store::StateStore,
};

/// Messages taken into one commit at most.
const BATCH: usize = 4096;
/// A snapshot is written after this many events.
const SNAPSHOT: u64 = 4000;
/// How often requests of other processes are looked for, beside the doorbell.
const POLL: Duration = Duration::from_secs(1);
/// How long attempts have to stop when a run is interrupted.
const STOPPING: Duration = Duration::from_secs(12);

/// How a run stands, for those who wait for it.
#[derive(Debug, Clone, Default)]
pub struct Stand {
    /// Its status.
    pub status: Option<RunStatus>,
    /// Nothing more happens to it here.
    pub over: bool,
    /// Only a person can let it go on.
    pub needs_person: bool,
    /// Why the driver gave up, if it did.
    pub broken: Option<Fault>,
    /// The pipeline's outputs, encoded, once it ended well.
    pub outputs: Option<serde_json::Value>,
    /// The first fault that counts.
    pub fault: Option<Fault>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

/// What every driver of a process shares.
#[derive(Debug, Clone)]
pub struct Hub {
    /// Runs attempts.
    pub executor: Executor,
    /// Keeps state.
    pub store: Arc<dyn StateStore>,
}

/// Drives one run.
#[derive(Debug)]
pub(crate) struct Driver {
    pub(super) hub: Hub,
    pub(super) run: Arc<Frozen>,
    pub(super) state: RunState,
    pub(super) birth: Option<Birth>,
    pub(super) messages: mpsc::UnboundedReceiver<Message>,
    pub(super) sender: mpsc::UnboundedSender<Message>,
    pub(super) stand: watch::Sender<Stand>,
    pub(super) readers: Vec<Vec<NodeIx>>,
    pub(super) under_way: HashMap<(NodeIx, Option<u32>, u32), CancellationToken>,
    pub(super) evaluating: HashSet<Command>,
    pub(super) stopping: HashSet<NodeIx>,
    pub(super) heads: HeadStarts,
    pub(super) caching: HashMap<NodeIx, Digest>,
    pub(super) children: Children,
    pub(super) spans: Spans,
    pub(super) waiting: Vec<Message>,
    /// Writes that the run's end waits for.
    pub(super) writes: JoinSet<()>,
    pub(super) wake: Option<Timestamp>,
    pub(super) asked: i64,
    pub(super) next_poll: tokio::time::Instant,
    /// Requests to stop that were made before this owner do not count.
    pub(super) old_requests: bool,
    pub(super) ended_at: Option<Timestamp>,
    pub(super) cancels: u32,
    pub(super) since_snapshot: u64,
}

impl Driver {
    pub(crate) fn new(
        hub: Hub,
        run: Arc<Frozen>,
        state: RunState,
        birth: Option<Birth>,
    ) -> (Self, mpsc::UnboundedSender<Message>, watch::Receiver<Stand>) {
        let (sender, messages) = mpsc::unbounded_channel();
        let (stand, stands) = watch::channel(Stand::default());
        let mut readers = vec![Vec::new(); run.plan.nodes.len()];
        for (ix, node) in run.plan.shape.nodes.iter().enumerate() {
            for need in &node.needs {
                if let Some(list) = readers.get_mut(need.index()) {
                    list.push(NodeIx(ix as u32));
                }
            }
        }
        let driver = Self {
            hub,
            run,
            state,
            birth,
            messages,
            sender: sender.clone(),
            stand,
            readers,
            under_way: HashMap::new(),
            evaluating: HashSet::new(),
            stopping: HashSet::new(),
            heads: HeadStarts::default(),
            caching: HashMap::new(),
            children: Children::default(),
            spans: Spans::default(),
            waiting: Vec::new(),
            writes: JoinSet::new(),
            wake: None,
            asked: 0,
            next_poll: tokio::time::Instant::now() + POLL,
            old_requests: false,
            ended_at: None,
            cancels: 0,
            since_snapshot: 0,
        };
        (driver, sender, stands)
    }

    /// Drives the run from these first inputs until it has ended, is interrupted, or belongs to another.
    /// `born` is told after the first commit.
    pub(crate) async fn drive(mut self, first: Vec<Input>, born: oneshot::Sender<Result<RunId, Fault>>) {
        let mut born = Some(born);
        let mut batch = Batch { inputs: first, ..Batch::default() };
        if self.old_requests {
            // An answer that was given in time counts before the time that is over since.
            self.poll(&mut batch).await;
        }
        let stop = loop {
            let settled = self.settle(batch).await;
            if let Some(born) = born.take() {
                let told = match &settled {
                    Ok(()) => Ok(self.run.id),
                    Err(Stop::Exists(run)) => Ok(*run),
                    Err(stop) => Err(stop.fault()),
                };
                let _ = born.send(told);
            }
            if let Err(stop) = settled {
                break Some(stop);
            }
            if self.is_over() {
                break None;
            }
            match self.collect().await {
                Some(next) => batch = next,
                None => return self.under_way.values().for_each(CancellationToken::cancel),
            }
        };
        self.stop_all(stop.is_none()).await;
        self.finish_writes().await;
        let status = self.state.status();
        if let Some(stop) = &stop {
            tracing::warn!("the run stops here: {}", stop.fault());
        } else {
            tracing::info!(?status, "the run has ended or waits for another life");
        }
        let broken = stop.map(|stop| stop.fault());
        self.run.updates.end();
        self.stand.send_replace(Stand {
            status: Some(status),
            over: true,
            needs_person: false,
            broken,
            outputs: self.state.run_outputs().cloned(),
            fault: self.state.fault().cloned(),
            ended_at: self.ended_at,
        });
    }

    /// Before driving a run that another owner drove: children that steps wait for are watched again,
    /// and answers given meanwhile are looked for at once.
    pub(crate) fn after_recovery(&mut self) {
        self.old_requests = true;
        self.next_poll = tokio::time::Instant::now();
        self.watch_children();
    }

    pub(super) fn is_over(&self) -> bool {
        let status = self.state.status();
        status.is_final() || status == RunStatus::Interrupted
    }

    /// Stops what is under way. An interrupted run waits for its attempts, so that a resume in the same
    /// process does not begin beside them.
    async fn stop_all(&mut self, wait: bool) {
        self.heads.drop_all();
        self.under_way.values().for_each(CancellationToken::cancel);
        let deadline = tokio::time::sleep(STOPPING);
        tokio::pin!(deadline);
        while wait && !self.under_way.is_empty() {
            tokio::select! {
                message = self.messages.recv() => match message {
                    Some(Message::Report(report)) => drop(self.ended_key(&report)),
                    Some(_) => {}
                    None => return,
                },
                () = &mut deadline => return,
            }
        }
    }

    /// Waits for what belongs to the run's end: cached results, children that are cancelled with it. Whoever asks
    /// for an end once more does not want to wait.
    async fn finish_writes(&mut self) {
        loop {
            tokio::select! {
                biased;
                done = self.writes.join_next() => if done.is_none() { return },
                message = self.messages.recv() => match message {
                    Some(Message::Cancel { .. } | Message::Interrupt { .. } | Message::Abandon) | None => return,
                    Some(_) => {}
                },
            }
        }
    }

    pub(super) fn ended_key(&mut self, report: &Report) -> bool {
        let (Report::Ended { envelope, .. } | Report::ItemEnded { envelope, .. }) = report else { return false };
        self.under_way.remove(&(envelope.node, envelope.item, envelope.attempt)).is_some()
    }

    /// Waits for something to happen, then takes all that is there. `None`: vanish.
    async fn collect(&mut self) -> Option<Batch> {
        let mut batch = Batch::default();
        let waiting = std::mem::take(&mut self.waiting);
        if waiting.is_empty() {
            let clock = &self.hub.executor.deps().services.clock;
            let asleep = self.wake.map_or_else(|| std::future::pending().boxed(), |at| clock.until(at));
            tokio::select! {
                biased;
                message = self.messages.recv() => self.take(message?, &mut batch).await?,
                () = asleep => {
                    self.wake = None;
                    batch.inputs.push(Input::Tick);
                }
                () = tokio::time::sleep_until(self.next_poll) => {
                    self.next_poll = tokio::time::Instant::now() + POLL;
                    self.poll(&mut batch).await;
                }
            }
        }
        for message in waiting {
            self.take(message, &mut batch).await?;
        }
        for _ in 0..BATCH {
            let Ok(message) = self.messages.try_recv() else { break };
            self.take(message, &mut batch).await?;
        }
        crash_point("driver.collected");
        Some(batch)
    }

    /// Decides on a batch, commits, and issues what follows.
    async fn settle(&mut self, batch: Batch) -> Result<(), Stop> {
        let Batch { inputs, items, outputs, state, .. } = batch;
        let mut events = self.decide(inputs)?;
        self.evaluate(&mut events).await?;
        crash_point("driver.decided");
        // A pure step may act before its start is committed.
        self.issue(true);
        if !events.is_empty() || self.birth.is_some() {
            self.commit(events.clone(), items, outputs, state).await?;
            crash_point("driver.committed");
            tracing::debug!(seq = self.state.seq(), events = events.len(), "committed");
            self.after_commit(events);
        }
        self.issue(false);
        crash_point("driver.issued");
        Ok(())
    }

    /// The machine's events for these inputs, applied. Nothing is told or issued before they are
    /// committed; a commit that is refused ends this driver and its state with it.
    fn decide(&mut self, inputs: Vec<Input>) -> Result<Vec<Recorded>, Stop> {
        if inputs.is_empty() {
            return Ok(Vec::new());
        }
        let now = self.hub.executor.deps().services.clock.now();
        let events = machine::step(&mut self.state, inputs, now).map_err(Stop::Broken)?;
        for recorded in &events {
            self.run.board.apply(recorded);
            if let Some(node) = recorded.event.node() {
                self.run.board.set_status(node, self.state.step_status(node));
            }
            if matches!(recorded.event, Event::RunResumed { .. }) {
                for node in &self.run.plan.nodes {
                    self.run.board.set_status(node.ix, self.state.step_status(node.ix));
                }
            }
        }
        Ok(events)
    }

    /// Answers what needs no attempt (conditions, `until`, the pipeline's outputs), so that it joins
    /// the commit of what it follows from.
    async fn evaluate(&mut self, events: &mut Vec<Recorded>) -> Result<(), Stop> {
        loop {
            let deps = self.hub.executor.deps().clone();
            let now = deps.services.clock.now();
            let mut answers = Vec::new();
            for command in machine::outstanding(&self.state, now) {
                answers.push(match command {
                    Command::Evaluate { node } => {
                        Input::Condition { node, holds: condition(&deps, &self.run, node).await }
                    }
                    Command::CheckUntil { node } => Input::Until { node, met: until(&deps, &self.run, node).await },
                    Command::Finish => {
                        let outputs = pipeline_outputs(&deps, &self.run).await;
                        Input::Outputs { outputs }
                    }
                    _ => continue,
                });
            }
            if answers.is_empty() {
                return Ok(());
            }
            crash_point("driver.evaluated");
            let more = self.decide(answers)?;
            if more.is_empty() {
                return Err(Stop::Broken(Fault::internal("driver.stuck", "an evaluation led to nothing")));
            }
            events.extend(more);
        }
    }

    fn after_commit(&mut self, events: Vec<Recorded>) {
        for recorded in events {
            match &recorded.event {
                Event::StepSucceeded { node, .. } => {
                    self.spans.close(*node, false);
                    self.heads.settled(*node);
                    self.keep_cached(*node);
                    self.release(*node);
                }
                Event::StepFailed { node, .. } | Event::StepSkipped { node, .. } | Event::StepCancelled { node } => {
                    self.spans.close(*node, matches!(recorded.event, Event::StepFailed { .. }));
                    self.caching.remove(node);
                    self.release(*node);
                }
                Event::StepWaiting { node, wait, .. } => {
                    self.spans.close(*node, false);
                    if let Wait::Run { run } = wait {
                        self.watch_child(*node, *run);
                    }
                }
                Event::CancelRequested { by } => self.cancel_children(by),
                Event::RunEnded { status, .. } => {
                    self.ended_at = Some(recorded.at);
                    if *status == RunStatus::Failed {
                        tracing::Span::current().record("otel.status_code", "ERROR");
                    }
                    if *status == RunStatus::Cancelled {
                        // One that an item started while it was told to stop.
                        self.cancel_children("its parent");
                    }
                }
                _ => {}
            }
            self.run.updates.send(Update::Event(recorded));
        }
        self.tell_stand();
    }

    pub(super) fn tell_stand(&self) {
        let status = self.state.status();
        let needs_person = status == RunStatus::Waiting && (self.waits_for_person() || self.children.ask());
        self.stand.send_replace(Stand { status: Some(status), needs_person, ..Stand::default() });
    }

    fn waits_for_person(&self) -> bool {
        self.run.plan.nodes.iter().any(|node| {
            self.run
                .board
                .with(node.ix, |f| matches!(f.wait, Some(Wait::Approval { .. } | Wait::Budget { .. })))
                .unwrap_or(false)
        })
    }

    /// Lets values in memory go once everyone who reads them has ended.
    fn release(&mut self, ended: NodeIx) {
        let Some(shape) = self.run.plan.shape.nodes.get(ended.index()) else { return };
        for need in shape.needs.iter().copied().chain([ended]) {
            let readers = self.readers.get(need.index()).map(Vec::as_slice).unwrap_or_default();
            let done = readers.iter().all(|reader| self.state.step_status(*reader).is_final());
            let kept = self.state.shape().nodes.get(need.index()).is_some_and(|n| !n.recomputable);
            if done && kept && !(need == ended && readers.is_empty() && self.is_over()) {
                self.run.board.forget(need);
            }
        }
    }

    /// Whether the machine still has a step running, so that a report about it is of use.
    pub(super) fn is_running(&self, node: NodeIx) -> bool {
        self.state.step_status(node) == StepStatus::Running
    }

    pub(super) fn snapshot_due(&mut self, events: u64) -> bool {
        self.since_snapshot += events;
        if self.since_snapshot < SNAPSHOT {
            return false;
        }
        self.since_snapshot = 0;
        true
    }
}
