use super::{Section, draft::Draft, guard};
use crate::{
    data::Value,
    diag::{Code, Diagnostic},
    expr::{Env, Expr, Labelled, Root, StatusCall},
    model::{Fault, Timestamp},
};

/// Steps that can never run, and conditions that decide nothing.
pub(super) fn find(drafts: &[Draft], problems: &mut Vec<Diagnostic>) {
    for draft in drafts {
        judge(draft, draft.section == Section::Main, problems);
        draft.body.iter().for_each(|step| judge(step, false, problems));
    }
}

fn judge(draft: &Draft, main: bool, problems: &mut Vec<Diagnostic>) {
    let Some(condition) = &draft.spec.condition else { return };
    let id = &draft.spec.id.value;
    let never = |why: &str| {
        Diagnostic::new(Code::NeverRuns, condition.span, format!("the step `{id}` never runs: {why}"))
            .help("mend the condition, or remove the step")
    };
    let has = |part: &str| draft.guards.iter().any(|guard| guard == part);
    let calls = condition.value.status_calls();
    match constant(&condition.value) {
        Some(false) => return problems.push(never("its condition is always false")),
        Some(true) => {
            let problem = Diagnostic::new(Code::AlwaysTrue, condition.span, "the condition is always true");
            return problems.push(problem.help("remove the `if`"));
        }
        None => {}
    }
    if guard::contradicts(&draft.guards) || (has("success()") && has("failure()")) {
        problems.push(never("its condition contradicts itself"));
    } else if main && has("failure()") && draft.needs.is_empty() && calls.contains(&StatusCall::Failure) {
        problems.push(
            never("`failure()` asks about the steps it needs, and it needs none")
                .help("name them in `needs`, or move the step to `on_failure`"),
        );
    }
}

/// The value of a condition that depends on nothing.
fn constant(condition: &Expr) -> Option<bool> {
    let text = condition.source();
    let timed = text.contains("now(") || text.contains("today(");
    if timed || !condition.references().is_empty() || !condition.status_calls().is_empty() {
        return None;
    }
    match condition.eval(&Nothing).ok()?.value {
        Value::Bool(holds) => Some(holds),
        _ => None,
    }
}

struct Nothing;

impl Env for Nothing {
    fn value(&self, root: &Root) -> Result<Labelled, Fault> {
        Err(Fault::internal("check.constant", format!("`{root}` has no value at check")))
    }
    fn status(&self, _: &StatusCall) -> Result<bool, Fault> {
        Err(Fault::internal("check.constant", "no step has a status at check"))
    }
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(0)
    }
}
