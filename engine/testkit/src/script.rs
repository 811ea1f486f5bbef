//! Kinds of steps whose attempts do what a test has written down.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use millwork_engine::{
    data::{Type, Value},
    diag::Diagnostic,
    model::Fault,
    step::{
        CheckContext, Effect, InputTypes, Ports, Registry, Resolved, Services, Step, StepContext, StepEnd, StepKind,
        StepOutput, Templated,
    },
};
use schemars::JsonSchema;
use serde::Deserialize;

/// What one attempt does.
#[derive(Debug, Clone)]
pub enum Act {
    /// Gives its `value:` as the output `value`.
    Echo,
    /// Fails so.
    Fail(Fault),
    /// Panics.
    Panic,
    /// Goes on until it is told to stop.
    Hang,
}

/// What steps do and have done, by `step` or `step.item`. Put it into the engine's `extensions`; what it does not name
/// echoes.
#[derive(Debug, Clone, Default)]
pub struct Script(Arc<Mutex<Acts>>);

#[derive(Debug, Default)]
struct Acts {
    left: HashMap<String, VecDeque<Act>>,
    ran: BTreeMap<String, u32>,
}

impl Script {
    /// What the next attempts of a step do, one after the other; then it echoes.
    #[must_use]
    pub fn then(self, step: &str, acts: impl IntoIterator<Item = Act>) -> Self {
        self.acts().left.entry(step.to_owned()).or_default().extend(acts);
        self
    }

    /// How often each step or item ran.
    pub fn ran(&self) -> BTreeMap<String, u32> {
        self.acts().ran.clone()
    }

    fn next(&self, step: String) -> Act {
        let mut acts = self.acts();
        let act = acts.left.get_mut(&step).and_then(VecDeque::pop_front).unwrap_or(Act::Echo);
        *acts.ran.entry(step).or_default() += 1;
        act
    }

    fn acts(&self) -> MutexGuard<'_, Acts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Registers `scripted`, which acts on the world, and `scripted_pure`, which does not.
pub fn register(registry: &mut Registry) {
    registry.register::<Scripted>().register::<ScriptedPure>();
}

/// `with:` of both.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScriptedConfig {
    /// What an echo gives.
    value: Templated<Value>,
}

struct Scene {
    value: Value,
    script: Option<Arc<Script>>,
}

#[async_trait]
impl Step for Scene {
    async fn run(self: Box<Self>, cx: StepContext) -> Result<StepEnd, Fault> {
        let step = cx.item.map_or_else(|| cx.step.to_string(), |item| format!("{}.{item}", cx.step));
        match self.script.map_or(Act::Echo, |script| script.next(step)) {
            Act::Echo => Ok(StepOutput::none().value("value", self.value).into()),
            Act::Fail(fault) => Err(fault),
            Act::Panic => panic!("by the script"),
            Act::Hang => {
                cx.cancel.cancelled().await;
                Err(Fault::cancelled())
            }
        }
    }
}

macro_rules! scripted {
    ($kind:ident, $name:literal, $effect:ident, $summary:literal) => {
        #[doc = $summary]
        #[derive(Debug)]
        pub struct $kind;

        impl StepKind for $kind {
            type Config = ScriptedConfig;
            const NAME: &'static str = $name;
            const VERSION: u32 = 1;
            const EFFECT: Effect = Effect::$effect;
            const SUMMARY: &'static str = $summary;
            const EXAMPLE: &'static str = concat!(
                "version: 1\nname: example\nsteps:\n  - id: scene\n    uses: ",
                $name,
                "\n    with: {value: 1}\noutputs:\n  value: ${{ steps.scene.outputs.value }}\n"
            );

            fn ports(_: &ScriptedConfig, _: &InputTypes, _: &CheckContext<'_>) -> Result<Ports, Vec<Diagnostic>> {
                Ok(Ports::none().output("value", Type::Any, "what `value:` says"))
            }

            fn build(config: Resolved<'_, ScriptedConfig>, services: &Services) -> Result<Box<dyn Step>, Fault> {
                Ok(Box::new(Scene { value: config.get(&config.value)?, script: services.extensions.get::<Script>() }))
            }
        }
    };
}

scripted!(Scripted, "scripted", External, "Does what a test's script says, with an effect.");
scripted!(ScriptedPure, "scripted_pure", Pure, "Does what a test's script says, without an effect.");
