use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use millwork_engine::{
    Engine,
    graph::{Plan, PlanNode, Section, Work},
    model::{Fault, RunStatus},
    step::Effect,
    store::RunFilter,
};
use serde_json::json;

use crate::cli::{Exit, args::OpenArgs, home, load, open, output::Output, words, workspace::Workspace};

/// What a run would do: each step, after what, and whether an earlier result is taken.
pub(super) fn plan(
    output: &Output,
    path: &Path,
    only: &[String],
    asked: Option<PathBuf>,
    as_json: bool,
) -> Result<Exit, Fault> {
    let file = load::file_of(path)?;
    let registry = millwork_steps::registry();
    let workspace = Workspace::of_file(output, &file)?;
    let plan = load::plan(output, &file, &registry, &workspace)?;
    let selected = selected(&plan, only)?;
    let home = home::for_pipeline(asked.as_deref(), &file);
    // A home is looked at if it is there, and not made for a look.
    let last = if home.is_dir() {
        open::block_on(async {
            let engine = open::engine(home, registry, &OpenArgs::default(), &workspace).await?;
            let last = last_success(&engine, &plan).await?;
            engine.close().await?;
            Ok(last)
        })?
    } else {
        None
    };
    let mut rows = Vec::new();
    for node in &plan.nodes {
        let needs: Vec<String> = plan.shape.nodes[node.ix.index()]
            .needs
            .iter()
            .filter_map(|need| Some(plan.nodes.get(need.index())?.id.to_string()))
            .collect();
        // `--only` is about `steps`; what closes a run always runs.
        let why = if node.section != Section::Main || selected.contains(node.id.as_str()) {
            reason(node, last.as_deref())
        } else {
            "not asked for".to_owned()
        };
        if as_json {
            rows.push(vec![node.id.to_string(), kind(node), needs.join(" "), why]);
            continue;
        }
        rows.push(vec![node.id.to_string(), kind(node), needs.join(", "), why]);
    }
    if as_json {
        let steps: Vec<_> = rows
            .iter()
            .map(|row| json!({"id": row[0], "uses": row[1], "needs": row[2].split_whitespace().collect::<Vec<_>>(), "why": row[3]}))
            .collect();
        output.json(&json!({"pipeline": plan.spec.name.value, "revision": plan.revision, "steps": steps}));
    } else {
        output.table(&["STEP", "USES", "AFTER", "WHAT AND WHY"], &rows);
    }
    Ok(Exit::Ok)
}

fn kind(node: &PlanNode) -> String {
    match &node.work {
        Work::Kind { kind, .. } => kind.name().to_owned(),
        Work::Body { nodes, .. } => load::plural(nodes.len(), "step"),
    }
}

fn reason(node: &PlanNode, last: Option<&str>) -> String {
    match node.section {
        Section::OnFailure => return "runs if the run fails".to_owned(),
        Section::Finally => return "runs last, always".to_owned(),
        Section::Main => {}
    }
    let mut said = match (node.spec.cache, node.effect, last) {
        (true, Effect::Pure, Some(run)) => {
            format!("is taken from the cache if its inputs are those of an earlier run such as {run}; else runs")
        }
        (true, Effect::Pure, None) => "runs: nothing is cached yet".to_owned(),
        (false, Effect::Pure, _) => "runs: `cache: true` is not set".to_owned(),
        (_, Effect::Idempotent | Effect::External, _) => "runs: it has an effect".to_owned(),
    };
    if node.spec.condition.is_some() {
        said.push_str("; only if its `if` is true");
    }
    if node.spec.for_each.is_some() {
        said.push_str("; once an item");
    }
    said
}

/// The newest run of the same revision that succeeded.
async fn last_success(engine: &Engine, plan: &Plan) -> Result<Option<String>, Fault> {
    let filter = RunFilter {
        pipeline: Some(plan.spec.name.value.clone()),
        statuses: vec![RunStatus::Succeeded],
        limit: 100,
        ..RunFilter::default()
    };
    let runs = engine.reader().runs(&filter).await?;
    Ok(runs.into_iter().find(|run| run.revision == plan.revision).map(|run| run.id.to_string()))
}

/// The steps that `--only` names and those they need; all without it.
fn selected(plan: &Plan, only: &[String]) -> Result<BTreeSet<String>, Fault> {
    if only.is_empty() {
        return Ok(plan.nodes.iter().map(|node| node.id.to_string()).collect());
    }
    let mut open = Vec::new();
    for id in only {
        let names = || plan.nodes.iter().map(|node| node.id.as_str()).collect::<Vec<_>>();
        let unknown =
            || Fault::user("cli.usage", format!("there is no step `{id}`")).help(words::near_or_all(id, &names()));
        let node = plan.node(id).ok_or_else(unknown)?;
        open.push(node.ix);
    }
    let mut found = BTreeSet::new();
    while let Some(ix) = open.pop() {
        if let Some(node) = plan.nodes.get(ix.index())
            && found.insert(node.id.to_string())
        {
            open.extend(&plan.shape.nodes[ix.index()].needs);
        }
    }
    Ok(found)
}
