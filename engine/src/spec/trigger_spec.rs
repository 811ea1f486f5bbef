//! What `on:` says.

use std::time::Duration;

use indexmap::IndexMap;

use super::Spanned;
use crate::{
    data::Type,
    expr::Template,
    model::Name,
    schedule::{Calendar, Catchup},
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
    /// `artifact:` whose content changed.
    Artifact(String),
    /// `table:` whose content changed.
    Table(String),
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
    /// `X-Hub-Signature-256` over the body, `X-GitHub-Delivery` as the id. It has no time, so no window.
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
    /// The other pipeline.
    pub name: Spanned<Name>,
    /// How it must have ended.
    pub status: UpstreamStatus,
    /// `inputs:`.
    pub inputs: TriggerInputs,
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
}
