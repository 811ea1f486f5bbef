use std::path::PathBuf;

use millwork_engine::{
    Engine, RunSummary, StepSummary,
    model::{Fault, RunId, event::ItemOutcome},
    store::ItemFilter,
};
use serde_json::json;

use super::runs::look_at;
use crate::cli::{Exit, fault::place_of_fault, output::Output, standing::Standing, table::Yield, words};

/// Items that failed of which the fault is told.
const FEW: u32 = 3;

/// A run's steps, outputs and fault.
pub(super) fn show(output: &Output, run: &str, as_json: bool, asked: Option<PathBuf>) -> Result<Exit, Fault> {
    look_at(asked, run, async |engine, id| {
        let (summary, plan) = (engine.summary(id).await?, engine.plan_of(id).await?);
        let standing = Standing::of(engine, &engine.reader().run(id).await?).await?;
        if as_json {
            output.json(&summary_json(&summary, &standing));
            return Ok(Exit::Ok);
        }
        let (word, tone) = words::run_status(standing.status);
        let name = &plan.spec.name.value;
        output.result(format!("{id}  {name}  {}  {}", output.paint(tone, word), words::duration(summary.took)));
        let rows: Vec<Vec<String>> = summary.steps.iter().map(row).collect();
        let gives_way = Yield { drop: &[4, 3, 2], cut: 5, least: 20 };
        output.table_that_yields(&["STEP", "STATUS", "TOOK", "ROWS", "ATTEMPTS", ""], &rows, gives_way);
        for step in &summary.steps {
            for line in failed_items(engine, id, step).await? {
                output.result(line);
            }
        }
        if let Some(fault) = &summary.fault {
            output.tell_fault(fault, place_of_fault(&plan, &summary).as_deref());
        }
        if let Some(note) = standing.note(id) {
            output.result(note);
        }
        if summary.outputs.as_object().is_some_and(|outputs| !outputs.is_empty()) {
            output.result(format!("{:#}", summary.outputs));
        }
        Ok(Exit::Ok)
    })
}

fn row(step: &StepSummary) -> Vec<String> {
    let (word, mark, _) = words::step_status(step.status);
    let took = step.took.map(words::duration).unwrap_or_default();
    let rows = step.rows.map(words::count).unwrap_or_default();
    let failed = step.items.filter(|items| items.failed > 0);
    let why = match (&step.fault, failed) {
        (Some(fault), _) => fault.message.clone(),
        (None, Some(items)) => format!("{} of {} items failed", items.failed, items.total),
        (None, None) => String::new(),
    };
    vec![format!("{mark} {}", step.id), word.to_owned(), took, rows, step.attempts.to_string(), why]
}

/// How many items of a fan-out failed, and why the first few did; nothing if none did.
pub(super) async fn failed_items(engine: &Engine, run: RunId, step: &StepSummary) -> Result<Vec<String>, Fault> {
    let Some(items) = step.items.filter(|items| items.failed > 0) else { return Ok(Vec::new()) };
    let filter = ItemFilter { outcome: Some(ItemOutcome::Failed), from: 0, limit: FEW };
    let found = engine.reader().items(run, step.node, &filter).await?;
    let (failed, total) = (words::count(u64::from(items.failed)), words::count(u64::from(items.total)));
    let mut lines = vec![format!("`{}`: {failed} of {total} items failed", step.id)];
    for item in &found {
        let why = item.fault.as_ref().map(|fault| format!(" [{}]: {}", fault.code, fault.message)).unwrap_or_default();
        let attempts = words::some(u64::from(item.attempts), "attempt");
        lines.push(format!("  item {}, after {attempts}{why}", item.item));
    }
    let more = u64::from(items.failed).saturating_sub(found.len() as u64);
    if more > 0 {
        lines.push(format!("  and {} more; the step's output `failed_items` has all", words::count(more)));
    }
    Ok(lines)
}

fn summary_json(summary: &RunSummary, standing: &Standing) -> serde_json::Value {
    let steps = summary.steps.iter().map(|step| {
        json!({
            "id": step.id, "status": step.status, "attempts": step.attempts, "rows": step.rows,
            "seconds": step.took.map(|took| took.as_secs_f64()), "fault": step.fault, "items": step.items,
        })
    });
    let failed_at = summary.steps.iter().find(|step| Some(step.node) == summary.failed_at).map(|step| &step.id);
    json!({
        "run": summary.id, "status": standing.status, "outputs": summary.outputs, "fault": summary.fault,
        "failed_at": failed_at, "owner": standing.owner, "seconds": summary.took.as_secs_f64(),
        "steps": steps.collect::<Vec<_>>(),
    })
}
