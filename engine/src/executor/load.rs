//! Loads what an expression or a step reads, before it is evaluated: no lookup waits.

use std::sync::Arc;

use super::{
    Deps, Frozen,
    env::{Loaded, status_text},
    items::Items,
    keep::{Outputs, decode_outputs},
};
use crate::{
    data::{Table, Value},
    expr::{Labelled, Part, Root, Template},
    graph::{PlanNode, Work},
    model::{Fault, Labels, NodeIx, event::StoredOutputs},
    spec::StepSpec,
};

/// Loads these roots. With `rows`, tables are counted whose rows are not known.
pub(crate) async fn load(deps: &Deps, run: &Frozen, reads: &[Root], rows: bool) -> Result<Loaded, Fault> {
    load_form(deps, run, reads, rows, false).await
}

/// With `durable`, outputs come from where they are kept, so that they can be written down again.
async fn load_form(deps: &Deps, run: &Frozen, reads: &[Root], rows: bool, durable: bool) -> Result<Loaded, Fault> {
    let mut loaded = Loaded::with_capacity(reads.len());
    for root in reads {
        if let Some(mut value) = root_value(deps, run, root, durable).await? {
            if rows && let Value::Table(table) = &value.value {
                value.value = Value::Table(counted(deps, table).await?);
            }
            loaded.insert(root.clone(), value);
        }
    }
    Ok(loaded)
}

/// What a step's expressions and its kind read.
pub(crate) async fn load_for(deps: &Deps, run: &Frozen, node: &PlanNode) -> Result<Loaded, Fault> {
    // A kind that hands values on to another pipeline has to write them down.
    let durable = matches!(&node.work, Work::Kind { kind, config, .. } if !kind.includes(config).is_empty());
    load_form(deps, run, &node.reads, asks_rows(node), durable).await
}

async fn counted(deps: &Deps, table: &Table) -> Result<Table, Fault> {
    let rows = deps.tables.count(table).await?;
    Ok(Table { rows: Some(rows), ..table.clone() })
}

async fn root_value(deps: &Deps, run: &Frozen, root: &Root, durable: bool) -> Result<Option<Labelled>, Fault> {
    Ok(Some(match root {
        Root::Input(name) => run.inputs.get(name).cloned().unwrap_or_else(|| Labelled::plain(Value::Null)),
        Root::Step { step, part } => {
            // A step that is not of the plan is one of the same body, and is on the body's own board.
            let Some(node) = run.find(step.as_str()) else { return Ok(None) };
            step_part(deps, run, node, part, durable).await?
        }
        Root::State(name) => Labelled::plain(run.state.get(name.as_str()).cloned().unwrap_or(Value::Null)),
        Root::Run(field) => Labelled::plain(run.field(field)),
        Root::Event => run.event.clone(),
        Root::Secret(_) | Root::Item | Root::ItemIndex | Root::ItemKey | Root::Output(_) => return Ok(None),
    }))
}

async fn step_part(deps: &Deps, run: &Frozen, node: NodeIx, part: &Part, durable: bool) -> Result<Labelled, Fault> {
    let facts = |value: Value| Ok(Labelled::plain(value));
    match part {
        Part::Output(name) => {
            let kept = run.board.with(node, |facts| facts.stored.clone()).flatten().filter(|_| durable);
            let outputs = match kept {
                Some(stored) if !matches!(stored, StoredOutputs::Recomputable { .. }) => {
                    Arc::new(stored_outputs(deps, &stored).await?)
                }
                _ => outputs(deps, run, node).await?,
            };
            let value = outputs.get(name).cloned().unwrap_or(Value::Null);
            let labels = run.board.with(node, |f| f.labels.get(name.as_str()).cloned()).flatten().unwrap_or_default();
            Ok(Labelled { value, labels })
        }
        Part::Status => facts(Value::from(status_text(run.board.status(node)))),
        Part::Attempts => facts(Value::Int(i64::from(run.board.with(node, |f| f.attempts).unwrap_or(0)))),
        Part::Error => facts(run.board.with(node, |f| f.fault.clone()).flatten().map_or(Value::Null, |fault| {
            Value::map([("code", Value::from(fault.code.as_str())), ("message", Value::from(fault.message))])
        })),
        Part::Items => {
            let items = run.board.with(node, |f| f.items).unwrap_or_default();
            let int = |count: u32| Value::Int(i64::from(count));
            facts(Value::map([
                ("total", int(items.total)),
                ("succeeded", int(items.succeeded)),
                ("failed", int(items.failed)),
                ("skipped", int(items.skipped)),
            ]))
        }
    }
}

/// Outputs of a step: those in memory, else from where they are kept, else rebuilt. A step without
/// outputs gives none.
pub(crate) async fn outputs(deps: &Deps, run: &Frozen, node: NodeIx) -> Result<Arc<Outputs>, Fault> {
    if let Some(outputs) = run.board.memory(node) {
        return Ok(outputs);
    }
    let outputs = match run.board.with(node, |facts| facts.stored.clone()).flatten() {
        None => Arc::default(),
        Some(StoredOutputs::Recomputable { inputs }) => super::recompute::recompute(deps, run, node, inputs).await?,
        Some(stored) => Arc::new(stored_outputs(deps, &stored).await?),
    };
    run.board.remember(node, outputs.clone());
    Ok(outputs)
}

/// Reads outputs from where they are kept.
pub(crate) async fn stored_outputs(deps: &Deps, stored: &StoredOutputs) -> Result<Outputs, Fault> {
    let parse = |bytes: &[u8]| {
        let object = serde_json::from_slice(bytes)
            .map_err(|e| Fault::internal("value.unreadable", format!("recorded outputs are not JSON: {e}")))?;
        decode_outputs(&object)
    };
    match stored {
        StoredOutputs::Inline(object) => decode_outputs(object),
        StoredOutputs::Row { digest } => parse(deps.store.outputs(*digest).await?.as_bytes()),
        StoredOutputs::Artifact { artifact } => parse(&deps.services.artifacts.get(*artifact).await?),
        StoredOutputs::Recomputable { .. } => {
            Err(Fault::user("recompute.gone", "these outputs were not kept (`persist: never`)")
                .help("remove `persist: never` from the step, or rerun from it"))
        }
    }
}

/// The items of a fan-out, evaluated once a process. A list that is not what it was when it was planned
/// is the fault `items.changed`.
pub(crate) async fn items(deps: &Deps, run: &Frozen, node: &PlanNode) -> Result<Arc<Items>, Fault> {
    let planned = run.board.with(node.ix, |facts| facts.planned).flatten();
    let cell = run.items_cell(node.ix)?;
    let items = cell.get_or_try_init(|| async { super::fan::plan_items(deps, run, node).await.map(Arc::new) }).await?;
    match planned {
        Some((_, digest)) if digest != items.digest => {
            Err(Fault::user("items.changed", format!("the list of step `{}` is not what it was", node.id))
                .help("something it reads changed since the run began; rerun from this step"))
        }
        _ => Ok(items.clone()),
    }
}

/// What every item of a fan-out reads alike, loaded once a process.
pub(crate) async fn base(deps: &Deps, run: &Frozen, node: &PlanNode) -> Result<Arc<Loaded>, Fault> {
    let cell = run.base_cell(node.ix)?;
    cell.get_or_try_init(|| async { load_for(deps, run, node).await.map(Arc::new) }).await.cloned()
}

/// Whether an expression of the step asks for the rows of a table, which may have to be counted.
fn asks_rows(node: &PlanNode) -> bool {
    fn spec_asks(spec: &StepSpec) -> bool {
        let expressions = [
            spec.condition.as_ref().map(|c| &c.value),
            spec.for_each.as_ref().map(|f| &f.over.value),
            spec.for_each.as_ref().and_then(|f| f.key.as_ref()).map(|k| &k.value),
            spec.repeat.as_ref().map(|r| &r.until.value),
        ];
        expressions.into_iter().flatten().any(|e| e.source().contains("rows"))
            || spec.env.values().chain(spec.state.values()).any(|t| template_asks_rows(&t.value))
    }
    let work = match &node.work {
        Work::Kind { config, .. } => config.fields.iter().any(|f| template_asks_rows(&f.template)),
        Work::Body { nodes, .. } => nodes.iter().any(asks_rows),
    };
    work || spec_asks(&node.spec)
}

/// Whether an expression asks for `rows`.
pub(crate) fn template_asks_rows(template: &Template) -> bool {
    template.expressions().iter().any(|e| e.source().contains("rows"))
}

/// Labels of a step's outputs, all together.
pub(crate) fn output_labels(run: &Frozen, node: NodeIx) -> Labels {
    let mut all = Labels::none();
    run.board.with(node, |facts| facts.labels.values().for_each(|labels| all.join(labels)));
    all
}
