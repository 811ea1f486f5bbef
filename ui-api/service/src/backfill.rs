//! Runs times of a schedule that lie back: so many at once, on and on until all are done or somebody cancels.

use std::{sync::Arc, time::Duration};

use millwork_engine::{
    Tick,
    model::{Blame, Fault, Group, RunId, RunStatus, Timestamp},
    schedules,
    spec::{OnConflict, PipelineSpec},
    store::{RecordKind, When},
};
use serde::{Deserialize, Serialize};
use tokio_util::task::TaskTracker;

use crate::{catalog::Startable, desk::Outcome, service::Service};

/// Times of one backfill at most.
const MOST: usize = 2000;
/// Backfills that are over and are remembered.
const KEPT: usize = 500;
/// What could not be started because of something outside is tried again after this.
const AGAIN: Duration = Duration::from_secs(5);

/// A range of times to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backfill {
    /// `bf_` and a number that sorts by the time of the wish.
    pub id: String,
    /// Of which pipeline.
    pub pipeline: String,
    /// Which of its schedules, from 0.
    pub schedule: u32,
    /// Not before.
    pub from: Timestamp,
    /// Before.
    pub to: Timestamp,
    /// Runs at once.
    pub concurrency: u32,
    /// Under which name times run again that have a run.
    pub again: Option<String>,
    /// Who wished it.
    pub by: String,
    /// Who called it off, if somebody did.
    pub cancelled_by: Option<String>,
    /// Whether every time was seen to.
    pub started: bool,
    /// Its times, in order, as they were when it began.
    #[serde(default)]
    pub times: Vec<Timestamp>,
    /// Times whose runs could not be started.
    #[serde(default)]
    pub refused: u32,
    /// Why the first of those could not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
}

/// A random part of an id.
pub fn chance() -> u32 {
    rand::random()
}

/// How a backfill stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Times in the range.
    pub total: usize,
    /// Runs that ended well.
    pub succeeded: usize,
    /// Runs that ended otherwise, and times whose runs could not be started.
    pub failed: usize,
    /// Runs that have not ended, and times that were not seen to.
    pub open: usize,
}

impl Backfill {
    /// Its times, in order.
    fn ticks(&self) -> impl Iterator<Item = Tick> + use<> {
        let (schedule, again) = (self.schedule, self.again.clone());
        self.times.clone().into_iter().map(move |at| Tick { schedule, at, again: again.clone() })
    }

    /// The times of a range, in order. More than 2,000 are the fault `backfill.large`.
    fn times_of(&self, pipeline: &PipelineSpec) -> Result<Vec<Timestamp>, Fault> {
        let spec = schedules(pipeline).nth(self.schedule as usize).ok_or_else(|| {
            Fault::user(
                "schedule.none",
                format!("`{}` has no schedule with the number {}", self.pipeline, self.schedule),
            )
            .help("they count from 0, in the order of the file")
        })?;
        let before = Timestamp::from_micros(self.from.as_micros() - 1);
        let times = spec.calendar.ticks(before).take_while(|at| *at < self.to).take(MOST + 1);
        let times: Vec<Timestamp> = times.collect();
        if times.len() > MOST {
            return Err(Fault::user("backfill.large", format!("the range has more than {MOST} times"))
                .help("take a shorter range, and another one after it"));
        }
        Ok(times)
    }

    fn group(&self) -> Group {
        Group { name: format!("backfill {}", self.id), limit: self.concurrency.max(1) }
    }
}

/// What came of a time.
enum Filled {
    /// It has its run.
    Done,
    /// Nothing more is to be started.
    CalledOff,
    /// A group of the pipeline's own is full, and its runs do not wait.
    NoRoom(String),
}

impl Service {
    /// Takes the times of its range into a backfill that has not begun; those that have no run yet, which it would
    /// start.
    pub async fn backfill_plan(&self, backfill: &mut Backfill) -> Result<Vec<Timestamp>, Fault> {
        backfill.times = backfill.times_of(&self.startable(&backfill.pipeline)?.spec)?;
        let mut open = Vec::new();
        for tick in backfill.ticks() {
            if self.engine().run_of_key(&tick.key(&backfill.pipeline)).await?.is_none() {
                open.push(tick.at);
            }
        }
        Ok(open)
    }

    /// Begins a backfill that was planned, which goes on across restarts.
    pub async fn backfill(self: &Arc<Self>, backfill: Backfill, tasks: &TaskTracker) -> Result<(), Fault> {
        let value = serde_json::to_value(&backfill).map_err(|e| Fault::internal("backfill.record", e.to_string()))?;
        self.engine().reader().put_record(RecordKind::Backfill, &backfill.id, Some(value), When::Absent).await?;
        self.forget_old().await?;
        let service = self.clone();
        tasks.spawn(async move { service.fill(backfill).await });
        Ok(())
    }

    /// Goes on with those that an earlier process did not come to the end of.
    pub(crate) async fn resume_backfills(self: &Arc<Self>, tasks: &TaskTracker) -> Result<(), Fault> {
        for backfill in self.backfills().await? {
            if !backfill.started && backfill.cancelled_by.is_none() {
                let backfill = self.with_times(backfill).await?;
                let service = self.clone();
                tasks.spawn(async move { service.fill(backfill).await });
            }
        }
        Ok(())
    }

    /// Backfills that were begun before they kept their times have those that their schedule has now.
    async fn with_times(&self, backfill: Backfill) -> Result<Backfill, Fault> {
        let startable = match self.startable(&backfill.pipeline) {
            Ok(startable) if backfill.times.is_empty() => startable,
            _ => return Ok(backfill),
        };
        let Ok(times) = backfill.times_of(&startable.spec) else { return Ok(backfill) };
        self.change(&backfill.id, |kept| kept.times.clone_from(&times)).await
    }

    async fn fill(self: Arc<Self>, backfill: Backfill) {
        if let Err(fault) = self.try_fill(backfill.clone()).await {
            tracing::error!(id = backfill.id, pipeline = backfill.pipeline, %fault, "a backfill stops");
        }
    }

    async fn try_fill(&self, backfill: Backfill) -> Result<(), Fault> {
        let (mut refused, mut why) = (0, None);
        for tick in backfill.ticks() {
            loop {
                if self.stopping().is_cancelled() {
                    return Ok(());
                }
                let again = match self.fill_in(&backfill, &tick).await {
                    Ok(Filled::Done) => break,
                    Ok(Filled::CalledOff) => return Ok(()),
                    Ok(Filled::NoRoom(group)) => format!("the group `{group}` is full"),
                    // One that is away for a moment comes back, or the backfill is called off.
                    Err(fault) if fault.blame == Blame::User && fault.code.as_str() != "pipeline.unknown" => {
                        let (id, pipeline, at) = (&backfill.id, &backfill.pipeline, tick.at);
                        tracing::error!(id, pipeline, %at, %fault, "a run of a backfill cannot be started");
                        refused += 1;
                        why.get_or_insert_with(|| fault.to_string());
                        break;
                    }
                    Err(fault) => fault.to_string(),
                };
                tracing::warn!(id = backfill.id, why = again, "a run of a backfill is tried again");
                self.wait().await;
            }
        }
        let done = |backfill: &mut Backfill| {
            (backfill.started, backfill.refused, backfill.fault) = (true, refused, why.clone());
        };
        while let Err(fault) = self.change(&backfill.id, done).await {
            if self.stopping().is_cancelled() || fault.blame == Blame::User {
                return Err(fault);
            }
            self.wait().await;
        }
        Ok(())
    }

    /// Until it is time to try again, or the service stops.
    async fn wait(&self) {
        let next = self.now().after(AGAIN);
        tokio::select! {
            () = self.stopping().cancelled() => {}
            () = self.clock().until(next) => {}
        }
    }

    /// Starts the run of a time, unless there is one.
    async fn fill_in(&self, backfill: &Backfill, tick: &Tick) -> Result<Filled, Fault> {
        if self.is_called_off(&backfill.id).await? {
            return Ok(Filled::CalledOff);
        }
        if self.engine().run_of_key(&tick.key(&backfill.pipeline)).await?.is_some() {
            return Ok(Filled::Done);
        }
        let plan = self.startable(&backfill.pipeline)?.plan().await?;
        let prepared = self.engine().prepare_tick(plan, tick, true).await?;
        let run = prepared.id();
        let outcome = self.desk().start(prepared, Some((backfill.group(), OnConflict::Queue))).await?;
        if let Outcome::Skipped { group, .. } = outcome {
            return Ok(Filled::NoRoom(group));
        }
        // Who called it off meanwhile did not see this run.
        if self.is_called_off(&backfill.id).await? {
            self.stop(run, "the backfill, which was called off").await;
            return Ok(Filled::CalledOff);
        }
        Ok(Filled::Done)
    }

    async fn is_called_off(&self, id: &str) -> Result<bool, Fault> {
        Ok(self.find_backfill(id).await?.is_none_or(|kept| kept.cancelled_by.is_some()))
    }

    async fn stop(&self, run: RunId, by: &str) {
        match self.engine().cancel(run, by).await {
            Ok(()) => self.desk().gone_if_queued(run),
            Err(fault) => tracing::warn!(%run, %fault, "a run of a backfill was not cancelled"),
        }
    }

    /// Calls a backfill off: nothing more of it starts, and what is under way is cancelled. One that is over stays as it
    /// is.
    pub async fn cancel_backfill(&self, id: &str, by: &str) -> Result<Backfill, Fault> {
        if let Some(backfill) = self.find_backfill(id).await?
            && backfill.started
            && self.backfill_progress(&backfill).await?.open == 0
        {
            return Ok(backfill);
        }
        let backfill = self.change(id, |backfill| backfill.cancelled_by = Some(by.to_owned())).await?;
        let (held, waiting) = self.desk().group(&backfill.group().name);
        for run in waiting.into_iter().chain(held) {
            self.stop(run, by).await;
        }
        Ok(backfill)
    }

    /// All backfills, newest first.
    pub async fn backfills(&self) -> Result<Vec<Backfill>, Fault> {
        let (store, mut all) = (self.engine().reader(), Vec::new());
        let mut after = None;
        loop {
            let page = store.records(RecordKind::Backfill, "", after.as_deref(), 200).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.key.clone());
            all.extend(page.into_iter().filter_map(|record| serde_json::from_value::<Backfill>(record.value).ok()));
        }
        all.reverse();
        Ok(all)
    }

    /// Forgets what has long been over.
    async fn forget_old(&self) -> Result<(), Fault> {
        let all = self.backfills().await?;
        let over = all.iter().filter(|backfill| backfill.started || backfill.cancelled_by.is_some());
        for old in over.skip(KEPT) {
            self.engine().reader().put_record(RecordKind::Backfill, &old.id, None, When::Always).await?;
        }
        Ok(())
    }

    /// One of them.
    pub async fn find_backfill(&self, id: &str) -> Result<Option<Backfill>, Fault> {
        let record = self.engine().reader().record(RecordKind::Backfill, id).await?;
        Ok(record.and_then(|record| serde_json::from_value(record.value).ok()))
    }

    /// How far it has come. Times whose runs were forgotten since count in nothing but the total.
    pub async fn backfill_progress(&self, backfill: &Backfill) -> Result<Progress, Fault> {
        let mut progress =
            Progress { total: backfill.times.len(), failed: backfill.refused as usize, ..Progress::default() };
        for tick in backfill.ticks() {
            let run: Option<RunId> = self.engine().run_of_key(&tick.key(&backfill.pipeline)).await?;
            match run {
                None => progress.open += usize::from(!backfill.started),
                Some(run) => match self.engine().reader().run(run).await?.status {
                    RunStatus::Succeeded => progress.succeeded += 1,
                    status if status.is_final() => progress.failed += 1,
                    _ => progress.open += 1,
                },
            }
        }
        Ok(progress)
    }

    /// Changes a backfill as it is kept now, whoever else changes it.
    async fn change(&self, id: &str, change: impl Fn(&mut Backfill)) -> Result<Backfill, Fault> {
        let store = self.engine().reader();
        let missing = || Fault::user("backfill.none", format!("there is no backfill `{id}`"));
        let broken = |e: serde_json::Error| Fault::internal("backfill.record", e.to_string());
        loop {
            let kept = store.record(RecordKind::Backfill, id).await?.ok_or_else(missing)?;
            let mut backfill: Backfill = serde_json::from_value(kept.value).map_err(broken)?;
            change(&mut backfill);
            let value = serde_json::to_value(&backfill).map_err(broken)?;
            if store.put_record(RecordKind::Backfill, id, Some(value), When::Version(kept.version)).await? {
                return Ok(backfill);
            }
        }
    }

    fn startable(&self, pipeline: &str) -> Result<Arc<Startable>, Fault> {
        let startable = self.catalog().get(pipeline).and_then(|entry| entry.startable.clone());
        startable.ok_or_else(|| {
            Fault::user("pipeline.unknown", format!("there is no pipeline `{pipeline}` that can be started"))
        })
    }
}
