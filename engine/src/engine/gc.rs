//! Forgets old runs, and removes what nothing names any more.

use std::{collections::HashSet, sync::Arc, time::Duration};

use super::{GcReport, inner::Inner};
use crate::{
    model::{Fault, RunId, RunStatus},
    store::{Cursor, RunFilter},
};

const PAGE: u32 = 500;

impl Inner {
    pub(super) async fn gc(self: &Arc<Self>, keep: Duration, dry: bool) -> Result<GcReport, Fault> {
        let now = self.clock.now();
        let mut report = GcReport::default();
        for run in self.old_runs(keep).await? {
            report.runs += 1;
            if !dry {
                self.store.forget(run).await?;
                let logs = self.home.join("logs").join(run.to_string());
                let _ = tokio::fs::remove_dir_all(logs).await;
            }
        }
        if !dry {
            self.store.sweep().await?;
        }
        if let Some(disk) = &self.on_disk {
            let live: HashSet<_> = self.store.live_artifacts().await?.into_iter().collect();
            let swept = disk.sweep(live, now, dry).await?;
            report.artifacts = swept.artifacts;
            report.bytes = swept.bytes;
        }
        Ok(report)
    }

    async fn old_runs(&self, keep: Duration) -> Result<Vec<RunId>, Fault> {
        let now = self.clock.now();
        let mut old = Vec::new();
        let mut after = None;
        loop {
            let filter = RunFilter {
                statuses: vec![RunStatus::Succeeded, RunStatus::Failed, RunStatus::Cancelled],
                limit: PAGE,
                after,
                ..RunFilter::default()
            };
            let page = self.store.runs(&filter).await?;
            let Some(last) = page.last() else { return Ok(old) };
            after = Some(Cursor(last.id));
            let ended = page.iter().filter(|run| run.ended_at.is_some_and(|at| now.since(at) >= keep));
            old.extend(ended.map(|run| run.id));
        }
    }
}
