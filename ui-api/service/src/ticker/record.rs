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
    /// The last time that came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<LastTick>,
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
    let paused_by = found.and_then(|record| record.paused_by);
    let record = ScheduleRecord { seen: now, spec: digest, paused_by, last: None };
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
