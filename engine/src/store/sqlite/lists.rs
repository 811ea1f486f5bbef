//! The statement of a list of runs.

use super::{super::RunFilter, batch::Batch, codec::Numbered};
use crate::model::RunStatus;

const RUN: &str = "SELECT id, pipeline, revision, status, parent, created_at, ended_at, seq, epoch FROM runs";

/// Runs that a filter lets through, newest first. Each status has a list of its own, which an index keeps in order:
/// what is rare is not looked for among a million that are otherwise.
pub(super) fn runs(filter: &RunFilter) -> Batch {
    let mut batch = Batch::default();
    let open: Vec<RunStatus> = filter.statuses.iter().copied().filter(|status| !status.is_final()).collect();
    let mut lists = Vec::new();
    if !open.is_empty() {
        let numbers: Vec<String> = open.iter().map(|status| status.number().to_string()).collect();
        let status = format!("ended_at IS NULL AND status IN ({})", numbers.join(", "));
        lists.push(list(&mut batch, filter, Some(&status), true));
    }
    for (n, status) in filter.statuses.iter().enumerate().filter(|(_, status)| status.is_final()) {
        // Named twice, it is listed once.
        if !filter.statuses.iter().take(n).any(|before| before == status) {
            lists.push(list(&mut batch, filter, Some(&format!("status = {}", status.number())), false));
        }
    }
    let sql = match lists.as_slice() {
        [] => list(&mut batch, filter, None, false),
        [one] => one.clone(),
        many => {
            let many: Vec<String> = many.iter().map(|list| format!("SELECT * FROM ({list})")).collect();
            format!("{} ORDER BY id DESC LIMIT {}", many.join(" UNION ALL "), filter.limit)
        }
    };
    batch.statement(&sql);
    batch
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
