//! Runs found by a part of their pipeline's name, or by the beginning of their id: by indexes, not by reading all runs.

use millwork_engine::{
    model::{Fault, RunId},
    store::{Cursor, RunFilter, RunView as Stored},
};

use super::runs::seen;
use crate::{
    app::App,
    guard::{Caller, Needs},
    problem::{Answer, Problem},
};

/// Pipelines whose runs are looked for at once.
const PIPELINES: usize = 200;
/// What every id begins with.
const ID: &str = "run_";
/// How long the rest of an id is.
const LENGTH: usize = 26;

/// The newest runs that fit, at most so many.
pub(super) async fn found<N: Needs>(
    app: &App,
    caller: &Caller<N>,
    wanted: RunFilter,
    q: &str,
    limit: usize,
) -> Answer<Vec<Stored>> {
    let q = q.to_lowercase();
    if q.starts_with(ID) {
        let Some((first, last)) = ids(&q) else { return Ok(Vec::new()) };
        return of_ids(app, caller, wanted, first, last, limit).await;
    }
    let all = app.service().catalog().all();
    let fit = |name: &&String| caller.sees(name) && name.to_lowercase().contains(&q);
    let names: Vec<&String> = match &wanted.pipeline {
        Some(name) => Some(name).filter(fit).into_iter().collect(),
        None => all.keys().filter(fit).take(PIPELINES + 1).collect(),
    };
    if names.len() > PIPELINES {
        let fault = Fault::user("api.request", format!("more than {PIPELINES} pipelines have `{q}` in their names"));
        return Err(Problem::from(fault.help("say more of the name")));
    }
    let mut found = Vec::new();
    for name in names {
        let filter = RunFilter { pipeline: Some(name.clone()), ..wanted.clone() };
        found.extend(seen(app, caller, filter, limit).await?);
    }
    found.sort_by_key(|run| std::cmp::Reverse(run.id));
    found.truncate(limit);
    Ok(found)
}

/// The first and the last id that begin so.
fn ids(beginning: &str) -> Option<(RunId, RunId)> {
    let given = beginning.strip_prefix(ID)?;
    let missing = LENGTH.checked_sub(given.len())?;
    let with = |rest: &str| format!("{beginning}{}", rest.repeat(missing)).parse().ok();
    // The first digit of an id says three bits, so that no id begins with more than `7`.
    let last = if given.is_empty() { format!("{ID}7{}", "z".repeat(LENGTH - 1)).parse().ok() } else { with("z") };
    Some((with("0")?, last?))
}

async fn of_ids<N: Needs>(
    app: &App,
    caller: &Caller<N>,
    mut wanted: RunFilter,
    first: RunId,
    last: RunId,
    limit: usize,
) -> Answer<Vec<Stored>> {
    let fits = |run: &Stored| {
        wanted.pipeline.as_ref().is_none_or(|name| *name == run.pipeline)
            && (wanted.statuses.is_empty() || wanted.statuses.contains(&run.status))
            && wanted.parent.is_none_or(|parent| run.parent == Some(parent))
            && (!wanted.top || run.parent.is_none())
            && wanted.since.is_none_or(|since| run.id >= since)
            && wanted.after.is_none_or(|after| run.id < after.0)
    };
    // A whole id is looked up; the end of a list leaves its last one out.
    let one = match app.service().engine().reader().run(last).await {
        Ok(run) => Some(run).filter(|run| caller.sees(&run.pipeline) && fits(run)),
        Err(_) => None,
    };
    if first == last {
        return Ok(one.into_iter().collect());
    }
    wanted.since = Some(wanted.since.map_or(first, |since| since.max(first)));
    wanted.after = Some(wanted.after.map_or(Cursor(last), |after| Cursor(after.0.min(last))));
    let rest = seen(app, caller, wanted, limit).await?;
    Ok(one.into_iter().chain(rest).take(limit).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use millwork_engine::model::Timestamp;

    #[test]
    fn beginnings_of_ids() {
        let id = RunId::from_parts(Timestamp::from_micros(1_700_000_000_000_000), 12345);
        let text = id.to_string();
        for length in ID.len()..=text.len() {
            let (first, last) = ids(&text[..length]).expect("ids");
            assert!(first <= id && id <= last, "{first} {id} {last}");
            assert_eq!(first == last, length == text.len());
        }
        for odd in ["run", "run_!", "run_u", "run_8", &format!("{text}0")] {
            assert!(ids(odd).is_none(), "{odd}");
        }
    }
}
