use std::path::PathBuf;

use millwork_engine::{
    Engine,
    model::{Event, Fault, RunId, Wait},
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
        let waiting = waiting(engine, id).await?;
        let (step, prompt) = choose(&waiting, step)?;
        let values: Map<String, Json> = values.into_iter().map(|(name, value)| (name, Json::from(value))).collect();
        let by = by.unwrap_or_else(user);
        engine.answer(id, step, json!({"approved": approved, "by": by, "values": values}), &by).await?;
        output.say(prompt);
        output.say(format!("{} by {by}", if approved { "approved" } else { "refused" }));
        Ok(Exit::Ok)
    })
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

fn choose<'a>(waiting: &'a [(String, String)], step: Option<&str>) -> Result<(&'a str, &'a str), Fault> {
    let names = || waiting.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>().join(", ");
    let found = match (step, waiting) {
        (_, []) => return Err(Fault::user("approval.none", "no step of the run waits for approval")),
        (Some(step), _) => waiting.iter().find(|(id, _)| id == step).ok_or_else(|| {
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
    Ok((&found.0, &found.1))
}

#[cfg(test)]
mod tests {
    use super::choose;

    #[test]
    fn the_only_waiting_step_needs_no_name() {
        let one = [("a".to_owned(), "Go?".to_owned())];
        let two = [one[0].clone(), ("b".to_owned(), "Sure?".to_owned())];
        assert_eq!(choose(&one, None).expect("the only one"), ("a", "Go?"));
        assert_eq!(choose(&two, Some("b")).expect("named"), ("b", "Sure?"));
        for (waiting, step, code) in
            [(&two[..], None, "cli.usage"), (&[][..], None, "approval.none"), (&one[..], Some("b"), "approval.none")]
        {
            assert_eq!(choose(waiting, step).expect_err("a fault").code.as_str(), code);
        }
    }
}
