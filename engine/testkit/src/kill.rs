//! Kills the real program at a named point, lets another one go on, and checks what no kill may change.

use std::path::Path;

use millwork_engine::model::RunStatus;
use serde_json::Value as Json;

use crate::program::{Ended, Place};

/// A pipeline that is killed.
#[derive(Debug, Clone, Copy)]
pub struct Victim<'a> {
    /// The `millwork` program, built with crash points.
    pub program: &'a Path,
    /// The pipeline's folder; what it needs lies there or is linked from its `data`.
    pub folder: &'a Path,
    /// The pipeline's file in it.
    pub file: &'a str,
}

/// A run that was killed and went on to its end.
#[derive(Debug)]
pub struct Survivor {
    /// Where it ran.
    pub place: Place,
    /// What it told at its end.
    pub outputs: Json,
}

impl Victim<'_> {
    /// Runs the pipeline until it passes `point` (one of `millwork_engine::crash::CRASH_POINTS`) for the `nth` time
    /// and dies there, then resumes it. `None`: it ended without passing the point so often.
    ///
    /// Checked is what holds for every pipeline: the run is the same and succeeds, nothing recorded has changed,
    /// no recorded step or item began again, in the log as in the file `ledger` (see [`Place::ledger`]).
    ///
    /// # Errors
    ///
    /// Which promise was broken, for people.
    pub fn kill_at(&self, point: &str, nth: u32) -> Result<Option<Survivor>, String> {
        let place = Place::of(self.program, self.folder);
        let run = ["run", self.file, "--json"];
        // Points of taking over are passed by a process that goes on.
        let takes = point.starts_with("take.");
        let crash_at = format!("{point}:{nth}");
        let first = place.do_it(&run, Some(if takes { "driver.committed:2" } else { &crash_at }));
        if !died(&first)? {
            return Ok(None);
        }
        if takes && !died(&place.do_it(&["runs", "resume", "last", "--json"], Some(&crash_at)))? {
            return Ok(None);
        }
        let before = place.record();
        let lines = place.ledger().len();
        let last = match &before {
            None => place.do_it(&run, None),
            Some(record) if record.status == RunStatus::Succeeded => {
                place.do_it(&["runs", "show", "last", "--json"], None)
            }
            Some(record) => place.do_it(&["runs", "resume", &record.run.to_string(), "--json"], None),
        };
        if !last.status.success() {
            return Err(format!("going on ended with {last:?}"));
        }
        let shown = || serde_json::from_str::<Json>(&last.stdout).ok().map(|shown| shown["outputs"].clone());
        let outputs = last.outputs().or_else(shown).ok_or("no outputs were told")?;
        let after = place.record().ok_or("there is no run")?;
        if let Some(flaw) = after.flaw() {
            return Err(flaw);
        }
        let Some(before) = before else { return Ok(Some(Survivor { place, outputs })) };
        if after.run != before.run || after.status != RunStatus::Succeeded {
            return Err(format!("{} is {:?}, {} was begun", after.run, after.status, before.run));
        }
        if after.events.get(..before.events.len()) != Some(&before.events[..]) {
            return Err("what was recorded has changed".to_owned());
        }
        let shown = place.do_it(&["runs", "show", "last", "--json"], None);
        let shown: Json = serde_json::from_str(&shown.stdout).map_err(|e| e.to_string())?;
        let id = |node: usize| shown["steps"][node]["id"].as_str().unwrap_or_default().to_owned();
        let steps = before.succeeded().into_iter().map(|node| id(node.index()));
        let items = before.items.iter().map(|(node, item)| format!("{}/{item}", id(node.index())));
        let recorded: Vec<String> = steps.chain(items).collect();
        let again = place.ledger().into_iter().skip(lines).find(|line| {
            recorded.iter().any(|key| line == key || line.strip_prefix(key).is_some_and(|rest| rest.starts_with('/')))
        });
        match again {
            Some(line) => Err(format!("`{line}` was recorded as succeeded and ran again")),
            None => Ok(Some(Survivor { place, outputs })),
        }
    }
}

/// Whether it was killed; an end of any other kind but success is an error.
fn died(ended: &Ended) -> Result<bool, String> {
    match (ended.was_killed(), ended.status.success()) {
        (true, _) => Ok(true),
        (false, true) => Ok(false),
        (false, false) => Err(format!("it ended with {ended:?}")),
    }
}
