use std::{
    fmt,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use millwork_engine::{
    graph::{Bundle, Plan},
    model::{Digest, Fault},
    spec::PipelineSpec,
};

use super::entry::Checker;

/// A plan that nobody asked for during this time is made again when somebody does. What runs every minute keeps its own.
const KEPT: Duration = Duration::from_secs(150);

/// What runs of a pipeline are made of. Its plan, several times as large and made in about a millisecond, is at hand
/// only while it is used, so that a thousand idle pipelines need little memory.
pub struct Startable {
    /// The pipeline as read.
    pub spec: Arc<PipelineSpec>,
    /// Digest of all that it is made of.
    pub revision: Digest,
    bundle: Bundle,
    checker: Arc<dyn Checker>,
    at_hand: Mutex<Option<(Arc<Plan>, Instant)>>,
}

impl Startable {
    pub(super) fn new(plan: &Plan, checker: Arc<dyn Checker>) -> Self {
        let (spec, revision, bundle) = (plan.spec.clone(), plan.revision, plan.bundle.clone());
        Self { spec, revision, bundle, checker, at_hand: Mutex::default() }
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.bundle.text
    }

    /// The folder that relative paths start from.
    pub fn base(&self) -> &Path {
        Path::new(&self.bundle.base)
    }

    /// Its plan: the one at hand, or one that is made again.
    pub async fn plan(self: &Arc<Self>) -> Result<Arc<Plan>, Fault> {
        if let Some((plan, asked)) = &mut *self.lock() {
            *asked = Instant::now();
            return Ok(plan.clone());
        }
        let startable = self.clone();
        let made = tokio::task::spawn_blocking(move || startable.checker.thaw(&startable.bundle)).await;
        let plan = made.map_err(|e| Fault::internal("check.stopped", format!("the check was stopped: {e}")))??;
        self.keep(plan.clone());
        Ok(plan)
    }

    /// Keeps a plan of this for a while.
    pub(super) fn keep(&self, plan: Arc<Plan>) {
        *self.lock() = Some((plan, Instant::now()));
    }

    /// Lets go of a plan that was not asked for lately.
    pub(super) fn cool(&self) {
        self.lock().take_if(|(_, asked)| asked.elapsed() >= KEPT);
    }

    fn lock(&self) -> MutexGuard<'_, Option<(Arc<Plan>, Instant)>> {
        self.at_hand.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Startable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Startable").field("revision", &self.revision).finish_non_exhaustive()
    }
}
