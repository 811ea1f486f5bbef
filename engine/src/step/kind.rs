use std::{cell::Cell, collections::BTreeMap, fmt, path::Path};

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use super::{ChildPorts, Effect, InputTypes, Names, Ports, Read, Resolved, Services, StepContext, StepEnd};
use crate::{diag::Diagnostic, model::Fault, spec::Grants};

/// A kind of step, as its author writes it. The registry holds an erased form of it.
///
/// Order of calls: at `check` the configuration is deserialised, then [`StepKind::reads`],
/// [`StepKind::ports`], [`StepKind::check`]; in an attempt [`StepKind::build`], then [`Step::run`].
pub trait StepKind: Send + Sync + 'static {
    /// What stands under `with:`. Fields that may hold an expression are
    /// [`Templated`](super::Templated); texts whose places matter are [`Located`](super::Located).
    /// Derive with `#[serde(deny_unknown_fields)]`.
    type Config: DeserializeOwned + JsonSchema + Send + Sync + 'static;

    /// What `uses:` says, such as `table.read`.
    const NAME: &'static str;
    /// Raised when equal configuration and inputs may give other outputs than before: parks runs
    /// under way and drops cached results.
    const VERSION: u32;
    /// What running it does, unless the configuration says otherwise.
    const EFFECT: Effect;
    /// One line for the catalogue.
    const SUMMARY: &'static str;
    /// A whole pipeline that uses the kind; a test checks and runs it.
    const EXAMPLE: &'static str;

    /// What running it does with this configuration.
    fn effect(config: &Self::Config) -> Effect {
        let _ = config;
        Self::EFFECT
    }

    /// What it reads beyond the expressions in its configuration.
    fn reads(config: &Self::Config, names: &Names) -> Result<Vec<Read>, Vec<Diagnostic>> {
        let _ = (config, names);
        Ok(Vec::new())
    }

    /// Files, by their paths from the pipeline's folder, whose text is frozen into every run:
    /// sub-pipelines, templates, scripts. They are read before [`StepKind::ports`] is asked, and stand
    /// in [`CheckContext::files`].
    fn includes(config: &Self::Config) -> Vec<String> {
        let _ = config;
        Vec::new()
    }

    /// Whether it may park until a person answers, which items of a fan-out cannot.
    fn asks_person(config: &Self::Config) -> bool {
        let _ = config;
        false
    }

    /// Its outputs, given the types of what it reads.
    fn ports(config: &Self::Config, inputs: &InputTypes, cx: &CheckContext<'_>) -> Result<Ports, Vec<Diagnostic>>;

    /// Further checks. No network, no GPU and no credentials are needed for them.
    fn check(config: &Self::Config, cx: &CheckContext<'_>) -> Vec<Diagnostic> {
        let _ = (config, cx);
        Vec::new()
    }

    /// Looks at an answer to what the step asks a person, before it is recorded. The error is a sentence for the
    /// person. The step itself judges it again.
    fn judge_answer(config: &Self::Config, answer: &Json) -> Result<(), String> {
        let _ = (config, answer);
        Ok(())
    }

    /// Makes the step of one attempt; fields are resolved here.
    fn build(config: Resolved<'_, Self::Config>, services: &Services) -> Result<Box<dyn Step>, Fault>;
}

/// What a kind may look at while it checks.
#[derive(Clone)]
pub struct CheckContext<'a> {
    /// The folder that relative paths start from: the pipeline file's.
    pub base: &'a Path,
    /// What the step was granted.
    pub permissions: &'a Grants,
    /// Columns that a table step promises in `schema:` are trusted; files are looked at only if this is set.
    read_files: bool,
    /// Whether a kind asked, and so may have looked.
    looked: Cell<bool>,
    /// Texts of the included files that could be read, by path as written.
    pub files: &'a BTreeMap<String, String>,
    /// The checked inputs and outputs of an included pipeline, by path as written; the error is one
    /// sentence. `None` where a kind is looked at outside of a pipeline.
    pub child: Option<&'a ChildLookup<'a>>,
}

/// Finds inputs and outputs of an included pipeline.
pub type ChildLookup<'a> = dyn Fn(&str) -> Result<ChildPorts, String> + 'a;

static NO_FILES: BTreeMap<String, String> = BTreeMap::new();

impl<'a> CheckContext<'a> {
    /// A context without included files.
    pub fn new(base: &'a Path, permissions: &'a Grants, read_files: bool) -> Self {
        Self { base, permissions, read_files, looked: Cell::new(false), files: &NO_FILES, child: None }
    }

    /// Whether the files that a step will read may be looked at now. Ask only if there is one: what a pipeline is found
    /// to be then holds only as long as its files stay as they are.
    pub fn may_look(&self) -> bool {
        self.looked.set(self.looked.get() || self.read_files);
        self.read_files
    }

    /// Whether a kind was told that it may look.
    pub fn has_looked(&self) -> bool {
        self.looked.get()
    }

    /// Inputs and outputs of an included pipeline.
    pub fn child(&self, path: &str) -> Result<ChildPorts, String> {
        match self.child {
            Some(child) => child(path),
            None => Err(format!("`{path}` cannot be looked at here")),
        }
    }
}

impl fmt::Debug for CheckContext<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CheckContext")
            .field("base", &self.base)
            .field("read_files", &self.read_files)
            .finish_non_exhaustive()
    }
}

/// One attempt's work.
#[async_trait]
pub trait Step: Send {
    /// Does the work. Runs on the compute runtime; must end soon after
    /// [`StepContext::cancel`] is triggered.
    async fn run(self: Box<Self>, cx: StepContext) -> Result<StepEnd, Fault>;
}
