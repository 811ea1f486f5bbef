//! Faults for people: what, where, cause, help.

use millwork_engine::{graph::Plan, model::Fault};

use super::output::{Output, Tone};

impl Output {
    /// A fault without a place.
    pub fn fault(&self, fault: &Fault) {
        self.fault_at(fault, None);
    }

    /// A fault with its place, such as `step late at pipeline.yaml:12:5`.
    pub fn fault_at(&self, fault: &Fault, place: Option<&str>) {
        let head = self.paint(Tone::Bad, format!("error[{}]", fault.code));
        self.say(format!("{head}: {}", fault.message));
        if let Some(place) = place {
            self.say(format!("  in {place}"));
        }
        if let Some(help) = &fault.help {
            self.say(format!("  help: {help}"));
        }
    }
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
