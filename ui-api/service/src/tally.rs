//! Counts runs that ended, for figures.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use millwork_engine::model::RunStatus;

/// Runs of one pipeline that ended since the service began.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Ended {
    /// Well.
    pub succeeded: u64,
    /// With a fault.
    pub failed: u64,
    /// Stopped by somebody.
    pub cancelled: u64,
    /// How long all of them took together, from when this process began to drive each.
    pub took: Duration,
}

/// Runs that ended since the service began, by pipeline.
#[derive(Debug, Default)]
pub struct Tally(Mutex<BTreeMap<String, Ended>>);

impl Tally {
    /// Counts a run that is not driven any more; one that has not ended does not count.
    pub(crate) fn count(&self, pipeline: &str, status: Option<RunStatus>, took: Duration) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !all.contains_key(pipeline) {
            all.insert(pipeline.to_owned(), Ended::default());
        }
        let Some(ended) = all.get_mut(pipeline) else { return };
        match status {
            Some(RunStatus::Succeeded) => ended.succeeded += 1,
            Some(RunStatus::Failed) => ended.failed += 1,
            Some(RunStatus::Cancelled) => ended.cancelled += 1,
            Some(RunStatus::Queued | RunStatus::Running | RunStatus::Waiting | RunStatus::Interrupted) | None => return,
        }
        ended.took += took;
    }

    /// All of them.
    pub fn all(&self) -> BTreeMap<String, Ended> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
