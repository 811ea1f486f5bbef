//! A body of several steps inside one item: run in order, each one's outputs journaled once, so that an
//! item resumes inside itself.

use std::{collections::HashMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::{
    Deps, Envelope, Frozen,
    attempt::{OutputLabels, Work},
    env::{AttemptEnv, BodyStep, Endings, ItemValue, Loaded},
    keep::{decode_outputs, durable_object},
    park,
    slot::Slot,
};
use crate::{
    crash::crash_point,
    data::Value,
    graph::{PlanNode, Work as Runs},
    model::{AttemptKey, Digest, Fault, FaultCode, Labels, Name, Retry, StepStatus, units::show_duration},
    step::{Entry, JournalKey, JournalStore, Reservation, Settlement, StepOutput},
};

#[derive(Serialize, Deserialize)]
struct Recorded {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    outputs: Option<Json>,
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    labels: Labels,
    attempts: u32,
}

/// Runs the body of an item. Its outputs are those of the body's steps that the fan-out shows.
pub(crate) async fn run_body(
    deps: &Deps,
    run: &Frozen,
    node: &PlanNode,
    envelope: &Envelope,
    loaded: &Loaded,
    item: &ItemValue,
    slot: &Slot,
) -> Result<(StepOutput, OutputLabels), Fault> {
    let Runs::Body { nodes, order } = &node.work else {
        return Err(Fault::internal("plan.body", "a step was run as a body of several"));
    };
    let mut done: HashMap<Name, BodyStep> = HashMap::with_capacity(nodes.len());
    for ix in order {
        let inner = nodes.get(*ix).ok_or_else(|| Fault::internal("plan.body", "the body has no such step"))?;
        let key =
            JournalKey { run: run.id, node: Some(node.ix), item: envelope.item, key: format!("steps/{}", inner.id) };
        let step = match deps.journals.entry(&key).await? {
            Entry::Done { result, .. } => replayed(&result)?,
            Entry::Absent | Entry::Intended { .. } => {
                let step = run_inner(deps, run, node, inner, envelope, loaded, item, &done, slot).await?;
                crash_point("body.ran");
                let recorded = Recorded {
                    outputs: match step.status {
                        StepStatus::Succeeded => {
                            Some(Json::Object(durable_object(&deps.services.artifacts, &step.outputs).await?))
                        }
                        _ => None,
                    },
                    labels: step.labels.clone(),
                    attempts: step.attempts,
                };
                crash_point("body.kept");
                let json = serde_json::to_value(&recorded)
                    .map_err(|e| Fault::internal("journal.unwritable", format!("outputs of `{}`: {e}", inner.id)))?;
                deps.journals.finish(&key, inner.fingerprint, &json, &Settlement::default()).await?;
                crash_point("body.step");
                step
            }
        };
        done.insert(inner.id.clone(), step);
    }
    Ok(gathered(node, nodes, order, &done))
}

fn replayed(json: &Json) -> Result<BodyStep, Fault> {
    let recorded: Recorded = serde_json::from_value(json.clone())
        .map_err(|e| Fault::internal("journal.unreadable", format!("outputs of a body's step: {e}")))?;
    let status = if recorded.outputs.is_some() { StepStatus::Succeeded } else { StepStatus::Skipped };
    let outputs = recorded.outputs.as_ref().map(decode_outputs).transpose()?.unwrap_or_default();
    Ok(BodyStep { status, outputs: Arc::new(outputs), labels: recorded.labels, attempts: recorded.attempts })
}

#[expect(clippy::too_many_arguments, reason = "an item's step needs all that its item has")]
async fn run_inner(
    deps: &Deps,
    run: &Frozen,
    node: &PlanNode,
    inner: &PlanNode,
    envelope: &Envelope,
    loaded: &Loaded,
    item: &ItemValue,
    done: &HashMap<Name, BodyStep>,
    slot: &Slot,
) -> Result<BodyStep, Fault> {
    let skipped =
        BodyStep { status: StepStatus::Skipped, outputs: Arc::default(), labels: Labels::none(), attempts: 0 };
    if let Some(condition) = &inner.spec.condition {
        let endings = Endings { success: true, ..Endings::default() };
        let env = AttemptEnv {
            loaded,
            item: Some(item),
            outputs: None,
            body: Some(done),
            endings: Some(&endings),
            secrets: None,
            now: deps.services.clock.now(),
        };
        if !holds(&condition.value.eval(&env)?.value)? {
            return Ok(skipped);
        }
    }
    let part = slot.part();
    let work = |slot| attempts(deps, run, node, inner, envelope, loaded, item, done, slot);
    let ended = match inner.spec.deadline {
        None => work(&part).await,
        Some(deadline) => {
            let attempts = work(&part);
            tokio::pin!(attempts);
            tokio::select! {
                biased;
                ended = &mut attempts => ended,
                () = slot.sleep(deadline) => {
                    part.cancel.cancel();
                    attempts.await.map_err(|_| over_deadline(inner, deadline))
                }
            }
        }
    };
    match ended {
        Err(fault) if inner.spec.continue_on_error && fault.code != FaultCode::CANCELLED => Ok(skipped),
        ended => ended,
    }
}

fn over_deadline(inner: &PlanNode, deadline: Duration) -> Fault {
    let text = format!("step `{}` did not end within its deadline of {}", inner.id, show_duration(deadline));
    Fault::external("deadline", text).retry(Retry::Never)
}

/// Tries a step of a body until it succeeds or its retries are used up.
#[expect(clippy::too_many_arguments, reason = "an item's step needs all that its item has")]
async fn attempts(
    deps: &Deps,
    run: &Frozen,
    node: &PlanNode,
    inner: &PlanNode,
    envelope: &Envelope,
    loaded: &Loaded,
    item: &ItemValue,
    done: &HashMap<Name, BodyStep>,
    slot: &Slot,
) -> Result<BodyStep, Fault> {
    let mut failed = 0;
    loop {
        let envelope = Envelope {
            attempt: failed + 1,
            key: AttemptKey(format!("{}/{}", envelope.key.0, inner.id).into()),
            ..envelope.clone()
        };
        let work = Work {
            deps,
            run,
            node: inner,
            envelope: &envelope,
            loaded,
            item: Some(item),
            body: Some((node.ix, done)),
            slot,
        };
        let ended = match &inner.work {
            Runs::Kind { .. } => park::run_unparked(&work).await,
            Runs::Body { .. } => Err(Fault::internal("plan.body", "a body inside a body")),
        };
        match ended {
            Ok((output, labels)) => {
                let mut all = Labels::none();
                for labels in labels.values() {
                    all.join(labels);
                }
                let outputs = Arc::new(output.values);
                return Ok(BodyStep { status: StepStatus::Succeeded, outputs, labels: all, attempts: failed + 1 });
            }
            Err(fault) => {
                failed += 1;
                match inner.spec.retry.next_delay(failed, &fault, rand::random()) {
                    // Others may work meanwhile.
                    Some(delay) => park::wait(slot, slot.sleep(delay)).await?,
                    None => return Err(fault),
                }
            }
        }
    }
}

/// The outputs that the plan shows for the fan-out: by their own name where one step has it, else as
/// `step_output`.
fn gathered(
    node: &PlanNode,
    nodes: &[PlanNode],
    order: &[usize],
    done: &HashMap<Name, BodyStep>,
) -> (StepOutput, OutputLabels) {
    let mut output = StepOutput::none();
    let mut labels = OutputLabels::new();
    for ix in order {
        let Some(inner) = nodes.get(*ix) else { continue };
        let Some(step) = done.get(&inner.id) else { continue };
        for (name, value) in step.outputs.iter() {
            let long = Name::new(&format!("{}_{name}", inner.id));
            let shown = [Some(name.clone()), long].into_iter().flatten().filter(|n| node.outputs.contains_key(n));
            for shown in shown {
                if !step.labels.is_empty() {
                    labels.entry(shown.to_string()).or_default().join(&step.labels);
                }
                output.values.insert(shown, value.clone());
            }
        }
    }
    (output, labels)
}

/// A condition's value: there is no truthiness.
pub(crate) fn holds(value: &Value) -> Result<bool, Fault> {
    match value {
        Value::Bool(holds) => Ok(*holds),
        other => {
            let found = crate::data::Type::of(other);
            Err(Fault::user("condition.type", format!("a condition must be true or false, found {found}"))
                .help("compare it with something, for example `x != null`"))
        }
    }
}

/// The journal of one step of a body: its keys stand under the step's name.
#[derive(Debug)]
pub(crate) struct Within {
    pub store: Arc<dyn JournalStore>,
    pub step: Name,
}

impl Within {
    fn key(&self, key: &JournalKey) -> JournalKey {
        JournalKey { key: format!("{}/{}", self.step, key.key), ..key.clone() }
    }
}

#[async_trait]
impl JournalStore for Within {
    async fn entry(&self, key: &JournalKey) -> Result<Entry, Fault> {
        self.store.entry(&self.key(key)).await
    }
    async fn intend(&self, key: &JournalKey, request: Digest, reserve: &Reservation, epoch: u64) -> Result<(), Fault> {
        self.store.intend(&self.key(key), request, reserve, epoch).await
    }
    async fn finish(&self, key: &JournalKey, request: Digest, result: &Json, settle: &Settlement) -> Result<(), Fault> {
        self.store.finish(&self.key(key), request, result, settle).await
    }
}
