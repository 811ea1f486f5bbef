//! Starts runs: at once, or when there is room for them. Knows which are under way here.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use millwork_engine::{
    Engine, Prepared, RunHandle, Started,
    model::{Clock, Fault, FaultCode, Group, Retry, RunId, RunStatus, Timestamp},
    spec::OnConflict,
    store::{Request, RequestKind, RunFilter},
};
use tokio::sync::{Notify, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    queue::{Admission, Candidate, Limits, Place},
    tally::Tally,
};

/// What came of a start.
#[derive(Debug)]
pub enum Outcome {
    /// It runs.
    Started(RunHandle),
    /// It waits for its turn.
    Queued(RunId),
    /// There is one of its key.
    Before(RunId),
    /// Its group is full, and it was not to wait.
    Skipped {
        /// The group.
        group: String,
        /// Runs that are in it.
        holders: Vec<RunId>,
    },
}

impl Outcome {
    /// Runs that there were not before: one or none.
    pub fn new_runs(&self) -> u32 {
        u32::from(matches!(self, Self::Started(_) | Self::Queued(_)))
    }
}

/// Starts runs.
#[derive(Debug)]
pub struct Desk {
    engine: Engine,
    clock: Arc<dyn Clock>,
    admission: Mutex<Admission>,
    wake: Notify,
    closing: AtomicBool,
    tasks: TaskTracker,
    took: Mutex<HashMap<String, f64>>,
    tally: Tally,
    /// Changes when a run ends or parks.
    moved: watch::Sender<u64>,
}

impl Desk {
    /// With nothing under way.
    pub fn new(engine: Engine, clock: Arc<dyn Clock>, limits: Limits) -> Arc<Self> {
        Arc::new(Self {
            engine,
            clock,
            admission: Mutex::new(Admission::new(limits)),
            wake: Notify::new(),
            closing: AtomicBool::new(false),
            tasks: TaskTracker::new(),
            took: Mutex::default(),
            tally: Tally::default(),
            moved: watch::channel(0).0,
        })
    }

    fn admission(&self) -> MutexGuard<'_, Admission> {
        self.admission.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a prepared run, or lets it wait. `overlap` is one more group that it is in, and what happens when that
    /// is full.
    pub async fn start(
        self: &Arc<Self>,
        mut prepared: Prepared,
        overlap: Option<(Group, OnConflict)>,
    ) -> Result<Outcome, Fault> {
        let own = prepared.on_conflict();
        let mut rules: Vec<(Group, OnConflict)> =
            prepared.ticket().groups.iter().map(|group| (group.clone(), own)).collect();
        if let Some((group, rule)) = overlap {
            prepared.join(group.clone());
            rules.push((group, rule));
        }
        let candidate = Candidate {
            run: prepared.id(),
            pipeline: prepared.pipeline().to_owned(),
            ticket: prepared.ticket().clone(),
        };
        let mut victims = Vec::new();
        let entered = {
            let mut admission = self.admission();
            for (group, rule) in rules {
                let (mut held, waiting) = admission.group(&group.name);
                if held.len() + waiting.len() < group.limit as usize {
                    continue;
                }
                match rule {
                    OnConflict::Queue => {}
                    OnConflict::Skip => {
                        held.extend(waiting);
                        return Ok(Outcome::Skipped { group: group.name, holders: held });
                    }
                    OnConflict::Cancel => victims.extend(held.into_iter().chain(waiting)),
                }
            }
            !self.closing.load(Ordering::Acquire) && admission.enter(&candidate)
        };
        for victim in victims {
            let engine = self.engine.clone();
            self.tasks.spawn(async move {
                if let Err(fault) = engine.cancel(victim, "a newer run of its group").await {
                    tracing::warn!(run = %victim, %fault, "a run was not cancelled");
                }
            });
        }
        if entered {
            return self.begin(prepared, candidate.run).await;
        }
        let run = self.engine.put_in_queue(prepared).await?;
        if run != candidate.run {
            return Ok(Outcome::Before(run));
        }
        self.admission().push(candidate);
        self.wake.notify_one();
        Ok(Outcome::Queued(run))
    }

    async fn begin(self: &Arc<Self>, prepared: Prepared, run: RunId) -> Result<Outcome, Fault> {
        let pipeline = prepared.pipeline().to_owned();
        match self.engine.begin(prepared).await {
            Ok(Started::Now(handle)) => Ok(Outcome::Started(self.watched(handle, pipeline))),
            Ok(Started::Before(before)) => {
                self.free(run);
                Ok(Outcome::Before(before))
            }
            Err(fault) => {
                self.free(run);
                Err(fault)
            }
        }
    }

    fn free(&self, run: RunId) {
        self.admission().ended(run);
        self.told();
    }

    fn told(&self) {
        self.moved.send_modify(|times| *times += 1);
        self.wake.notify_one();
    }

    /// Watches a run until its end, so that what it holds is freed; gives another handle of it.
    fn watched(self: &Arc<Self>, handle: RunHandle, pipeline: String) -> RunHandle {
        let (desk, mut watch, run) = (self.clone(), handle.another(), handle.id());
        let since = self.clock.now();
        self.tasks.spawn(async move {
            loop {
                let parked = watch.status() == Some(RunStatus::Waiting);
                desk.admission().park(run, parked);
                if parked {
                    desk.told();
                }
                if !watch.changed().await {
                    break;
                }
            }
            desk.remember(&pipeline, watch.status(), since);
            desk.free(run);
        });
        handle
    }

    fn remember(&self, pipeline: &str, status: Option<RunStatus>, since: Timestamp) {
        let took = self.clock.now().since(since);
        self.tally.count(pipeline, status, took);
        let took = took.as_secs_f64();
        let mut known = self.took.lock().unwrap_or_else(PoisonError::into_inner);
        let mean = known.entry(pipeline.to_owned()).or_insert(took);
        *mean += (took - *mean) / 8.0;
    }

    /// Where a run stands that waits, and in how long it may start, if that can be told.
    pub fn place(&self, run: RunId, pipeline: &str) -> Option<(Place, Option<Duration>)> {
        let place = self.admission().place(run)?;
        let known = self.took.lock().unwrap_or_else(PoisonError::into_inner);
        let mean = known.get(pipeline).copied();
        // The runs before it, each as long as the last ones were, on as many tracks as there are holders.
        let wait = mean.map(|mean| mean * place.position as f64 / place.holders.len().max(1) as f64);
        Some((place, wait.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())))
    }

    /// Runs under way here, and runs that wait.
    pub fn counts(&self) -> (usize, usize) {
        self.admission().counts()
    }

    /// Runs that ended here.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Slots of pools: taken, and how many there are.
    pub fn pools(&self) -> std::collections::BTreeMap<millwork_engine::model::Name, (u32, Option<u32>)> {
        self.admission().pools()
    }

    /// Runs of a group that are under way, and those that wait.
    pub fn group(&self, name: &str) -> (Vec<RunId>, Vec<RunId>) {
        self.admission().group(name)
    }

    /// Takes out a run that waits; one that is under way is freed when it ends.
    pub fn gone_if_queued(&self, run: RunId) {
        if !self.engine.drives(run) {
            self.free(run);
        }
    }

    /// Takes out a run that somebody else ended while it waited.
    pub fn gone(&self, run: RunId) {
        self.free(run);
    }

    /// Goes on with what an earlier process left: runs under way are driven on, runs that wait, wait on.
    pub async fn recover(self: &Arc<Self>) -> Result<(usize, usize), Fault> {
        let statuses = vec![RunStatus::Queued, RunStatus::Running, RunStatus::Waiting];
        let mut after = None;
        let mut open = Vec::new();
        loop {
            let filter = RunFilter { statuses: statuses.clone(), top: true, limit: 500, after, ..RunFilter::default() };
            let page = self.engine.reader().runs(&filter).await?;
            let Some(last) = page.last() else { break };
            after = Some(millwork_engine::store::Cursor(last.id));
            open.extend(page);
        }
        let (mut driven, mut waiting) = (0, 0);
        // Oldest first, as they came.
        for view in open.into_iter().rev() {
            if self.engine.owner_of(view.id).await?.is_some() {
                continue;
            }
            let ticket = self.engine.origin(view.id).await?.ticket;
            let candidate = Candidate { run: view.id, pipeline: view.pipeline.clone(), ticket };
            if view.status == RunStatus::Queued {
                self.admission().push(candidate);
                waiting += 1;
            } else {
                self.admission().hold(view.id, view.pipeline, candidate.ticket);
                driven += 1;
                self.drive(view.id).await;
            }
        }
        self.wake.notify_one();
        Ok((driven, waiting))
    }

    /// Goes on with a run that an earlier process or the queue left.
    async fn drive(self: &Arc<Self>, run: RunId) {
        if let Some(by) = self.called_off(run).await {
            if let Err(fault) = self.engine.cancel(run, &by).await {
                tracing::warn!(%run, %fault, "a run that was called off while it waited is not cancelled");
            }
            return self.free(run);
        }
        let view = self.engine.reader().run(run).await;
        let resumed = match view {
            Ok(view) => self.engine.resume(run, "the service").await.map(|handle| (handle, view.pipeline)),
            Err(error) => Err(error.into()),
        };
        match resumed {
            Ok((handle, pipeline)) => drop(self.watched(handle, pipeline)),
            Err(fault) => {
                if fault.code != FaultCode::RUN_OWNED {
                    tracing::warn!(%run, %fault, "a run cannot go on");
                }
                // Somebody may have resumed it meanwhile, here.
                if !self.engine.drives(run) {
                    self.free(run);
                }
            }
        }
    }

    /// Who asked from another process for the end of a run that waits: nobody drives it, so that nobody else hears it.
    async fn called_off(&self, run: RunId) -> Option<String> {
        let reader = self.engine.reader();
        if reader.run(run).await.ok()?.status != RunStatus::Queued {
            return None;
        }
        let requests = reader.requests(run, 0).await.ok()?;
        let stop = |request: &Request| matches!(request.kind, RequestKind::Cancel | RequestKind::Interrupt);
        requests.into_iter().find(stop).map(|request| request.by)
    }

    /// Resumes an interrupted or failed run for somebody, if there is room for it: `run.skipped` if not.
    pub async fn resume(self: &Arc<Self>, run: RunId, by: &str) -> Result<(), Fault> {
        let view = self.engine.reader().run(run).await?;
        let ticket = self.engine.origin(run).await?.ticket;
        let candidate = Candidate { run, pipeline: view.pipeline.clone(), ticket };
        // What cannot be resumed at all is refused for what it is.
        let entered = view.status != RunStatus::Succeeded && {
            let mut admission = self.admission();
            let known = admission.knows(run);
            let room = known || admission.enter(&candidate);
            if !room || (known && view.status == RunStatus::Queued) {
                let message = format!("there is no room for {run} now: its group, its pools or all places are taken");
                return Err(Fault::user("run.skipped", message)
                    .retry(Retry::AfterMillis(5_000))
                    .help("resume it when others have ended; `millwork runs list --status running` shows them"));
            }
            !known
        };
        let resumed = self.engine.resume(run, by).await;
        if resumed.is_err() && entered {
            self.free(run);
        }
        drop(self.watched(resumed?, view.pipeline));
        Ok(())
    }

    /// Starts who is next, for as long as the service runs.
    pub async fn dispatch(self: Arc<Self>, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = self.wake.notified() => {}
                () = stop.cancelled() => return,
            }
            loop {
                if self.closing.load(Ordering::Acquire) {
                    return;
                }
                let next = self.admission().admit_next();
                let Some(run) = next else { break };
                let desk = self.clone();
                self.tasks.spawn(async move { desk.drive(run).await });
            }
        }
    }

    /// Starts nothing more, waits for what is under way at most so long, and then lets go of it as a crash would: the
    /// next process goes on with it. How many runs were left so.
    pub async fn drain(self: &Arc<Self>, patience: Duration) -> usize {
        self.closing.store(true, Ordering::Release);
        self.wake.notify_one();
        let over = async {
            let mut moved = self.moved.subscribe();
            while self.admission().busy() > 0 && moved.changed().await.is_ok() {}
        };
        let _ = tokio::time::timeout(patience, over).await;
        let left = self.admission().held();
        for run in &left {
            self.engine.leave(*run).await;
        }
        left.len()
    }
}
