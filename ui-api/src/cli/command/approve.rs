use std::path::PathBuf;

use millwork_engine::{
    Engine,
    model::{Event, Fault, RunId, Wait},
    store::{Cursor, RunFilter},
};
use serde_json::{Map, Value as Json, json};

use super::{run::user, runs::with_run};
use crate::cli::{Exit, output::Output};

/// Events read at once.
const PAGE: u32 = 1_000;

/// Answers a step that waits for approval.
pub(super) fn approve(
    output: &Output,
    run: &str,
    step: Option<&str>,
    approved: bool,
    values: Vec<(String, String)>,
    by: Option<String>,
    asked: Option<PathBuf>,
) -> Result<Exit, Fault> {
    with_run(asked, run, async |engine, id| {
        let waiting = waiting_below(engine, id).await?;
        let (asks, step, prompt) = choose(&waiting, step)?;
        let values: Map<String, Json> = values.into_iter().map(|(name, value)| (name, Json::from(value))).collect();
        let by = by.unwrap_or_else(user);
        engine.answer(asks, step, json!({"approved": approved, "by": by, "values": values}), &by).await?;
        output.say(prompt);
        output.say(format!("{} by {by}", if approved { "approved" } else { "refused" }));
        if engine.owner_of(id).await?.is_none() {
            output.say(format!("go on with: millwork runs resume {id}"));
        }
        Ok(Exit::Ok)
    })
}

/// A question: the run that asks (this one, or that of a sub-pipeline), the step, and what it asks.
type Question = (RunId, String, String);

/// Questions of a run and of its sub-pipelines' runs.
async fn waiting_below(engine: &Engine, run: RunId) -> Result<Vec<Question>, Fault> {
    let (mut found, mut open) = (Vec::new(), vec![run]);
    while let Some(run) = open.pop() {
        found.extend(waiting(engine, run).await?.into_iter().map(|(step, prompt)| (run, step, prompt)));
        let mut filter = RunFilter { parent: Some(run), limit: PAGE, ..RunFilter::default() };
        loop {
            let page = engine.reader().runs(&filter).await?;
            let Some(last) = page.last() else { break };
            filter.after = Some(Cursor(last.id));
            open.extend(page.iter().filter(|child| !child.status.is_final()).map(|child| child.id));
        }
    }
    Ok(found)
}

/// Steps that wait for a person, with what they ask.
pub(super) async fn waiting(engine: &Engine, run: RunId) -> Result<Vec<(String, String)>, Fault> {
    let plan = engine.plan_of(run).await?;
    let (reader, mut after) = (engine.reader(), 0);
    let mut prompts = vec![None; plan.nodes.len()];
    loop {
        let page = reader.events(run, after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = last.seq;
        for recorded in page {
            match recorded.event {
                Event::StepWaiting { node, wait: Wait::Budget { resource }, .. } => {
                    prompts[node.index()] =
                        Some(format!("{resource}; grant more with --value usd=1.50 or tokens=20000"));
                }
                Event::StepWaiting { node, wait: Wait::Approval { prompt, .. }, .. } => {
                    prompts[node.index()] = Some(prompt);
                }
                Event::WaitEnded { node, .. } | Event::StepCancelled { node } | Event::StepFailed { node, .. } => {
                    prompts[node.index()] = None;
                }
                _ => {}
            }
        }
    }
    let named = plan.nodes.iter().zip(prompts);
    Ok(named.filter_map(|(node, prompt)| Some((node.id.to_string(), prompt?))).collect())
}

fn choose<'a>(waiting: &'a [Question], step: Option<&str>) -> Result<(RunId, &'a str, &'a str), Fault> {
    let names = || waiting.iter().map(|(_, id, _)| id.as_str()).collect::<Vec<_>>().join(", ");
    let found = match (step, waiting) {
        (_, []) => {
            return Err(Fault::user("approval.none", "no step of the run waits for an answer")
                .help("`millwork why` says what a run waits for"));
        }
        (Some(step), _) => waiting.iter().find(|(_, id, _)| id == step).ok_or_else(|| {
            Fault::user("approval.none", format!("the step `{step}` does not wait for approval"))
                .help(format!("waiting: {}", names()))
        })?,
        (None, [only]) => only,
        (None, _) => {
            return Err(
                Fault::user("cli.usage", "several steps wait for approval").help(format!("name one: {}", names()))
            );
        }
    };
    Ok((found.0, &found.1, &found.2))
}

#[cfg(test)]
mod tests {
    use millwork_engine::model::{RunId, Timestamp};

    use super::choose;

    #[test]
    fn the_only_waiting_step_needs_no_name() {
        let run = RunId::from_parts(Timestamp::default(), 1);
        let one = [(run, "a".to_owned(), "Go?".to_owned())];
        let two = [one[0].clone(), (run, "b".to_owned(), "Sure?".to_owned())];
        assert_eq!(choose(&one, None).expect("the only one"), (run, "a", "Go?"));
        assert_eq!(choose(&two, Some("b")).expect("named"), (run, "b", "Sure?"));
        for (waiting, step, code) in
            [(&two[..], None, "cli.usage"), (&[][..], None, "approval.none"), (&one[..], Some("b"), "approval.none")]
        {
            assert_eq!(choose(waiting, step).expect_err("a fault").code.as_str(), code);
        }
    }
}
