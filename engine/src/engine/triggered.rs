//! Runs for what triggers bring: requests, files, ends of other runs, changed content.

use std::sync::Arc;

use super::{
    Engine, Prepared, RunRequest, inputs,
    tick::{Given, given_by},
};
use crate::{
    data::{Map, Value},
    executor::{Alone, EVENT},
    expr::Labelled,
    graph::Plan,
    model::{Fault, Labels, RunId, event::Cause},
    spec::{PipelineSpec, TriggerSpec},
};

/// The triggers of a pipeline, in the order of the file; their places are their numbers.
pub fn triggers_of(spec: &PipelineSpec) -> impl Iterator<Item = (u32, &TriggerSpec)> {
    (0..).zip(spec.triggers.iter().map(|trigger| &trigger.value))
}

impl Engine {
    /// Prepares the run of what a trigger brought (see [`Engine::prepare`]): its inputs are evaluated with `event`.
    /// The body of a webhook that is not of its type is the fault `event.type`.
    pub async fn prepare_event(
        &self,
        plan: Arc<Plan>,
        trigger: u32,
        event: Value,
        cause: Cause,
        key: Option<&str>,
    ) -> Result<Prepared, Fault> {
        let found = triggers_of(&plan.spec).find(|(number, _)| *number == trigger).map(|(_, spec)| spec.clone());
        let spec = found.ok_or_else(|| {
            let message = format!("`{}` has no trigger with the number {trigger}", plan.spec.name.value);
            Fault::user("trigger.none", message).help("the pipeline was changed meanwhile: look at its `on:`")
        })?;
        let event = typed(event, &spec)?;
        let label = Labels::from_outside(EVENT);
        let labelled = Labelled { value: event.clone(), labels: label };
        let now = self.inner.clock.now();
        let pipeline = plan.spec.name.value.clone();
        let alone =
            Alone { run: RunId::generate(now), pipeline: &pipeline, now, interval: None, event: Some(&labelled) };
        let (inputs, labels) = match &spec {
            TriggerSpec::Webhook(webhook) => given_by(&plan, &webhook.inputs, alone)?,
            TriggerSpec::File(file) => given_by(&plan, &file.inputs, alone)?,
            TriggerSpec::Pipeline(upstream) => given_by(&plan, &upstream.inputs, alone)?,
            TriggerSpec::Content(content) => given_by(&plan, &content.inputs, alone)?,
            TriggerSpec::Schedule(_) | TriggerSpec::Manual => Given::default(),
        };
        let request = RunRequest { inputs, labels, event: Some(event), ..RunRequest::default() };
        self.prepare(plan, request, cause, key).await
    }
}

/// What was brought, with the body of a webhook as its type says.
fn typed(event: Value, trigger: &TriggerSpec) -> Result<Value, Fault> {
    let (TriggerSpec::Webhook(webhook), Value::Map(fields)) = (trigger, &event) else { return Ok(event) };
    let Some(body) = fields.get("body") else { return Ok(event) };
    let body = inputs::convert(body.clone(), &webhook.body)
        .map_err(|why| Fault::user("event.type", format!("the body of the request {why}")))?;
    let mut fields: Map = Map::clone(fields);
    fields.insert("body".into(), body);
    Ok(Value::Map(Arc::new(fields)))
}
