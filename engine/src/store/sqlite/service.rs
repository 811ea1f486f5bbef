//! What the service keeps, in SQLite.

use async_trait::async_trait;
use serde_json::Value as Json;
use sqlx::{Row, SqliteConnection, sqlite::SqliteRow};
use tokio::sync::watch;

use super::{
    super::{
        AuditEntry, AuditLog, AuditRow, Feed, FeedCommit, FeedPage, Record, RecordKind, Records, StoreError, When,
    },
    batch::Batch,
    codec::{self, Numbered, from_json, parse, to_json},
    op::{Answer, Op, Refusal},
    reader::{Reader, recorded},
    store::{SqliteStore, unexpected},
};

impl Numbered for RecordKind {
    const ALL: &'static [Self] = &[
        Self::Schedule,
        Self::Cursor,
        Self::File,
        Self::Content,
        Self::Token,
        Self::Session,
        Self::Notice,
        Self::Revision,
        Self::Backfill,
    ];
}

impl Reader {
    async fn records(
        &self,
        kind: RecordKind,
        prefix: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Record>, StoreError> {
        let mut batch = Batch::default();
        batch.statement(
            "SELECT key, version, value FROM records \
             WHERE kind = ? AND key >= ? AND key > ? AND substr(key, 1, length(?)) = ? ORDER BY key LIMIT ?",
        );
        // Every key is greater than the empty one.
        batch.value(kind.number()).value(prefix).value(after.unwrap_or_default());
        batch.value(prefix).value(prefix).value(i64::from(limit));
        self.all(batch).await?.iter().map(record).collect()
    }

    async fn record(&self, kind: RecordKind, key: &str) -> Result<Option<Record>, StoreError> {
        let mut batch = Batch::default();
        batch.statement("SELECT key, version, value FROM records WHERE kind = ? AND key = ?");
        batch.value(kind.number()).value(key);
        self.all(batch).await?.first().map(record).transpose()
    }

    async fn audited(&self, after: u64, limit: u32) -> Result<Vec<AuditRow>, StoreError> {
        let mut batch = Batch::default();
        batch.statement("SELECT seq, entry, hash FROM audit WHERE seq > ? ORDER BY seq LIMIT ?");
        batch.value(codec::amount(after)).value(i64::from(limit));
        self.all(batch).await?.iter().map(audit_row).collect()
    }

    async fn number(&self, sql: &str) -> Result<u64, StoreError> {
        let mut batch = Batch::default();
        batch.statement(sql);
        let rows = self.all(batch).await?;
        Ok(rows.first().map(|row| row.try_get::<i64, _>(0)).transpose()?.unwrap_or(0).max(0) as u64)
    }

    async fn feed(&self, after: u64, limit: u32) -> Result<FeedPage, StoreError> {
        let mut batch = Batch::default();
        // One statement, so that what is forgotten meanwhile is either here or below the floor.
        batch.statement(
            "SELECT c.pos, r.id, r.pipeline, r.revision, e.seq, e.version, e.event, e.at, f.pos \
             FROM feed_floor f LEFT JOIN (SELECT * FROM commits WHERE pos > ? ORDER BY pos LIMIT ?) c \
             LEFT JOIN runs r ON r.key = c.run \
             LEFT JOIN events e ON e.run = c.run AND e.seq BETWEEN c.first AND c.last \
             ORDER BY c.pos, e.seq",
        );
        batch.value(codec::amount(after)).value(i64::from(limit));
        let mut page = FeedPage::default();
        for row in self.all(batch).await? {
            page.floor = row.try_get::<i64, _>(8)? as u64;
            let (Some(pos), Some(_)) = (row.try_get::<Option<i64>, _>(0)?, row.try_get::<Option<i64>, _>(4)?) else {
                continue;
            };
            let pos = pos as u64;
            if page.commits.last().is_none_or(|last| last.pos != pos) {
                page.commits.push(FeedCommit {
                    pos,
                    run: parse(&row.try_get::<String, _>(1)?)?,
                    pipeline: row.try_get(2)?,
                    revision: codec::digest(&row.try_get::<Vec<u8>, _>(3)?)?,
                    events: Vec::new(),
                });
            }
            if let Some(commit) = page.commits.last_mut() {
                commit.events.push(recorded(&row, 4)?);
            }
        }
        Ok(page)
    }
}

fn record(row: &SqliteRow) -> Result<Record, StoreError> {
    let version = row.try_get::<i64, _>(1)? as u64;
    Ok(Record { key: row.try_get(0)?, version, value: from_json(&row.try_get::<String, _>(2)?)? })
}

fn audit_row(row: &SqliteRow) -> Result<AuditRow, StoreError> {
    let text: String = row.try_get(1)?;
    let hash = codec::digest(&row.try_get::<Vec<u8>, _>(2)?)?;
    Ok(AuditRow { seq: row.try_get::<i64, _>(0)? as u64, entry: from_json(&text)?, text, hash })
}

/// Writes a document if the condition holds; how many were written.
pub(super) async fn put_record(
    conn: &mut SqliteConnection,
    kind: i64,
    key: &str,
    value: Option<&str>,
    when: When,
) -> Result<Answer, sqlx::Error> {
    let query = match (value, when) {
        (Some(value), When::Always) => sqlx::query(
            "INSERT INTO records VALUES (?, ?, 1, ?) \
             ON CONFLICT DO UPDATE SET version = version + 1, value = excluded.value",
        )
        .bind(kind)
        .bind(key)
        .bind(value),
        (Some(value), When::Absent) => {
            let sql = "INSERT INTO records VALUES (?, ?, 1, ?) ON CONFLICT DO NOTHING";
            sqlx::query(sql).bind(kind).bind(key).bind(value)
        }
        (Some(value), When::Version(version)) => {
            let sql = "UPDATE records SET version = version + 1, value = ? WHERE kind = ? AND key = ? AND version = ?";
            sqlx::query(sql).bind(value).bind(kind).bind(key).bind(codec::amount(version))
        }
        (None, When::Version(version)) => {
            let sql = "DELETE FROM records WHERE kind = ? AND key = ? AND version = ?";
            sqlx::query(sql).bind(kind).bind(key).bind(codec::amount(version))
        }
        (None, When::Always) => {
            let rows = sqlx::query("DELETE FROM records WHERE kind = ? AND key = ?").bind(kind).bind(key);
            rows.execute(conn).await?;
            return Ok(Answer::Number(1));
        }
        // Nothing to remove: only the condition is asked for.
        (None, When::Absent) => {
            let sql = "SELECT count(*) FROM records WHERE kind = ? AND key = ?";
            let found: i64 = sqlx::query_scalar(sql).bind(kind).bind(key).fetch_one(conn).await?;
            return Ok(Answer::Number(1 - found));
        }
    };
    Ok(Answer::Number(query.execute(conn).await?.rows_affected() as i64))
}

/// Appends to the audit log.
pub(super) async fn audit(conn: &mut SqliteConnection, text: &str) -> Result<Result<Answer, Refusal>, sqlx::Error> {
    let sql = "SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1";
    let last = sqlx::query_as::<_, (i64, Vec<u8>)>(sql).fetch_optional(&mut *conn).await?;
    let (seq, before) = match last {
        None => (1, AuditRow::GENESIS),
        Some((seq, hash)) => match codec::digest(&hash) {
            Ok(hash) => (seq + 1, hash),
            Err(error) => return Ok(Err(error.into())),
        },
    };
    let hash = AuditRow::chained(before, seq as u64, text);
    let row = sqlx::query("INSERT INTO audit VALUES (?, ?, ?)").bind(seq).bind(text).bind(&hash.as_bytes()[..]);
    row.execute(conn).await?;
    Ok(Ok(Answer::Number(seq)))
}

#[async_trait]
impl Records for SqliteStore {
    async fn record(&self, kind: RecordKind, key: &str) -> Result<Option<Record>, StoreError> {
        self.named(self.reader.record(kind, key).await)
    }

    async fn records(
        &self,
        kind: RecordKind,
        prefix: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Record>, StoreError> {
        self.named(self.reader.records(kind, prefix, after, limit).await)
    }

    async fn put_record(
        &self,
        kind: RecordKind,
        key: &str,
        value: Option<Json>,
        when: When,
    ) -> Result<bool, StoreError> {
        let value = value.as_ref().map(to_json).transpose()?;
        match self.write(Op::PutRecord { kind: kind.number(), key: key.to_owned(), value, when }).await? {
            Answer::Number(written) => Ok(written > 0),
            _ => unexpected(),
        }
    }
}

#[async_trait]
impl AuditLog for SqliteStore {
    async fn audit(&self, entry: AuditEntry) -> Result<u64, StoreError> {
        match self.write(Op::Audit { text: to_json(&entry)? }).await? {
            Answer::Number(seq) => Ok(seq as u64),
            _ => unexpected(),
        }
    }

    async fn audited(&self, after: u64, limit: u32) -> Result<Vec<AuditRow>, StoreError> {
        self.named(self.reader.audited(after, limit).await)
    }

    async fn audit_head(&self) -> Result<u64, StoreError> {
        self.named(self.reader.number("SELECT coalesce(max(seq), 0) FROM audit").await)
    }
}

#[async_trait]
impl Feed for SqliteStore {
    async fn feed(&self, after: u64, limit: u32) -> Result<FeedPage, StoreError> {
        self.named(self.reader.feed(after, limit).await)
    }

    async fn feed_head(&self) -> Result<u64, StoreError> {
        // Also where the newest commits were forgotten.
        let sql = "SELECT max(coalesce((SELECT max(pos) FROM commits), 0), (SELECT pos FROM feed_floor))";
        self.named(self.reader.number(sql).await)
    }

    fn feed_watch(&self) -> watch::Receiver<u64> {
        self.writer.committed()
    }
}
