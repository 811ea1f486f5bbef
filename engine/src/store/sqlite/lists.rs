//! The statement of a list of runs.

use super::{super::RunFilter, batch::Batch, codec::Numbered};
use crate::model::RunStatus;

const RUN: &str =
    "SELECT id, pipeline, revision, status, parent, created_at, ended_at, seq, epoch, started_at FROM runs";

/// Runs that a filter lets through, newest first. Each status has a list of its own, which an index keeps in order:
/// what is rare is not looked for among a million that are otherwise.
pub(super) fn runs(filter: &RunFilter) -> Batch {
    let mut batch = Batch::default();
    let sql = select(&mut batch, filter);
    batch.statement(&sql);
    batch
}

fn select(batch: &mut Batch, filter: &RunFilter) -> String {
    let open: Vec<RunStatus> = filter.statuses.iter().copied().filter(|status| !status.is_final()).collect();
    let mut lists = Vec::new();
    if !open.is_empty() {
        let numbers: Vec<String> = open.iter().map(|status| status.number().to_string()).collect();
        let status = format!("ended_at IS NULL AND status IN ({})", numbers.join(", "));
        lists.push(list(batch, filter, Some(&status), true));
    }
    for (n, status) in filter.statuses.iter().enumerate().filter(|(_, status)| status.is_final()) {
        // Named twice, it is listed once.
        if !filter.statuses.iter().take(n).any(|before| before == status) {
            lists.push(list(batch, filter, Some(&format!("status = {}", status.number())), false));
        }
    }
    match lists.as_slice() {
        [] => list(batch, filter, None, false),
        [one] => one.clone(),
        many => {
            let many: Vec<String> = many.iter().map(|list| format!("SELECT * FROM ({list})")).collect();
            format!("{} ORDER BY id DESC LIMIT {}", many.join(" UNION ALL "), filter.limit)
        }
    }
}

fn list(batch: &mut Batch, filter: &RunFilter, status: Option<&str>, open: bool) -> String {
    let mut conditions: Vec<&str> = status.into_iter().collect();
    if let Some(pipeline) = &filter.pipeline {
        // Few runs are open: they are looked through, not all that the pipeline ever had.
        conditions.push(if open { "+pipeline = ?" } else { "pipeline = ?" });
        batch.value(pipeline.as_str());
    }
    if let Some(parent) = filter.parent {
        conditions.push("parent = ?");
        batch.value(parent.to_string());
    }
    if filter.top {
        conditions.push("parent IS NULL");
    }
    if let Some(since) = filter.since {
        conditions.push("id >= ?");
        batch.value(since.to_string());
    }
    if let Some(after) = filter.after {
        conditions.push("id < ?");
        batch.value(after.0.to_string());
    }
    let all = if conditions.is_empty() { "true".to_owned() } else { conditions.join(" AND ") };
    format!("{RUN} WHERE {all} ORDER BY id DESC LIMIT {}", filter.limit)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use sqlx::Row;

    use super::*;
    use crate::{
        model::{RunId, SystemClock, Timestamp},
        store::{Cursor, Durability, SqliteStore},
    };

    #[tokio::test]
    async fn every_list_follows_an_index() {
        let home = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(home.path(), Durability::Process, Arc::new(SystemClock)).await.unwrap();
        let of = |statuses: &[RunStatus], pipeline: bool, after: bool| RunFilter {
            statuses: statuses.to_vec(),
            pipeline: pipeline.then(|| "p".to_owned()),
            after: after.then(|| Cursor(RunId::generate(Timestamp::default()))),
            limit: 51,
            ..RunFilter::default()
        };
        use RunStatus::{Cancelled, Failed, Queued, Running, Succeeded};
        for (statuses, pipeline, indexes) in [
            (&[][..], true, vec!["runs_pipeline"]),
            (&[Failed], false, vec!["runs_failed"]),
            (&[Failed], true, vec!["runs_pipeline_failed"]),
            (&[Cancelled, Failed], true, vec!["runs_pipeline_cancelled", "runs_pipeline_failed"]),
            (&[Cancelled, Failed, Failed], false, vec!["runs_cancelled", "runs_failed"]),
            (&[Queued, Running], true, vec!["runs_open"]),
            (&[Queued, Succeeded], true, vec!["runs_open", "runs_pipeline"]),
        ] {
            for after in [false, true] {
                let mut batch = Batch::default();
                let sql = select(&mut batch, &of(statuses, pipeline, after));
                batch.statement(&format!("EXPLAIN QUERY PLAN {sql}"));
                let rows = store.reader.all(batch).await.unwrap();
                let lines: Vec<String> = rows.iter().map(|row| row.try_get(3).unwrap()).collect();
                let word = |line: &String| line.split("INDEX ").nth(1)?.split(' ').next().map(str::to_owned);
                let used: Vec<String> = lines.iter().filter_map(word).collect();
                assert_eq!(used, indexes, "{statuses:?} {pipeline} {after}: {lines:?}");
            }
        }
        store.close().await;
    }
}
