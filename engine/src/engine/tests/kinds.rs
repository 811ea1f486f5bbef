//! A scripted kind: what it does stands in its configuration.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use arrow::{
    array::Int64Array,
    datatypes::{DataType, Field, Schema},
    record_batch::RecordBatch,
};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::sync::Semaphore;

use crate::{
    data::{Type, Value},
    diag::Diagnostic,
    model::{Digest, Fault, NodeIx, Wait},
    step::{
        CheckContext, ChildRequest, ChildRuns, Effect, InputTypes, Ports, Registry, Reservation, Resolved, Resource,
        SecretText, Services, Settlement, Step, StepContext, StepEnd, StepKind, StepOutput, Templated,
    },
};

/// What scripted steps share with their test.
#[derive(Debug, Clone)]
pub(super) struct Stage(pub Arc<Shared>);

#[derive(Debug)]
pub(super) struct Shared {
    /// How often each step ran, by `step` or `step.item`.
    pub ran: Mutex<BTreeMap<String, u32>>,
    /// Steps of `gate` wait for one of these.
    pub gate: Semaphore,
    /// A `gate` step has begun.
    pub begun: Semaphore,
    /// Steps of `block` hold their thread until this is set.
    pub unblocked: AtomicBool,
    /// Where tables that steps made or read lie in memory.
    pub buffers: Mutex<BTreeMap<String, usize>>,
}

impl Stage {
    pub(super) fn new() -> Self {
        Self(Arc::new(Shared {
            ran: Mutex::default(),
            gate: Semaphore::new(0),
            begun: Semaphore::new(0),
            unblocked: AtomicBool::new(false),
            buffers: Mutex::default(),
        }))
    }

    pub(super) fn count(&self, what: &str) {
        *self.0.ran.lock().expect("not poisoned").entry(what.to_owned()).or_default() += 1;
    }

    fn note_buffer(&self, step: &str, batch: &RecordBatch) {
        let at = batch.column(0).to_data().buffers()[0].as_ptr() as usize;
        self.0.buffers.lock().expect("not poisoned").insert(step.to_owned(), at);
    }

    pub(super) fn buffer(&self, step: &str) -> Option<usize> {
        self.0.buffers.lock().expect("not poisoned").get(step).copied()
    }

    pub(super) fn ran(&self, step: &str) -> u32 {
        self.0.ran.lock().expect("not poisoned").get(step).copied().unwrap_or(0)
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Config {
    act: String,
    value: Option<Templated<Value>>,
    token: Option<Templated<SecretText>>,
}

struct Act {
    what: String,
    value: Value,
    token: Option<SecretText>,
    stage: Option<Arc<Stage>>,
    runs: Arc<dyn ChildRuns>,
}

#[async_trait]
impl Step for Act {
    async fn run(self: Box<Self>, cx: StepContext) -> Result<StepEnd, Fault> {
        if let Some(stage) = &self.stage {
            let key = cx.item.map_or_else(|| cx.step.to_string(), |item| format!("{}.{item}", cx.step));
            *stage.0.ran.lock().expect("not poisoned").entry(key).or_default() += 1;
        }
        let value = self.value.clone();
        let failed = || Fault::external("test.failed", "it failed");
        match self.what.as_str() {
            "echo" => {}
            "fail" => return Err(failed()),
            "odd_fails" if matches!(&value, Value::Int(n) if n % 2 == 1) => return Err(failed()),
            "odd_fails" => {}
            "flaky" if cx.attempt < 3 => return Err(failed()),
            "flaky" => {}
            "panic" => panic!("on purpose"),
            "wrong" => return Ok(StepOutput::none().value("other", 1).into()),
            "hang" => {
                if let Some(stage) = &self.stage {
                    stage.0.begun.add_permits(1);
                }
                cx.cancel.cancelled().await;
                return Err(Fault::cancelled());
            }
            "block" => {
                if let Some(stage) = &self.stage {
                    stage.0.begun.add_permits(1);
                    while !stage.0.unblocked.load(Ordering::Acquire) {
                        std::thread::sleep(Duration::from_millis(1));
                    }
                    stage.count("returned");
                }
            }
            // Pays five tokens a call; what it reserved stands if it dies after the call.
            "pay" => {
                let Some(stage) = self.stage.clone() else { return Err(failed()) };
                let calls = value.as_int().unwrap_or(1);
                for call in 0..calls {
                    let reserve = Reservation(vec![(Resource::Tokens, 5)]);
                    let key = format!("call{call}");
                    let stage = stage.clone();
                    let part = move |again: bool| async move {
                        // One that may have been made is asked for by its key: the provider knows it.
                        stage.count(if again { "asked_again" } else { "paid" });
                        stage.0.begun.add_permits(1);
                        stage.0.gate.acquire().await.expect("open").forget();
                        Ok((call, Settlement(vec![(Resource::Tokens, 5)])))
                    };
                    let _: i64 = cx.journal.effect(&key, Digest::of(key.as_bytes()), reserve, part).await?;
                }
            }
            "reveal" => {
                let token = self.token.as_ref().map(SecretText::expose).unwrap_or_default();
                let text = match value.as_str() {
                    Some("base64") => base64::Engine::encode(&base64::prelude::BASE64_STANDARD, token),
                    _ => format!("<{token}>"),
                };
                return Ok(StepOutput::none().value("value", text).into());
            }
            "taint" => {
                let mut output = StepOutput::none().value("value", value);
                let name = crate::model::Name::new("value").expect("a name");
                output.labels.entry(name).or_default().untrusted.insert("web".to_owned());
                return Ok(output.into());
            }
            "days" if cx.answer.is_none() => {
                let days = value.as_int().unwrap_or(1).unsigned_abs();
                let at = cx.started_at.after(Duration::from_secs(days * 86_400));
                return Ok(StepEnd::Park(Wait::Until { at }));
            }
            "nap" if cx.answer.is_none() => {
                let at = cx.started_at.after(Duration::from_millis(1));
                return Ok(StepEnd::Park(Wait::Until { at }));
            }
            "nap" | "days" => {}
            "gate" => {
                if let Some(stage) = &self.stage {
                    stage.0.begun.add_permits(1);
                    stage.0.gate.acquire().await.expect("open").forget();
                }
            }
            "leak" => {
                let token = self.token.as_ref().map(SecretText::expose).unwrap_or_default();
                cx.log.line(format!("the token is {token}"));
                return Err(Fault::external("test.leak", format!("refused {token}")));
            }
            "approve" => {
                let shown = Digest::of(b"Publish?");
                match cx.answer {
                    Some(answer) => {
                        return Ok(StepOutput::none().value("value", answer["note"].as_str().unwrap_or("")).into());
                    }
                    None => return Ok(StepEnd::Park(Wait::Approval { prompt: "Publish?".into(), shown, until: None })),
                }
            }
            "child" => {
                let request = ChildRequest {
                    parent: cx.run,
                    node: NodeIx(0),
                    step: cx.step.clone(),
                    item: cx.item,
                    path: "child.yaml".into(),
                    inputs: serde_json::Map::from_iter([("n".to_owned(), crate::data::encode(&value)?)]),
                    labels: std::collections::HashMap::new(),
                };
                match cx.answer {
                    None => return Ok(StepEnd::Park(Wait::Run { run: self.runs.start(request).await? })),
                    Some(answer) if answer["status"] == "succeeded" => {
                        let doubled = crate::data::decode(&answer["outputs"]["doubled"])?;
                        return Ok(StepOutput::none().value("value", doubled).into());
                    }
                    Some(_) => return Err(failed()),
                }
            }
            "table" => {
                let rows = value.as_int().unwrap_or(0);
                let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, true)]));
                let column = Arc::new(Int64Array::from_iter_values(0..rows));
                let batch = RecordBatch::try_new(schema, vec![column]).expect("a batch");
                if let Some(stage) = &self.stage {
                    stage.note_buffer(cx.step.as_str(), &batch);
                }
                return Ok(StepOutput::none().value("table", vec![batch]).into());
            }
            "rows" => {
                let table = value.as_table().ok_or_else(failed)?;
                let batches = cx.tables.read(table, None, None).await?;
                if let (Some(stage), Some(batch)) = (&self.stage, batches.first()) {
                    stage.note_buffer(cx.step.as_str(), batch);
                    stage.0.begun.add_permits(1);
                }
                let rows = batches.iter().map(|b| b.num_rows() as i64).sum::<i64>();
                return Ok(StepOutput::none().value("value", rows).into());
            }
            looks if looks.starts_with("looks at ") => {}
            other => return Err(Fault::internal("test.act", format!("no act `{other}`"))),
        }
        Ok(StepOutput::none().value("value", value).into())
    }
}

/// A kind that looks at a file while it checks refuses what it does not find.
fn refuse_missing(config: &Config, cx: &CheckContext<'_>) -> Result<(), Vec<Diagnostic>> {
    match config.act.strip_prefix("looks at ") {
        Some(path) if cx.may_look() && !std::path::Path::new(path).exists() => {
            let message = format!("{path} is not there");
            Err(vec![Diagnostic::new(crate::diag::Code::TableSchema, crate::diag::Span::default(), message)])
        }
        _ => Ok(()),
    }
}

fn ports(config: &Config) -> Ports {
    match config.act.as_str() {
        "table" => Ports::none().output("table", Type::any_table(), "rows"),
        _ => Ports::none().output("value", Type::Any, "what was given"),
    }
}

fn build(config: &Resolved<'_, Config>, services: &Services) -> Result<Box<dyn Step>, Fault> {
    Ok(Box::new(Act {
        what: config.act.clone(),
        value: config.get_opt(&config.value)?.unwrap_or(Value::Null),
        token: config.get_opt(&config.token)?,
        stage: services.extensions.get::<Stage>(),
        runs: services.runs.clone(),
    }))
}

macro_rules! kind {
    ($kind:ident, $name:literal, $version:literal, $effect:ident) => {
        pub(super) struct $kind;
        impl StepKind for $kind {
            type Config = Config;
            const NAME: &'static str = $name;
            const VERSION: u32 = $version;
            const EFFECT: Effect = Effect::$effect;
            const SUMMARY: &'static str = "a scripted kind";
            const EXAMPLE: &'static str = "";
            fn ports(config: &Config, _: &InputTypes, cx: &CheckContext<'_>) -> Result<Ports, Vec<Diagnostic>> {
                refuse_missing(config, cx)?;
                Ok(ports(config))
            }
            fn asks_person(config: &Config) -> bool {
                config.act == "approve"
            }
            fn includes(config: &Config) -> Vec<String> {
                if config.act == "child" { vec!["child.yaml".to_owned()] } else { Vec::new() }
            }
            fn build(config: Resolved<'_, Config>, services: &Services) -> Result<Box<dyn Step>, Fault> {
                build(&config, services)
            }
        }
    };
}

kind!(Pure, "pure", 1, Pure);
kind!(PureNext, "pure", 2, Pure);
kind!(External, "act", 1, External);

pub(super) fn registry() -> Registry {
    let mut registry = Registry::new();
    registry.register::<Pure>().register::<External>();
    registry
}

/// The same kinds, of which `pure` has a newer version.
pub(super) fn newer_registry() -> Registry {
    let mut registry = Registry::new();
    registry.register::<PureNext>().register::<External>();
    registry
}
