//! Layer 2: YAML text to [`PipelineSpec`], with every problem of the file at once.

mod node;
mod pipeline;

pub use node::{Key, Node, NodeKind, Spanned, Text};
pub use pipeline::{
    Budget, Concurrency, ForEachSpec, Given, InputSpec, OnConflict, OnExceeded, Order, Permissions, Persist,
    PipelineSpec, RepeatSpec, ScheduleSpec, StepSpec, TestSpec, TriggerSpec,
};
