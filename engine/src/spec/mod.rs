//! Layer 2: YAML text to [`PipelineSpec`], with every problem of the file at once.

mod cx;
mod keys;
mod node;
mod pipeline;
mod read_pipeline;
mod read_step;
mod reader;
mod scalar;
mod schema;
mod shape;
mod source_file;
mod template;
mod traps;
mod trigger;
mod trigger_spec;
mod workspace;

pub use node::{Key, Node, NodeKind, Spanned, Text};
pub use pipeline::{
    Budget, Concurrency, ForEachSpec, Given, InputSpec, OnConflict, OnExceeded, Order, Permissions, Persist,
    PipelineSpec, RepeatSpec, StepSpec, TestSpec,
};
pub use read_pipeline::{Outcome, read_pipeline};
pub use reader::{Tree, read_tree};
pub use schema::{KindSchema, json_schema, workspace_json_schema};
pub use shape::{KeyDoc, Keys, Shape};
pub use source_file::{MAX_BYTES, read_source, shown};
pub use template::{template_of, value_of};
pub use trigger_spec::{
    Catchup, DstGap, DstOverlap, FileTrigger, Overlap, ScheduleSpec, TriggerInputs, TriggerSpec, UpstreamStatus,
    UpstreamTrigger, WebhookTrigger,
};
pub use workspace::{Connection, Retention, SecretProvider, Workspace, WorkspaceDurability, read_workspace};
