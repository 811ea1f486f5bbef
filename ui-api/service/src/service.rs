//! Everything of a running service, and what holds it together.

use std::{path::PathBuf, sync::Arc, time::Duration};

use millwork_engine::{
    Engine, Keep,
    model::{Clock, Fault, RunId, Timestamp},
    step::SecretProvider,
    store::{RecordKind, When},
};
use serde_json::json;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    audit::{Action, Audit},
    auth::{Quotas, Sessions, Tokens},
    catalog::{Catalog, Checker},
    desk::{Desk, Outcome},
    events::Hub,
    queue::Limits,
    retention::Retention,
    ticker::{Late, Ticker},
    triggers::{Files, Upstream},
};

/// How often the folder is looked at for changes.
const RELOAD: Duration = Duration::from_secs(2);
/// How often what is over is cleared away.
const SWEEP: Duration = Duration::from_secs(600);

/// How a service is opened.
#[derive(Debug)]
pub struct ServiceOptions {
    /// Runs pipelines.
    pub engine: Engine,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The folder with the pipelines.
    pub folder: PathBuf,
    /// Checks them.
    pub checker: Arc<dyn Checker>,
    /// Opens secrets of webhooks.
    pub secrets: Arc<dyn SecretProvider>,
    /// What all runs share.
    pub limits: Limits,
    /// How long what has ended is kept; for ever where nothing is said.
    pub keep: Option<Keep>,
}

/// The fault of what cannot be told yet, because the pipelines are still being read.
pub fn starting() -> Fault {
    Fault::external("service.starting", "the service has just begun, and is still reading the pipelines")
        .help("ask again in a moment; `GET /readyz` says when all are read")
}

/// A running service.
#[derive(Debug)]
pub struct Service {
    engine: Engine,
    clock: Arc<dyn Clock>,
    catalog: Arc<Catalog>,
    desk: Arc<Desk>,
    ticker: Arc<Ticker>,
    hub: Arc<Hub>,
    tokens: Arc<Tokens>,
    sessions: Sessions,
    quotas: Quotas,
    audit: Audit,
    secrets: Arc<dyn SecretProvider>,
    keep: Option<Keep>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Service {
    /// Puts a service together. Nothing happens until [`Service::begin`].
    pub fn new(options: ServiceOptions) -> Arc<Self> {
        let ServiceOptions { engine, clock, folder, checker, secrets, limits, keep } = options;
        let catalog = Arc::new(Catalog::new(&folder, checker));
        let desk = Desk::new(engine.clone(), clock.clone(), limits);
        let ticker = Ticker::new(engine.clone(), clock.clone(), catalog.clone(), desk.clone());
        let tokens = Arc::new(Tokens::new(engine.reader(), clock.clone()));
        Arc::new(Self {
            sessions: Sessions::new(engine.reader(), clock.clone(), tokens.clone()),
            quotas: Quotas::new(engine.reader(), clock.clone()),
            audit: Audit::new(engine.reader(), clock.clone()),
            hub: Hub::new(engine.clone()),
            engine,
            clock,
            catalog,
            desk,
            ticker,
            tokens,
            secrets,
            keep,
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        })
    }

    /// Goes on with what an earlier process left, reads the pipelines, and sees to schedules and triggers from then on.
    pub async fn begin(self: &Arc<Self>) -> Result<(), Fault> {
        let note = json!({"folder": self.catalog.folder().display().to_string(), "pid": std::process::id()});
        self.audit.record("service", Action::ServiceStart, "service", note).await?;
        Upstream::mark(&self.engine).await?;
        self.tasks.spawn(self.hub.clone().run(self.stop.clone()));
        self.tasks.spawn(self.desk.clone().dispatch(self.stop.clone()));
        let (driven, waiting) = self.desk.recover().await?;
        if driven + waiting > 0 {
            tracing::info!(driven, waiting, "runs of an earlier process go on");
        }
        self.tasks.spawn(self.clone().follow_files());
        Ok(())
    }

    /// Reads the pipelines, then the rest, which must know them: a schedule that is not there yet is not one that is gone.
    async fn follow_files(self: Arc<Self>) {
        self.reload("service").await;
        self.tasks.spawn(self.ticker.clone().run(self.stop.clone()));
        let (engine, clock) = (self.engine.clone(), self.clock.clone());
        let upstream = Upstream::new(engine.clone(), self.catalog.clone(), self.desk.clone());
        self.tasks.spawn(upstream.run(self.stop.clone()));
        if let Some(keep) = self.keep {
            let retention = Retention { engine: engine.clone(), clock: clock.clone(), keep };
            self.tasks.spawn(retention.run(self.stop.clone()));
        }
        let late =
            Late::new(engine.clone(), clock.clone(), self.catalog.clone(), self.desk.clone(), self.ticker.clone());
        self.tasks.spawn(late.run(self.stop.clone()));
        if let Err(fault) = self.resume_backfills(&self.tasks).await {
            tracing::error!(%fault, "backfills of an earlier process do not go on");
        }
        let files = Files::new(engine, clock.clone(), self.catalog.clone(), self.desk.clone());
        self.tasks.spawn(files.run(self.stop.clone()));
        let mut swept = clock.now();
        loop {
            let next = clock.now().after(RELOAD);
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = clock.until(next) => {}
            }
            self.reload("service").await;
            if clock.now().since(swept) >= SWEEP {
                swept = clock.now();
                if let Err(error) = self.sessions.sweep().await {
                    tracing::warn!(%error, "sessions that are over were not cleared away");
                }
            }
        }
    }

    /// Reads pipelines that are new or have changed; their names.
    pub async fn reload(&self, by: &str) -> Vec<String> {
        let catalog = self.catalog.clone();
        let first = !catalog.is_loaded();
        let changed = tokio::task::spawn_blocking(move || catalog.reload()).await.unwrap_or_default();
        for name in &changed {
            if let Err(fault) = self.remember_revision(name).await {
                tracing::warn!(pipeline = name, %fault, "a revision was not recorded");
            }
        }
        if !first && !changed.is_empty() {
            let noted = self.audit.record(by, Action::PipelineReload, &changed.join(" "), json!({})).await;
            if let Err(error) = noted {
                tracing::warn!(%error, "a reload is not in the audit log");
            }
        }
        changed
    }

    async fn remember_revision(&self, name: &str) -> Result<(), Fault> {
        let Some(entry) = self.catalog.get(name) else { return Ok(()) };
        let Some(startable) = &entry.startable else { return Ok(()) };
        let key = format!("{name}/{}", startable.revision);
        let value = json!({"seen_at": self.now(), "text": startable.text()});
        self.engine.reader().put_record(RecordKind::Revision, &key, Some(value), When::Absent).await?;
        Ok(())
    }

    /// Starts nothing more, waits for runs for as long as this, lets go of the rest, and stops.
    pub async fn end(&self, patience: Duration) -> usize {
        self.stop.cancel();
        let left = self.desk.drain(patience).await;
        self.tasks.close();
        self.tasks.wait().await;
        if let Err(error) = self.audit.record("service", Action::ServiceStop, "service", json!({"left": left})).await {
            tracing::warn!(%error, "the stop is not in the audit log");
        }
        left
    }

    /// Where tasks of the service run, so that its end waits for them.
    pub fn tasks(&self) -> &TaskTracker {
        &self.tasks
    }

    /// Starts a prepared run; the id of the run, and whether it is a new one.
    pub async fn start(&self, prepared: millwork_engine::Prepared) -> Result<(RunId, bool), Fault> {
        match self.desk.start(prepared, None).await? {
            Outcome::Started(handle) => Ok((handle.id(), true)),
            Outcome::Queued(run) => Ok((run, true)),
            Outcome::Before(run) => Ok((run, false)),
            Outcome::Skipped { group, holders } => {
                let holder = holders.first().map(|run| format!(" by {run}")).unwrap_or_default();
                Err(Fault::user("run.skipped", format!("the concurrency group `{group}` is taken{holder}"))
                    .help("wait for it, or let runs wait with `on_conflict: queue`"))
            }
        }
    }

    /// The text of a secret that a trigger names.
    pub(crate) fn secret(&self, name: &str) -> Result<Arc<str>, Fault> {
        self.secrets.open(name)
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The clock, to wait by.
    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// Runs pipelines.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The pipelines.
    pub fn catalog(&self) -> &Arc<Catalog> {
        &self.catalog
    }

    /// Starts runs.
    pub fn desk(&self) -> &Arc<Desk> {
        &self.desk
    }

    /// Sees to schedules.
    pub fn ticker(&self) -> &Arc<Ticker> {
        &self.ticker
    }

    /// What happens.
    pub fn hub(&self) -> &Arc<Hub> {
        &self.hub
    }

    /// Who may come in.
    pub fn tokens(&self) -> &Arc<Tokens> {
        &self.tokens
    }

    /// Browsers that are in.
    pub fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// How many runs tokens may start.
    pub fn quotas(&self) -> &Quotas {
        &self.quotas
    }

    /// Who did what.
    pub fn audit(&self) -> &Audit {
        &self.audit
    }

    /// Cancelled when the service stops.
    pub fn stopping(&self) -> &CancellationToken {
        &self.stop
    }
}
