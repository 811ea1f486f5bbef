//! Layer 4: from a [`PipelineSpec`](crate::spec::PipelineSpec) and the registry to a checked plan.

mod across;
mod build;
mod bundle;
mod check;
mod cycles;
mod dead;
mod declared;
mod draft;
mod draw;
mod edges;
mod fingerprint;
mod guard;
mod include;
mod lint;
mod names;
mod options;
mod outputs;
mod plan;
mod priority;
mod scope;
mod shape;
mod triggers;
mod types;
mod walk;

#[cfg(test)]
mod tests;

pub use across::triggers_across;
pub use bundle::Bundle;
pub use check::{check, check_text};
pub use draw::{Drawing, draw};
pub use options::CheckOptions;
pub use plan::{CheckedPipeline, Edge, Plan, PlanNode, Work};
pub use shape::{Form, NodeShape, Section, Shape};
