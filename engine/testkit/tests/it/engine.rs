//! The whole engine on a store that fails by plan.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use async_trait::async_trait;
use millwork_engine::{
    Durability, Engine, EngineOptions, RunRequest, RunSummary,
    data::{Scan, ScanReader},
    diag::Source,
    graph::{CheckOptions, Plan, check_text},
    model::{Fault, RunStatus, SystemClock, Timestamp},
    step::{Extensions, Registry, SecretProvider},
    store::{LocalArtifacts, MemoryStore, RunFilter, RunReader as _, StateStore},
};
use millwork_testkit::{
    FaultKind, FaultPlan, FaultyStore,
    script::{self, Act, Script},
};
use serde_json::json;

const PIPELINE: &str = r#"
version: 1
name: faults
steps:
  - id: first
    uses: scripted
    with: {value: 1}
  - id: pure
    uses: scripted_pure
    with: {value: "${{ steps.first.outputs.value }}"}
  - id: each
    for_each: "[1, 2, 3, 4, 5, 6]"
    uses: scripted
    retry: {max_attempts: 3, delay: 1ms}
    with: {value: "${{ item }}"}
  - id: tried
    needs: pure
    uses: scripted
    retry: {max_attempts: 3, delay: 1ms}
    with: {value: "${{ steps.each.outputs.value }}"}
  - id: breaks
    needs: tried
    uses: scripted
    continue_on_error: true
    with: {value: 0}
  - id: joined
    needs: breaks
    uses: scripted
    with: {value: "${{ steps.tried.outputs.value }}"}
outputs:
  joined: ${{ steps.joined.outputs.value }}
  pure: ${{ steps.pure.outputs.value }}
"#;

#[derive(Debug)]
struct Nothing;

impl SecretProvider for Nothing {
    fn open(&self, name: &str) -> Result<Arc<str>, Fault> {
        Err(Fault::user("secret.missing", format!("no secret `{name}`")))
    }
    fn version(&self, name: &str) -> Result<String, Fault> {
        self.open(name).map(|_| String::new())
    }
}

#[async_trait]
impl ScanReader for Nothing {
    async fn read(
        &self,
        _: &Scan,
        _: &arrow::datatypes::SchemaRef,
        _: Option<&[String]>,
        _: Option<u64>,
    ) -> Result<Vec<arrow::record_batch::RecordBatch>, Fault> {
        Err(Fault::internal("test", "no files here"))
    }
    async fn count(&self, _: &Scan, _: &arrow::datatypes::SchemaRef) -> Result<u64, Fault> {
        Err(Fault::internal("test", "no files here"))
    }
}

fn registry() -> Registry {
    let mut registry = Registry::new();
    script::register(&mut registry);
    registry
}

fn plan() -> Arc<Plan> {
    let include = |_: &str| Err("it is not there".to_owned());
    let options = CheckOptions { read_files: false, strict: false, include: &include, around: &[] };
    let checked = check_text(&Source::new("faults.yaml", PIPELINE), Path::new("/"), &registry(), options);
    checked.plan.unwrap_or_else(|| panic!("{:?}", checked.diagnostics))
}

fn scripted() -> Script {
    let failed = || Act::Fail(Fault::external("test.failed", "it failed"));
    Script::default().then("tried", [failed(), failed()]).then("each.3", [failed()]).then("breaks", [failed()])
}

/// How often each step runs where nothing fails but what the script fails.
fn once() -> BTreeMap<String, u32> {
    let mut ran: BTreeMap<String, u32> = (0..6).map(|n| (format!("each.{n}"), 1)).collect();
    ran.extend(["first", "pure", "breaks", "joined"].map(|step| (step.to_owned(), 1)));
    ran.insert("each.3".to_owned(), 2);
    ran.insert("tried".to_owned(), 3);
    ran
}

async fn engine(home: &Path, store: Arc<dyn StateStore>, script: &Script) -> Engine {
    let mut extensions = Extensions::default();
    extensions.insert(script.clone());
    let artifacts = Arc::new(LocalArtifacts::open(home, Timestamp::from_micros(0)).unwrap());
    let options = EngineOptions {
        home: home.to_owned(),
        durability: Durability::Process,
        max_parallel: 2,
        background: false,
        memory: None,
        clock: Arc::new(SystemClock),
        registry: registry(),
        secrets: Arc::new(Nothing),
        scans: Arc::new(Nothing),
        extensions,
    };
    Engine::with_store(options, store, artifacts).await.unwrap()
}

/// Runs the pipeline to its end, with a new engine wherever the store stops one. How many were needed, too.
async fn to_the_end(seed: u64, shares: Vec<(FaultKind, f64)>) -> (RunSummary, BTreeMap<String, u32>, u32) {
    let home = tempfile::tempdir().unwrap();
    let faults = FaultPlan { seed, shares, spare_reads: true };
    let store = Arc::new(FaultyStore::new(MemoryStore::new(Arc::new(SystemClock)), faults));
    let script = scripted();
    for engines in 1..200 {
        let engine = engine(home.path(), store.clone(), &script).await;
        let runs = store.inner().runs(&RunFilter { limit: 9, ..RunFilter::default() }).await.unwrap();
        assert!(runs.len() < 2, "seed {seed}: {} runs", runs.len());
        let handle = match runs.first() {
            None => engine.start(plan(), RunRequest::default()).await,
            // Its end was written, and whoever wrote it was told otherwise.
            Some(run) if run.status.is_final() => {
                return (engine.summary(run.id).await.unwrap(), script.ran(), engines);
            }
            Some(run) => engine.resume(run.id, "the test").await,
        };
        let Ok(handle) = handle else { continue };
        if let Ok(summary) = handle.ended(false).await {
            return (summary, script.ran(), engines);
        }
    }
    panic!("seed {seed}: it does not end");
}

/// Where writes time out, done or not, one engine carries the run to its end, and nothing is done twice.
#[tokio::test(flavor = "multi_thread")]
async fn writes_that_time_out_repeat_nothing() {
    let seeds = (0..24).map(|seed| async move {
        let shares = vec![(FaultKind::Timeout, 0.1), (FaultKind::DoneButTimeout, 0.15)];
        let (summary, ran, engines) = to_the_end(seed, shares).await;
        assert_eq!((summary.status, summary.fault), (RunStatus::Succeeded, None), "seed {seed}");
        assert_eq!(summary.outputs, json!({"joined": [1, 2, 3, 4, 5, 6], "pure": 1}), "seed {seed}");
        assert_eq!((ran, engines), (once(), 1), "seed {seed}");
    });
    futures::future::join_all(seeds).await;
}

/// Where the store breaks under a run, its next owner goes on; a step may begin once more for each break.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_breaks_loses_nothing() {
    let seeds = (0..24).map(|seed| async move {
        let shares = vec![(FaultKind::Unavailable, 0.1), (FaultKind::DoneButTimeout, 0.1), (FaultKind::NotOwner, 0.03)];
        let (summary, ran, engines) = to_the_end(seed, shares).await;
        assert_eq!((summary.status, summary.fault), (RunStatus::Succeeded, None), "seed {seed}");
        assert_eq!(summary.outputs, json!({"joined": [1, 2, 3, 4, 5, 6], "pure": 1}), "seed {seed}");
        for (step, least) in once() {
            let times = ran.get(&step).copied().unwrap_or(0);
            // A retry that was not recorded is made again, so the policy allows one more each time.
            assert!(times >= least.min(1) && times < least + engines, "seed {seed}: {step} ran {times} times");
        }
    });
    futures::future::join_all(seeds).await;
}
