//! Runs for the times of a schedule.

use std::{collections::BTreeMap, sync::Arc};

use super::{Engine, RunRequest, Started};
use crate::{
    data::Value,
    executor::{Alone, eval_alone},
    graph::Plan,
    model::{
        Fault, RunId, Timestamp,
        event::{Cause, Interval},
    },
    spec::{ScheduleSpec, TriggerInputs, TriggerSpec},
};

/// A time of one of a pipeline's schedules. There is one run of it, whoever asks for it and how often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tick {
    /// Which schedule of the pipeline, from 0, in the order of the file.
    pub schedule: u32,
    /// The time.
    pub at: Timestamp,
    /// Run afterwards, and under which name: the same time may be run again under another. `None` for the run that
    /// the schedule itself starts, and for what makes up for it.
    pub again: Option<String>,
}

impl Tick {
    /// What names the run of this time.
    pub fn key(&self, pipeline: &str) -> String {
        let Self { schedule, at, again } = self;
        let again = again.as_ref().map_or_else(String::new, |name| format!("/{name}"));
        format!("schedule/{pipeline}/{schedule}/{at}{again}")
    }
}

/// The schedules of a pipeline, in the order of the file.
pub fn schedules(plan: &Plan) -> impl Iterator<Item = &ScheduleSpec> {
    plan.spec.triggers.iter().filter_map(|trigger| match &trigger.value {
        TriggerSpec::Schedule(schedule) => Some(&**schedule),
        _ => None,
    })
}

impl Engine {
    /// Starts the run of a time, unless there is one. `backfill` says that it is run afterwards.
    pub async fn start_tick(&self, plan: Arc<Plan>, tick: &Tick, backfill: bool) -> Result<Started, Fault> {
        let pipeline = plan.spec.name.value.clone();
        let schedule = schedules(&plan).nth(tick.schedule as usize);
        let schedule = schedule.ok_or_else(|| {
            let message = format!("`{pipeline}` has no schedule with the number {}", tick.schedule);
            Fault::user("schedule.none", message).help("they count from 0, in the order of the file")
        })?;
        let (start, end) = schedule.calendar.interval(tick.at);
        let interval = Interval { start, end, zone: schedule.calendar.zone.name().to_owned() };
        let now = self.inner.clock.now();
        let alone = Alone { run: RunId::generate(now), pipeline: &pipeline, now, interval: Some(&interval) };
        let inputs = given_by(&plan, &schedule.inputs, alone)?;
        let cause = Cause::Schedule { schedule: tick.schedule, at: tick.at, backfill };
        let request = RunRequest { inputs, interval: Some(interval), ..RunRequest::default() };
        self.start_once(plan, request, cause, &tick.key(&pipeline)).await
    }
}

/// The inputs that a trigger gives.
fn given_by(plan: &Plan, inputs: &TriggerInputs, alone: Alone<'_>) -> Result<BTreeMap<String, Value>, Fault> {
    let values = inputs.iter().map(|(name, template)| {
        let dates = plan.spec.inputs.get(name).is_some_and(|input| super::inputs::is_date(&input.ty));
        Ok((name.to_string(), eval_alone(&template.value, alone, dates, &BTreeMap::new())?))
    });
    values.collect()
}
