//! Forgets what is older than it is to be kept.

use std::{sync::Arc, time::Duration};

use millwork_engine::{
    Engine, Keep,
    model::{Clock, Fault, Timestamp},
    store::{RecordKind, When},
};
use tokio_util::sync::CancellationToken;

/// How often it is looked for what is too old.
const EVERY: Duration = Duration::from_hours(1);
/// Records removed at once.
const PAGE: u32 = 500;

/// Does in a service what `millwork gc` does beside it, every hour from its start on.
#[derive(Debug)]
pub(crate) struct Retention {
    pub engine: Engine,
    pub clock: Arc<dyn Clock>,
    pub keep: Keep,
}

impl Retention {
    /// Goes on until it is stopped.
    pub(crate) async fn run(self, stop: CancellationToken) {
        loop {
            match self.once().await {
                Ok(0) => {}
                Ok(runs) => tracing::info!(runs, "runs were forgotten, as `retention:` says"),
                Err(fault) => tracing::error!(%fault, "what is too old was not removed; this is tried again"),
            }
            let next = self.clock.now().after(EVERY);
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.clock.until(next) => {}
            }
        }
    }

    async fn once(&self) -> Result<u64, Fault> {
        let report = self.engine.gc(self.keep, false).await?;
        self.forget_notices(self.clock.now().before(self.keep.runs)).await?;
        Ok(report.runs)
    }

    /// Notices go with the runs that they are about. Their keys begin with their times.
    async fn forget_notices(&self, before: Timestamp) -> Result<(), Fault> {
        let (store, end) = (self.engine.reader(), before.as_micros().to_string());
        loop {
            let page = store.records(RecordKind::Notice, "", None, PAGE).await?;
            let old: Vec<_> = page.into_iter().filter(|record| record.key < end).collect();
            for record in &old {
                store.put_record(RecordKind::Notice, &record.key, None, When::Always).await?;
            }
            if old.len() < PAGE as usize {
                return Ok(());
            }
        }
    }
}
