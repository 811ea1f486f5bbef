//! Kinds that exist only while `bench` measures: a step that does nothing, and two that hand a table over.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use arrow::{array::Int64Array, record_batch::RecordBatch};
use async_trait::async_trait;
use millwork_engine::{
    data::{Table, Type, Value},
    diag::Diagnostic,
    model::Fault,
    step::{
        CheckContext, Effect, InputTypes, Ports, Registry, Resolved, Services, Step, StepContext, StepEnd, StepKind,
        StepOutput, Templated,
    },
};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::sync::Notify;

/// What the measured steps tell.
#[derive(Debug, Default)]
pub(super) struct Probe {
    /// Told when a step that does nothing has begun.
    pub began: Notify,
    /// Whether steps with `hang` wait until they are stopped.
    hang: bool,
    marks: Mutex<Marks>,
}

#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Marks {
    /// When the maker of a table returned, and where its first column lies.
    pub made: Option<(Instant, usize)>,
    /// The same for its reader's begin.
    pub read: Option<(Instant, usize)>,
}

impl Probe {
    /// For a life in which those steps wait, or do not.
    pub(super) fn hanging(hang: bool) -> Self {
        Self { hang, ..Self::default() }
    }

    pub(super) fn marks(&self) -> Marks {
        *self.marks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn mark(&self, change: impl FnOnce(&mut Marks)) {
        change(&mut self.marks.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// The kinds that are measured.
pub(super) fn registry() -> Registry {
    let mut registry = Registry::new();
    registry.register::<Noop>().register::<Make>().register::<Look>();
    registry
}

fn probe(services: &Services) -> Arc<Probe> {
    services.extensions.get::<Probe>().unwrap_or_default()
}

struct Noop;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NoopConfig {
    value: Option<Templated<Value>>,
    /// The first attempt that succeeds.
    #[serde(default)]
    from: u32,
    #[serde(default)]
    hang: bool,
}

struct Nothing {
    value: Value,
    from: u32,
    hang: bool,
    probe: Arc<Probe>,
}

impl StepKind for Noop {
    type Config = NoopConfig;
    const NAME: &'static str = "bench.noop";
    const VERSION: u32 = 1;
    const EFFECT: Effect = Effect::Pure;
    const SUMMARY: &'static str = "gives what it was given";
    const EXAMPLE: &'static str = "";

    fn ports(_: &NoopConfig, _: &InputTypes, _: &CheckContext<'_>) -> Result<Ports, Vec<Diagnostic>> {
        Ok(Ports::none().output("value", Type::Any, "what it was given"))
    }
    fn build(config: Resolved<'_, NoopConfig>, services: &Services) -> Result<Box<dyn Step>, Fault> {
        Ok(Box::new(Nothing {
            value: config.get_opt(&config.value)?.unwrap_or(Value::Int(1)),
            from: config.from,
            hang: config.hang,
            probe: probe(services),
        }))
    }
}

#[async_trait]
impl Step for Nothing {
    async fn run(self: Box<Self>, cx: StepContext) -> Result<StepEnd, Fault> {
        self.probe.began.notify_one();
        if cx.attempt < self.from {
            return Err(Fault::external("bench.early", "not this attempt"));
        }
        if self.hang && self.probe.hang {
            cx.cancel.cancelled().await;
            return Err(Fault::cancelled());
        }
        Ok(StepOutput::none().value("value", self.value).into())
    }
}

struct Make;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct MakeConfig {
    /// Batches of 8 MiB.
    batches: u32,
}

struct Maker {
    batches: u32,
    probe: Arc<Probe>,
}

impl StepKind for Make {
    type Config = MakeConfig;
    const NAME: &'static str = "bench.make";
    const VERSION: u32 = 1;
    const EFFECT: Effect = Effect::Pure;
    const SUMMARY: &'static str = "makes a table";
    const EXAMPLE: &'static str = "";

    fn ports(_: &MakeConfig, _: &InputTypes, _: &CheckContext<'_>) -> Result<Ports, Vec<Diagnostic>> {
        Ok(Ports::none().output("table", Type::any_table(), "numbers"))
    }
    fn build(config: Resolved<'_, MakeConfig>, services: &Services) -> Result<Box<dyn Step>, Fault> {
        Ok(Box::new(Maker { batches: config.batches, probe: probe(services) }))
    }
}

#[async_trait]
impl Step for Maker {
    async fn run(self: Box<Self>, _: StepContext) -> Result<StepEnd, Fault> {
        let batches = numbers(self.batches)?;
        let at = address(&batches);
        let output = StepOutput::none().value("table", batches);
        self.probe.mark(|marks| marks.made = Some((Instant::now(), at)));
        Ok(output.into())
    }
}

/// Batches of 8 MiB that cannot be compressed.
pub(super) fn numbers(batches: u32) -> Result<Vec<RecordBatch>, Fault> {
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut column = || {
        let values = (0..1 << 18).map(|_| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed as i64
        });
        Arc::new(Int64Array::from_iter_values(values)) as arrow::array::ArrayRef
    };
    let made = (0..batches).map(|_| RecordBatch::try_from_iter(["a", "b", "c", "d"].map(|name| (name, column()))));
    made.collect::<Result<_, _>>().map_err(|e| Fault::internal("bench.table", e.to_string()))
}

/// Where the first column lies in memory.
fn address(batches: &[RecordBatch]) -> usize {
    let first = batches.first().map(|batch| batch.column(0).to_data());
    first.and_then(|data| data.buffers().first().map(|buffer| buffer.as_ptr() as usize)).unwrap_or(0)
}

struct Look;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct LookConfig {
    table: Templated<Value>,
}

struct Looker {
    table: Value,
    probe: Arc<Probe>,
}

impl StepKind for Look {
    type Config = LookConfig;
    const NAME: &'static str = "bench.look";
    const VERSION: u32 = 1;
    const EFFECT: Effect = Effect::Pure;
    const SUMMARY: &'static str = "looks at a table";
    const EXAMPLE: &'static str = "";

    fn ports(_: &LookConfig, _: &InputTypes, _: &CheckContext<'_>) -> Result<Ports, Vec<Diagnostic>> {
        Ok(Ports::none())
    }
    fn build(config: Resolved<'_, LookConfig>, services: &Services) -> Result<Box<dyn Step>, Fault> {
        Ok(Box::new(Looker { table: config.get(&config.table)?, probe: probe(services) }))
    }
}

#[async_trait]
impl Step for Looker {
    async fn run(self: Box<Self>, _: StepContext) -> Result<StepEnd, Fault> {
        let now = Instant::now();
        let at = self.table.as_table().and_then(Table::batches).map_or(0, |batches| address(batches));
        self.probe.mark(|marks| marks.read = Some((now, at)));
        Ok(StepOutput::none().into())
    }
}
