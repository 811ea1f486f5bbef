use millwork_engine::{
    diag::{Code, Diagnostic},
    step::{CheckContext, OneOrMany, Period, Templated},
};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{attach, attach::Files, people, people::People, server::ServerConfig};

/// `with:` of `notify.email`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EmailConfig {
    /// The server that takes the mail: `{host, port, tls: starttls | implicit | none, user, password}`.
    pub(super) server: ServerConfig,
    /// Who writes, such as `Flights <flights@example.com>`.
    pub(super) from: Templated<People>,
    /// Who gets it: an address or a list of those.
    pub(super) to: OneOrMany<Templated<People>>,
    /// Who gets a copy: an address or a list of those.
    #[serde(default)]
    pub(super) cc: OneOrMany<Templated<People>>,
    /// Whom an answer goes to; `from` if not given.
    #[serde(default)]
    pub(super) reply_to: Option<Templated<People>>,
    /// The line that mailboxes show.
    pub(super) subject: Templated<String>,
    /// The mail as plain text.
    #[serde(default)]
    pub(super) text: Option<Templated<String>>,
    /// The mail as HTML; with `text`, readers choose which they show.
    #[serde(default)]
    pub(super) html: Option<Templated<String>>,
    /// Files to attach: what a step gave, such as `${{ steps.report.outputs.file }}`, or paths; 20 MiB together.
    #[serde(default)]
    pub(super) attach: OneOrMany<Templated<Files>>,
    /// How long handing the mail over may take; `30s` if not given.
    #[serde(default)]
    pub(super) timeout: Option<Period>,
}

impl EmailConfig {
    /// Everything that can be said of it before a run.
    pub(super) fn problems(&self, cx: &CheckContext<'_>) -> Vec<Diagnostic> {
        let mut problems = self.server.problems(cx);
        let people = [&self.from].into_iter().chain(self.to.iter()).chain(self.cc.iter()).chain(&self.reply_to);
        problems.extend(people::problems(people));
        if self.text.is_none() && self.html.is_none() {
            problems.push(
                Diagnostic::new(
                    Code::MissingKey,
                    self.subject.span(),
                    "the mail says nothing: `text` or `html` is missing",
                )
                .help("give `text`, `html`, or both"),
            );
        }
        problems.extend(attach::problems(&self.attach, cx));
        problems
    }
}
