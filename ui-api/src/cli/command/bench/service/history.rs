//! Runs of the past, written through the store.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use futures::{StreamExt, stream};
use millwork_engine::{
    Durability,
    graph::Bundle,
    model::{
        Event, Fault, OwnerId, Recorded, RunId, RunStatus, SystemClock, Timestamp,
        event::{Cause, RunOrigin, VERSION},
    },
    store::{NewRun, RunWriter, SqliteStore},
};
use serde_json::json;

use super::texts;

/// Pipelines that the runs are of.
pub(super) const PIPELINES: u64 = 200;
/// Creations under way at once: as many as the writer takes into a commit.
const AT_ONCE: usize = 1024;
/// One in so many is remembered.
const KEPT: u64 = 1000;

/// The name of a pipeline of the past.
pub(super) fn name(n: u64) -> String {
    format!("past_{:03}", n % PIPELINES)
}

/// How the n-th run ended: three of a hundred failed, one was cancelled.
fn status(n: u64) -> RunStatus {
    // Not in step with the pipelines, so that each has all kinds of ends.
    match (n / PIPELINES + n * 7) % 100 {
        0..3 => RunStatus::Failed,
        3 => RunStatus::Cancelled,
        _ => RunStatus::Succeeded,
    }
}

/// Writes so many runs that have ended, the last one an hour ago; some of their ids, oldest first.
pub(super) async fn write(home: &Path, runs: u64) -> Result<Vec<RunId>, Fault> {
    use millwork_engine::model::Clock;
    let clock = Arc::new(SystemClock);
    let store = SqliteStore::open(home, Durability::Process, clock.clone()).await?;
    let bundles: Vec<Bundle> = (0..PIPELINES).map(bundle).collect();
    let owner = OwnerId::generate(clock.now());
    // A little more than 26 seconds apart: a million are most of a year.
    let first = clock.now().before(Duration::from_hours(1) + Duration::from_millis(26_300) * runs as u32);
    let new = |n: u64| new_run(n, first.after(Duration::from_millis(26_300) * n as u32), owner, &bundles);
    let mut written = stream::iter(0..runs)
        .map(|n| {
            let run = new(n);
            let store = &store;
            async move { store.create(run?).await.map(|id| (n, id)).map_err(Fault::from) }
        })
        .buffer_unordered(AT_ONCE);
    let mut kept = BTreeMap::new();
    while let Some(done) = written.next().await {
        let (n, id) = done?;
        if n.is_multiple_of(KEPT) {
            kept.insert(n, id);
        }
    }
    drop(written);
    store.close().await;
    Ok(kept.into_values().collect())
}

fn bundle(n: u64) -> Bundle {
    Bundle {
        path: format!("{}.yaml", name(n)),
        base: "/".to_owned(),
        text: texts::three(&name(n), ""),
        files: [].into(),
        kinds: [("assert".to_owned(), 1)].into(),
    }
}

fn new_run(n: u64, begin: Timestamp, owner: OwnerId, bundles: &[Bundle]) -> Result<NewRun, Fault> {
    let bundle = bundles.get((n % PIPELINES) as usize).cloned();
    let bundle = bundle.ok_or_else(|| Fault::internal("bench.history", "a pipeline is missing"))?;
    let status = status(n);
    let origin = RunOrigin {
        pipeline: name(n),
        revision: bundle.revision(),
        inputs: json!({"n": n}),
        labels: BTreeMap::new(),
        cause: if n.is_multiple_of(3) {
            Cause::Api { who: "local".to_owned() }
        } else {
            Cause::Schedule { schedule: 0, at: begin, backfill: false }
        },
        only: Vec::new(),
        reused: BTreeMap::new(),
        reused_labels: BTreeMap::new(),
        deadline: None,
        interval: None,
        event: None,
        ticket: millwork_engine::model::Ticket::default(),
        asked: None,
    };
    let fault = (status == RunStatus::Failed).then(|| Fault::user("assert.failed", "there are no orders"));
    let events = [
        Event::RunCreated { origin: Box::new(origin) },
        Event::RunStarted,
        Event::RunEnded { status, outputs: json!({"n": n}), fault },
    ];
    let took = Duration::from_millis(5 + n % 40_000);
    let recorded = (1..).zip(events).map(|(seq, event)| Recorded {
        seq,
        at: if seq < 3 { begin } else { begin.after(took) },
        version: VERSION,
        event,
    });
    Ok(NewRun {
        id: RunId::generate(begin),
        pipeline: name(n),
        bundle,
        parent: None,
        key: None,
        owner,
        events: recorded.collect(),
        status,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pipeline_has_all_kinds_of_ends() {
        for pipeline in [0, 1, 77, PIPELINES - 1] {
            let runs = (0..50_000).filter(|n| n % PIPELINES == pipeline);
            let ends: Vec<RunStatus> = runs.map(status).collect();
            let many = |status| ends.iter().filter(|end| **end == status).count();
            assert!(many(RunStatus::Failed) > 0 && many(RunStatus::Cancelled) > 0 && many(RunStatus::Succeeded) > 200);
        }
    }
}
