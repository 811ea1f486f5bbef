//! Spans of the steps of a run: `run > step > attempt > call`. They cost next to nothing where nobody listens.

use std::collections::HashMap;

use tracing::Span;

use crate::model::NodeIx;

/// The steps under way, each with its span: from the first attempt that is begun here until the step ends or parks.
#[derive(Debug, Default)]
pub(super) struct Spans(HashMap<NodeIx, Span>);

impl Spans {
    /// The span of a step, opened where it was not; inside the span of the run.
    pub(super) fn of(&mut self, node: NodeIx, name: &str) -> Span {
        let open = || {
            tracing::info_span!(
                "step",
                otel.name = %format_args!("step {name}"),
                otel.status_code = tracing::field::Empty,
                step = name
            )
        };
        self.0.entry(node).or_insert_with(open).clone()
    }

    /// The step ended, or parked.
    pub(super) fn close(&mut self, node: NodeIx, failed: bool) {
        let Some(span) = self.0.remove(&node) else { return };
        if failed {
            span.record("otel.status_code", "ERROR");
        }
    }
}
