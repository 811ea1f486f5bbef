//! Why a run, or a step of it, stands where it stands.

use axum::{Json, extract::State};
use millwork_engine::{
    RunLook,
    executor::StepFacts,
    graph::PlanNode,
    model::{RunId, RunStatus, SkipReason, StepStatus, Wait},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::run;
use crate::{
    app::App,
    guard::{Caller, Read},
    problem::{Answer, Path, Problem, Query, Refusals},
    views::{FaultView, failed_step, question, word},
};

/// Why a run, or a step of it, stands where it stands.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WhyView {
    /// Sentences for people, most telling first. They do not repeat what `fault` says.
    text: Vec<String>,
    /// The step: the one that was asked about, or the one that the run failed of.
    step: Option<String>,
    /// Why it failed, if it did.
    fault: Option<FaultView>,
}

/// About what.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct About {
    /// A step; the whole run unless given.
    step: Option<String>,
}

/// Steps of a run of which something is said.
const STEPS: usize = 100;

/// Why a run, or a step of it, stands where it stands.
#[utoipa::path(get, path = "/runs/{id}/why", tag = "runs", params(("id" = String, Path, description = "the run"), About), responses((status = 200, body = WhyView), Refusals), security(("token" = ["viewer"])))]
pub(crate) async fn why(
    State(app): State<App>,
    caller: Caller<Read>,
    Path(id): Path<String>,
    Query(about): Query<About>,
) -> Answer<Json<WhyView>> {
    let stored = run(&app, &caller, &id).await?;
    let look = app.service().engine().look(stored.id).await?;
    let mut text = Vec::new();
    if let Some((place, estimate)) = app.service().desk().place(stored.id, &stored.pipeline) {
        text.push(format!("it waits at place {} because {}", place.position, place.blocked));
        let holders: Vec<String> = place.holders.iter().take(5).map(RunId::to_string).collect();
        if !holders.is_empty() {
            text.push(format!("held by {}", holders.join(", ")));
        }
        text.extend(estimate.map(|wait| format!("it may start in about {:.0} s", wait.as_secs_f64())));
    }
    if let Some(step) = about.step {
        let found = look.step(&step).and_then(|(ix, facts)| Some((look.plan.nodes.get(ix.index())?, facts)));
        let (node, facts) = found.ok_or_else(|| Problem::missing("step", &step))?;
        text.push(of_step(&look, node, facts));
        let fault = facts.fault.as_ref().filter(|_| facts.status != StepStatus::Succeeded).map(Into::into);
        return Ok(Json(WhyView { text, step: Some(step), fault }));
    }
    let fault = look.state.fault().filter(|_| stored.status == RunStatus::Failed);
    let failed = failed_step(&look).and_then(|ix| look.plan.nodes.get(ix.index()));
    text.extend(failed.map(|node| format!("step `{}` failed", node.id)));
    let told = look.plan.nodes.iter().zip(&look.facts).filter(|(node, facts)| {
        use StepStatus::{Failed, Ready, Running, Waiting};
        matches!(facts.status, Failed | Ready | Running | Waiting) && failed.is_none_or(|failed| failed.ix != node.ix)
    });
    text.extend(told.take(STEPS).map(|(node, facts)| {
        let why = facts.fault.as_ref().map(|fault| format!(": {}", fault.message)).unwrap_or_default();
        format!("`{}` {}{why}", node.id, of_step(&look, node, facts))
    }));
    if text.is_empty() {
        let word = word(stored.status);
        text.push(match stored.status {
            RunStatus::Succeeded | RunStatus::Failed => format!("it {word}"),
            RunStatus::Cancelled | RunStatus::Interrupted => format!("it was {word}"),
            RunStatus::Queued | RunStatus::Running | RunStatus::Waiting => format!("it is {word}"),
        });
    }
    Ok(Json(WhyView { text, step: failed.map(|node| node.id.to_string()), fault: fault.map(Into::into) }))
}

/// How a step stands, and why.
fn of_step(look: &RunLook, node: &PlanNode, facts: &StepFacts) -> String {
    match (facts.status, &facts.wait, facts.skipped) {
        (StepStatus::Pending, ..) => {
            let needs = look.plan.shape.nodes.get(node.ix.index()).map(|shape| shape.needs.clone()).unwrap_or_default();
            let open = needs.iter().filter(|need| look.facts.get(need.index()).is_some_and(|f| !f.status.is_final()));
            let open = open.filter_map(|need| look.plan.nodes.get(need.index())).map(|node| format!("`{}`", node.id));
            let open: Vec<String> = open.collect();
            if open.is_empty() {
                "has not started".to_owned()
            } else {
                format!("has not started, because {} did not end yet", open.join(", "))
            }
        }
        (StepStatus::Waiting, Some(wait), _) => match wait {
            Wait::Until { at } => format!("waits until {at}"),
            Wait::Approval { prompt, .. } => format!("waits for approval: {}", question(prompt)),
            Wait::Run { run } => format!("waits for {run}"),
            Wait::Budget { resource } => format!("waits for more budget ({resource})"),
        },
        (StepStatus::Skipped, _, Some(reason)) => match reason {
            SkipReason::Condition => "was skipped: its `if` was false",
            SkipReason::Upstream => "was skipped: a step it needs did not succeed",
            SkipReason::NotSelected => "was skipped: it was not asked for",
            SkipReason::RunEnding => "was skipped: the run was ending",
        }
        .to_owned(),
        (StepStatus::Succeeded, ..) if facts.reused => {
            "succeeded without running: an earlier result was taken".to_owned()
        }
        (StepStatus::Failed, ..) => format!("failed in attempt {}", facts.attempts),
        (status, ..) => format!("is {} in attempt {}", word(status), facts.attempts),
    }
}
