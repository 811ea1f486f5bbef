use millwork_engine::{
    model::{Digest, Fault, RunId, Timestamp},
    spec::ScheduleSpec,
    store::{RecordKind, StateStore, When},
};
use serde::{Deserialize, Serialize};

/// What is kept of a schedule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduleRecord {
    /// Every time up to here was seen to.
    pub seen: Timestamp,
    /// Of what the schedule says. Where it says something else, times begin anew.
    pub spec: Digest,
    /// Who paused it, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused_by: Option<String>,
    /// The newest times in which it was paused, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pauses: Vec<Pause>,
    /// The last time that came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<LastTick>,
}

/// A time in which a schedule was paused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// Its begin.
    pub from: Timestamp,
    /// Its end, if it is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
}

/// Pauses that are remembered of one schedule.
const PAUSES: usize = 50;

impl ScheduleRecord {
    /// Pauses it for somebody, or lets it go on: times meanwhile are lost.
    pub(super) fn pause(&mut self, by: Option<&str>, now: Timestamp) {
        match (&self.paused_by, by) {
            (None, Some(_)) => {
                self.pauses.push(Pause { from: now, to: None });
                let many = self.pauses.len().saturating_sub(PAUSES);
                self.pauses.drain(..many);
            }
            (Some(_), None) => {
                self.seen = now;
                if let Some(last) = self.pauses.last_mut() {
                    last.to.get_or_insert(now);
                }
            }
            (None, None) | (Some(_), Some(_)) => {}
        }
        self.paused_by = by.map(str::to_owned);
    }

    /// Takes over whether it is paused: somebody may have changed that while times were seen to.
    pub(super) fn paused_as(&mut self, other: &Self) {
        self.paused_by.clone_from(&other.paused_by);
        self.pauses.clone_from(&other.pauses);
    }

    /// Whether it was paused when a time came.
    pub fn was_paused(&self, at: Timestamp) -> bool {
        self.pauses.iter().any(|pause| pause.from <= at && pause.to.is_none_or(|to| at < to))
    }
}

/// What came of a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastTick {
    /// The time.
    pub at: Timestamp,
    /// Its run, unless it was skipped or could not be started.
    pub run: Option<RunId>,
    /// Why there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// The key of a schedule's record.
pub(super) fn key(pipeline: &str, schedule: u32) -> String {
    format!("{pipeline}/{schedule}")
}

/// Digest of what a schedule says of times.
pub(super) fn digest(spec: &ScheduleSpec) -> Digest {
    let calendar = &spec.calendar;
    let text = format!("{} {} {:?} {:?}", calendar.cron.as_str(), calendar.zone.name(), calendar.gap, calendar.overlap);
    Digest::of(text.as_bytes())
}

/// The record of a schedule as it is now; a new one, that begins now, where there is none or it was of other times.
pub(super) async fn load(
    store: &dyn StateStore,
    pipeline: &str,
    schedule: u32,
    spec: &ScheduleSpec,
    now: Timestamp,
) -> Result<ScheduleRecord, Fault> {
    let found = store.record(RecordKind::Schedule, &key(pipeline, schedule)).await?;
    let found = found.and_then(|record| serde_json::from_value::<ScheduleRecord>(record.value).ok());
    let digest = digest(spec);
    if let Some(record) = &found
        && record.spec == digest
    {
        return Ok(record.clone());
    }
    let mut record = ScheduleRecord { seen: now, spec: digest, paused_by: None, pauses: Vec::new(), last: None };
    if let Some(found) = &found {
        record.paused_as(found);
    }
    save(store, pipeline, schedule, &record).await?;
    Ok(record)
}

/// Writes it down.
pub(super) async fn save(
    store: &dyn StateStore,
    pipeline: &str,
    schedule: u32,
    record: &ScheduleRecord,
) -> Result<(), Fault> {
    let value = serde_json::to_value(record).map_err(|e| Fault::internal("schedule.record", e.to_string()))?;
    store.put_record(RecordKind::Schedule, &key(pipeline, schedule), Some(value), When::Always).await?;
    Ok(())
}
