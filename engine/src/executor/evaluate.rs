//! Evaluates what belongs to no attempt: conditions, `until`, `state:` and the pipeline's outputs.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::{
    Deps, Frozen,
    attempt::OutputLabels,
    body::holds,
    env::{AttemptEnv, Loaded},
    keep::{Outputs, durable_object},
    load,
};
use crate::{
    data::{Value, encode},
    expr::{Expr, Labelled, Root, Template},
    graph::PlanNode,
    model::{Fault, Labels, Name, NodeIx, RunId, Timestamp, event::Interval},
};

/// Values of `state:`, encoded.
pub type StateValues = Vec<(Name, Json)>;

/// Evaluates a step's `if`.
pub async fn condition(deps: &Deps, run: &Frozen, node: NodeIx) -> Result<bool, Fault> {
    let node = run.node(node)?;
    let Some(condition) = &node.spec.condition else { return Ok(true) };
    let loaded = load_expr(deps, run, &condition.value).await?;
    let endings = run.endings(node);
    let env = AttemptEnv {
        loaded: &loaded,
        item: None,
        outputs: None,
        body: None,
        endings: Some(&endings),
        secrets: None,
        now: deps.services.clock.now(),
    };
    condition.value.eval(&env).and_then(|value| holds(&value.value)).map_err(|fault| run.scrubber.fault(fault))
}

/// Evaluates `repeat.until` on the outputs of the iteration that just ended.
pub async fn until(deps: &Deps, run: &Frozen, node: NodeIx) -> Result<bool, Fault> {
    let node = run.node(node)?;
    let Some(repeat) = &node.spec.repeat else { return Ok(true) };
    let loaded = load_expr(deps, run, &repeat.until.value).await?;
    let outputs = load::outputs(deps, run, node.ix).await?;
    let labels = load::output_labels(run, node.ix);
    let env = AttemptEnv {
        loaded: &loaded,
        item: None,
        outputs: Some((&outputs, &labels)),
        body: None,
        endings: None,
        secrets: None,
        now: deps.services.clock.now(),
    };
    repeat.until.value.eval(&env).and_then(|value| holds(&value.value)).map_err(|fault| run.scrubber.fault(fault))
}

async fn load_expr(deps: &Deps, run: &Frozen, expr: &Expr) -> Result<Loaded, Fault> {
    let roots: Vec<Root> = expr.references().iter().map(|reference| reference.root.clone()).collect();
    load::load(deps, run, &roots, expr.source().contains("rows")).await
}

/// Evaluates `state:` of a step that gave these outputs.
pub(crate) fn state(
    run: &Frozen,
    node: &PlanNode,
    loaded: &Loaded,
    outputs: &Outputs,
    labels: &OutputLabels,
) -> Result<StateValues, Fault> {
    if node.spec.state.is_empty() {
        return Ok(Vec::new());
    }
    let mut all = Labels::none();
    for labels in labels.values() {
        all.join(labels);
    }
    let now = run.board.with(node.ix, |f| f.started_at).flatten().unwrap_or(run.created_at);
    let env = AttemptEnv {
        loaded,
        item: None,
        outputs: Some((outputs, &all)),
        body: None,
        endings: None,
        secrets: None,
        now,
    };
    let values = node.spec.state.iter().map(|(name, template)| {
        let value = template.value.eval(&env)?;
        Ok((name.clone(), encode(&value.value)?))
    });
    values.collect()
}

/// What is known of a run before it is there.
#[derive(Debug, Clone, Copy)]
pub struct Alone<'a> {
    /// Its id.
    pub run: RunId,
    /// Its pipeline.
    pub pipeline: &'a str,
    /// When it starts.
    pub now: Timestamp,
    /// The time that it is about.
    pub interval: Option<&'a Interval>,
    /// What its trigger brought, with its labels.
    pub event: Option<&'a Labelled>,
}

/// Evaluates a template that belongs to no step, such as the default of an input: it may see the run's
/// own fields and the inputs before it. With `dates` the ends of the run's interval are days of its zone.
pub fn eval_alone(
    template: &Template,
    alone: Alone<'_>,
    dates: bool,
    inputs: &BTreeMap<Name, Value>,
) -> Result<Labelled, Fault> {
    let loaded: Loaded = template
        .references()
        .iter()
        .map(|reference| {
            let value = match &reference.root {
                Root::Event => {
                    let event = alone.event.cloned().unwrap_or_else(|| Labelled::plain(Value::Null));
                    return (reference.root.clone(), event);
                }
                Root::Input(name) => inputs.get(name).cloned().unwrap_or(Value::Null),
                Root::Run(field) => match field.as_str() {
                    "id" => Value::from(alone.run.to_string()),
                    "pipeline" => Value::from(alone.pipeline),
                    "started_at" => Value::Timestamp(alone.now.to_datetime()),
                    "attempt" => Value::Int(1),
                    "interval.start" => moment(alone.interval, |interval| interval.start, dates),
                    "interval.end" => moment(alone.interval, |interval| interval.end, dates),
                    _ => Value::Null,
                },
                _ => Value::Null,
            };
            (reference.root.clone(), Labelled::plain(value))
        })
        .collect();
    let env = AttemptEnv::of_no_step(&loaded, alone.now);
    template.eval(&env)
}

/// An end of an interval, if there is one; as a day if `date`.
pub(super) fn moment(interval: Option<&Interval>, end: impl Fn(&Interval) -> Timestamp, date: bool) -> Value {
    let Some(interval) = interval else { return Value::Null };
    let at = end(interval).to_datetime();
    if !date {
        return Value::Timestamp(at);
    }
    let zone = interval.zone.parse().unwrap_or(chrono_tz::UTC);
    Value::Date(at.with_timezone(&zone).date_naive())
}

/// Evaluates the pipeline's outputs and makes them durable.
pub async fn pipeline_outputs(deps: &Deps, run: &Frozen) -> Result<Json, Fault> {
    let mut outputs = Outputs::new();
    for (name, template) in &run.plan.spec.outputs {
        let template = &template.value;
        let roots: Vec<Root> = template.references().iter().map(|reference| reference.root.clone()).collect();
        let loaded = load::load(deps, run, &roots, load::template_asks_rows(template)).await?;
        let env = AttemptEnv::of_no_step(&loaded, deps.services.clock.now());
        let value = template.eval(&env).map_err(|fault| run.scrubber.fault(fault))?;
        outputs.insert(name.clone(), value.value);
    }
    Ok(Json::Object(durable_object(&deps.services.artifacts, &outputs).await?))
}
