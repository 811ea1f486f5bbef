//! Operations that are done one by one inside a group's transaction. Each checks first and writes
//! last, in one call, so that a refusal leaves nothing to undo.

use sqlx::{Row, SqliteConnection};

use super::{
    super::{OwnerRecord, StoreError, ledger},
    batch::Batch,
    codec::{self, Numbered, amount, or_whole},
    op::{Answer, Op, Refusal},
    service,
};
use crate::{
    model::{Digest, RunId},
    step::{JournalKey, Reservation, Resource, Settlement},
};

type Applied = Result<Result<Answer, Refusal>, sqlx::Error>;

/// Does one operation that is neither a create nor an append.
pub(super) async fn apply(conn: &mut SqliteConnection, op: &Op) -> Applied {
    match op {
        Op::Create(_) | Op::Append(_) => Ok(Err(StoreError::Broken("an append outside a group".into()).into())),
        Op::Take { run, owner, after } => {
            let sql = "SELECT epoch FROM runs WHERE id = ?";
            let epoch = sqlx::query_scalar::<_, i64>(sql).bind(run.to_string()).fetch_optional(&mut *conn).await?;
            let Some(epoch) = epoch.map(|epoch| epoch as u64) else {
                return Ok(Err(StoreError::NoRun(*run).into()));
            };
            if epoch != *after {
                return Ok(Err(StoreError::NotOwner { current: epoch }.into()));
            }
            let sql = "UPDATE runs SET epoch = epoch + 1, owner = ? WHERE id = ?";
            sqlx::query(sql).bind(owner.to_string()).bind(run.to_string()).execute(conn).await?;
            Ok(Ok(Answer::Owner(OwnerRecord { owner: *owner, epoch: epoch + 1 })))
        }
        Op::Forget { run } => forget(conn, *run).await,
        Op::Sweep { cached_before } => sweep(conn, *cached_before).await,
        Op::Cache { fingerprint, outputs, row, labels, rows, run } => {
            let mut batch = Batch::default();
            batch.statement("INSERT OR REPLACE INTO cache VALUES (?, ?, ?, ?, ?, ?)");
            batch.value(&fingerprint.as_bytes()[..]).value(outputs.as_str());
            batch.value(row.map(|row| row.as_bytes().to_vec())).value(labels.as_str());
            batch.value(rows.map(amount)).value(run.to_string());
            done(batch, conn).await
        }
        Op::Request { run, kind, by, at } => {
            let sql =
                "INSERT INTO requests (run, kind, author, at) SELECT key, ?, ?, ? FROM runs WHERE id = ? RETURNING id";
            let query = sqlx::query_scalar::<_, i64>(sql).bind(kind).bind(by).bind(at).bind(run.to_string());
            Ok(query.fetch_optional(conn).await?.map(Answer::Number).ok_or(StoreError::NoRun(*run).into()))
        }
        Op::Intend { key, request, reserve, epoch } => intend(conn, key, *request, reserve, *epoch).await,
        Op::Finish { key, request, result, settle } => finish(conn, key, *request, result, settle).await,
        Op::Release { key } => release(conn, key).await,
        Op::Limit { scope, resource, limit } => {
            let mut batch = Batch::default();
            batch.statement(
                "INSERT INTO ledger (scope, resource, most) VALUES (?, ?, ?) \
                 ON CONFLICT DO UPDATE SET most = excluded.most",
            );
            batch.value(scope.as_str()).value(resource.number()).value(limit.map(amount));
            done(batch, conn).await
        }
        Op::PutRecord { kind, key, value, when } => {
            service::put_record(conn, *kind, key, value.as_deref(), *when).await.map(Ok)
        }
        Op::Audit { text } => service::audit(conn, text).await,
        Op::Nest { links } => {
            let mut batch = Batch::default();
            batch.rows("INSERT OR REPLACE INTO scopes VALUES", 2, "", links, |b, (scope, within)| {
                b.value(scope.as_str()).value(within.as_str());
            });
            done(batch, conn).await
        }
    }
}

async fn done(batch: Batch, conn: &mut SqliteConnection) -> Applied {
    batch.run(conn).await?;
    Ok(Ok(Answer::Done))
}

async fn forget(conn: &mut SqliteConnection, run: RunId) -> Applied {
    let id = run.to_string();
    let key = sqlx::query_scalar::<_, i64>("SELECT key FROM runs WHERE id = ?").bind(&id);
    let Some(key) = key.fetch_optional(&mut *conn).await? else { return Ok(Err(StoreError::NoRun(run).into())) };
    let mut batch = Batch::default();
    batch.statement("UPDATE feed_floor SET pos = max(pos, coalesce((SELECT max(pos) FROM commits WHERE run = ?), 0))");
    batch.value(key);
    for table in ["commits", "events", "snapshots", "steps", "items", "output_uses", "journal", "requests", "run_keys"]
    {
        batch.statement(&format!("DELETE FROM {table} WHERE run = ?")).value(key);
    }
    for table in ["ledger", "scopes"] {
        // '0' is the character after '/': everything between is a step of this run.
        batch.statement(&format!("DELETE FROM {table} WHERE scope = ? OR (scope > ? AND scope < ?)"));
        batch.value(id.as_str()).value(format!("{id}/")).value(format!("{id}0"));
    }
    batch.statement("DELETE FROM runs WHERE key = ?").value(key);
    done(batch, conn).await
}

async fn sweep(conn: &mut SqliteConnection, cached_before: Option<RunId>) -> Applied {
    if let Some(oldest) = cached_before {
        sqlx::query("DELETE FROM cache WHERE run < ?").bind(oldest.to_string()).execute(&mut *conn).await?;
    }
    let bundles = "DELETE FROM bundles WHERE revision NOT IN (SELECT revision FROM runs)";
    let outputs = "DELETE FROM outputs WHERE digest NOT IN (SELECT digest FROM output_uses) \
         AND digest NOT IN (SELECT output_row FROM cache WHERE output_row IS NOT NULL)";
    let bundles = sqlx::query(bundles).execute(&mut *conn).await?.rows_affected();
    let outputs = sqlx::query(outputs).execute(conn).await?.rows_affected();
    Ok(Ok(Answer::Number((bundles + outputs) as i64)))
}

/// How a journal key stands.
struct Standing {
    run: i64,
    epoch: u64,
    part: Option<Part>,
}

struct Part {
    request: Digest,
    reserved: Reservation,
    done: bool,
}

async fn standing(conn: &mut SqliteConnection, key: &JournalKey) -> Result<Result<Standing, StoreError>, sqlx::Error> {
    let sql = "SELECT r.key, j.request, j.reserved, j.result IS NOT NULL, r.epoch FROM runs r LEFT JOIN journal j \
         ON j.run = r.key AND j.node = ? AND j.item = ? AND j.key = ? WHERE r.id = ?";
    let query = sqlx::query(sql).bind(or_whole(key.node.map(|n| n.0))).bind(or_whole(key.item));
    let row = query.bind(&key.key).bind(key.run.to_string()).fetch_optional(conn).await?;
    let Some(row) = row else { return Ok(Err(StoreError::NoRun(key.run))) };
    let run = row.try_get(0)?;
    let epoch = row.try_get::<i64, _>(4)? as u64;
    let Some(request) = row.try_get::<Option<Vec<u8>>, _>(1)? else {
        return Ok(Ok(Standing { run, epoch, part: None }));
    };
    let reserved = row.try_get::<Option<String>, _>(2)?.map_or(Ok(Reservation::default()), |r| codec::from_json(&r));
    let done = row.try_get(3)?;
    let part = codec::digest(&request).and_then(|request| Ok(Part { request, reserved: reserved?, done }));
    Ok(part.map(|part| Standing { run, epoch, part: Some(part) }))
}

/// Every scope that a key's amounts count in, with its line for each resource that has one.
async fn chain(conn: &mut SqliteConnection, key: &JournalKey) -> Result<Vec<ChainLine>, sqlx::Error> {
    let sql = "WITH RECURSIVE chain (scope) AS ( \
             SELECT value FROM json_each(?) \
             UNION SELECT s.within FROM chain c JOIN scopes s ON s.scope = c.scope) \
         SELECT c.scope, l.resource, l.most, l.reserved, l.settled \
         FROM chain c LEFT JOIN ledger l ON l.scope = c.scope";
    let seeds = serde_json::Value::from(super::super::Scope::of(key)).to_string();
    let mut lines = Vec::new();
    for row in sqlx::query(sql).bind(seeds).fetch_all(conn).await? {
        let number = |at| row.try_get::<Option<i64>, _>(at);
        lines.push(ChainLine {
            scope: row.try_get(0)?,
            resource: number(1)?,
            line: ledger::Line {
                limit: number(2)?.map(|n| n as u64),
                reserved: number(3)?.unwrap_or(0).max(0) as u64,
                settled: number(4)?.unwrap_or(0) as u64,
            },
        });
    }
    Ok(lines)
}

struct ChainLine {
    scope: String,
    resource: Option<i64>,
    line: ledger::Line,
}

fn scopes(chain: &[ChainLine]) -> Vec<&str> {
    let mut scopes: Vec<&str> = chain.iter().map(|line| line.scope.as_str()).collect();
    scopes.sort_unstable();
    scopes.dedup();
    scopes
}

/// Adds the statement that changes what is reserved and settled in all scopes. Sums stay inside 64 bits.
fn book(batch: &mut Batch, chain: &[ChainLine], changes: &[(Resource, i64, u64)]) {
    let rows: Vec<_> = scopes(chain).into_iter().flat_map(|s| changes.iter().map(move |c| (s, c))).collect();
    let tail = " ON CONFLICT DO UPDATE SET \
         reserved = max(0, min(reserved, 9223372036854775807 - max(excluded.reserved, 0)) + excluded.reserved), \
         settled = min(settled, 9223372036854775807 - excluded.settled) + excluded.settled";
    let head = "INSERT INTO ledger (scope, resource, reserved, settled) VALUES";
    batch.rows(head, 4, tail, &rows, |b, (scope, (resource, reserved, settled))| {
        b.value(*scope).value(resource.number()).value(*reserved).value(amount(*settled));
    });
}

async fn intend(
    conn: &mut SqliteConnection,
    key: &JournalKey,
    request: Digest,
    reserve: &Reservation,
    epoch: u64,
) -> Applied {
    let standing = match standing(conn, key).await? {
        Ok(standing) => standing,
        Err(error) => return Ok(Err(error.into())),
    };
    if standing.epoch != epoch {
        return Ok(Err(StoreError::NotOwner { current: standing.epoch }.into()));
    }
    if let Some(part) = standing.part {
        return Ok(if part.request == request { Ok(Answer::Done) } else { Err(Refusal::Fault(ledger::changed(key))) });
    }
    let amounts = ledger::totals(&reserve.0);
    let mut batch = Batch::default();
    let mut reserved = None;
    if !amounts.is_empty() {
        let chain = chain(conn, key).await?;
        for (resource, wanted) in &amounts {
            let lines = chain.iter().filter(|line| line.resource == Some(resource.number()));
            if let Some(full) = lines.into_iter().find(|line| !line.line.fits(*wanted)) {
                let fault = ledger::exceeded(&full.scope, *resource, *wanted, full.line);
                return Ok(Err(Refusal::Fault(fault)));
            }
        }
        let changes: Vec<_> = amounts.iter().map(|(resource, wanted)| (*resource, amount(*wanted), 0)).collect();
        book(&mut batch, &chain, &changes);
        reserved = match codec::to_json(&Reservation(amounts)) {
            Ok(text) => Some(text),
            Err(error) => return Ok(Err(error.into())),
        };
    }
    write_part(&mut batch, standing.run, key, request, reserved, None);
    done(batch, conn).await
}

async fn finish(
    conn: &mut SqliteConnection,
    key: &JournalKey,
    request: Digest,
    result: &str,
    settle: &Settlement,
) -> Applied {
    let standing = match standing(conn, key).await? {
        Ok(standing) => standing,
        Err(error) => return Ok(Err(error.into())),
    };
    let reserved = match standing.part {
        Some(part) if part.request != request => return Ok(Err(Refusal::Fault(ledger::changed(key)))),
        Some(part) if part.done => return Ok(Ok(Answer::Done)),
        Some(part) => part.reserved,
        None => Reservation::default(),
    };
    let mut batch = Batch::default();
    settle_in(&mut batch, conn, key, &reserved, settle).await?;
    write_part(&mut batch, standing.run, key, request, None, Some(result));
    done(batch, conn).await
}

async fn release(conn: &mut SqliteConnection, key: &JournalKey) -> Applied {
    let standing = match standing(conn, key).await? {
        Ok(standing) => standing,
        Err(error) => return Ok(Err(error.into())),
    };
    let Some(part) = standing.part.filter(|part| !part.done) else { return Ok(Ok(Answer::Done)) };
    let mut batch = Batch::default();
    settle_in(&mut batch, conn, key, &part.reserved, &Settlement::default()).await?;
    batch.statement("DELETE FROM journal WHERE run = ? AND node = ? AND item = ? AND key = ?");
    batch.value(standing.run).value(or_whole(key.node.map(|n| n.0))).value(or_whole(key.item)).value(key.key.as_str());
    done(batch, conn).await
}

async fn settle_in(
    batch: &mut Batch,
    conn: &mut SqliteConnection,
    key: &JournalKey,
    reserved: &Reservation,
    settle: &Settlement,
) -> Result<(), sqlx::Error> {
    let changes = ledger::settled(reserved, settle);
    if !changes.is_empty() {
        let changes: Vec<_> = changes.into_iter().map(|(r, free, spent)| (r, -amount(free), spent)).collect();
        book(batch, &chain(conn, key).await?, &changes);
    }
    Ok(())
}

fn write_part(
    batch: &mut Batch,
    run: i64,
    key: &JournalKey,
    request: Digest,
    reserved: Option<String>,
    result: Option<&str>,
) {
    batch.statement("INSERT OR REPLACE INTO journal VALUES (?, ?, ?, ?, ?, ?, ?)");
    batch.value(run).value(or_whole(key.node.map(|n| n.0))).value(or_whole(key.item)).value(key.key.as_str());
    batch.value(&request.as_bytes()[..]).value(reserved).value(result);
}
