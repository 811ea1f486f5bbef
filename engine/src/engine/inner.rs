use std::{
    collections::{BTreeMap, HashMap, HashSet},
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{EngineOptions, RunHandle, bundle, children::Children, handle::Live, home::OnDisk, look::Looks};
use crate::{
    data::{ArtifactStore, Value},
    executor::{Deps, Executor, Frozen, Logs, MemoryShares, step_outputs, stored_outputs},
    graph::Plan,
    model::{Clock, Digest, Fault, Name, OwnerId, RunId, StepStatus, event::StoredOutputs},
    scheduler::{Hub, Message},
    step::{Registry, Services, TableAccess},
    store::StateStore,
};

/// Everything of an open engine.
#[derive(Debug)]
pub(super) struct Inner {
    pub home: PathBuf,
    pub store: Arc<dyn StateStore>,
    pub hub: Hub,
    pub registry: Registry,
    pub clock: Arc<dyn Clock>,
    pub owner: OwnerId,
    pub on_disk: Option<OnDisk>,
    pub logs: Arc<Logs>,
    pub looks: Looks,
    runs: Mutex<HashMap<RunId, Live>>,
    plans: Mutex<HashMap<Digest, Arc<Plan>>>,
    /// Runs that are being taken over.
    taken: Mutex<HashSet<RunId>>,
}

/// Held while a run is taken over here, so that nobody else does so meanwhile.
#[derive(Debug)]
pub(super) struct Taking<'a> {
    inner: &'a Inner,
    run: RunId,
}

impl Drop for Taking<'_> {
    fn drop(&mut self) {
        self.inner.lock_taken().remove(&self.run);
    }
}

/// Plans of revisions held in memory at most.
const PLANS: usize = 64;

/// Puts an engine together.
pub(super) fn assemble(
    options: EngineOptions,
    store: Arc<dyn StateStore>,
    artifacts: Arc<dyn ArtifactStore>,
    on_disk: Option<OnDisk>,
) -> Result<Arc<Inner>, Fault> {
    // What nobody limited is no limit to keep: the machine's processors are shared by its own scheduler too.
    // Where somebody says how many, there are no more.
    let extra = if options.max_parallel == 0 { MemoryShares::extra_attempts(options.memory) } else { 0 };
    let parallel = match options.max_parallel {
        0 => std::thread::available_parallelism().map_or(2, std::num::NonZero::get),
        some => some,
    };
    let children = Children::new();
    let services = Services {
        artifacts: artifacts.clone(),
        scans: options.scans.clone(),
        runs: Arc::new(children.clone()),
        clock: options.clock.clone(),
        extensions: options.extensions,
    };
    let deps = Deps {
        services,
        secrets: options.secrets,
        store: store.clone(),
        journals: store.clone(),
        children: Arc::new(children.clone()),
        tables: TableAccess::new(artifacts, options.scans),
        home: options.home.clone(),
        memory: options.memory.map(|bytes| MemoryShares::of(bytes, parallel, extra)),
        parallel,
    };
    let executor = Executor::new(deps, parallel, extra, options.background)?;
    let owner = on_disk.as_ref().map_or_else(|| OwnerId::generate(options.clock.now()), |disk| disk.owner());
    let inner = Arc::new(Inner {
        looks: Looks::default(),
        logs: Arc::new(Logs::new(options.home.clone())),
        home: options.home,
        store: store.clone(),
        hub: Hub { executor, store },
        registry: options.registry,
        clock: options.clock,
        owner,
        on_disk,
        runs: Mutex::default(),
        plans: Mutex::default(),
        taken: Mutex::default(),
    });
    children.belong_to(&inner);
    Ok(inner)
}

impl Inner {
    fn lock_runs(&self) -> MutexGuard<'_, HashMap<RunId, Live>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_taken(&self) -> MutexGuard<'_, HashSet<RunId>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to take a run over; `None` if somebody does so at this moment.
    pub(super) fn taking(&self, run: RunId) -> Option<Taking<'_>> {
        self.lock_taken().insert(run).then(|| Taking { inner: self, run })
    }

    /// The run, if this process drives it.
    pub(super) fn live(&self, run: RunId) -> Option<Live> {
        self.lock_runs().get(&run).filter(|live| !live.sender.is_closed()).cloned()
    }

    pub(super) fn put_live(&self, run: RunId, live: Live) {
        self.lock_runs().insert(run, live);
    }

    /// Every run driven here looks for requests of other processes.
    pub(super) fn look_for_requests(&self) {
        for live in self.lock_runs().values() {
            let _ = live.sender.send(Message::Poll);
        }
    }

    pub(super) fn remove_live(&self, run: RunId) {
        self.lock_runs().remove(&run);
    }

    pub(super) fn know_plan(&self, plan: &Arc<Plan>) {
        let mut plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        if plans.len() >= PLANS && !plans.contains_key(&plan.revision) {
            plans.clear();
        }
        plans.insert(plan.revision, plan.clone());
    }

    /// The plan of a revision: known, or checked again from its frozen bundle.
    pub(super) async fn plan_for(&self, revision: Digest) -> Result<Arc<Plan>, Fault> {
        let known = self.plans.lock().unwrap_or_else(PoisonError::into_inner).get(&revision).cloned();
        if let Some(plan) = known {
            return Ok(plan);
        }
        let frozen = self.store.bundle(revision).await?;
        let registry = self.registry.clone();
        let thawed = tokio::task::spawn_blocking(move || bundle::thaw(&frozen, &registry)).await;
        let plan = thawed.map_err(|e| Fault::internal("bundle", format!("the check was stopped: {e}")))??;
        self.know_plan(&plan);
        Ok(plan)
    }

    pub(super) async fn plan_of(&self, run: RunId) -> Result<Arc<Plan>, Fault> {
        self.plan_for(self.store.run(run).await?.revision).await
    }

    /// A run as the store has it, for looking at.
    pub(super) async fn look(&self, run: RunId) -> Result<(Frozen, crate::run::RunState), Fault> {
        let view = self.store.run(run).await?;
        let plan = self.plan_for(view.revision).await?;
        let found = crate::scheduler::recover(self.store.as_ref(), run, &plan).await?;
        let frozen = Frozen::new(
            run,
            plan,
            found.origin,
            found.created_at,
            found.board,
            found.values,
            Arc::default(),
            view.epoch,
        )?;
        Ok((frozen, found.state))
    }

    pub(super) async fn outputs(&self, run: RunId, step: &str) -> Result<BTreeMap<Name, Value>, Fault> {
        let look = self.run_look(run).await?;
        let (node, facts) = look.step(step).ok_or_else(|| no_step(&look.plan, step))?;
        let (status, deps) = (facts.status, self.hub.executor.deps());
        if status != StepStatus::Succeeded && facts.stored.is_none() {
            let text = format!("step `{step}` has no outputs: it is {}", super::summary::word(status));
            return Err(Fault::user("outputs.none", text));
        }
        let outputs = match &facts.stored {
            None => Arc::default(),
            // What is made again needs all of the run.
            Some(StoredOutputs::Recomputable { .. }) => step_outputs(deps, &self.look(run).await?.0, node).await?,
            Some(stored) => Arc::new(stored_outputs(deps, stored).await?),
        };
        Ok(outputs.iter().map(|(name, value)| (name.clone(), value.clone())).collect())
    }

    /// A handle of a run that is driven here.
    pub(super) async fn handle(self: &Arc<Self>, run: RunId) -> Result<Option<RunHandle>, Fault> {
        let Some(live) = self.live(run) else { return Ok(None) };
        let (frozen, _) = self.look(run).await?;
        Ok(Some(RunHandle { run: Arc::new(frozen), live, updates: None, inner: self.clone() }))
    }

    /// Lets the driver of a run vanish; waits until it is gone.
    pub(super) async fn leave(&self, run: RunId) {
        let Some(mut live) = self.live(run) else { return };
        let _ = live.sender.send(Message::Abandon);
        while live.stand.changed().await.is_ok() {}
    }

    /// Interrupts what still runs here, and closes the store.
    pub(super) async fn close(&self) -> Result<(), Fault> {
        // A step may start a child while its run is being stopped.
        for _ in 0..3 {
            let lives: Vec<Live> = self.lock_runs().values().filter(|live| !live.sender.is_closed()).cloned().collect();
            for live in &lives {
                // What only waits for a person has nothing to stop: it goes on waiting, for its next owner.
                let waits = live.stand.borrow().needs_person;
                let reason = || "the engine was closed".to_owned();
                let told = if waits { Message::Abandon } else { Message::Interrupt { reason: reason() } };
                let _ = live.sender.send(told);
            }
            for mut live in lives {
                let _ = live.settled(false).await;
            }
        }
        for name in self.hub.executor.stragglers() {
            tracing::warn!("{name} did not stop and is left behind");
        }
        if let Some(disk) = &self.on_disk {
            disk.store.close().await;
        }
        Ok(())
    }
}

/// The fault that names a step which is not there.
pub(super) fn no_step(plan: &Plan, step: &str) -> Fault {
    let names: Vec<&str> = plan.nodes.iter().map(|node| node.id.as_str()).take(20).collect();
    Fault::user("step.unknown", format!("the run has no step `{step}`"))
        .help(format!("its steps: {}", names.join(", ")))
}
