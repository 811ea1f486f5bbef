use std::{marker::PhantomData, sync::Arc};

use serde_json::Value as Json;

use super::{
    CheckContext, Effect, ErasedKind, InputTypes, Names, ParsedConfig, Ports, Read, Resolved, Services, Step, StepKind,
};
use crate::{diag::Diagnostic, expr::Env, model::Fault, spec::Node};

/// The erased form of a kind.
pub(super) fn erase<K: StepKind>() -> Arc<dyn ErasedKind> {
    Arc::new(Erased::<K>(PhantomData))
}

struct Erased<K>(PhantomData<fn() -> K>);

impl<K: StepKind> Erased<K> {
    /// A configuration that another kind parsed has no place here: a bug, reported as a fault.
    fn config(parsed: &ParsedConfig) -> Option<&K::Config> {
        parsed.config.downcast_ref()
    }
}

impl<K: StepKind> ErasedKind for Erased<K> {
    fn name(&self) -> &'static str {
        K::NAME
    }
    fn version(&self) -> u32 {
        K::VERSION
    }
    fn default_effect(&self) -> Effect {
        K::EFFECT
    }
    fn summary(&self) -> &'static str {
        K::SUMMARY
    }
    fn example(&self) -> &'static str {
        K::EXAMPLE
    }
    fn schema(&self) -> schemars::Schema {
        schemars::schema_for!(K::Config)
    }
    fn parse(&self, with: Option<&Node>) -> Result<ParsedConfig, Vec<Diagnostic>> {
        let (config, fields) = super::config::read::<K::Config>(with)?;
        Ok(ParsedConfig { config: Arc::new(config), fields })
    }
    fn includes(&self, config: &ParsedConfig) -> Vec<String> {
        Self::config(config).map_or_else(Vec::new, K::includes)
    }
    fn asks_person(&self, config: &ParsedConfig) -> bool {
        Self::config(config).is_some_and(K::asks_person)
    }
    fn judge_answer(&self, config: &ParsedConfig, answer: &Json) -> Result<(), String> {
        Self::config(config).map_or(Ok(()), |config| K::judge_answer(config, answer))
    }
    fn effect(&self, config: &ParsedConfig) -> Effect {
        Self::config(config).map_or(K::EFFECT, K::effect)
    }
    fn reads(&self, config: &ParsedConfig, names: &Names) -> Result<Vec<Read>, Vec<Diagnostic>> {
        Self::config(config).map_or(Ok(Vec::new()), |config| K::reads(config, names))
    }
    fn ports(
        &self,
        config: &ParsedConfig,
        inputs: &InputTypes,
        cx: &CheckContext<'_>,
    ) -> Result<Ports, Vec<Diagnostic>> {
        Self::config(config).map_or(Ok(Ports::none()), |config| K::ports(config, inputs, cx))
    }
    fn check(&self, config: &ParsedConfig, cx: &CheckContext<'_>) -> Vec<Diagnostic> {
        Self::config(config).map_or(Vec::new(), |config| K::check(config, cx))
    }
    fn build(&self, config: &ParsedConfig, env: &dyn Env, services: &Services) -> Result<Box<dyn Step>, Fault> {
        let typed = Self::config(config)
            .ok_or_else(|| Fault::internal("config.type", "a configuration was parsed by another kind"))?;
        K::build(Resolved::new(typed, env), services)
    }
}
