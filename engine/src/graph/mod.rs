//! Layer 4: from a [`PipelineSpec`](crate::spec::PipelineSpec) and the registry to a checked plan.

mod bundle;
mod plan;
mod shape;

pub use bundle::Bundle;
pub use plan::{CheckedPipeline, Edge, Plan, PlanNode, Work};
pub use shape::{Form, NodeShape, Section, Shape};
