//! Runs times of a schedule that lie back: so many at once, on and on until all are done or somebody cancels.

use std::sync::Arc;

use millwork_engine::{
    Tick,
    model::{Fault, Group, RunId, RunStatus, Timestamp},
    schedules,
    spec::{OnConflict, PipelineSpec},
    store::{RecordKind, When},
};
use serde::{Deserialize, Serialize};
use tokio_util::task::TaskTracker;

use crate::{catalog::Startable, service::Service};

/// Times of one backfill at most.
const MOST: usize = 2000;

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
    /// Whether every time has its run.
    pub started: bool,
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
    /// Runs that ended otherwise.
    pub failed: usize,
}

impl Backfill {
    /// The times, in order. More than 2,000 are the fault `backfill.large`.
    pub fn ticks(&self, pipeline: &PipelineSpec) -> Result<Vec<Tick>, Fault> {
        let spec = schedules(pipeline).nth(self.schedule as usize).ok_or_else(|| {
            Fault::user(
                "schedule.none",
                format!("`{}` has no schedule with the number {}", self.pipeline, self.schedule),
            )
            .help("they count from 0, in the order of the file")
        })?;
        let before = Timestamp::from_micros(self.from.as_micros() - 1);
        let times = spec.calendar.ticks(before).take_while(|at| *at < self.to).take(MOST + 1);
        let ticks: Vec<Tick> =
            times.map(|at| Tick { schedule: self.schedule, at, again: self.again.clone() }).collect();
        if ticks.len() > MOST {
            return Err(Fault::user("backfill.large", format!("the range has more than {MOST} times"))
                .help("take a shorter range, and another one after it"));
        }
        Ok(ticks)
    }

    fn group(&self) -> Group {
        Group { name: format!("backfill {}", self.id), limit: self.concurrency.max(1) }
    }
}

impl Service {
    /// Times of a range that have no run yet, which a backfill would start.
    pub async fn backfill_plan(&self, backfill: &Backfill) -> Result<Vec<Timestamp>, Fault> {
        let startable = self.startable(&backfill.pipeline)?;
        let mut open = Vec::new();
        for tick in backfill.ticks(&startable.spec)? {
            if self.engine().run_of_key(&tick.key(&backfill.pipeline)).await?.is_none() {
                open.push(tick.at);
            }
        }
        Ok(open)
    }

    /// Begins a backfill, which goes on across restarts.
    pub async fn backfill(self: &Arc<Self>, backfill: Backfill, tasks: &TaskTracker) -> Result<(), Fault> {
        // Refused before it is written down.
        backfill.ticks(&self.startable(&backfill.pipeline)?.spec)?;
        self.save(&backfill).await?;
        let service = self.clone();
        tasks.spawn(async move { service.fill(backfill).await });
        Ok(())
    }

    /// Goes on with those that an earlier process did not come to the end of.
    pub(crate) async fn resume_backfills(self: &Arc<Self>, tasks: &TaskTracker) -> Result<(), Fault> {
        for backfill in self.backfills().await? {
            if !backfill.started && backfill.cancelled_by.is_none() {
                let service = self.clone();
                tasks.spawn(async move { service.fill(backfill).await });
            }
        }
        Ok(())
    }

    async fn fill(self: Arc<Self>, backfill: Backfill) {
        if let Err(fault) = self.try_fill(backfill.clone()).await {
            tracing::error!(id = backfill.id, pipeline = backfill.pipeline, %fault, "a backfill stops");
        }
    }

    async fn try_fill(&self, mut backfill: Backfill) -> Result<(), Fault> {
        let startable = self.startable(&backfill.pipeline)?;
        for tick in backfill.ticks(&startable.spec)? {
            if self.stopping().is_cancelled() {
                return Ok(());
            }
            let kept = self.find_backfill(&backfill.id).await?;
            if kept.is_none_or(|kept| kept.cancelled_by.is_some()) {
                return Ok(());
            }
            if self.engine().run_of_key(&tick.key(&backfill.pipeline)).await?.is_some() {
                continue;
            }
            let prepared = self.engine().prepare_tick(startable.plan().await?, &tick, true).await?;
            self.desk().start(prepared, Some((backfill.group(), OnConflict::Queue))).await?;
        }
        backfill.started = true;
        self.save(&backfill).await
    }

    /// Calls a backfill off: nothing more of it starts, and what is under way is cancelled.
    pub async fn cancel_backfill(&self, id: &str, by: &str) -> Result<Backfill, Fault> {
        let mut backfill = self
            .find_backfill(id)
            .await?
            .ok_or_else(|| Fault::user("backfill.none", format!("there is no backfill `{id}`")))?;
        backfill.cancelled_by = Some(by.to_owned());
        self.save(&backfill).await?;
        let (held, waiting) = self.desk().group(&backfill.group().name);
        for run in waiting.into_iter().chain(held) {
            match self.engine().cancel(run, by).await {
                Ok(()) => self.desk().gone_if_queued(run),
                Err(fault) => tracing::warn!(%run, %fault, "a run of a backfill was not cancelled"),
            }
        }
        Ok(backfill)
    }

    /// All backfills, newest first.
    pub async fn backfills(&self) -> Result<Vec<Backfill>, Fault> {
        let records = self.engine().reader().records(RecordKind::Backfill, "", None, 1000).await?;
        let read = records.into_iter().rev().filter_map(|record| serde_json::from_value(record.value).ok());
        Ok(read.collect())
    }

    /// One of them.
    pub async fn find_backfill(&self, id: &str) -> Result<Option<Backfill>, Fault> {
        let record = self.engine().reader().record(RecordKind::Backfill, id).await?;
        Ok(record.and_then(|record| serde_json::from_value(record.value).ok()))
    }

    /// How far it has come.
    pub async fn backfill_progress(&self, backfill: &Backfill) -> Result<Progress, Fault> {
        let Ok(startable) = self.startable(&backfill.pipeline) else { return Ok(Progress::default()) };
        let ticks = backfill.ticks(&startable.spec).unwrap_or_default();
        let mut progress = Progress { total: ticks.len(), ..Progress::default() };
        for tick in ticks {
            let run: Option<RunId> = self.engine().run_of_key(&tick.key(&backfill.pipeline)).await?;
            let Some(run) = run else { continue };
            match self.engine().reader().run(run).await?.status {
                RunStatus::Succeeded => progress.succeeded += 1,
                status if status.is_final() => progress.failed += 1,
                _ => {}
            }
        }
        Ok(progress)
    }

    async fn save(&self, backfill: &Backfill) -> Result<(), Fault> {
        let value = serde_json::to_value(backfill).map_err(|e| Fault::internal("backfill.record", e.to_string()))?;
        self.engine().reader().put_record(RecordKind::Backfill, &backfill.id, Some(value), When::Always).await?;
        Ok(())
    }

    fn startable(&self, pipeline: &str) -> Result<Arc<Startable>, Fault> {
        let startable = self.catalog().get(pipeline).and_then(|entry| entry.startable.clone());
        startable.ok_or_else(|| {
            Fault::user("pipeline.unknown", format!("there is no pipeline `{pipeline}` that can be started"))
        })
    }
}
