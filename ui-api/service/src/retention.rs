//! Forgets what is older than it is to be kept.

use std::{sync::Arc, time::Duration};

use millwork_engine::{
    Engine, Keep,
    model::{Clock, Fault},
};
use tokio_util::sync::CancellationToken;

use crate::ticker::Late;

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
        // Notices go with the runs that they are about.
        let before = self.clock.now().before(self.keep.runs);
        while Late::forget(&self.engine, before, PAGE).await? {}
        Ok(report.runs)
    }
}
