//! Evaluates what a fan-out goes over, and runs one of its items.

use std::sync::Arc;

use super::{
    Deps, Envelope, Frozen,
    attempt::{OutputLabels, Work, text_of},
    body::{holds, run_body},
    env::{AttemptEnv, Endings, Loaded},
    items::Items,
    load, park,
    slot::Slot,
};
use crate::{
    data::Value,
    expr::Expr,
    graph::{PlanNode, Work as Runs},
    model::Fault,
    step::StepOutput,
};

/// How an attempt at an item went, when it did not fail.
pub(crate) enum ItemDone {
    Succeeded(StepOutput, OutputLabels),
    Skipped,
}

/// Evaluates a fan-out's list and names its items.
pub(crate) async fn plan_items(deps: &Deps, run: &Frozen, node: &PlanNode) -> Result<Items, Fault> {
    let spec = node.spec.for_each.as_ref();
    let spec = spec.ok_or_else(|| Fault::internal("plan.items", format!("step `{}` has no `for_each`", node.id)))?;
    let loaded = load::base(deps, run, node).await?;
    let now = run.board.with(node.ix, |f| f.started_at).flatten().unwrap_or(run.created_at);
    let over = plain_env(&loaded, now, |env| spec.over.value.eval(env))?;
    let read = match &over.value {
        Value::Table(table) => Some(deps.tables.read(table, None, None).await?),
        _ => None,
    };
    let items = Items::new(&over, read, spec.batch)?;
    match &spec.key {
        Some(key) => {
            let keys = keys(&items, &key.value, &loaded, now)?;
            items.named(keys)
        }
        None => Ok(items),
    }
}

fn plain_env<T>(loaded: &Loaded, now: crate::model::Timestamp, eval: impl FnOnce(&AttemptEnv<'_>) -> T) -> T {
    eval(&AttemptEnv { loaded, item: None, outputs: None, body: None, endings: None, secrets: None, now })
}

fn keys(items: &Items, key: &Expr, loaded: &Loaded, now: crate::model::Timestamp) -> Result<Vec<Arc<str>>, Fault> {
    (0..items.count)
        .map(|index| {
            let item = items.get(index)?;
            let env =
                AttemptEnv { loaded, item: Some(&item), outputs: None, body: None, endings: None, secrets: None, now };
            match key.eval(&env)?.value {
                Value::String(text) => Ok(text),
                other => Ok(text_of(&other).into()),
            }
        })
        .collect()
}

/// Makes one attempt at one item.
pub(crate) async fn run_item(
    deps: &Deps,
    run: &Frozen,
    node: &PlanNode,
    envelope: &Envelope,
    slot: &Slot,
) -> Result<ItemDone, Fault> {
    let index = envelope.item.ok_or_else(|| Fault::internal("plan.items", "an attempt at an item names none"))?;
    let items = load::items(deps, run, node).await?;
    let item = items.get(index)?;
    let loaded = load::base(deps, run, node).await?;
    let per_item = run.plan.shape.nodes.get(node.ix.index()).is_some_and(|shape| !shape.has_condition);
    if per_item && let Some(condition) = &node.spec.condition {
        let endings = Endings { success: true, ..Endings::default() };
        let now = run.board.with(node.ix, |f| f.started_at).flatten().unwrap_or(run.created_at);
        let env = AttemptEnv {
            loaded: &loaded,
            item: Some(&item),
            outputs: None,
            body: None,
            endings: Some(&endings),
            secrets: None,
            now,
        };
        if !holds(&condition.value.eval(&env)?.value)? {
            return Ok(ItemDone::Skipped);
        }
    }
    let (output, labels) = match &node.work {
        Runs::Body { .. } => run_body(deps, run, node, envelope, &loaded, &item, slot).await?,
        Runs::Kind { .. } => {
            let work = Work { deps, run, node, envelope, loaded: &loaded, item: Some(&item), body: None, slot };
            park::run_unparked(&work).await?
        }
    };
    Ok(ItemDone::Succeeded(output, labels))
}
