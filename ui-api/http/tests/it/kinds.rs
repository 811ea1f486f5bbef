//! Kinds of steps for these tests, beside the scripted ones.

use std::{collections::BTreeSet, sync::Arc};

use arrow::{
    array::{Int64Array, StringArray},
    datatypes::{DataType, Field, Schema},
    record_batch::RecordBatch,
};
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
use millwork_testkit::script;
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::sync::watch;

/// Every kind that the pipelines of these tests use.
pub(crate) fn registry() -> Registry {
    let mut registry = Registry::new();
    script::register(&mut registry);
    millwork_flow::register(&mut registry);
    registry.register::<Gate>().register::<Says>().register::<Rows>();
    registry
}

/// Which gates are open.
#[derive(Debug, Clone)]
pub(crate) struct Gates(Arc<watch::Sender<BTreeSet<String>>>);

impl Default for Gates {
    fn default() -> Self {
        Self(Arc::new(watch::channel(BTreeSet::new()).0))
    }
}

impl Gates {
    /// Lets through who stands there and who comes.
    pub(crate) fn open(&self, name: &str) {
        self.0.send_modify(|open| {
            open.insert(name.to_owned());
        });
    }
}

/// `with:` of all three.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ValueConfig {
    /// The gate's name, or how many.
    value: Templated<Value>,
}

fn whole(value: &Value) -> i64 {
    value.as_int().unwrap_or_default()
}

macro_rules! kind {
    ($kind:ident, $name:literal, $output:literal, $ty:expr, $effect:ident) => {
        #[derive(Debug)]
        pub(crate) struct $kind;

        impl StepKind for $kind {
            type Config = ValueConfig;
            const NAME: &'static str = $name;
            const VERSION: u32 = 1;
            const EFFECT: Effect = Effect::$effect;
            const SUMMARY: &'static str = "For tests.";
            const EXAMPLE: &'static str = "";

            fn ports(_: &ValueConfig, _: &InputTypes, _: &CheckContext<'_>) -> Result<Ports, Vec<Diagnostic>> {
                Ok(Ports::none().output($output, $ty, "for tests"))
            }

            fn build(config: Resolved<'_, ValueConfig>, services: &Services) -> Result<Box<dyn Step>, Fault> {
                let value = config.get(&config.config().value)?;
                Ok(Box::new(Doing::<$kind> { value, gates: services.extensions.get::<Gates>(), kind: $kind }))
            }
        }
    };
}

struct Doing<K> {
    value: Value,
    gates: Option<Arc<Gates>>,
    kind: K,
}

kind!(Gate, "gate", "value", Type::Any, Idempotent);
kind!(Says, "says", "value", Type::Any, Idempotent);
kind!(Rows, "rows", "table", Type::table(schema().into()), Idempotent);

#[async_trait]
impl Step for Doing<Gate> {
    async fn run(self: Box<Self>, cx: StepContext) -> Result<StepEnd, Fault> {
        let Self { value, gates, kind: Gate } = *self;
        let name = value.as_str().unwrap_or_default().to_owned();
        let gates = gates.ok_or_else(|| Fault::internal("test", "no gates"))?;
        let mut open = gates.0.subscribe();
        tokio::select! {
            _ = open.wait_for(|open| open.contains(&name)) => Ok(StepOutput::none().value("value", value).into()),
            () = cx.cancel.cancelled() => Err(Fault::cancelled()),
        }
    }
}

#[async_trait]
impl Step for Doing<Says> {
    async fn run(self: Box<Self>, cx: StepContext) -> Result<StepEnd, Fault> {
        let Self { value, kind: Says, .. } = *self;
        for n in 0..whole(&value) {
            cx.log.line(if n % 10 == 7 { format!("line {n} has a Needle") } else { format!("line {n}") });
        }
        Ok(StepOutput::none().value("value", value).into())
    }
}

fn schema() -> Schema {
    Schema::new(vec![Field::new("n", DataType::Int64, false), Field::new("name", DataType::Utf8, true)])
}

#[async_trait]
impl Step for Doing<Rows> {
    async fn run(self: Box<Self>, _: StepContext) -> Result<StepEnd, Fault> {
        let Self { value, kind: Rows, .. } = *self;
        let schema = Arc::new(schema());
        // Several batches, so that a page crosses their borders.
        let batches = (0..whole(&value)).collect::<Vec<_>>();
        let batches = batches.chunks(7).map(|some| {
            let names = some.iter().map(|n| (n % 3 != 0).then(|| format!("row {n}")));
            let columns: (Int64Array, StringArray) = (some.iter().copied().collect(), names.collect());
            RecordBatch::try_new(schema.clone(), vec![Arc::new(columns.0), Arc::new(columns.1)]).expect("a batch")
        });
        let table = Table::with_schema(schema.clone(), batches.collect());
        Ok(StepOutput::none().value("table", table).into())
    }
}
