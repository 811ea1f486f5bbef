use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use millwork_engine::{
    Engine, Tick,
    data::Value,
    model::{Blame, Clock, Digest, Fault, RunId, RunStatus, Timestamp, event::Cause},
    schedule::{Calendar, FinishBy},
    spec::{TriggerSpec, UpstreamStatus},
    store::{RecordKind, When},
    triggers_of,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::{ScheduleView, Ticker, record};
use crate::{
    catalog::{Catalog, Startable},
    desk::{Desk, Outcome},
};

/// Pauses and new pipelines are noticed at least this often.
const LOOK: Duration = Duration::from_secs(60);
/// What could not be seen to is tried again after this.
const AGAIN: Duration = Duration::from_secs(5);
/// Notices that are looked at for a list of what is late.
const NOTICES: usize = 1000;
/// Of times that are found late at once, after the service was down, as many of the newest are told of.
const MOST: usize = 10;

/// A run that had not succeeded by the time its schedule names; told of once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lateness {
    /// The pipeline.
    pub pipeline: String,
    /// Which of its schedules, from 0.
    pub schedule: u32,
    /// The time of the schedule.
    pub at: Timestamp,
    /// By when its run should have succeeded.
    pub by: Timestamp,
    /// The run, if there is one.
    pub run: Option<RunId>,
    /// How it stood when it was found late; `None` where there was no run.
    pub status: Option<RunStatus>,
}

/// How far the times of a schedule were looked at.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Looked {
    upto: Timestamp,
    /// Of what the schedule says. Where it says something else, times begin anew, as they do for the ticker.
    spec: Digest,
}

/// Finds runs that are late (`finish_by:`), notes them, and starts the pipelines that are to tell of it. Nobody is told
/// twice of the same time: what is started has the time as its key, and is recorded before the time counts as seen.
#[derive(Debug)]
pub struct Late {
    engine: Engine,
    clock: Arc<dyn Clock>,
    catalog: Arc<Catalog>,
    desk: Arc<Desk>,
    ticker: Arc<Ticker>,
    looked: HashMap<(String, u32), Looked>,
}

impl Late {
    /// For the schedules of a catalog.
    pub fn new(
        engine: Engine,
        clock: Arc<dyn Clock>,
        catalog: Arc<Catalog>,
        desk: Arc<Desk>,
        ticker: Arc<Ticker>,
    ) -> Self {
        Self { engine, clock, catalog, desk, ticker, looked: HashMap::new() }
    }

    /// Looks until it is stopped.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut catalog = self.catalog.watch();
        loop {
            let soon = self.clock.now().after(LOOK);
            let wake = match self.look().await {
                Ok(next) => next.map_or(soon, |next| next.min(soon)),
                Err(fault) => {
                    tracing::error!(%fault, "it cannot be told which runs are late; this is tried again");
                    self.clock.now().after(AGAIN)
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.clock.until(wake) => {}
                changed = catalog.changed() => if changed.is_err() { return },
            }
        }
    }

    /// Looks once; when there is something to look at next.
    pub async fn look(&mut self) -> Result<Option<Timestamp>, Fault> {
        let now = self.clock.now();
        let mut wake: Option<Timestamp> = None;
        for view in self.ticker.schedules().await {
            let Some(by) = view.spec.finish_by else { continue };
            let key = (view.pipeline.clone(), view.schedule);
            let cursor = format!("late/{}/{}", view.pipeline, view.schedule);
            // The record may still be that of what the file said before.
            let spec = record::digest(&view.spec);
            let Looked { upto, .. } = match self.looked.get(&key).filter(|looked| looked.spec == spec) {
                Some(looked) => *looked,
                None => self.known(&cursor, spec, now).await?,
            };
            let overdue = Overdue::at(&view.spec.calendar, by, upto, now);
            // Times that a pause left out are not late.
            for (at, deadline) in overdue.times.iter().filter(|(at, _)| !view.record.was_paused(*at)) {
                self.look_at(&view, *at, *deadline).await?;
            }
            let looked = Looked { upto: overdue.times.back().map_or(upto, |(at, _)| *at), spec };
            if looked.upto != upto {
                self.remember(&cursor, looked).await?;
            }
            self.looked.insert(key, looked);
            wake = [wake, overdue.next].into_iter().flatten().min();
        }
        Ok(wake)
    }

    /// Times before a schedule was first seen as it is are nobody's concern.
    async fn known(&self, cursor: &str, spec: Digest, now: Timestamp) -> Result<Looked, Fault> {
        let found = self.engine.reader().record(RecordKind::Cursor, cursor).await?;
        let known = found.and_then(|found| serde_json::from_value::<Looked>(found.value).ok());
        if let Some(known) = known.filter(|known| known.spec == spec) {
            return Ok(known);
        }
        let looked = Looked { upto: now, spec };
        self.remember(cursor, looked).await?;
        Ok(looked)
    }

    async fn remember(&self, cursor: &str, looked: Looked) -> Result<(), Fault> {
        self.engine.reader().put_record(RecordKind::Cursor, cursor, Some(json!(looked)), When::Always).await?;
        Ok(())
    }

    async fn look_at(&self, view: &ScheduleView, at: Timestamp, by: Timestamp) -> Result<(), Fault> {
        let ScheduleView { pipeline, schedule, .. } = view;
        let tick = Tick { schedule: *schedule, at, again: None };
        let run = self.engine.run_of_key(&tick.key(pipeline)).await?;
        let status = match run {
            Some(run) => Some(self.engine.reader().run(run).await?.status),
            None => None,
        };
        if status == Some(RunStatus::Succeeded) {
            return Ok(());
        }
        let late = Lateness { pipeline: pipeline.clone(), schedule: *schedule, at, by, run, status };
        tracing::error!(pipeline, schedule, %at, %by, run = run.map(tracing::field::display), "a run is late");
        self.tell(&late).await?;
        let notice = serde_json::to_value(&late).map_err(|e| Fault::internal("late.record", e.to_string()))?;
        let key = format!("{}/{pipeline}/{schedule}/{}", newest_first(by), at.as_micros());
        self.engine.reader().put_record(RecordKind::Notice, &key, Some(notice), When::Absent).await?;
        Ok(())
    }

    /// Starts the pipelines that ask to be told.
    async fn tell(&self, late: &Lateness) -> Result<(), Fault> {
        for entry in self.catalog.all().values() {
            let Some(startable) = &entry.startable else { continue };
            for (trigger, spec) in triggers_of(&startable.spec) {
                let TriggerSpec::Pipeline(upstream) = spec else { continue };
                let about = upstream.is_about(&late.pipeline, &startable.spec.name.value);
                if upstream.status != UpstreamStatus::Late || !about {
                    continue;
                }
                match self.start(startable, trigger, late).await {
                    Err(fault) if fault.blame == Blame::User => {
                        tracing::error!(pipeline = %entry.name, late = late.pipeline, %fault, "a run cannot be started");
                    }
                    done => done?,
                }
            }
        }
        Ok(())
    }

    async fn start(&self, startable: &Arc<Startable>, trigger: u32, late: &Lateness) -> Result<(), Fault> {
        let Lateness { pipeline, schedule, at, by, run, status } = late;
        let name = startable.spec.name.value.as_str();
        let key = format!("late/{name}/{trigger}/{pipeline}/{schedule}/{at}");
        if self.engine.run_of_key(&key).await?.is_some() {
            return Ok(());
        }
        let status = status.and_then(|status| serde_json::to_value(status).ok());
        let event = Value::map([
            ("run", run.map_or(Value::Null, |run| Value::from(run.to_string()))),
            ("pipeline", Value::from(pipeline.as_str())),
            ("status", Value::from(status.as_ref().and_then(|status| status.as_str()).unwrap_or("missing"))),
            ("at", Value::Timestamp(at.to_datetime())),
            ("by", Value::Timestamp(by.to_datetime())),
        ]);
        let cause = Cause::Late { trigger, pipeline: pipeline.clone(), schedule: *schedule, at: *at, run: *run };
        let prepared = self.engine.prepare_event(startable.plan().await?, trigger, event, cause, Some(&key)).await?;
        if let Outcome::Skipped { group, .. } = self.desk.start(prepared, None).await? {
            tracing::error!(pipeline = name, late = pipeline, group, "nobody is told, because its group is full");
        }
        Ok(())
    }

    /// What was to be done after a moment, was late, and has not succeeded yet: the newest first, at most so many, with
    /// how each stands now. `sees` says whose pipelines count.
    pub async fn open(
        engine: &Engine,
        since: Timestamp,
        most: usize,
        sees: impl Fn(&str) -> bool,
    ) -> Result<Vec<Lateness>, Fault> {
        let store = engine.reader();
        let (mut open, mut looked) = (Vec::new(), 0);
        let mut after = None;
        loop {
            let page = store.records(RecordKind::Notice, LATE, after.as_deref(), 100).await?;
            let Some(last) = page.last() else { return Ok(open) };
            after = Some(last.key.clone());
            for record in page {
                looked += 1;
                let Ok(mut late) = serde_json::from_value::<Lateness>(record.value) else { continue };
                if open.len() >= most || looked > NOTICES || late.by <= since {
                    return Ok(open);
                }
                if !sees(&late.pipeline) {
                    continue;
                }
                let tick = Tick { schedule: late.schedule, at: late.at, again: None };
                late.run = store.run_of_key(&tick.key(&late.pipeline)).await?;
                late.status = match late.run {
                    Some(run) => store.run(run).await.ok().map(|run| run.status),
                    None => None,
                };
                if late.status != Some(RunStatus::Succeeded) {
                    open.push(late);
                }
            }
        }
    }

    /// Forgets what was to be done before a moment, so many notices at once; whether there may be more.
    pub(crate) async fn forget(engine: &Engine, before: Timestamp, page: u32) -> Result<bool, Fault> {
        let store = engine.reader();
        let old = store.records(RecordKind::Notice, LATE, Some(&newest_first(before)), page).await?;
        for record in &old {
            store.put_record(RecordKind::Notice, &record.key, None, When::Always).await?;
        }
        Ok(old.len() >= page as usize)
    }
}

/// Where notices of late runs are kept.
const LATE: &str = "late/";

/// The begin of a notice's key, by the time when its run should have succeeded: later ones come first.
fn newest_first(by: Timestamp) -> String {
    format!("{LATE}{:020}", i64::MAX.abs_diff(by.as_micros()))
}

/// Times whose runs should have succeeded by now, and when the next one should.
#[derive(Debug, PartialEq, Eq, Default)]
struct Overdue {
    times: VecDeque<(Timestamp, Timestamp)>,
    next: Option<Timestamp>,
}

impl Overdue {
    fn at(calendar: &Calendar, by: FinishBy, upto: Timestamp, now: Timestamp) -> Self {
        let mut overdue = Self::default();
        for tick in calendar.ticks(upto) {
            let deadline = by.deadline(tick, calendar.zone);
            if deadline > now {
                overdue.next = Some(deadline);
                break;
            }
            overdue.times.push_back((tick, deadline));
            if overdue.times.len() > MOST {
                overdue.times.pop_front();
            }
        }
        overdue
    }
}

#[cfg(test)]
mod tests {
    use millwork_engine::schedule::{CronLine, DstGap, DstOverlap};

    use super::*;

    fn at(text: &str) -> Timestamp {
        chrono::DateTime::parse_from_rfc3339(text).expect("a time").to_utc().into()
    }

    fn overdue(cron: &str, by: &str, upto: &str, now: &str) -> (Vec<String>, String) {
        let cron = CronLine::parse(cron).expect("a line");
        let zone = chrono_tz::Europe::Berlin;
        let calendar = Calendar { cron, zone, gap: DstGap::default(), overlap: DstOverlap::default() };
        let overdue = Overdue::at(&calendar, FinishBy::parse(by).expect("a time"), at(upto), at(now));
        let times = overdue.times.iter().map(|(at, by)| format!("{at} by {by}")).collect();
        (times, overdue.next.map(|next| next.to_string()).unwrap_or_default())
    }

    #[test]
    fn a_time_is_overdue_at_its_deadline_and_only_once() {
        let nightly = |upto, now| overdue("0 2 * * *", "06:00", upto, now);
        let before = nightly("2026-11-27T12:00:00Z", "2026-11-28T04:59:59Z");
        assert_eq!(before, (vec![], at("2026-11-28T05:00:00Z").to_string()));
        let (times, next) = nightly("2026-11-27T12:00:00Z", "2026-11-28T05:00:00Z");
        let (tick, by) = (at("2026-11-28T01:00:00Z"), at("2026-11-28T05:00:00Z"));
        assert_eq!((times, next), (vec![format!("{tick} by {by}")], at("2026-11-29T05:00:00Z").to_string()));
        assert!(nightly("2026-11-28T01:00:00Z", "2026-11-28T05:00:00Z").0.is_empty());
    }

    #[test]
    fn after_a_long_time_only_the_newest_count() {
        let (times, _) = overdue("*/5 * * * *", "1m", "2026-11-01T00:00:00Z", "2026-11-28T00:00:00Z");
        assert_eq!(times.len(), MOST);
        assert!(times[MOST - 1].starts_with(&at("2026-11-27T23:55:00Z").to_string()), "{times:?}");
    }
}
