//! One transaction for many operations. Conditions are checked under the write lock, then all rows
//! of all runs are written by a few statements; an operation that is refused leaves its neighbours be.
//!
//! Most groups are appends to runs that this writer wrote last: then the conditions are part of the one call that
//! writes (see [`Known`]). Every call to the connection is a hop to another thread and back.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use sqlx::{Row, SqliteConnection};

use super::{
    super::{Committed, StoreError},
    batch::Batch,
    known::{self, Known},
    op::{Answer, Create, EventRow, Events, Job, Op, Prepared, PreparedItem, Refusal},
    single,
};
use crate::{
    crash::crash_point,
    model::{Clock, Digest, RunId},
};

/// What came of an operation; `None`: not tried, it belongs into the next transaction.
pub(super) type Outcome = Option<Result<Answer, Refusal>>;

/// A run as the store has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) key: i64,
    pub(super) epoch: u64,
    pub(super) seq: u64,
}

/// Rows for the tables, over all runs of the group. The first column is the run's key.
#[derive(Default)]
struct Rows<'a> {
    bundles: Vec<(Digest, &'a Arc<str>)>,
    runs: Vec<(i64, &'a Create)>,
    scopes: Vec<&'a (String, String)>,
    heads: Vec<(i64, u64, &'a Prepared)>,
    /// The first and the last event of each run.
    commits: Vec<(i64, i64, i64)>,
    events: Vec<(i64, &'a EventRow)>,
    steps: Vec<(i64, u32, i64)>,
    items: Vec<(i64, &'a PreparedItem)>,
    outputs: Vec<(Digest, &'a Arc<str>)>,
    uses: Vec<(i64, Digest)>,
    snapshots: Vec<(i64, u64, &'a Vec<u8>)>,
    state: Vec<(i64, &'a String, &'a String)>,
}

/// Does the operations in one transaction, which is committed when this returns `Ok` and undone when
/// it does not.
pub(super) async fn commit(
    conn: &mut SqliteConnection,
    jobs: &[Job],
    clock: &dyn Clock,
    known: &mut Known,
) -> Result<Vec<Outcome>, sqlx::Error> {
    if let Some(appends) = known.of(jobs) {
        match quick(conn, &appends, clock, known).await {
            Ok(outcomes) => return Ok(outcomes),
            Err(error) => {
                known.forget();
                let _ = sqlx::query("ROLLBACK").execute(&mut *conn).await;
                // Another process wrote to one of the runs: who may still write is found out below.
                if !known::is_stale(&error) {
                    return Err(error);
                }
            }
        }
    }
    let done = attempt(conn, jobs, clock, known).await;
    if done.is_err() {
        known.forget();
        // Where SQLite has rolled back already, this is an error that says so.
        let _ = sqlx::query("ROLLBACK").execute(conn).await;
    }
    done
}

/// Appends that follow what this writer wrote last, in one call. It fails as a whole where a run is not as it was.
async fn quick(
    conn: &mut SqliteConnection,
    appends: &[(&Prepared, Head)],
    clock: &dyn Clock,
    known: &mut Known,
) -> Result<Vec<Outcome>, sqlx::Error> {
    let mut rows = Rows::default();
    for (append, head) in appends {
        rows.append(head.key, append);
    }
    let mut batch = Batch::default();
    batch.statement("BEGIN IMMEDIATE");
    known::refuse_stale(&mut batch, appends);
    rows.write(&mut batch);
    crash_point("writer.checked");
    batch.run(conn).await?;
    crash_point("writer.committed");
    let done = appends.iter().map(|(append, head)| {
        known.wrote(append, head.key);
        Some(Ok(Answer::Committed(Committed { seq: last_seq(append), at: clock.now() })))
    });
    Ok(done.collect())
}

fn last_seq(append: &Prepared) -> u64 {
    append.after + append.events.rows.len() as u64
}

async fn attempt(
    conn: &mut SqliteConnection,
    jobs: &[Job],
    clock: &dyn Clock,
    known: &mut Known,
) -> Result<Vec<Outcome>, sqlx::Error> {
    let (heads, mut next_key) = begin(conn, jobs).await?;
    crash_point("writer.locked");
    let mut outcomes = Vec::with_capacity(jobs.len());
    let (mut touched, mut children, mut keys) = (HashSet::new(), HashSet::new(), HashSet::new());
    let mut rows = Rows::default();
    for job in jobs {
        let outcome = match &job.op {
            Op::Append(append) if touched.insert(append.run) => {
                let head = heads.get(&*append.id).copied();
                Some(check_append(conn, append, head).await?.map(|fresh| {
                    let seq = if let Some(key) = fresh.write {
                        rows.append(key, append);
                        last_seq(append)
                    } else {
                        fresh.seq
                    };
                    Answer::Committed(Committed { seq, at: clock.now() })
                }))
            }
            Op::Create(create)
                if !touched.contains(&create.run)
                    && create.parent.as_ref().is_none_or(|parent| children.insert(parent.clone()))
                    && create.key.as_ref().is_none_or(|key| keys.insert(key.as_str())) =>
            {
                touched.insert(create.run);
                let head = heads.get(&*create.id).copied();
                Some(match find_created(conn, create, head).await? {
                    Ok(Some(run)) => Ok(Answer::Run(run)),
                    Err(refusal) => Err(refusal),
                    Ok(None) => {
                        next_key += 1;
                        rows.create(next_key, create);
                        Ok(Answer::Run(create.run))
                    }
                })
            }
            Op::Append(_) | Op::Create(_) => None,
            Op::Take { run, .. } | Op::Forget { run } if !touched.insert(*run) => None,
            op => {
                let done = single::apply(conn, op).await?;
                crash_point("writer.applied");
                Some(done)
            }
        };
        outcomes.push(outcome);
    }
    crash_point("writer.checked");
    let mut batch = Batch::default();
    rows.write(&mut batch);
    batch.run(conn).await?;
    crash_point("writer.committed");
    known.remember(&rows.runs, &rows.heads);
    Ok(outcomes)
}

/// Takes the write lock, and reads how the runs of the group stand, and the last key in use.
async fn begin(conn: &mut SqliteConnection, jobs: &[Job]) -> Result<(HashMap<String, Head>, i64), sqlx::Error> {
    const BEGIN: &str = "BEGIN IMMEDIATE; \
         SELECT key, id, epoch, seq FROM runs WHERE id IN (SELECT value FROM json_each(?)) \
         UNION ALL SELECT coalesce(max(key), 0), '', 0, 0 FROM runs;";
    let mut ids = String::from("[");
    for job in jobs {
        let id = match &job.op {
            Op::Append(append) => &append.id,
            Op::Create(create) => &create.id,
            _ => continue,
        };
        let comma = if ids.len() > 1 { "," } else { "" };
        ids.extend([comma, "\"", id, "\""]);
    }
    ids.push(']');
    let (mut heads, mut last) = (HashMap::new(), 0);
    for row in sqlx::query(BEGIN).bind(ids).fetch_all(conn).await? {
        let (key, id): (i64, String) = (row.try_get(0)?, row.try_get(1)?);
        if id.is_empty() {
            last = key;
        } else {
            let (epoch, seq): (i64, i64) = (row.try_get(2)?, row.try_get(3)?);
            heads.insert(id, Head { key, epoch: epoch as u64, seq: seq as u64 });
        }
    }
    Ok((heads, last))
}

/// An append that may be done: the run's key if there is something to write, and the last event's
/// `seq` if there is not.
struct Fresh {
    write: Option<i64>,
    seq: u64,
}

async fn check_append(
    conn: &mut SqliteConnection,
    append: &Prepared,
    head: Option<Head>,
) -> Result<Result<Fresh, Refusal>, sqlx::Error> {
    let Some(head) = head else { return Ok(Err(StoreError::NoRun(append.run).into())) };
    if head.epoch != append.epoch {
        return Ok(Err(StoreError::NotOwner { current: head.epoch }.into()));
    }
    if head.seq == append.after {
        return Ok(Ok(Fresh { write: Some(head.key), seq: head.seq }));
    }
    if !append.events.rows.is_empty() && holds(conn, head.key, &append.events).await? {
        return Ok(Ok(Fresh { write: None, seq: head.seq }));
    }
    Ok(Err(StoreError::Conflict { expected: append.after, current: head.seq }.into()))
}

/// The run that a `create` asks for, if it is there already.
async fn find_created(
    conn: &mut SqliteConnection,
    create: &Create,
    head: Option<Head>,
) -> Result<Result<Option<RunId>, Refusal>, sqlx::Error> {
    if let Some(parent) = &create.parent {
        let sql = "SELECT id FROM runs WHERE parent = ? AND parent_node = ? AND parent_item = ?";
        let child = sqlx::query_scalar::<_, String>(sql).bind(&parent.run).bind(parent.node).bind(parent.item);
        if let Some(id) = child.fetch_optional(&mut *conn).await? {
            return Ok(super::codec::parse(&id).map(Some).map_err(Refusal::from));
        }
    }
    if let Some(key) = &create.key {
        let sql = "SELECT id FROM runs WHERE key = (SELECT run FROM run_keys WHERE key = ?)";
        if let Some(id) = sqlx::query_scalar::<_, String>(sql).bind(key).fetch_optional(&mut *conn).await? {
            return Ok(super::codec::parse(&id).map(Some).map_err(Refusal::from));
        }
    }
    match head {
        None => Ok(Ok(None)),
        Some(head) if holds(conn, head.key, &create.events).await? => Ok(Ok(Some(create.run))),
        Some(head) => Ok(Err(StoreError::Conflict { expected: 0, current: head.seq }.into())),
    }
}

/// Whether the log holds exactly these events at their places.
async fn holds(conn: &mut SqliteConnection, key: i64, events: &Events) -> Result<bool, sqlx::Error> {
    let (Some(first), Some(last)) = (events.rows.first(), events.rows.last()) else { return Ok(true) };
    let sql = "SELECT at, version, event FROM events WHERE run = ? AND seq BETWEEN ? AND ? ORDER BY seq";
    let held = sqlx::query_as::<_, (i64, i64, String)>(sql).bind(key).bind(first.seq).bind(last.seq);
    let held = held.fetch_all(conn).await?;
    let same = |(held, event): (&(i64, i64, String), &EventRow)| {
        held.0 == event.at && held.1 == event.version && *held.2 == *event.text
    };
    Ok(held.len() == events.rows.len() && held.iter().zip(&events.rows).all(same))
}

impl<'a> Rows<'a> {
    fn create(&mut self, key: i64, create: &'a Create) {
        if !self.bundles.iter().any(|(revision, _)| *revision == create.revision) {
            self.bundles.push((create.revision, &create.bundle));
        }
        self.scopes.extend(&create.scopes);
        self.runs.push((key, create));
        self.events(key, &create.events);
    }

    fn append(&mut self, key: i64, append: &'a Prepared) {
        let seq = last_seq(append);
        self.heads.push((key, seq, append));
        self.events(key, &append.events);
        self.steps.extend(append.steps.iter().map(|(node, status)| (key, *node, *status)));
        self.items.extend(append.items.iter().map(|item| (key, item)));
        self.outputs.extend(append.outputs.iter().map(|(digest, json)| (*digest, json)));
        self.uses.extend(append.outputs.iter().map(|(digest, _)| (key, *digest)));
        self.snapshots.extend(append.snapshot.as_ref().map(|data| (key, seq, data)));
        self.state.extend(append.state.iter().map(|(name, value)| (key, name, value)));
    }

    fn events(&mut self, key: i64, events: &'a Events) {
        if let (Some(first), Some(last)) = (events.rows.first(), events.rows.last()) {
            self.commits.push((key, first.seq, last.seq));
        }
        self.events.extend(events.rows.iter().map(|row| (key, row)));
        self.uses.extend(events.uses.iter().map(|digest| (key, *digest)));
    }

    /// Writes everything and commits.
    fn write(&self, batch: &mut Batch) {
        self.write_runs(batch);
        self.write_parts(batch);
        batch.statement("COMMIT");
    }

    fn write_runs(&self, batch: &mut Batch) {
        let ignore = " ON CONFLICT DO NOTHING";
        batch.rows("INSERT INTO bundles VALUES", 2, ignore, &self.bundles, |b, (revision, text)| {
            b.value(&revision.as_bytes()[..]).value(Arc::clone(text));
        });
        batch.rows("INSERT INTO runs VALUES", 14, "", &self.runs, |b, (key, run)| {
            let parent = run.parent.as_ref();
            b.value(*key).value(Arc::clone(&run.id)).value(run.pipeline.as_str()).value(&run.revision.as_bytes()[..]);
            b.value(parent.map(|p| p.run.as_str())).value(parent.map(|p| p.node)).value(parent.map(|p| p.item));
            b.value(run.status).value(run.created_at).value(run.ended_at);
            b.value(run.events.rows.len() as i64).value(1_i64).value(run.owner.as_str());
            b.value(run.started_at);
        });
        let keyed = self.runs.iter().filter_map(|(run, create)| Some((create.key.as_deref()?, *run)));
        let keyed: Vec<(&str, i64)> = keyed.collect();
        batch.rows("INSERT INTO run_keys VALUES", 2, "", &keyed, |b, (key, run)| {
            b.value(*key).value(*run);
        });
        batch.rows("INSERT INTO scopes VALUES", 2, ignore, &self.scopes, |b, (scope, within)| {
            b.value(scope.as_str()).value(within.as_str());
        });
        let head = "UPDATE runs SET seq = v.column2, status = v.column3, ended_at = v.column4, \
                    started_at = coalesce(started_at, v.column5) FROM (VALUES";
        let tail = ") AS v WHERE runs.key = v.column1";
        batch.rows(head, 5, tail, &self.heads, |b, (key, seq, append)| {
            b.value(*key).value(*seq as i64).value(append.status).value(append.ended_at);
            b.value(append.started_at);
        });
    }

    fn write_parts(&self, batch: &mut Batch) {
        let head = "INSERT INTO commits (run, first, last) VALUES";
        batch.rows(head, 3, "", &self.commits, |b, (key, first, last)| {
            b.value(*key).value(*first).value(*last);
        });
        batch.rows("INSERT INTO events VALUES", 5, "", &self.events, |b, (key, event)| {
            b.value(*key).value(event.seq).value(event.at).value(event.version).value(Arc::clone(&event.text));
        });
        batch.rows("INSERT OR REPLACE INTO steps VALUES", 3, "", &self.steps, |b, (key, node, status)| {
            b.value(*key).value(i64::from(*node)).value(*status);
        });
        batch.rows("INSERT OR REPLACE INTO items VALUES", 7, "", &self.items, |b, (key, item)| {
            b.value(*key).value(i64::from(item.node)).value(i64::from(item.item)).value(item.outcome);
            b.value(i64::from(item.attempts)).value(item.outputs.clone()).value(item.fault.clone());
        });
        let ignore = " ON CONFLICT DO NOTHING";
        batch.rows("INSERT INTO outputs VALUES", 2, ignore, &self.outputs, |b, (digest, json)| {
            b.value(&digest.as_bytes()[..]).value(Arc::clone(json));
        });
        batch.rows("INSERT INTO output_uses VALUES", 2, ignore, &self.uses, |b, (key, digest)| {
            b.value(&digest.as_bytes()[..]).value(*key);
        });
        batch.rows("INSERT OR REPLACE INTO snapshots VALUES", 3, "", &self.snapshots, |b, (key, seq, data)| {
            b.value(*key).value(*seq as i64).value(data.as_slice());
        });
        let head = "INSERT OR REPLACE INTO state SELECT r.pipeline, v.column2, v.column3 FROM (VALUES";
        batch.rows(head, 3, ") AS v JOIN runs r ON r.key = v.column1", &self.state, |b, (key, name, value)| {
            b.value(*key).value(name.as_str()).value(value.as_str());
        });
    }
}
