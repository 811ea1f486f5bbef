//! Faults for people: what, where, cause, help.

use millwork_engine::{
    RunSummary,
    graph::Plan,
    model::{Fault, FaultCode, RunStatus},
    spec,
};

use super::output::{Output, Tone};

impl Output {
    /// A fault without a place.
    pub fn fault(&self, fault: &Fault) {
        self.fault_at(fault, None);
    }

    /// A fault with its place, such as `step late at pipeline.yaml:12:5`.
    pub fn fault_at(&self, fault: &Fault, place: Option<&str>) {
        self.say(self.fault_text(fault, place));
    }

    /// A fault that was asked for: the result of a command.
    pub fn tell_fault(&self, fault: &Fault, place: Option<&str>) {
        self.result(self.fault_text(fault, place));
    }

    fn fault_text(&self, fault: &Fault, place: Option<&str>) -> String {
        let head = self.paint(Tone::Bad, format!("error[{}]", fault.code));
        let place = place.map(|place| format!("\n  in {place}")).unwrap_or_default();
        let help = fault.help.as_ref().map(|help| format!("\n  help: {help}")).unwrap_or_default();
        format!("{head}: {}{place}{help}", fault.message)
    }
}

/// Where the thing is written that a run's fault is of: a step, or a key of the pipeline itself.
pub(super) fn place_of_fault(plan: &Plan, summary: &RunSummary) -> Option<String> {
    if let Some(ix) = summary.failed_at {
        return plan.nodes.get(ix.index()).map(|node| place_of(plan, node.id.as_str()));
    }
    let fault = summary.fault.as_ref()?;
    // What fails without a step failing is the time that is up, or what is computed when all have ended.
    let key = match summary.status {
        _ if fault.code == FaultCode::RUN_DEADLINE => "deadline",
        RunStatus::Failed => "outputs",
        _ => return None,
    };
    let source = &plan.spec.source;
    let span = spec::read_tree(source).root.and_then(|root| root.get(key).map(|node| node.span))?;
    let at = source.position(span.start);
    Some(format!("`{key}` at {}:{}:{}", source.name(), at.line, at.column))
}

/// Where a step is written, for people.
pub(super) fn place_of(plan: &Plan, step: &str) -> String {
    match plan.node(step) {
        Some(node) => {
            let source = &plan.spec.source;
            let at = source.position(node.spec.id.span.start);
            format!("step `{step}` at {}:{}:{}", source.name(), at.line, at.column)
        }
        None => format!("step `{step}`"),
    }
}
