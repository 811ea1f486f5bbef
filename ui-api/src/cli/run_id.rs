use millwork_engine::{
    Engine,
    model::{Fault, RunId},
    store::RunFilter,
};

/// Runs looked through for the beginning of an id.
const LOOKED_THROUGH: u32 = 10_000;

/// The run that a person means: an id, a beginning that only one has, or `last`.
pub(super) async fn find(engine: &Engine, text: &str) -> Result<RunId, Fault> {
    if let Ok(id) = text.parse() {
        return Ok(id);
    }
    let last = text == "last";
    // A run that a step of another started is not what a person calls the last one.
    let mut ids = Vec::new();
    for limit in if last { &[50, LOOKED_THROUGH][..] } else { &[LOOKED_THROUGH] } {
        let runs = engine.reader().runs(&RunFilter { limit: *limit, ..RunFilter::default() }).await?;
        ids = runs.into_iter().filter(|run| !last || run.parent.is_none()).map(|run| run.id).collect();
        if !ids.is_empty() {
            break;
        }
    }
    choose(&ids, text)
}

fn choose(newest_first: &[RunId], text: &str) -> Result<RunId, Fault> {
    if text == "last" {
        let none = || Fault::user("run.unknown", "there is no run yet");
        return newest_first.first().copied().ok_or_else(none);
    }
    let bare = text.strip_prefix("run_").unwrap_or(text);
    let matches = |id: &&RunId| id.to_string().strip_prefix("run_").is_some_and(|id| id.starts_with(bare));
    match newest_first.iter().filter(matches).collect::<Vec<_>>().as_slice() {
        [only] => Ok(**only),
        [] => Err(Fault::user("run.unknown", format!("there is no run `{text}`")).help("see `millwork runs list`")),
        several => {
            let ids: Vec<String> = several.iter().take(3).map(|id| id.to_string()).collect();
            Err(Fault::user("run.ambiguous", format!("{} runs begin with `{text}`", several.len()))
                .help(format!("give more of the id, such as {}", ids.join(" or "))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use millwork_engine::model::Timestamp;

    #[test]
    fn beginnings_and_last_are_understood() {
        let id = |seconds: i64| RunId::from_parts(Timestamp::from_micros(seconds * 1_000_000), 7);
        let runs = [id(1_700_000_000), id(1_000_000_000)];
        assert_eq!(choose(&runs, "last"), Ok(runs[0]));
        let whole = runs[1].to_string();
        assert_eq!(choose(&runs, &whole[..12]), Ok(runs[1]));
        assert_eq!(choose(&runs, &whole[4..12]), Ok(runs[1]));
        assert_eq!(choose(&runs, "0").expect_err("two").code.as_str(), "run.ambiguous");
        assert_eq!(choose(&runs, "zz").expect_err("none").code.as_str(), "run.unknown");
        assert_eq!(choose(&[], "last").expect_err("none").code.as_str(), "run.unknown");
    }
}
