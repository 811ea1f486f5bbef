//! An engine over the store in memory, with secrets, for pipelines in YAML.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use async_trait::async_trait;
use millwork_engine::{
    Durability, Engine, EngineOptions, RunHandle, RunRequest, RunSummary,
    data::{Scan, ScanReader},
    diag::Source,
    graph::{CheckOptions, CheckedPipeline, check_text},
    model::{Fault, SystemClock, Timestamp},
    step::{Extensions, Registry, SecretProvider},
    store::{LocalArtifacts, MemoryStore},
};
use millwork_testkit::{FaultPlan, FaultyStore};

/// What outlives an engine.
pub(crate) struct Lab {
    pub home: tempfile::TempDir,
    pub store: Arc<FaultyStore<MemoryStore>>,
    secrets: Secrets,
}

#[derive(Debug, Clone)]
struct Secrets(Arc<BTreeMap<&'static str, String>>);

impl SecretProvider for Secrets {
    fn open(&self, name: &str) -> Result<Arc<str>, Fault> {
        let text = self.0.get(name).ok_or_else(|| Fault::user("secret.missing", format!("no secret `{name}`")))?;
        Ok(text.as_str().into())
    }
    fn version(&self, name: &str) -> Result<String, Fault> {
        self.open(name).map(|_| String::new())
    }
}

#[derive(Debug)]
struct NoScans;

#[async_trait]
impl ScanReader for NoScans {
    async fn read(
        &self,
        _: &Scan,
        _: &arrow::datatypes::SchemaRef,
        _: Option<&[String]>,
        _: Option<u64>,
    ) -> Result<Vec<arrow::record_batch::RecordBatch>, Fault> {
        Err(Fault::internal("test", "no tables here"))
    }
    async fn count(&self, _: &Scan, _: &arrow::datatypes::SchemaRef) -> Result<u64, Fault> {
        Err(Fault::internal("test", "no tables here"))
    }
}

pub(crate) fn registry() -> Registry {
    let mut registry = Registry::new();
    millwork_notify::register(&mut registry);
    registry
}

/// A pipeline in YAML, read and checked in a folder.
pub(crate) fn check(text: &str, base: &Path) -> CheckedPipeline {
    let include = |_: &str| Err("it is not there".to_owned());
    let options = CheckOptions { read_files: true, strict: false, include: &include, around: &[] };
    check_text(&Source::new("p.yaml", text), base, &registry(), options)
}

/// A pipeline of one step `tell`, from its lines; declares the secrets.
pub(crate) fn pipeline(secrets: &[&str], step: &str) -> String {
    let lines: String = step.lines().map(|line| format!("    {line}\n")).collect();
    let declared = if secrets.is_empty() { String::new() } else { format!("secrets: [{}]\n", secrets.join(", ")) };
    format!("version: 1\nname: p\n{declared}steps:\n  - id: tell\n{lines}")
}

impl Lab {
    pub(crate) fn new(secrets: &[(&'static str, &str)]) -> Self {
        let secrets = secrets.iter().map(|(name, text)| (*name, (*text).to_owned())).collect();
        Self {
            home: tempfile::tempdir().expect("a folder"),
            store: Arc::new(FaultyStore::new(MemoryStore::new(Arc::new(SystemClock)), FaultPlan::default())),
            secrets: Secrets(Arc::new(secrets)),
        }
    }

    pub(crate) async fn engine(&self) -> Engine {
        let home = self.home.path();
        let artifacts = Arc::new(LocalArtifacts::open(home, Timestamp::from_micros(0)).expect("artifacts"));
        let options = EngineOptions {
            home: home.to_owned(),
            durability: Durability::Process,
            max_parallel: 2,
            background: false,
            memory: None,
            clock: Arc::new(SystemClock),
            registry: registry(),
            secrets: Arc::new(self.secrets.clone()),
            scans: Arc::new(NoScans),
            extensions: Extensions::default(),
        };
        Engine::with_store(options, self.store.clone(), artifacts).await.expect("an engine")
    }

    pub(crate) async fn start(&self, engine: &Engine, text: &str) -> RunHandle {
        let checked = check(text, self.home.path());
        let problems: Vec<_> = checked.diagnostics.iter().map(|d| d.one_line(&checked.source)).collect();
        let plan = checked.plan.unwrap_or_else(|| panic!("{problems:#?}"));
        engine.start(plan, RunRequest::default()).await.expect("starts")
    }

    /// Runs a pipeline to its end.
    pub(crate) async fn run(&self, text: &str) -> RunSummary {
        let engine = self.engine().await;
        let handle = self.start(&engine, text).await;
        handle.ended(false).await.expect("ends")
    }

    /// Runs a pipeline that fails, and gives its fault.
    pub(crate) async fn fault(&self, text: &str) -> Fault {
        let summary = self.run(text).await;
        summary.fault.unwrap_or_else(|| panic!("no fault: {:?}", summary.status))
    }
}

/// Waits for something that another thread does.
pub(crate) async fn until(what: &str, holds: impl Fn() -> bool) {
    for _ in 0..2_000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("never: {what}");
}
