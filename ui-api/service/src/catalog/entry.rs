use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use millwork_engine::{
    diag::{Diagnostic, Severity, Source},
    graph::{Bundle, CheckedPipeline, Plan},
    model::Fault,
    spec::PipelineSpec,
};

use super::{Startable, files::Stamp};

/// Reads and checks a pipeline's text; whoever knows the kinds of steps and the workspace gives one.
pub trait Checker: Send + Sync + fmt::Debug {
    /// Checks a text. `name` is what messages call it, `base` the folder that relative paths start from.
    fn check(&self, name: &str, bytes: &[u8], base: &Path) -> CheckedPipeline;

    /// The plan of what was right once, whatever the files say by now.
    fn thaw(&self, bundle: &Bundle) -> Result<Arc<Plan>, Fault>;
}

/// Whether a pipeline can be started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Its file has no error.
    Ready,
    /// Its file has errors. What was right before goes on being started by schedules and triggers.
    Broken,
}

/// A pipeline of the catalog.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its name: the one in the file, or the file's where that cannot be read.
    pub name: String,
    /// Its file.
    pub file: PathBuf,
    /// The text as it is now.
    pub source: Source,
    /// What is wrong with it.
    pub diagnostics: Arc<[Diagnostic]>,
    /// What is started: the text as it is now, or as it was when it was right last.
    pub startable: Option<Arc<Startable>>,
    /// Whether the text as it is now can be started.
    pub standing: Standing,
    /// How many of the diagnostics are of the file alone; the rest is how it stands among the others.
    pub(super) own: usize,
    pub(super) stamps: Vec<(PathBuf, Stamp)>,
    pub(super) checked: Instant,
    /// Whether files of tables were looked at: what they are now is another thing than what they were then.
    pub(super) looked: bool,
}

impl Entry {
    /// The same, with other warnings of how it stands among the others.
    pub(super) fn among(&self, across: Vec<Diagnostic>) -> Self {
        let diagnostics = self.diagnostics.iter().take(self.own).cloned().chain(across).collect();
        Self { diagnostics, ..self.clone() }
    }

    /// Warnings of how it stands among the others.
    pub(super) fn across(&self) -> &[Diagnostic] {
        self.diagnostics.get(self.own..).unwrap_or_default()
    }

    /// The pipeline as read, where there is something to start.
    pub fn spec(&self) -> Option<&Arc<PipelineSpec>> {
        self.startable.as_ref().map(|startable| &startable.spec)
    }

    /// Errors and warnings.
    pub fn counts(&self) -> (usize, usize) {
        let errors = self.diagnostics.iter().filter(|problem| problem.severity == Severity::Error).count();
        (errors, self.diagnostics.len() - errors)
    }
}
