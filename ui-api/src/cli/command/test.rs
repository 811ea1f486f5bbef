use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use millwork_engine::{
    Engine, RunRequest, RunSummary,
    data::{Type, Value},
    graph::Plan,
    model::{Fault, Name, RunStatus},
    spec::{Node, TestSpec, value_of},
};

use super::expect::{self, Difference};
use crate::cli::{
    Exit,
    args::{DurabilityArg, OpenArgs},
    load, open,
    output::{Output, Tone},
    words,
    workspace::Workspace,
};

/// Runs the tests of pipelines, each in a home of its own that is gone afterwards.
pub(super) fn test(output: &Output, paths: &[PathBuf], name: Option<&str>) -> Result<Exit, Fault> {
    let registry = millwork_steps::registry();
    let (mut passed, mut failed) = (0_usize, 0_usize);
    for file in load::files_of(paths)? {
        let workspace = Workspace::of_file(output, &file)?;
        let checked = load::check(&file, &registry, true, false, &workspace)?;
        let Some(plan) = checked.plan.clone() else {
            load::show(output, &checked);
            failed += 1;
            continue;
        };
        for test in &plan.spec.tests {
            if name.is_some_and(|name| !test.name.contains(name)) {
                continue;
            }
            let title = format!("{}: {}", file.display(), test.name);
            match one(&plan, test, &workspace) {
                Ok(differences) if differences.is_empty() => {
                    passed += 1;
                    output.say(format!("{} {title}", output.paint(Tone::Good, "ok")));
                }
                Ok(differences) => {
                    failed += 1;
                    output.say(format!("{} {title}", output.paint(Tone::Bad, "failed")));
                    for difference in &differences {
                        show(output, &plan, difference);
                    }
                }
                Err(fault) => {
                    failed += 1;
                    output.say(format!("{} {title}", output.paint(Tone::Bad, "failed")));
                    output.fault(&fault);
                }
            }
        }
    }
    if passed + failed == 0 {
        return match name {
            Some(name) => Err(Fault::user("cli.usage", format!("no test has `{name}` in its name"))),
            None => {
                output.say("there are no tests here; write them under `tests:` of a pipeline");
                Ok(Exit::Ok)
            }
        };
    }
    let tone = if failed > 0 { Tone::Bad } else { Tone::Good };
    output.say(output.paint(tone, format!("{passed} passed, {failed} failed")));
    Ok(if failed > 0 { Exit::Problems } else { Exit::Ok })
}

fn show(output: &Output, plan: &Plan, difference: &Difference) {
    let source = &plan.spec.source;
    let at = source.position(difference.span.start);
    output.say(format!("  {} ({}:{}:{})", difference.what, source.name(), at.line, at.column));
    for line in difference.expected.lines() {
        output.say(output.paint(Tone::Good, format!("    expected  {line}")));
    }
    for line in difference.found.lines() {
        output.say(output.paint(Tone::Bad, format!("    found     {line}")));
    }
}

fn one(plan: &Arc<Plan>, test: &TestSpec, workspace: &Workspace) -> Result<Vec<Difference>, Fault> {
    let folder = tempfile::tempdir()
        .map_err(|e| Fault::external("test.folder", format!("no temporary folder can be made: {e}")))?;
    let args = OpenArgs { durability: Some(DurabilityArg::Process), ..OpenArgs::default() };
    open::block_on(async {
        let engine = open::engine(folder.path().join("home"), millwork_steps::registry(), &args, workspace).await?;
        let inputs = test.inputs.iter().map(|(name, node)| (name.clone(), value_of(node))).collect();
        let request = RunRequest { inputs, given: given(plan, test)?, ..RunRequest::default() };
        let handle = engine.start(plan.clone(), request).await?;
        let summary = handle.ended(true).await?;
        let differences = compare(&engine, test, &summary).await?;
        engine.close().await?;
        Ok(differences)
    })
}

/// Stand-ins, in the types that the steps promise.
fn given(plan: &Plan, test: &TestSpec) -> Result<BTreeMap<Name, BTreeMap<Name, Value>>, Fault> {
    let mut given = BTreeMap::new();
    for (step, stand_in) in &test.given {
        let mut outputs = BTreeMap::new();
        for (output, node) in &stand_in.outputs {
            let ty = plan.node(step.as_str()).and_then(|node| node.outputs.get(output)).map(Type::required);
            outputs.insert(output.clone(), expect::stand_in(node, ty)?);
        }
        given.insert(step.clone(), outputs);
    }
    Ok(given)
}

async fn compare(engine: &Engine, test: &TestSpec, summary: &RunSummary) -> Result<Vec<Difference>, Fault> {
    let mut differences = Vec::new();
    let status = words::run_status(summary.status).0;
    let (expected, span) = match &test.expect_status {
        Some(expected) => (expected.value.as_str(), expected.span),
        None => ("succeeded", test.span),
    };
    if status != expected {
        let why = summary.fault.as_ref().map(|fault| format!(": {}", fault.message)).unwrap_or_default();
        differences.push(Difference::new("the run's status", span, expected, format!("{status}{why}")));
        if summary.status != RunStatus::Succeeded && expected == "succeeded" {
            return Ok(differences);
        }
    }
    for (step, node) in &test.expect_steps {
        let found = summary.steps.iter().find(|found| found.id == *step);
        let found_status = found.map_or("not there", |step| words::step_status(step.status).0);
        if let Some(text) = node.text() {
            if &*text.value != found_status {
                differences.push(Difference::new(format!("`{step}`"), node.span, &*text.value, found_status));
            }
            continue;
        }
        let (outputs, nothing) = match engine.outputs(summary.id, step.as_str()).await {
            Ok(outputs) => (outputs, "nothing".to_owned()),
            Err(fault) => (BTreeMap::new(), format!("nothing: {}", fault.message)),
        };
        for (key, expected) in node.entries().into_iter().flatten() {
            let what = format!("steps.{step}.outputs.{}", key.text);
            match outputs.get(&*key.text) {
                Some(found) => differences.extend(expect::compare(&what, expected, found, engine.tables()).await?),
                None if &*key.text == "status" => {
                    let wanted = expected.text().map_or("", |text| &text.value);
                    if wanted != found_status {
                        differences.push(Difference::new(
                            format!("steps.{step}.status"),
                            expected.span,
                            wanted,
                            found_status,
                        ));
                    }
                }
                None => differences.push(Difference::new(what, expected.span, describe(expected), nothing.as_str())),
            }
        }
    }
    for (name, expected) in &test.expect_outputs {
        let found = summary.outputs.get(name.as_str()).cloned().unwrap_or(serde_json::Value::Null);
        let found = super::run::value_of(found);
        differences.extend(expect::compare(&format!("outputs.{name}"), expected, &found, engine.tables()).await?);
    }
    Ok(differences)
}

fn describe(node: &Node) -> String {
    value_of(node).to_string()
}
