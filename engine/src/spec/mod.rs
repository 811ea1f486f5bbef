//! Layer 2: YAML text to [`PipelineSpec`], with every problem of the file at once.

mod cx;
mod format;
mod keys;
mod node;
mod permissions;
mod pipeline;
mod read_pipeline;
mod read_step;
mod reader;
mod scalar;
mod schema;
mod shape;
mod source_file;
mod syntax;
mod template;
mod traps;
mod trigger;
mod trigger_spec;
mod workspace;

pub use format::format;
pub use node::{Key, Node, NodeKind, Spanned, Text};
pub use permissions::{Access, Grants, Permissions, split as split_grant};
pub use pipeline::{
    Budget, Concurrency, ForEachSpec, Given, InputSpec, OnConflict, OnExceeded, Order, Persist, PipelineSpec,
    RepeatSpec, StepSpec, TestSpec,
};
pub use read_pipeline::{Outcome, read_pipeline};
pub use reader::{Tree, read_tree};
pub use schema::{KindSchema, json_schema, workspace_json_schema};
pub use shape::{KeyDoc, Keys, Shape};
pub use source_file::{MAX_BYTES, read_source, shown};
pub use template::{template_of, value_of};
pub use trigger_spec::{
    ContentForm, ContentTrigger, FileTrigger, Overlap, ScheduleSpec, SignatureScheme, TriggerInputs, TriggerSpec,
    UpstreamName, UpstreamStatus, UpstreamTrigger, WebhookTrigger,
};
pub use workspace::{Connection, Retention, SecretProvider, Workspace, WorkspaceDurability, read_workspace};
