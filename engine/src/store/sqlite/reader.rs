use std::{collections::BTreeSet, time::Duration};

use futures::TryStreamExt;
use serde_json::Value as Json;
use sqlx::{
    AssertSqlSafe, Row, SqlitePool,
    sqlite::{SqliteConnectOptions, SqlitePoolOptions, SqliteRow},
};

use super::{
    super::{
        Balance, CacheEntry, Doomed, ItemFilter, ItemView, OwnerRecord, Request, RunFilter, RunLog, RunView, Scope,
        StepView, StoreError, Unsettled, named,
    },
    batch::Batch,
    codec::{self, Numbered, from_json, from_whole, or_whole, parse},
    lists,
};
use crate::{
    graph::Bundle,
    model::{ArtifactId, Digest, Event, NodeIx, Recorded, RunId, RunStatus, Timestamp, event},
    step::{Entry, JournalKey, Resource},
};

/// Reads through a pool of its own. Each call is one short statement, so that no snapshot keeps the
/// write-ahead log from being emptied.
#[derive(Debug, Clone)]
pub(super) struct Reader {
    pool: SqlitePool,
}

impl Reader {
    pub(super) fn new(options: SqliteConnectOptions) -> Self {
        let pool = SqlitePoolOptions::new()
            .max_connections(4)
            .idle_timeout(Duration::from_mins(1))
            .test_before_acquire(false)
            .acquire_timeout(Duration::from_mins(1))
            .connect_lazy_with(options.pragma("query_only", "ON"));
        Self { pool }
    }

    pub(super) async fn close(&self) {
        self.pool.close().await;
    }

    pub(super) async fn all(&self, batch: Batch) -> Result<Vec<SqliteRow>, StoreError> {
        Ok(batch.query()?.fetch_all(&self.pool).await?)
    }

    async fn one(&self, sql: &'static str, key: &str) -> Result<Option<SqliteRow>, StoreError> {
        Ok(sqlx::query(sql).bind(key).fetch_optional(&self.pool).await?)
    }

    /// Rows of a run; no row may also mean that there is no such run.
    async fn of_run(&self, run: RunId, batch: Batch) -> Result<Vec<SqliteRow>, StoreError> {
        let rows = self.all(batch).await?;
        if rows.is_empty() {
            self.owner(run).await?;
        }
        Ok(rows)
    }

    pub(super) async fn run(&self, run: RunId) -> Result<RunView, StoreError> {
        let mut batch = Batch::default();
        batch.statement(RUN_BY_ID).value(run.to_string());
        let rows = self.all(batch).await?;
        rows.first().map_or(Err(StoreError::NoRun(run)), view)
    }

    pub(super) async fn owner(&self, run: RunId) -> Result<OwnerRecord, StoreError> {
        let row = self.one("SELECT owner, epoch FROM runs WHERE id = ?", &run.to_string()).await?;
        let row = row.ok_or(StoreError::NoRun(run))?;
        let owner = parse(&row.try_get::<String, _>(0)?)?;
        Ok(OwnerRecord { owner, epoch: row.try_get::<i64, _>(1)? as u64 })
    }

    pub(super) async fn runs(&self, filter: &RunFilter) -> Result<Vec<RunView>, StoreError> {
        self.all(lists::runs(filter)).await?.iter().map(view).collect()
    }

    pub(super) async fn steps(&self, run: RunId) -> Result<Vec<StepView>, StoreError> {
        let mut batch = Batch::default();
        batch.statement(
            "SELECT s.node, s.status FROM runs r JOIN steps s ON s.run = r.key WHERE r.id = ? ORDER BY s.node",
        );
        batch.value(run.to_string());
        let step = |row: &SqliteRow| {
            let (node, status) = (row.try_get::<u32, _>(0)?, row.try_get(1)?);
            Ok(StepView { node: NodeIx(node), status: Numbered::from_number(status)? })
        };
        self.of_run(run, batch).await?.iter().map(step).collect()
    }

    pub(super) async fn log(&self, run: RunId) -> Result<RunLog, StoreError> {
        let sql = "SELECT r.pipeline, s.seq, s.data FROM runs r LEFT JOIN snapshots s ON s.run = r.key WHERE r.id = ?";
        let row = self.one(sql, &run.to_string()).await?.ok_or(StoreError::NoRun(run))?;
        let snapshot = match (row.try_get::<Option<i64>, _>(1)?, row.try_get::<Option<Vec<u8>>, _>(2)?) {
            (Some(seq), Some(data)) => Some((seq as u64, data)),
            _ => None,
        };
        let from = snapshot.as_ref().map_or(0, |(seq, _)| *seq);
        let events = self.events(run, from, u32::MAX).await?;
        Ok(RunLog { snapshot, events, state: self.state(&row.try_get::<String, _>(0)?).await? })
    }

    pub(super) async fn events(&self, run: RunId, after: u64, limit: u32) -> Result<Vec<Recorded>, StoreError> {
        let mut batch = Batch::default();
        batch.statement(
            "SELECT e.seq, e.version, e.event, e.at FROM runs r JOIN events e ON e.run = r.key \
             WHERE r.id = ? AND e.seq > ? ORDER BY e.seq LIMIT ?",
        );
        batch.value(run.to_string()).value(codec::amount(after)).value(i64::from(limit));
        self.of_run(run, batch).await?.iter().map(|row| recorded(row, 0)).collect()
    }

    pub(super) async fn items(
        &self,
        run: RunId,
        node: NodeIx,
        filter: &ItemFilter,
    ) -> Result<Vec<ItemView>, StoreError> {
        let mut batch = Batch::default();
        batch.statement(
            "SELECT i.item, i.outcome, i.attempts, i.outputs, i.fault FROM runs r JOIN items i ON i.run = r.key \
             WHERE r.id = ? AND i.node = ? AND i.item >= ? AND (? < 0 OR i.outcome = ?) ORDER BY i.item LIMIT ?",
        );
        let outcome = filter.outcome.map_or(-1, Numbered::number);
        batch.value(run.to_string()).value(i64::from(node.0)).value(i64::from(filter.from));
        batch.value(outcome).value(outcome).value(i64::from(filter.limit));
        let item = |row: &SqliteRow| {
            Ok(ItemView {
                node,
                item: row.try_get(0)?,
                outcome: Numbered::from_number(row.try_get(1)?)?,
                attempts: row.try_get(2)?,
                outputs: row.try_get::<Option<String>, _>(3)?.as_deref().map(from_json).transpose()?,
                fault: row.try_get::<Option<String>, _>(4)?.as_deref().map(from_json).transpose()?,
            })
        };
        self.of_run(run, batch).await?.iter().map(item).collect()
    }

    pub(super) async fn outputs(&self, digest: Digest) -> Result<String, StoreError> {
        self.by_digest("SELECT json FROM outputs WHERE digest = ?", digest, "outputs").await
    }

    pub(super) async fn bundle(&self, revision: Digest) -> Result<Bundle, StoreError> {
        from_json(&self.by_digest("SELECT bundle FROM bundles WHERE revision = ?", revision, "revision").await?)
    }

    async fn by_digest(&self, sql: &'static str, digest: Digest, what: &str) -> Result<String, StoreError> {
        let text = sqlx::query_scalar(sql).bind(&digest.as_bytes()[..]).fetch_optional(&self.pool).await?;
        text.ok_or_else(|| StoreError::Broken(format!("the {what} {digest} is not there")))
    }

    pub(super) async fn run_of_key(&self, key: &str) -> Result<Option<RunId>, StoreError> {
        let sql = "SELECT id FROM runs WHERE key = (SELECT run FROM run_keys WHERE key = ?)";
        let id = sqlx::query_scalar::<_, String>(sql).bind(key).fetch_optional(&self.pool).await?;
        id.as_deref().map(parse).transpose()
    }

    pub(super) async fn cached(&self, fingerprint: Digest) -> Result<Option<CacheEntry>, StoreError> {
        let sql = "SELECT outputs, labels, row_count, run FROM cache WHERE fingerprint = ?";
        let row = sqlx::query(sql).bind(&fingerprint.as_bytes()[..]).fetch_optional(&self.pool).await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(CacheEntry {
            outputs: from_json(&row.try_get::<String, _>(0)?)?,
            labels: from_json(&row.try_get::<String, _>(1)?)?,
            rows: row.try_get::<Option<i64>, _>(2)?.map(|rows| rows as u64),
            run: parse(&row.try_get::<String, _>(3)?)?,
        }))
    }

    pub(super) async fn state(&self, pipeline: &str) -> Result<Vec<(String, Json)>, StoreError> {
        let mut batch = Batch::default();
        batch.statement("SELECT name, value FROM state WHERE pipeline = ? ORDER BY name").value(pipeline);
        let value = |row: &SqliteRow| Ok((row.try_get(0)?, from_json(&row.try_get::<String, _>(1)?)?));
        self.all(batch).await?.iter().map(value).collect()
    }

    pub(super) async fn live_artifacts(&self, without: &Doomed) -> Result<Vec<ArtifactId>, StoreError> {
        const RUN: &str = "run NOT IN (SELECT key FROM doomed)";
        const CACHED: &str = "run >= (SELECT oldest FROM cached)";
        let doomed: Vec<String> = without.runs.iter().map(RunId::to_string).collect();
        let doomed = serde_json::to_string(&doomed).unwrap_or_default();
        let oldest = without.cached_before.map(|run| run.to_string()).unwrap_or_default();
        let mut found = BTreeSet::new();
        for (table, column, condition) in [
            ("events", "event", RUN.to_owned()),
            ("items", "outputs", RUN.to_owned()),
            ("items", "fault", RUN.to_owned()),
            ("journal", "result", RUN.to_owned()),
            ("cache", "outputs", CACHED.to_owned()),
            (
                "outputs",
                "json",
                format!(
                    "(digest IN (SELECT digest FROM output_uses WHERE {RUN}) \
                     OR digest IN (SELECT output_row FROM cache WHERE {CACHED}))"
                ),
            ),
            ("state", "value", "true".to_owned()),
        ] {
            let sql = format!(
                "WITH doomed AS (SELECT key FROM runs WHERE id IN (SELECT value FROM json_each(?1))), \
                 cached AS (SELECT ?2 AS oldest) \
                 SELECT {column} FROM {table} WHERE length({column}) >= 64 AND {condition}"
            );
            let query = sqlx::query_scalar::<_, String>(AssertSqlSafe(sql));
            let mut texts = query.bind(doomed.clone()).bind(oldest.clone()).fetch(&self.pool);
            while let Some(text) = texts.try_next().await? {
                named::artifacts_in(text.as_bytes(), &mut found);
            }
        }
        Ok(found.into_iter().collect())
    }

    pub(super) async fn requests(&self, run: RunId, after: i64) -> Result<Vec<Request>, StoreError> {
        let mut batch = Batch::default();
        batch.statement(
            "SELECT q.id, q.kind, q.author, q.at FROM runs r JOIN requests q ON q.run = r.key \
             WHERE r.id = ? AND q.id > ? ORDER BY q.id",
        );
        batch.value(run.to_string()).value(after);
        let request = |row: &SqliteRow| {
            let (kind, at) = (row.try_get::<String, _>(1)?, row.try_get(3)?);
            let kind = from_json(&kind)?;
            Ok(Request { id: row.try_get(0)?, run, kind, by: row.try_get(2)?, at: Timestamp::from_micros(at) })
        };
        self.all(batch).await?.iter().map(request).collect()
    }

    pub(super) async fn entry(&self, key: &JournalKey) -> Result<Entry, StoreError> {
        let mut batch = Batch::default();
        batch.statement(
            "SELECT j.request, j.result FROM runs r JOIN journal j ON j.run = r.key \
             WHERE r.id = ? AND j.node = ? AND j.item = ? AND j.key = ?",
        );
        batch.value(key.run.to_string()).value(or_whole(key.node.map(|n| n.0)));
        batch.value(or_whole(key.item)).value(key.key.as_str());
        let rows = self.all(batch).await?;
        let Some(row) = rows.first() else { return Ok(Entry::Absent) };
        let request = codec::digest(&row.try_get::<Vec<u8>, _>(0)?)?;
        Ok(match row.try_get::<Option<String>, _>(1)? {
            Some(result) => Entry::Done { request, result: from_json(&result)? },
            None => Entry::Intended { request },
        })
    }

    pub(super) async fn balance(&self, scope: &Scope) -> Result<Vec<Balance>, StoreError> {
        let mut batch = Batch::default();
        batch.statement("SELECT resource, most, reserved, settled FROM ledger WHERE scope = ? ORDER BY resource");
        batch.value(scope.key());
        let line = |row: &SqliteRow| {
            Ok(Balance {
                resource: Resource::from_number(row.try_get(0)?)?,
                limit: row.try_get::<Option<i64>, _>(1)?.map(|limit| limit as u64),
                reserved: row.try_get::<i64, _>(2)?.max(0) as u64,
                settled: row.try_get::<i64, _>(3)?.max(0) as u64,
            })
        };
        self.all(batch).await?.iter().map(line).collect()
    }

    pub(super) async fn unsettled(&self, run: RunId) -> Result<Vec<Unsettled>, StoreError> {
        let mut batch = Batch::default();
        batch.statement(
            "SELECT j.node, j.item, j.key, j.request, j.reserved FROM runs r JOIN journal j ON j.run = r.key \
             WHERE r.id = ? AND j.result IS NULL ORDER BY j.node, j.item, j.key",
        );
        batch.value(run.to_string());
        let open = |row: &SqliteRow| {
            let node = from_whole(row.try_get(0)?).map(NodeIx);
            let reserved = row.try_get::<Option<String>, _>(4)?;
            Ok(Unsettled {
                key: JournalKey { run, node, item: from_whole(row.try_get(1)?), key: row.try_get(2)? },
                request: codec::digest(&row.try_get::<Vec<u8>, _>(3)?)?,
                reserved: reserved.as_deref().map(from_json).transpose()?.unwrap_or_default(),
            })
        };
        self.all(batch).await?.iter().map(open).collect()
    }
}

const RUN_BY_ID: &str = "SELECT id, pipeline, revision, status, parent, created_at, ended_at, seq, epoch, started_at FROM runs WHERE id = ?";

fn view(row: &SqliteRow) -> Result<RunView, StoreError> {
    Ok(RunView {
        id: parse(&row.try_get::<String, _>(0)?)?,
        pipeline: row.try_get(1)?,
        revision: codec::digest(&row.try_get::<Vec<u8>, _>(2)?)?,
        status: RunStatus::from_number(row.try_get(3)?)?,
        parent: row.try_get::<Option<String>, _>(4)?.as_deref().map(parse).transpose()?,
        created_at: Timestamp::from_micros(row.try_get(5)?),
        ended_at: row.try_get::<Option<i64>, _>(6)?.map(Timestamp::from_micros),
        seq: row.try_get::<i64, _>(7)? as u64,
        epoch: row.try_get::<i64, _>(8)? as u64,
        started_at: row.try_get::<Option<i64>, _>(9)?.map(Timestamp::from_micros),
    })
}

/// An event; one of a newer build refuses to load.
/// Its number, version, text and time are in four columns from `at` on.
pub(super) fn recorded(row: &SqliteRow, at: usize) -> Result<Recorded, StoreError> {
    let (seq, version) = (row.try_get::<i64, _>(at)? as u64, row.try_get::<u32, _>(at + 1)?);
    if version > event::VERSION {
        return Err(StoreError::Newer(format!("event {seq} has version {version}, known is {}", event::VERSION)));
    }
    let event: Event = from_json(&row.try_get::<String, _>(at + 2)?)?;
    Ok(Recorded { seq, at: Timestamp::from_micros(row.try_get(at + 3)?), version, event })
}
