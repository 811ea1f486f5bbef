//! Questions to people.

use axum::{Json, extract::State};
use millwork_engine::{
    RunLook,
    graph::PlanNode,
    model::{Fault, RunId, RunStatus, StepStatus, Wait},
    spec::Node,
    store::{Cursor, RunFilter, RunView as Stored},
};
use millwork_service::audit::Action;
use serde_json::json;

use super::run;
use crate::{
    app::App,
    guard::{Caller, Operate, Read},
    page::Page,
    problem::{Answer, AnyJson, Body, Path, Problem, Refusals},
    views::{AnswerRequest, ApprovalView, InputView, RunView, node_json, question, time},
};

/// `form:` of a step, as written.
fn form(node: &PlanNode) -> Vec<InputView> {
    let fields = node.spec.with.as_ref().and_then(|with| with.get("form")).and_then(Node::entries);
    let field = |(key, node): &(millwork_engine::spec::Key, Node)| {
        let text = |name: &str| node.get(name).and_then(Node::text).map(|text| text.value.to_string());
        let ty = text("type").unwrap_or_else(|| "any".to_owned());
        let default = node.get("default").map(node_json);
        InputView {
            name: key.text.to_string(),
            required: !ty.ends_with('?') && default.is_none(),
            ty,
            default,
            default_text: None,
            description: text("description"),
            allowed: node.get("enum").and_then(Node::items).unwrap_or_default().iter().map(node_json).collect(),
        }
    };
    fields.into_iter().flatten().map(field).collect()
}

fn questions(run: &Stored, look: &RunLook) -> Vec<ApprovalView> {
    let waiting = look.plan.nodes.iter().zip(&look.facts).filter(|(_, facts)| facts.status == StepStatus::Waiting);
    let asked = waiting.filter_map(|(node, facts)| {
        let Some(Wait::Approval { prompt, shown, until }) = &facts.wait else { return None };
        Some(ApprovalView {
            run: run.id.to_string(),
            pipeline: run.pipeline.clone(),
            step: node.id.to_string(),
            prompt: question(prompt),
            form: form(node),
            shown: shown.to_string(),
            asked_at: facts.waits_since.map(time),
            until: until.map(time),
            default: node.spec.with.as_ref().and_then(|with| with.get("default")).map(node_json),
        })
    });
    asked.collect()
}

/// Runs that wait, with what they ask.
pub(crate) async fn waiting(app: &App, sees: impl Fn(&str) -> bool) -> Answer<Vec<ApprovalView>> {
    let engine = app.service().engine();
    let mut filter =
        RunFilter { statuses: vec![RunStatus::Waiting, RunStatus::Running], limit: 500, ..RunFilter::default() };
    let mut found = Vec::new();
    loop {
        let page = engine.reader().runs(&filter).await?;
        let Some(last) = page.last() else { break };
        filter.after = Some(Cursor(last.id));
        for run in page.iter().filter(|run| sees(&run.pipeline)) {
            // Most steps of runs under way ask nothing: the list of steps says so without the log.
            let steps = engine.reader().steps(run.id).await?;
            if steps.iter().any(|step| step.status == StepStatus::Waiting) {
                let look = engine.look(run.id).await?;
                found.extend(questions(run, &look));
            }
        }
    }
    Ok(found)
}

/// Questions that wait for an answer, newest runs first.
#[utoipa::path(get, path = "/approvals", tag = "approvals", responses((status = 200, body = Page<ApprovalView>), Refusals), security(("token" = ["viewer"])))]
pub(crate) async fn list(State(app): State<App>, caller: Caller<Read>) -> Answer<Json<Page<ApprovalView>>> {
    Ok(Json(Page::whole(waiting(&app, |pipeline| caller.sees(pipeline)).await?)))
}

/// Answers a question: `answer` is `{approved: bool, values: {..}}`. It is refused if something else is shown by now.
#[utoipa::path(post, path = "/approvals/{run}/{step}", tag = "approvals", params(("run" = String, Path, description = "the run"), ("step" = String, Path, description = "the step")), request_body = AnswerRequest, responses((status = 200, body = RunView), Refusals), security(("token" = ["operator"])))]
pub(crate) async fn answer(
    State(app): State<App>,
    caller: Caller<Operate>,
    Path((id, step)): Path<(String, String)>,
    Body(request): Body<AnswerRequest>,
) -> Answer<Json<RunView>> {
    let stored = run(&app, &caller, &id).await?;
    let service = app.service();
    let look = service.engine().look(stored.id).await?;
    let asked = questions(&stored, &look).into_iter().find(|question| question.step == step);
    let Some(asked) = asked else {
        let fault = Fault::user("answer.none", format!("step `{step}` of {id} waits for nobody's answer"));
        return Err(Problem::conflict(fault.help("it was answered already, or it does not ask")));
    };
    if asked.shown != request.shown {
        let fault = Fault::user("answer.stale", format!("step `{step}` of {id} shows something else by now"));
        return Err(Problem::conflict(fault.help("read the question again")));
    }
    let AnyJson::Object(mut answer) = request.answer else { return Err(Problem::bad("`answer` is an object")) };
    answer.insert("by".to_owned(), json!(caller.name()));
    let detail = json!({"run": id, "step": step, "shown": request.shown, "approved": answer.get("approved")});
    service.engine().answer(stored.id, &step, AnyJson::Object(answer), caller.name()).await?;
    service.audit().record(caller.name(), Action::ApprovalAnswer, &format!("{id}/{step}"), detail).await?;
    let run: RunId = stored.id;
    Ok(Json(RunView::from(&service.engine().reader().run(run).await?)))
}
