//! What `on:` says.

use std::time::Duration;

use indexmap::IndexMap;

use super::Spanned;
use crate::{
    data::Type,
    expr::Template,
    model::Name,
    schedule::{Calendar, Catchup, FinishBy},
};

/// Inputs of the runs that a trigger starts.
pub type TriggerInputs = IndexMap<Name, Spanned<Template>>;

/// One trigger of `on:`; checked here, served by `serve`.
#[derive(Debug, Clone)]
pub enum TriggerSpec {
    /// `schedule:`.
    Schedule(Box<ScheduleSpec>),
    /// `webhook:`.
    Webhook(WebhookTrigger),
    /// `file:`: arrival of files.
    File(FileTrigger),
    /// `pipeline:`: another pipeline's end.
    Pipeline(UpstreamTrigger),
    /// `table:` or `artifact:`: an output of another pipeline whose content changed.
    Content(ContentTrigger),
    /// `manual:`.
    Manual,
}

/// One element of `on.schedule`.
#[derive(Debug, Clone)]
pub struct ScheduleSpec {
    /// Its times: `cron`, `timezone` and `dst`.
    pub calendar: Calendar,
    /// `catchup:` and `catchup_limit:`.
    pub catchup: Catchup,
    /// `overlap:`.
    pub overlap: Overlap,
    /// `jitter:`: a delay is drawn up to this.
    pub jitter: Option<Duration>,
    /// `finish_by:`: a run that has not succeeded by then is late.
    pub finish_by: Option<FinishBy>,
    /// `inputs:`.
    pub inputs: TriggerInputs,
}

/// `overlap:`: what happens when the run before is not over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Overlap {
    /// No new run.
    #[default]
    Skip,
    /// The new run waits.
    Queue,
    /// The old run is cancelled.
    Cancel,
    /// Both run.
    Allow,
}

/// `on.webhook`.
#[derive(Debug, Clone)]
pub struct WebhookTrigger {
    /// Path of the URL.
    pub path: String,
    /// HTTP method.
    pub method: String,
    /// Name of the secret that signs requests.
    pub secret: Option<String>,
    /// How they are signed.
    pub scheme: SignatureScheme,
    /// How old a signed request may be.
    pub window: Duration,
    /// Type of the body: what `event.body` is.
    pub body: Type,
    /// `inputs:`.
    pub inputs: TriggerInputs,
}

/// `on.webhook.scheme`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SignatureScheme {
    /// <https://www.standardwebhooks.com>: headers `webhook-id`, `webhook-timestamp`, `webhook-signature`.
    #[default]
    Standard,
    /// `X-Hub-Signature-256` over the body, `X-GitHub-Delivery` as the id. It has no time, so no window, and
    /// the id is not signed: an equal body is the same delivery, whatever its id.
    Github,
}

/// `on.file`.
#[derive(Debug, Clone)]
pub struct FileTrigger {
    /// Paths or globs.
    pub paths: Vec<Spanned<String>>,
    /// A file is taken when it has not changed for this long.
    pub settle: Duration,
    /// `inputs:`.
    pub inputs: TriggerInputs,
}

/// `on.pipeline`.
#[derive(Debug, Clone)]
pub struct UpstreamTrigger {
    /// Which other pipeline.
    pub name: UpstreamName,
    /// What must have come of it.
    pub status: UpstreamStatus,
    /// `inputs:`.
    pub inputs: TriggerInputs,
}

/// `on.pipeline.name`.
#[derive(Debug, Clone)]
pub enum UpstreamName {
    /// `*`: any but the pipeline itself.
    Any,
    /// This one.
    Named(Spanned<Name>),
}

/// `on.pipeline.status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpstreamStatus {
    /// Well.
    Succeeded,
    /// With a fault.
    Failed,
    /// In any way.
    Any,
    /// Not at all: it has not succeeded by the time that `finish_by:` of its schedule says.
    Late,
}

impl UpstreamTrigger {
    /// Whether it is about a pipeline; nothing starts itself by `*`.
    pub fn is_about(&self, pipeline: &str, own: &str) -> bool {
        match &self.name {
            UpstreamName::Named(name) => name.value.as_str() == pipeline,
            UpstreamName::Any => own != pipeline,
        }
    }

    /// Whether it is about any pipeline.
    pub fn is_about_any(&self) -> bool {
        matches!(self.name, UpstreamName::Any)
    }
}

/// `on.table` or `on.artifact`.
#[derive(Debug, Clone)]
pub struct ContentTrigger {
    /// Which of the two.
    pub form: ContentForm,
    /// The other pipeline.
    pub pipeline: Name,
    /// Its output.
    pub output: Name,
    /// `inputs:`.
    pub inputs: TriggerInputs,
}

/// What a trigger compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContentForm {
    /// The rows of a table, in any order.
    Table,
    /// The bytes of a file, or any other value.
    Artifact,
}

impl ContentForm {
    /// Its key in `on:`.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Artifact => "artifact",
        }
    }
}

impl std::fmt::Display for ContentTrigger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.pipeline, self.output)
    }
}

impl std::fmt::Display for UpstreamTrigger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = match &self.name {
            UpstreamName::Any => "any other pipeline",
            UpstreamName::Named(name) => name.value.as_str(),
        };
        let what = match self.status {
            UpstreamStatus::Succeeded => "succeeded",
            UpstreamStatus::Failed => "failed",
            UpstreamStatus::Any => "ended",
            UpstreamStatus::Late => "is late",
        };
        write!(f, "{name} {what}")
    }
}
