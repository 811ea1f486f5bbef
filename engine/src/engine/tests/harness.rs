//! Pipelines made by hand, and an engine over the memory store that can crash.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use arrow::{datatypes::SchemaRef, record_batch::RecordBatch};
use async_trait::async_trait;
use indexmap::IndexMap;

use super::kinds::{Stage, newer_registry, registry};
use crate::{
    data::{ArtifactInfo, ArtifactStore, Scan, ScanReader, Value},
    diag::{Source, Span, TextMap},
    engine::{Durability, Engine, EngineOptions, RunRequest, RunSummary},
    expr::{Expr, Template},
    graph::{Bundle, CheckOptions, Plan, check},
    model::{ArtifactId, Clock, Digest, Fault, Name, RetryPolicy, SystemClock},
    spec::{
        ForEachSpec, Key, Node, NodeKind, Order, Permissions, Persist, PipelineSpec, RepeatSpec, Spanned, StepSpec,
        Text,
    },
    step::{Extensions, Registry, SecretProvider},
    store::{MemoryStore, StateStore},
};

/// A pipeline in the making. Every text has a place of its own in the source.
pub(super) struct Builder {
    text: String,
    pub spec: PipelineSpec,
}

impl Builder {
    pub(super) fn new() -> Self {
        let spec = PipelineSpec {
            source: Source::new("p.yaml", ""),
            name: Spanned::new("p".to_owned(), Span::default()),
            description: None,
            triggers: Vec::new(),
            inputs: IndexMap::new(),
            secrets: Vec::new(),
            budget: None,
            concurrency: None,
            priority: 0,
            pools: indexmap::IndexMap::default(),
            permissions: Permissions::default(),
            order: Order::Graph,
            fail_fast: false,
            max_parallel: None,
            deadline: None,
            steps: Vec::new(),
            on_failure: Vec::new(),
            finally: Vec::new(),
            outputs: IndexMap::new(),
            tests: Vec::new(),
        };
        Self { text: String::new(), spec }
    }

    fn word(&mut self, word: &str) -> Span {
        let start = self.text.len();
        self.text.push_str(word);
        self.text.push('\n');
        Span::new(start, start + word.len())
    }

    pub(super) fn expr(&mut self, text: &str) -> Spanned<Expr> {
        let span = self.word(text);
        Spanned::new(Expr::parse(text, &TextMap::verbatim(span.start as usize)).expect("an expression"), span)
    }

    pub(super) fn template(&mut self, text: &str) -> Spanned<Template> {
        let span = self.word(text);
        let map = TextMap::verbatim(span.start as usize);
        Spanned::new(Template::parse(text, &map, span).expect("a template"), span)
    }

    /// A step of the kind `pure` or `act` that does something with a value.
    pub(super) fn made(&mut self, id: &str, uses: &str, act: &str, value: &str) -> StepSpec {
        let name = Spanned::new(Name::new(id).expect("a name"), self.word(id));
        let mut entries = Vec::new();
        for (key, value) in [("act", act), ("value", value)] {
            if value.is_empty() {
                continue;
            }
            let span = self.word(value);
            let kind = match value.parse::<i64>() {
                Ok(number) => NodeKind::Int(number),
                Err(_) => {
                    let map = TextMap::verbatim(span.start as usize);
                    NodeKind::String(Text { value: value.into(), map })
                }
            };
            let key = Key { text: key.into(), span: self.word(key) };
            entries.push((key, Node { span, kind }));
        }
        StepSpec {
            span: name.span,
            id: name,
            uses: Some(Spanned::new(uses.to_owned(), self.word(uses))),
            with: Some(Node { span: Span::default(), kind: NodeKind::Map(entries) }),
            body: Vec::new(),
            needs: Vec::new(),
            condition: None,
            for_each: None,
            repeat: None,
            retry: RetryPolicy::default(),
            timeout: None,
            deadline: None,
            continue_on_error: false,
            env: IndexMap::new(),
            cache: false,
            persist: Persist::Always,
            state: IndexMap::new(),
            memory: None,
            budget: None,
            permissions: None,
            description: None,
        }
    }

    /// Adds a step, changed as told.
    pub(super) fn step(
        &mut self,
        id: &str,
        uses: &str,
        act: &str,
        value: &str,
        change: impl FnOnce(&mut Self, &mut StepSpec),
    ) {
        let mut step = self.made(id, uses, act, value);
        change(self, &mut step);
        self.spec.steps.push(step);
    }

    pub(super) fn output(&mut self, name: &str, text: &str) {
        let template = self.template(text);
        self.spec.outputs.insert(Name::new(name).expect("a name"), template);
    }

    pub(super) fn for_each(&mut self, step: &mut StepSpec, over: &str, min_success: f64) {
        let over = self.expr(over);
        step.for_each = Some(ForEachSpec { over, max_parallel: None, key: None, batch: None, min_success });
    }

    pub(super) fn repeat(&mut self, step: &mut StepSpec, until: &str, max: u32) {
        let until = self.expr(until);
        step.repeat = Some(RepeatSpec { until, every: std::time::Duration::from_millis(1), max });
    }

    pub(super) fn plan(self) -> Arc<Plan> {
        let source = Source::new("p.yaml", self.text);
        let mut spec = self.spec;
        spec.source = source.clone();
        let include = |_: &str| Err("it is not there".to_owned());
        let options = CheckOptions { read_files: false, strict: false, include: &include, around: &[] };
        let checked = check(&source, spec, Path::new("/"), &registry(), options);
        let problems: Vec<String> = checked.diagnostics.iter().map(|d| d.one_line(&source)).collect();
        checked.plan.unwrap_or_else(|| panic!("{problems:#?}"))
    }
}

/// The plan of a pipeline in YAML; `child.yaml` is there for those who include it.
pub(super) fn yaml(text: &str) -> Arc<Plan> {
    yaml_of(text, &registry())
}

/// The same, by other kinds.
pub(super) fn yaml_of(text: &str, registry: &Registry) -> Arc<Plan> {
    try_yaml(text, registry).unwrap_or_else(|fault| panic!("{fault}"))
}

/// The same, or why it is refused.
pub(super) fn try_yaml(text: &str, registry: &Registry) -> Result<Arc<Plan>, Fault> {
    const CHILD: &str = "version: 1\nname: child\ninputs:\n  n: {type: int}\nsteps:\n  - id: twice\n    uses: act\n    with: {act: echo, value: \"${{ inputs.n * 2 }}\"}\noutputs:\n  doubled: ${{ steps.twice.outputs.value }}\n";
    let bundle = Bundle {
        path: "p.yaml".into(),
        base: "/".into(),
        text: text.into(),
        files: [("child.yaml".to_owned(), CHILD.to_owned())].into(),
        kinds: std::collections::BTreeMap::new(),
    };
    crate::engine::bundle::thaw(&bundle, registry)
}

/// What outlives a crash, and the engine of one life.
pub(super) struct Lab {
    pub home: PathBuf,
    pub store: Arc<dyn StateStore>,
    pub artifacts: Arc<dyn ArtifactStore>,
    pub stage: Stage,
    /// The version of the secret.
    pub secret_version: Arc<Mutex<u32>>,
    /// Whether kinds are of a newer version.
    pub newer: bool,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl Lab {
    pub(super) fn new() -> Self {
        Self::at(Arc::new(SystemClock))
    }

    /// One whose time is this clock's.
    pub(super) fn at(clock: Arc<dyn Clock>) -> Self {
        let home = std::env::temp_dir().join(format!("millwork-runs-{:032x}", rand::random::<u128>()));
        std::fs::create_dir_all(&home).expect("a folder");
        let artifacts = Arc::new(MemoryArtifacts { folder: home.clone(), kept: Mutex::default() });
        Self {
            home,
            store: Arc::new(MemoryStore::new(clock.clone())),
            artifacts,
            stage: Stage::new(),
            secret_version: Arc::new(Mutex::new(1)),
            newer: false,
            clock,
        }
    }

    /// An engine over the home folder itself: SQLite, locks, artifacts on disk.
    pub(super) async fn on_disk(&self) -> Engine {
        Engine::open(self.options()).await.expect("an engine")
    }

    pub(super) async fn engine(&self) -> Engine {
        Engine::with_store(self.options(), self.store.clone(), self.artifacts.clone()).await.expect("an engine")
    }

    fn options(&self) -> EngineOptions {
        let mut extensions = Extensions::default();
        extensions.insert(self.stage.clone());
        EngineOptions {
            home: self.home.clone(),
            durability: Durability::Process,
            max_parallel: 2,
            background: false,
            memory: None,
            clock: self.clock.clone(),
            registry: if self.newer { newer_registry() } else { registry() },
            secrets: Arc::new(OneSecret(self.secret_version.clone())),
            scans: Arc::new(NoScans),
            extensions,
        }
    }

    pub(super) async fn run(&self, plan: Arc<Plan>) -> RunSummary {
        let engine = self.engine().await;
        let handle = engine.start(plan, RunRequest::default()).await.expect("starts");
        handle.ended(true).await.expect("ends")
    }
}

/// Artifacts that are adopted only when told, or not at all.
#[derive(Debug)]
pub(super) struct HeldArtifacts {
    pub inner: Arc<dyn ArtifactStore>,
    pub gate: tokio::sync::Semaphore,
    pub fails: bool,
}

#[async_trait]
impl ArtifactStore for HeldArtifacts {
    async fn put(&self, bytes: Vec<u8>) -> Result<ArtifactInfo, Fault> {
        self.inner.put(bytes).await
    }
    async fn adopt(&self, file: PathBuf) -> Result<ArtifactInfo, Fault> {
        self.gate.acquire().await.expect("open").forget();
        if self.fails {
            return Err(Fault::user("test.disk", "the disk is full"));
        }
        self.inner.adopt(file).await
    }
    async fn get(&self, id: ArtifactId) -> Result<Vec<u8>, Fault> {
        self.inner.get(id).await
    }
    fn local_path(&self, id: ArtifactId) -> Option<PathBuf> {
        self.inner.local_path(id)
    }
    async fn contains(&self, id: ArtifactId) -> Result<bool, Fault> {
        self.inner.contains(id).await
    }
    fn scratch(&self) -> PathBuf {
        self.inner.scratch()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.home);
    }
}

#[derive(Debug)]
struct MemoryArtifacts {
    folder: PathBuf,
    kept: Mutex<HashMap<ArtifactId, Vec<u8>>>,
}

#[async_trait]
impl ArtifactStore for MemoryArtifacts {
    async fn put(&self, bytes: Vec<u8>) -> Result<ArtifactInfo, Fault> {
        let info = ArtifactInfo { id: ArtifactId(Digest::of(&bytes)), bytes: bytes.len() as u64 };
        self.kept.lock().expect("not poisoned").insert(info.id, bytes);
        Ok(info)
    }
    async fn adopt(&self, file: PathBuf) -> Result<ArtifactInfo, Fault> {
        let bytes = std::fs::read(&file).expect("readable");
        std::fs::remove_file(&file).expect("removable");
        self.put(bytes).await
    }
    async fn get(&self, id: ArtifactId) -> Result<Vec<u8>, Fault> {
        let found = self.kept.lock().expect("not poisoned").get(&id).cloned();
        found.ok_or_else(|| Fault::external("artifact.missing", "it is not there"))
    }
    fn local_path(&self, _: ArtifactId) -> Option<PathBuf> {
        None
    }
    async fn contains(&self, id: ArtifactId) -> Result<bool, Fault> {
        Ok(self.kept.lock().expect("not poisoned").contains_key(&id))
    }
    fn scratch(&self) -> PathBuf {
        self.folder.clone()
    }
}

#[derive(Debug)]
struct OneSecret(Arc<Mutex<u32>>);

impl SecretProvider for OneSecret {
    fn open(&self, _: &str) -> Result<Arc<str>, Fault> {
        Ok("hunter22".into())
    }
    fn version(&self, _: &str) -> Result<String, Fault> {
        Ok(self.0.lock().expect("not poisoned").to_string())
    }
}

#[derive(Debug)]
struct NoScans;

#[async_trait]
impl ScanReader for NoScans {
    async fn read(
        &self,
        _: &Scan,
        _: &SchemaRef,
        _: Option<&[String]>,
        _: Option<u64>,
    ) -> Result<Vec<RecordBatch>, Fault> {
        Err(Fault::internal("test", "no files here"))
    }
    async fn count(&self, _: &Scan, _: &SchemaRef) -> Result<u64, Fault> {
        Err(Fault::internal("test", "no files here"))
    }
}

/// The value of an output of a run.
pub(super) fn ints(values: impl IntoIterator<Item = i64>) -> Value {
    Value::list(values.into_iter().map(Value::Int))
}
