//! What a writer knows of the runs that it wrote last, so that an append needs no look at the store before it.
//! The store is asked all the same, inside the call that writes: it fails where a run is not as it is known.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use sqlx::SqliteConnection;

use super::{
    batch::Batch,
    group::Head,
    op::{Create, Job, Op, Prepared},
};
use crate::model::RunId;

/// Runs remembered at most.
const MOST: usize = 4096;

/// Makes the table that no row can be put into, for this connection alone.
pub(super) async fn prepare(conn: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let sql = "CREATE TEMP TABLE IF NOT EXISTS stale (run INTEGER, CONSTRAINT stale_run CHECK (run IS NULL AND run IS NOT NULL))";
    sqlx::query(sql).execute(conn).await.map(drop)
}

/// Fails the transaction if a run's owner or log is not as it is known.
pub(super) fn refuse_stale(batch: &mut Batch, runs: &[(&Prepared, Head)]) {
    let head = "INSERT INTO temp.stale SELECT v.column1 FROM (VALUES";
    let tail = ") AS v LEFT JOIN runs r ON r.key = v.column1 \
         WHERE r.id IS NOT v.column2 OR r.epoch IS NOT v.column3 OR r.seq IS NOT v.column4";
    batch.rows(head, 4, tail, runs, |b, (append, head)| {
        b.value(head.key).value(Arc::clone(&append.id)).value(head.epoch as i64).value(head.seq as i64);
    });
}

/// Whether it was [`refuse_stale`] that failed.
pub(super) fn is_stale(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|e| e.message().contains("stale_run"))
}

/// Runs as this writer left them.
#[derive(Debug, Default)]
pub(super) struct Known(HashMap<RunId, Head>);

impl Known {
    /// The appends of jobs with the heads that they follow, if all jobs are appends to runs known so, no run twice.
    pub(super) fn of<'a>(&self, jobs: &'a [Job]) -> Option<Vec<(&'a Prepared, Head)>> {
        let mut seen = HashSet::with_capacity(jobs.len());
        let head = |job: &'a Job| {
            let Op::Append(append) = &job.op else { return None };
            let head = self.0.get(&append.run).copied()?;
            let follows = head.epoch == append.epoch && head.seq == append.after;
            (follows && seen.insert(append.run)).then_some((append, head))
        };
        jobs.iter().map(head).collect()
    }

    /// An append was committed.
    pub(super) fn wrote(&mut self, append: &Prepared, key: i64) {
        if append.ended_at.is_some() {
            // An ended run is rarely written to again.
            self.0.remove(&append.run);
            return;
        }
        if self.0.len() >= MOST {
            self.0.clear();
        }
        let seq = append.after + append.events.rows.len() as u64;
        self.0.insert(append.run, Head { key, epoch: append.epoch, seq });
    }

    /// A group was committed.
    pub(super) fn remember(&mut self, created: &[(i64, &Create)], appended: &[(i64, u64, &Prepared)]) {
        for (key, create) in created {
            self.0.insert(create.run, Head { key: *key, epoch: 1, seq: create.events.rows.len() as u64 });
        }
        for (key, _, append) in appended {
            self.wrote(append, *key);
        }
    }

    /// Nothing is known for sure any more.
    pub(super) fn forget(&mut self) {
        self.0.clear();
    }
}
