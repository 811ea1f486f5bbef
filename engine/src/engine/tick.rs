//! Runs for the times of a schedule.

use std::{collections::BTreeMap, sync::Arc};

use super::{Engine, Prepared, RunRequest, Started};
use crate::{
    data::Value,
    executor::{Alone, eval_alone},
    graph::Plan,
    model::{
        Fault, Labels, RunId, Timestamp,
        event::{Cause, Interval},
    },
    spec::{PipelineSpec, ScheduleSpec, TriggerInputs, TriggerSpec},
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
pub fn schedules(spec: &PipelineSpec) -> impl Iterator<Item = &ScheduleSpec> {
    spec.triggers.iter().filter_map(|trigger| match &trigger.value {
        TriggerSpec::Schedule(schedule) => Some(&**schedule),
        _ => None,
    })
}

impl Engine {
    /// Starts the run of a time, unless there is one. `backfill` says that it is run afterwards.
    pub async fn start_tick(&self, plan: Arc<Plan>, tick: &Tick, backfill: bool) -> Result<Started, Fault> {
        if let Some(run) = self.run_of_key(&tick.key(&plan.spec.name.value)).await? {
            return Ok(Started::Before(run));
        }
        let prepared = self.prepare_tick(plan, tick, backfill).await?;
        self.begin(prepared).await
    }

    /// The run of a key, unless there is none.
    pub async fn run_of_key(&self, key: &str) -> Result<Option<RunId>, Fault> {
        Ok(self.inner.store.run_of_key(key).await?)
    }

    /// Prepares the run of a time; see [`Engine::prepare`].
    pub async fn prepare_tick(&self, plan: Arc<Plan>, tick: &Tick, backfill: bool) -> Result<Prepared, Fault> {
        let pipeline = plan.spec.name.value.clone();
        let schedule = schedules(&plan.spec).nth(tick.schedule as usize);
        let schedule = schedule.ok_or_else(|| {
            let message = format!("`{pipeline}` has no schedule with the number {}", tick.schedule);
            Fault::user("schedule.none", message).help("they count from 0, in the order of the file")
        })?;
        let (start, end) = schedule.calendar.interval(tick.at);
        let interval = Interval { start, end, zone: schedule.calendar.zone.name().to_owned() };
        let now = self.inner.clock.now();
        let alone =
            Alone { run: RunId::generate(now), pipeline: &pipeline, now, interval: Some(&interval), event: None };
        let (inputs, labels) = given_by(&plan, &schedule.inputs, alone)?;
        let cause = Cause::Schedule { schedule: tick.schedule, at: tick.at, backfill };
        let request = RunRequest { inputs, labels, interval: Some(interval), ..RunRequest::default() };
        self.prepare(plan, request, cause, Some(&tick.key(&pipeline))).await
    }
}

/// Values of inputs, and the labels of those that have any.
pub(super) type Given = (BTreeMap<String, Value>, BTreeMap<String, Labels>);

/// The inputs that a trigger gives.
pub(super) fn given_by(plan: &Plan, inputs: &TriggerInputs, alone: Alone<'_>) -> Result<Given, Fault> {
    let (mut values, mut labels) = (BTreeMap::new(), BTreeMap::new());
    for (name, template) in inputs {
        let dates = plan.spec.inputs.get(name).is_some_and(|input| super::inputs::is_date(&input.ty));
        let given = eval_alone(&template.value, alone, dates, &BTreeMap::new())?;
        if !given.labels.is_empty() {
            labels.insert(name.to_string(), given.labels);
        }
        values.insert(name.to_string(), given.value);
    }
    Ok((values, labels))
}
