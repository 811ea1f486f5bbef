use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Weak},
    time::Duration,
};

use futures::{StreamExt, stream};
use millwork_engine::{
    Engine, Tick,
    model::{Blame, Clock, Fault, Group, RunId, Timestamp},
    schedules,
    spec::{OnConflict, Overlap, PipelineSpec, ScheduleSpec},
};
use tokio::{
    sync::{Mutex, Notify},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use super::{
    due::{Due, delay},
    record::{self, LastTick, ScheduleRecord},
};
use crate::{
    catalog::{Catalog, Startable},
    desk::{Desk, Outcome},
};

/// Schedules seen to at once.
const AT_ONCE: usize = 32;
/// A time that could not be started because of something outside is tried again after this.
const AGAIN: Duration = Duration::from_secs(5);

type Key = (String, u32);

/// A schedule as it stands.
#[derive(Debug, Clone)]
struct Kept {
    record: ScheduleRecord,
    /// When it is to be looked at next.
    wake: Option<Timestamp>,
    /// The pipeline whose times these are known to be.
    of: Weak<PipelineSpec>,
}

/// A schedule that is due.
struct Job {
    key: Key,
    startable: Arc<Startable>,
    spec: ScheduleSpec,
    record: ScheduleRecord,
}

/// A schedule for lists.
#[derive(Debug, Clone)]
pub struct ScheduleView {
    /// Its pipeline.
    pub pipeline: String,
    /// Which schedule of the pipeline, from 0.
    pub schedule: u32,
    /// What it says.
    pub spec: ScheduleSpec,
    /// What is kept of it.
    pub record: ScheduleRecord,
}

/// Starts the runs of all schedules in the catalog. There is one run of each time, whatever dies meanwhile: its key is
/// the time, and a time is seen to only after its run was recorded.
#[derive(Debug)]
pub struct Ticker {
    engine: Engine,
    clock: Arc<dyn Clock>,
    catalog: Arc<Catalog>,
    desk: Arc<Desk>,
    kept: Mutex<HashMap<Key, Kept>>,
    changed: Notify,
}

impl Ticker {
    /// For the pipelines of a catalog.
    pub fn new(engine: Engine, clock: Arc<dyn Clock>, catalog: Arc<Catalog>, desk: Arc<Desk>) -> Arc<Self> {
        Arc::new(Self { engine, clock, catalog, desk, kept: Mutex::default(), changed: Notify::new() })
    }

    /// Sees to schedules until it is stopped.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut catalog = self.catalog.watch();
        // A time does not wait for the commits of the one before. Tasks of their own, for they wait for `kept` as well,
        // and would not be awaited while this does.
        let mut under_way = JoinSet::new();
        loop {
            let now = self.clock.now();
            let wake = match self.due(now, AT_ONCE.saturating_sub(under_way.len())).await {
                Ok(due) => {
                    for job in due {
                        let ticker = self.clone();
                        under_way.spawn(async move { ticker.see_to_one(job, now).await });
                    }
                    self.next_wake().await
                }
                Err(fault) => {
                    tracing::error!(%fault, "schedules could not be seen to");
                    Some(now.after(AGAIN))
                }
            };
            let is_full = under_way.len() >= AT_ONCE;
            let asleep = async {
                match wake {
                    Some(at) if !is_full => self.clock.until(at).await,
                    _ => std::future::pending().await,
                }
            };
            tokio::select! {
                () = stop.cancelled() => break,
                () = asleep => {}
                () = self.changed.notified() => {}
                changed = catalog.changed() => if changed.is_err() { break },
                Some(_) = under_way.join_next() => {}
            }
        }
        // What was begun is recorded.
        while under_way.join_next().await.is_some() {}
    }

    /// What schedules start, by pipeline.
    fn startables(&self) -> BTreeMap<String, Arc<Startable>> {
        let all = self.catalog.all();
        all.values().filter_map(|entry| Some((entry.name.clone(), entry.startable.clone()?))).collect()
    }

    /// Starts all that is due, and says when to look again.
    pub async fn see_to_all(&self) -> Result<Option<Timestamp>, Fault> {
        let now = self.clock.now();
        let due = self.due(now, usize::MAX).await?;
        let seen = stream::iter(due).map(|job| self.see_to_one(job, now));
        seen.buffer_unordered(AT_ONCE).collect::<()>().await;
        Ok(self.next_wake().await)
    }

    async fn next_wake(&self) -> Option<Timestamp> {
        self.kept.lock().await.values().filter_map(|known| known.wake).min()
    }

    /// Takes what is due, at most so many: nobody else sees to it meanwhile.
    async fn due(&self, now: Timestamp, most: usize) -> Result<Vec<Job>, Fault> {
        let all = self.startables();
        let mut due = Vec::new();
        {
            let mut kept = self.kept.lock().await;
            kept.retain(|(pipeline, schedule), _| {
                all.get(pipeline).is_some_and(|startable| schedules(&startable.spec).count() > *schedule as usize)
            });
            for (pipeline, startable) in &all {
                for (schedule, spec) in (0..).zip(schedules(&startable.spec)) {
                    let key = (pipeline.clone(), schedule);
                    let is_known = kept.get(&key).is_some_and(|known| {
                        std::ptr::eq(known.of.as_ptr(), Arc::as_ptr(&startable.spec))
                            || known.record.spec == record::digest(spec)
                    });
                    if !is_known {
                        let store = self.engine.reader();
                        let record = record::load(store.as_ref(), pipeline, schedule, spec, now).await?;
                        kept.insert(key.clone(), Kept { record, wake: Some(now), of: Weak::new() });
                    }
                }
            }
            // Nothing fails from here on, so that what is taken is seen to.
            for (pipeline, startable) in &all {
                for (schedule, spec) in (0..).zip(schedules(&startable.spec)) {
                    let key = (pipeline.clone(), schedule);
                    let Some(known) = kept.get_mut(&key) else { continue };
                    // What it says beside its times, such as `jitter`, may be other than before.
                    if !std::ptr::eq(known.of.as_ptr(), Arc::as_ptr(&startable.spec)) {
                        known.of = Arc::downgrade(&startable.spec);
                        known.wake = known.wake.map(|_| now);
                    }
                    if due.len() < most && known.wake.is_some_and(|wake| wake <= now) {
                        known.wake = None;
                        let (startable, record) = (startable.clone(), known.record.clone());
                        due.push(Job { key, startable, spec: spec.clone(), record });
                    }
                }
            }
        }
        Ok(due)
    }

    async fn see_to_one(&self, job: Job, now: Timestamp) {
        let Job { key, startable, spec, record } = job;
        let (record, wake) = self.see_to(&key, &startable, &spec, record, now).await;
        let mut new = Kept { record, wake, of: Arc::downgrade(&startable.spec) };
        let mut kept = self.kept.lock().await;
        // Somebody may have paused it meanwhile, or let it go on.
        if let Some(known) = kept.get(&key) {
            new.record.paused_as(&known.record);
        }
        kept.insert(key, new);
    }

    /// Starts what is due of one schedule; how it stands afterwards, and when to look again.
    async fn see_to(
        &self,
        (pipeline, schedule): &Key,
        startable: &Arc<Startable>,
        spec: &ScheduleSpec,
        mut record: ScheduleRecord,
        now: Timestamp,
    ) -> (ScheduleRecord, Option<Timestamp>) {
        if record.paused_by.is_some() {
            return (record, None);
        }
        let before = record.clone();
        let jitter = spec.jitter.unwrap_or_default();
        let due = Due::at(&spec.calendar, spec.catchup, jitter, record.seen, now);
        if let Some((first, last, count)) = due.missed {
            tracing::warn!(pipeline, schedule, %first, %last, count, "times of a schedule were missed");
        }
        let mut wake = due.next.map(|next| next.after(delay(&tick(*schedule, next).key(pipeline), jitter)));
        let mut complete = true;
        for at in due.run {
            let tick = tick(*schedule, at);
            let begins = at.after(delay(&tick.key(pipeline), jitter));
            if begins > now {
                wake = Some(begins);
                complete = false;
                break;
            }
            match self.start(startable, spec, &tick).await {
                Ok(last) => {
                    record.last = Some(last);
                    record.seen = at;
                }
                Err(fault) if fault.blame == Blame::User => {
                    tracing::error!(pipeline, schedule, %at, %fault, "the run of a time cannot be started");
                    record.last = Some(LastTick { at, run: None, why: Some(fault.to_string()) });
                    record.seen = at;
                }
                Err(fault) => {
                    tracing::error!(pipeline, schedule, %at, %fault, "the run of a time is tried again");
                    wake = Some(now.after(AGAIN));
                    complete = false;
                    break;
                }
            }
        }
        if complete {
            record.seen = now;
        }
        // Between times nothing has happened that had to be remembered.
        let worth = before.last != record.last || due.missed.is_some();
        if worth {
            // Somebody may have paused it meanwhile, which was recorded: it is not to be written over.
            let kept = self.kept.lock().await;
            if let Some(known) = kept.get(&(pipeline.clone(), *schedule)) {
                record.paused_as(&known.record);
            }
            if let Err(fault) = record::save(self.engine.reader().as_ref(), pipeline, *schedule, &record).await {
                tracing::error!(pipeline, schedule, %fault, "how far a schedule was seen to is not recorded");
                return (before, Some(now.after(AGAIN)));
            }
        }
        (record, wake)
    }

    async fn start(&self, startable: &Arc<Startable>, spec: &ScheduleSpec, tick: &Tick) -> Result<LastTick, Fault> {
        let pipeline = startable.spec.name.value.as_str();
        let at = tick.at;
        let started = |run| Ok(LastTick { at, run: Some(run), why: None });
        if let Some(run) = self.engine.run_of_key(&tick.key(pipeline)).await? {
            return started(run);
        }
        let catalog = self.catalog.clone();
        let name = pipeline.to_owned();
        let entry = match catalog.recent(&name) {
            Some(entry) => Some(entry),
            None => tokio::task::spawn_blocking(move || catalog.fresh(&name)).await.ok().flatten(),
        };
        let newest = entry.and_then(|entry| entry.startable.clone());
        let plan = newest.as_ref().unwrap_or(startable).plan().await?;
        let prepared = self.engine.prepare_tick(plan, tick, false).await?;
        match self.desk.start(prepared, overlap(pipeline, tick.schedule, spec.overlap)).await? {
            Outcome::Started(handle) => started(handle.id()),
            Outcome::Queued(run) | Outcome::Before(run) => started(run),
            Outcome::Skipped { group, holders } => {
                let holders: Vec<String> = holders.iter().take(3).map(RunId::to_string).collect();
                let why = format!("skipped: {} of `{group}` had not ended", holders.join(", "));
                Ok(LastTick { at, run: None, why: Some(why) })
            }
        }
    }

    /// Every schedule, by pipeline and number.
    pub async fn schedules(&self) -> Vec<ScheduleView> {
        let (now, startables) = (self.clock.now(), self.startables());
        let mut kept = self.kept.lock().await;
        let mut all = Vec::new();
        for (pipeline, startable) in &startables {
            for (schedule, spec) in (0..).zip(schedules(&startable.spec)) {
                let key = (pipeline.clone(), schedule);
                let record = match kept.get(&key) {
                    Some(known) => known.record.clone(),
                    // Its pipeline was read just now, and its times were not looked at yet.
                    None => {
                        let store = self.engine.reader();
                        let loaded = record::load(store.as_ref(), pipeline, schedule, spec, now).await;
                        let Ok(record) = loaded else { continue };
                        kept.insert(key, Kept { record: record.clone(), wake: Some(now), of: Weak::new() });
                        record
                    }
                };
                all.push(ScheduleView { pipeline: pipeline.clone(), schedule, spec: spec.clone(), record });
            }
        }
        all
    }

    /// Pauses a schedule (`by` somebody), or lets it go on from now: times meanwhile are lost.
    pub async fn pause(&self, pipeline: &str, schedule: u32, by: Option<&str>) -> Result<(), Fault> {
        let mut kept = self.kept.lock().await;
        let known = kept.get_mut(&(pipeline.to_owned(), schedule)).ok_or_else(|| {
            Fault::user("schedule.none", format!("`{pipeline}` has no schedule with the number {schedule}"))
                .help("they count from 0, in the order of the file")
        })?;
        let now = self.clock.now();
        let mut record = known.record.clone();
        record.pause(by, now);
        record::save(self.engine.reader().as_ref(), pipeline, schedule, &record).await?;
        *known = Kept { record, wake: by.is_none().then_some(now), of: known.of.clone() };
        drop(kept);
        self.changed.notify_one();
        Ok(())
    }
}

fn tick(schedule: u32, at: Timestamp) -> Tick {
    Tick { schedule, at, again: None }
}

/// The group of a schedule's runs, and what happens when one of them has not ended.
fn overlap(pipeline: &str, schedule: u32, overlap: Overlap) -> Option<(Group, OnConflict)> {
    let rule = match overlap {
        Overlap::Skip => OnConflict::Skip,
        Overlap::Queue => OnConflict::Queue,
        Overlap::Cancel => OnConflict::Cancel,
        Overlap::Allow => return None,
    };
    Some((Group { name: format!("schedule {schedule} of {pipeline}"), limit: 1 }, rule))
}
