//! Starts runs, and goes on with those that stopped.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use tokio::sync::oneshot;
use tracing::Instrument;

use super::{
    RunHandle, RunRequest, bundle,
    handle::Live,
    home::{OnDisk, RunOwner},
    inner::Inner,
    inputs,
};
use crate::{
    crash::crash_point,
    data::{Value, encode},
    executor::{Alone, Board, Frozen, Outputs, Updates, eval_alone, keep},
    graph::Plan,
    model::{
        Event, Fault, Group, Labels, Name, NodeIx, Recorded, RunId, RunStatus, Ticket,
        event::{Cause, RunOrigin, StoredOutputs, VERSION},
    },
    run::{Input, RunState, evolve},
    scheduler::{Birth, Driver, shape_of},
    spec::OnConflict,
    store::{NewRun, OwnerRecord, StoreError},
};

/// How often a run is put into the queue again where it is not known whether it was.
const TRIES: u32 = 20;

/// A run to be created.
pub(super) struct New {
    pub plan: Arc<Plan>,
    pub request: RunRequest,
    pub cause: Cause,
    pub parent: Option<(RunId, NodeIx, Option<u32>)>,
    pub labels: BTreeMap<String, Labels>,
    pub reused: BTreeMap<NodeIx, StoredOutputs>,
    pub reused_labels: BTreeMap<NodeIx, BTreeMap<String, Labels>>,
    pub key: Option<String>,
}

impl New {
    /// What somebody asks for by hand.
    pub(super) fn of(plan: Arc<Plan>, request: RunRequest) -> Self {
        Self {
            plan,
            request,
            cause: Cause::Manual,
            parent: None,
            labels: BTreeMap::new(),
            reused: BTreeMap::new(),
            reused_labels: BTreeMap::new(),
            key: None,
        }
    }
}

/// A run whose inputs were checked, and that is not there yet.
#[derive(Debug)]
pub struct Prepared {
    id: RunId,
    plan: Arc<Plan>,
    origin: RunOrigin,
    created: Recorded,
    parent: Option<(RunId, NodeIx, Option<u32>)>,
    key: Option<String>,
}

impl Prepared {
    /// The id that it will have.
    pub fn id(&self) -> RunId {
        self.id
    }

    /// What it needs before it may start.
    pub fn ticket(&self) -> &Ticket {
        &self.origin.ticket
    }

    /// What happens when its group is full.
    pub fn on_conflict(&self) -> OnConflict {
        self.plan.spec.concurrency.as_ref().map(|concurrency| concurrency.on_conflict).unwrap_or_default()
    }

    /// Its pipeline.
    pub fn pipeline(&self) -> &str {
        &self.origin.pipeline
    }

    /// Puts it into one more group.
    pub fn join(&mut self, group: Group) {
        self.origin.ticket.groups.push(group);
        self.created.event = Event::RunCreated { origin: Box::new(self.origin.clone()) };
    }
}

/// What came of a launch.
pub(super) enum Launched {
    /// A new run, driven here.
    Run(RunHandle),
    /// An earlier attempt of the same step and item of the parent started this one, or it has the key.
    Exists(RunId),
}

impl Launched {
    /// The new run of a launch without a parent.
    pub(super) fn run(self) -> Result<RunHandle, Fault> {
        match self {
            Self::Run(handle) => Ok(handle),
            Self::Exists(run) => Err(Fault::internal("run.exists", format!("{run} exists though it has no parent"))),
        }
    }
}

impl Inner {
    /// Creates a run and drives it.
    pub(super) async fn launch(self: &Arc<Self>, new: New) -> Result<Launched, Fault> {
        self.begin(self.prepare(new).await?).await
    }

    /// Checks what a run is asked for with; nothing is written.
    pub(super) async fn prepare(&self, new: New) -> Result<Prepared, Fault> {
        let New { plan, request, cause, parent, mut labels, mut reused, reused_labels, key } = new;
        let now = self.clock.now();
        let id = RunId::generate(now);
        let interval = request.interval.as_ref();
        let alone = Alone { run: id, pipeline: &plan.spec.name.value, now, interval, event: None };
        labels.extend(request.labels);
        let inputs = inputs::resolve(&plan, alone, request.inputs)?;
        for (step, given) in request.given {
            let node = plan.node(step.as_str()).map(|node| node.ix);
            let node =
                node.ok_or_else(|| Fault::user("step.unknown", format!("there is no step `{step}` to stand in for")))?;
            reused.insert(node, self.stand_in(given.into_iter().collect()).await?);
        }
        let ticket =
            if parent.is_some() { Ticket::default() } else { ticket(&plan, alone, &inputs, request.priority)? };
        let origin = RunOrigin {
            pipeline: plan.spec.name.value.clone(),
            revision: plan.revision,
            inputs: inputs::encoded(&inputs)?,
            labels,
            cause,
            only: selected(&plan, &request.only)?,
            reused,
            reused_labels,
            deadline: plan.spec.deadline.map(|deadline| now.after(deadline)),
            event: request.event.as_ref().map(encode).transpose()?,
            interval: request.interval,
            ticket,
            asked: request.asked,
        };
        let created = Recorded {
            seq: 1,
            at: now,
            version: VERSION,
            event: Event::RunCreated { origin: Box::new(origin.clone()) },
        };
        Ok(Prepared { id, plan, origin, created, parent, key })
    }

    /// Creates a run that nobody drives yet: `queued`, until it is resumed.
    pub(super) async fn put_in_queue(&self, prepared: Prepared) -> Result<RunId, Fault> {
        let Prepared { id, plan, origin, created, parent, key } = prepared;
        self.limit(id, &plan).await?;
        let new = NewRun {
            id,
            pipeline: origin.pipeline,
            bundle: plan.bundle.clone(),
            parent,
            key,
            owner: self.owner,
            events: vec![created],
            status: RunStatus::Queued,
        };
        self.know_plan(&plan);
        let mut tries = 0;
        loop {
            match self.store.create(new.clone()).await {
                Err(StoreError::Unknown) if tries < TRIES => tries += 1,
                done => return Ok(done?),
            }
        }
    }

    /// Creates a prepared run and drives it.
    pub(super) async fn begin(self: &Arc<Self>, prepared: Prepared) -> Result<Launched, Fault> {
        let Prepared { id, plan, origin, created, parent, key } = prepared;
        let now = created.at;
        self.limit(id, &plan).await?;
        let mut state = RunState::new(shape_of(&plan));
        evolve(&mut state, &created)
            .map_err(|e| Fault::internal("machine", format!("a run cannot be created: {e}")))?;
        let board = Board::new(plan.nodes.len());
        board.apply(&created);
        let values = if uses_state(&plan) { self.store.state(&origin.pipeline).await? } else { Vec::new() };
        let (updates, receiver) = Updates::channel();
        let birth = Birth {
            pipeline: origin.pipeline.clone(),
            bundle: plan.bundle.clone(),
            parent,
            key,
            owner: self.owner,
            created: vec![created],
        };
        self.know_plan(&plan);
        let run = Arc::new(Frozen::new(id, plan, origin, now, board, values, Arc::new(updates), 1)?);
        let first = vec![Input::Taken { owner: self.owner, epoch: 1 }];
        let mut launched = self.drive(run, state, Some(birth), first).await?;
        if let Launched::Run(handle) = &mut launched {
            handle.updates = Some(receiver);
        }
        Ok(launched)
    }

    /// Outputs that stand in for a step, durable.
    async fn stand_in(&self, outputs: Outputs) -> Result<StoredOutputs, Fault> {
        let artifacts = &self.hub.executor.deps().services.artifacts;
        let kept = keep(artifacts, &outputs).await?;
        match kept.row {
            // A run is created without rows of outputs.
            Some(row) => {
                let info = artifacts.put(row.json.into_bytes()).await?;
                Ok(StoredOutputs::Artifact { artifact: info.id })
            }
            None => Ok(kept.stored),
        }
    }

    async fn drive(
        self: &Arc<Self>,
        run: Arc<Frozen>,
        state: RunState,
        birth: Option<Birth>,
        first: Vec<Input>,
    ) -> Result<Launched, Fault> {
        let id = run.id;
        let recovered = birth.is_none();
        let (mut driver, sender, stand) = Driver::new(self.hub.clone(), run.clone(), state, birth);
        let live = Live { sender, stand };
        self.put_live(id, live.clone());
        if recovered {
            driver.after_recovery();
        }
        let (born, told) = oneshot::channel();
        let inner = Arc::downgrade(self);
        let pipeline = run.plan.spec.name.value.as_str();
        let span = tracing::info_span!(
            "run",
            otel.name = %format_args!("run {pipeline}"),
            otel.status_code = tracing::field::Empty,
            run = %id,
            pipeline,
            epoch = run.epoch
        );
        let drive = async move {
            tracing::info!(recovered, "the run is driven here");
            driver.drive(first, born).await;
            if let Some(inner) = inner.upgrade() {
                inner.remove_live(id);
            }
        };
        tokio::spawn(drive.instrument(span));
        let told = told.await.map_err(|_| Fault::internal("run.lost", "the driver of the run is gone"))??;
        if told != id {
            return Ok(Launched::Exists(told));
        }
        Ok(Launched::Run(RunHandle { run, live, updates: None, inner: self.clone() }))
    }

    /// Goes on with a run that nobody drives.
    pub(super) async fn resume(self: &Arc<Self>, run: RunId, by: &str) -> Result<RunHandle, Fault> {
        self.resume_with(run, by, None).await
    }

    /// As [`Inner::resume`]; `then` follows at once, before anything of the run starts.
    pub(super) async fn resume_with(
        self: &Arc<Self>,
        run: RunId,
        by: &str,
        then: Option<Input>,
    ) -> Result<RunHandle, Fault> {
        // Two who see the same owner gone would both take it, and the second from the first.
        let taking = self.taking(run);
        if taking.is_none() || self.live(run).is_some() {
            return Err(Fault::user("run.owned", format!("this process runs {run} already")));
        }
        // Read after the owner is known to be dead, so that nothing is added to what is read here.
        let before = self.refuse_if_owned(run).await?;
        let view = self.store.run(run).await?;
        if view.status == RunStatus::Succeeded {
            return Err(Fault::user("run.succeeded", format!("{run} has succeeded: nothing is left to resume"))
                .help("to run steps of it again, use `runs rerun`"));
        }
        let frozen = self.store.bundle(view.revision).await?;
        bundle::refuse_changed_kinds(&frozen, &self.registry)?;
        let plan = self.plan_for(view.revision).await?;
        crash_point("take.before");
        let taken = self.store.take(run, self.owner, before.epoch).await.map_err(|error| match error {
            StoreError::NotOwner { .. } => Fault::user("run.owned", format!("another process has just taken {run}"))
                .help("wait for it, or cancel the run with `runs cancel`"),
            error => error.into(),
        })?;
        crash_point("take.after");
        let found = crate::scheduler::recover(self.store.as_ref(), run, &plan).await?;
        crash_point("take.recovered");
        let (updates, receiver) = Updates::channel();
        let (created_at, epoch) = (found.created_at, taken.epoch);
        let updates = Arc::new(updates);
        let frozen = Frozen::new(run, plan, found.origin, created_at, found.board, found.values, updates, epoch)?;
        let mut first = vec![Input::Taken { owner: self.owner, epoch }];
        let status = found.state.status();
        if status.is_final() || status == RunStatus::Interrupted {
            first.push(Input::Resume { by: by.to_owned() });
        }
        first.extend(then);
        let mut handle = self.drive(Arc::new(frozen), found.state, None, first).await?.run()?;
        handle.updates = Some(receiver);
        Ok(handle)
    }

    /// The living process that owns a run, in words.
    pub(super) async fn owner_of(&self, run: RunId) -> Result<Option<RunOwner>, Fault> {
        if self.live(run).is_some() {
            return Ok(Some(RunOwner::Here));
        }
        let record = self.store.owner(run).await?;
        let alive = |disk: &OnDisk| if record.owner == self.owner { None } else { disk.alive(record.owner) };
        Ok(self.on_disk.as_ref().and_then(alive))
    }

    /// The owner before, which is dead or this process; the fault `run.owned`, if another live one owns the run.
    pub(super) async fn refuse_if_owned(&self, run: RunId) -> Result<OwnerRecord, Fault> {
        let record = self.store.owner(run).await?;
        if record.owner == self.owner {
            return Ok(record);
        }
        let Some(disk) = &self.on_disk else { return Ok(record) };
        match disk.alive(record.owner) {
            None => Ok(record),
            Some(who) => Err(Fault::user("run.owned", format!("{run} is owned by {who}"))
                .help("wait for it, or cancel the run with `runs cancel`")),
        }
    }
}

/// The steps named and all that they need.
fn selected(plan: &Plan, only: &[Name]) -> Result<Vec<NodeIx>, Fault> {
    let mut chosen = BTreeSet::new();
    let mut open = Vec::new();
    for name in only {
        let node = plan.node(name.as_str());
        open.push(node.ok_or_else(|| Fault::user("step.unknown", format!("there is no step `{name}`")))?.ix);
    }
    while let Some(node) = open.pop() {
        if chosen.insert(node)
            && let Some(shape) = plan.shape.nodes.get(node.index())
        {
            open.extend(&shape.needs);
        }
    }
    Ok(chosen.into_iter().collect())
}

/// What the run of these inputs needs before it may start.
fn ticket(
    plan: &Plan,
    alone: Alone<'_>,
    inputs: &BTreeMap<Name, Value>,
    priority: Option<u32>,
) -> Result<Ticket, Fault> {
    let group = plan.spec.concurrency.as_ref().map(|concurrency| {
        let name = eval_alone(&concurrency.group.value, alone, false, inputs)?.value.to_string();
        Ok::<_, Fault>(Group { name, limit: concurrency.limit })
    });
    Ok(Ticket {
        groups: group.transpose()?.into_iter().collect(),
        pools: plan.spec.pools.iter().map(|(name, slots)| (name.clone(), slots.value)).collect(),
        priority: priority.unwrap_or(plan.spec.priority),
    })
}

fn uses_state(plan: &Plan) -> bool {
    plan.nodes.iter().any(|node| node.reads.iter().any(|root| matches!(root, crate::expr::Root::State(_))))
}
