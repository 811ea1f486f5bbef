use std::{any::Any, collections::BTreeMap, fmt, sync::Arc};

use serde_json::Value as Json;

use super::{CheckContext, Effect, Field, InputTypes, Names, Ports, Read, Services, Step, StepKind};
use crate::{diag::Diagnostic, expr::Env, model::Fault, spec::Node};

/// A deserialised configuration and what was met in it.
#[derive(Clone)]
pub struct ParsedConfig {
    /// The kind's own configuration type.
    pub config: Arc<dyn Any + Send + Sync>,
    /// Its templated fields.
    pub fields: Vec<Field>,
}

/// A [`StepKind`] without its types.
pub trait ErasedKind: Send + Sync {
    /// What `uses:` says.
    fn name(&self) -> &'static str;
    /// See [`StepKind::VERSION`].
    fn version(&self) -> u32;
    /// See [`StepKind::EFFECT`].
    fn default_effect(&self) -> Effect;
    /// One line for the catalogue.
    fn summary(&self) -> &'static str;
    /// A whole pipeline that uses the kind.
    fn example(&self) -> &'static str;
    /// JSON Schema of the configuration.
    fn schema(&self) -> schemars::Schema;
    /// Reads `with:`; every problem at once. `None` stands for no `with:`.
    fn parse(&self, with: Option<&Node>) -> Result<ParsedConfig, Vec<Diagnostic>>;
    /// See [`StepKind::includes`].
    fn includes(&self, config: &ParsedConfig) -> Vec<String>;
    /// See [`StepKind::asks_person`].
    fn asks_person(&self, config: &ParsedConfig) -> bool;
    /// See [`StepKind::judge_answer`].
    fn judge_answer(&self, config: &ParsedConfig, answer: &Json) -> Result<(), String>;
    /// See [`StepKind::effect`].
    fn effect(&self, config: &ParsedConfig) -> Effect;
    /// See [`StepKind::reads`].
    fn reads(&self, config: &ParsedConfig, names: &Names) -> Result<Vec<Read>, Vec<Diagnostic>>;
    /// See [`StepKind::ports`].
    fn ports(
        &self,
        config: &ParsedConfig,
        inputs: &InputTypes,
        cx: &CheckContext<'_>,
    ) -> Result<Ports, Vec<Diagnostic>>;
    /// See [`StepKind::check`].
    fn check(&self, config: &ParsedConfig, cx: &CheckContext<'_>) -> Vec<Diagnostic>;
    /// See [`StepKind::build`].
    fn build(&self, config: &ParsedConfig, env: &dyn Env, services: &Services) -> Result<Box<dyn Step>, Fault>;
}

/// Every kind of step that a process knows.
#[derive(Clone, Default)]
pub struct Registry {
    kinds: BTreeMap<&'static str, Arc<dyn ErasedKind>>,
}

impl Registry {
    /// A registry without kinds.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a kind.
    pub fn register<K: StepKind>(&mut self) -> &mut Self {
        let kind = super::erased::erase::<K>();
        self.kinds.insert(kind.name(), kind);
        self
    }

    /// The kind of a name.
    pub fn get(&self, name: &str) -> Option<&Arc<dyn ErasedKind>> {
        self.kinds.get(name)
    }

    /// Every kind, by name.
    pub fn kinds(&self) -> impl Iterator<Item = &Arc<dyn ErasedKind>> {
        self.kinds.values()
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.kinds.keys()).finish()
    }
}

impl fmt::Debug for ParsedConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ParsedConfig").field("fields", &self.fields).finish_non_exhaustive()
    }
}
