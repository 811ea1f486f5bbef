//! Forgets old runs, and removes what nothing names any more.

use std::{collections::HashSet, path::Path, sync::Arc, time::Duration};

use super::{GcReport, Keep, inner::Inner};
use crate::{
    model::{Fault, RunId, RunStatus, Timestamp},
    store::{Cursor, Doomed, RunFilter},
};

const PAGE: u32 = 500;

/// Runs that ended, and when.
type Ended = Vec<(RunId, Timestamp)>;

impl Inner {
    pub(super) async fn gc(self: &Arc<Self>, keep: Keep, dry: bool) -> Result<GcReport, Fault> {
        let now = self.clock.now();
        let ended = self.ended_runs(now.before(keep.runs.min(keep.logs))).await?;
        let older = |time: Duration| ended.iter().filter(move |(_, at)| now.since(*at) >= time).map(|(run, _)| *run);
        let cached_before = Some(RunId::from_parts(now.before(keep.cache), 0));
        let doomed = Doomed { runs: older(keep.runs).collect(), cached_before };
        let mut report = GcReport { runs: doomed.runs.len() as u64, ..GcReport::default() };
        for run in older(keep.runs.min(keep.logs)) {
            report.logs += u64::from(remove_logs(&self.home.join("logs").join(run.to_string()), dry).await?);
        }
        // Asked for before anything goes: what is live is the same then and afterwards.
        let live: HashSet<_> = self.store.live_artifacts(&doomed).await?.into_iter().collect();
        if !dry {
            for run in doomed.runs {
                self.store.forget(run).await?;
            }
            self.store.sweep(cached_before).await?;
        }
        if let Some(disk) = &self.on_disk {
            let swept = disk.sweep(live, now, dry).await?;
            report.artifacts = swept.artifacts;
            report.bytes = swept.bytes;
            report.young = swept.young;
            report.young_bytes = swept.young_bytes;
        }
        Ok(report)
    }

    /// Runs that ended before a moment, and some that ended later.
    async fn ended_runs(&self, before: Timestamp) -> Result<Ended, Fault> {
        let mut ended = Ended::new();
        // Whatever ended by then had begun by then.
        let mut after = Some(Cursor(RunId::from_parts(before.after(Duration::from_millis(1)), u128::MAX)));
        loop {
            let filter = RunFilter {
                statuses: vec![RunStatus::Succeeded, RunStatus::Failed, RunStatus::Cancelled],
                limit: PAGE,
                after,
                ..RunFilter::default()
            };
            let page = self.store.runs(&filter).await?;
            let Some(last) = page.last() else { return Ok(ended) };
            after = Some(Cursor(last.id));
            ended.extend(page.iter().filter_map(|run| Some((run.id, run.ended_at?))));
        }
    }
}

/// Whether there were any.
async fn remove_logs(folder: &Path, dry: bool) -> Result<bool, Fault> {
    let gone = |e: std::io::Error| match e.kind() {
        std::io::ErrorKind::NotFound => Ok(false),
        _ => Err(Fault::external("gc.logs", format!("{} cannot be removed: {e}", folder.display()))),
    };
    if dry {
        return tokio::fs::metadata(folder).await.map_or_else(gone, |_| Ok(true));
    }
    tokio::fs::remove_dir_all(folder).await.map_or_else(gone, |()| Ok(true))
}
