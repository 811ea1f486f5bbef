//! Every crash point and every example: the program kills itself there, another goes on, and nothing
//! is lost or done again. `MILLWORK_KILL_ALL=1` visits every point with the long example too.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Mutex,
};

use millwork_engine::{crash::CRASH_POINTS, model::RunStatus};
use serde_json::Value as Json;

use crate::program::Place;

struct Example {
    name: &'static str,
    folder: PathBuf,
    file: &'static str,
    golden: Json,
}

/// Points that the long example visits every time.
const LONG: &[&str] = &["driver.committed", "writer.committed", "artifact.renamed", "gather.kept", "keep.tables"];

struct Case<'a> {
    point: &'static str,
    nth: u32,
    example: &'a Example,
}

fn examples() -> Vec<Example> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the repository");
    let mut all = Vec::new();
    for (name, folder) in [
        ("01_hello", root.join("examples/01_hello")),
        ("02_branch_retry_resume", root.join("examples/02_branch_retry_resume")),
        ("03_fan_out", root.join("examples/03_fan_out")),
        ("durable", root.join("ui-api/tests/it/pipelines/durable")),
    ] {
        let golden = fs::read_to_string(folder.join("expected.json")).expect("a golden file");
        all.push(Example { name, folder, file: "pipeline.yaml", golden: serde_json::from_str(&golden).expect("JSON") });
    }
    let golden = serde_json::json!({"page": "out/flights.html", "rows": 336_776});
    all.push(Example { name: "flights_etl", folder: root.join("pipelines"), file: "flights_etl.yaml", golden });
    all
}

impl Case<'_> {
    fn crash_at(&self) -> String {
        format!("{}:{}", self.point, self.nth)
    }

    /// Whether the point was reached; a message if a promise was broken.
    fn check(&self) -> Result<bool, String> {
        let place = Place::of(&self.example.folder);
        let run = ["run", self.example.file, "--json"];
        // Points of taking over are passed by a process that goes on.
        let takes = self.point.starts_with("take.");
        let crash_at = self.crash_at();
        let first = place.do_it(&run, Some(if takes { "driver.committed:2" } else { &crash_at }));
        if !first.was_killed() {
            return if first.status.success() { Ok(false) } else { Err(format!("it ended with {first:?}")) };
        }
        if takes {
            let second = place.do_it(&["runs", "resume", "last", "--json"], Some(&crash_at));
            if !second.was_killed() {
                return if second.status.success() { Ok(false) } else { Err(format!("it ended with {second:?}")) };
            }
        }
        let before = place.record();
        let lines = ledger(&place).len();
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
        self.compare(
            &place,
            last.outputs().or_else(|| serde_json::from_str::<Json>(&last.stdout).ok().map(|j| j["outputs"].clone())),
        )?;
        let after = place.record().ok_or("there is no run")?;
        if let Some(flaw) = after.flaw() {
            return Err(flaw);
        }
        let Some(before) = before else { return Ok(true) };
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
        let again = ledger(&place).into_iter().skip(lines).find(|line| {
            recorded.iter().any(|key| line == key || line.strip_prefix(key).is_some_and(|rest| rest.starts_with('/')))
        });
        again.map_or(Ok(true), |line| Err(format!("`{line}` was recorded as succeeded and ran again")))
    }

    fn compare(&self, place: &Place, outputs: Option<Json>) -> Result<(), String> {
        let mut outputs = outputs.ok_or("no outputs were told")?;
        if let Some(page) = outputs.get_mut("page") {
            let path = page.as_str().unwrap_or_default().to_owned();
            let relative = Path::new(&path).strip_prefix(place.path()).unwrap_or(Path::new(&path));
            *page = relative.to_string_lossy().into_owned().into();
        }
        if !same(&outputs, &self.example.golden) {
            return Err(format!("outputs are {outputs}, should be {}", self.example.golden));
        }
        let mut counts = BTreeMap::<String, u32>::new();
        for line in ledger(place) {
            *counts.entry(line).or_default() += 1;
        }
        // One crash repeats what was under way once; a point passed twice in a resume is still one crash.
        match counts.iter().find(|(_, n)| **n > 2) {
            Some((line, n)) => Err(format!("`{line}` was done {n} times")),
            None if self.example.name == "durable" && counts.len() != 15 => Err(format!("the effects are {counts:?}")),
            None => Ok(()),
        }
    }
}

/// Whether two values are equal, numbers by value.
fn same(a: &Json, b: &Json) -> bool {
    match (a, b) {
        (Json::Number(a), Json::Number(b)) => a.as_f64() == b.as_f64(),
        (Json::Array(a), Json::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Json::Object(a), Json::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(name, a)| b.get(name).is_some_and(|b| same(a, b)))
        }
        _ => a == b,
    }
}

/// Keys of effects that were done, without the run's id.
fn ledger(place: &Place) -> Vec<String> {
    let text = fs::read_to_string(place.path().join("ledger")).unwrap_or_default();
    text.lines().map(|line| line.split_once('/').map_or(line, |(_, key)| key).to_owned()).collect()
}

#[test]
fn nothing_is_lost_at_any_crash_point() {
    let examples = examples();
    let every = std::env::var_os("MILLWORK_KILL_ALL").is_some();
    let mut cases = Vec::new();
    for example in &examples {
        let long = example.name == "flights_etl";
        for point in CRASH_POINTS {
            if long && !every && !LONG.contains(point) {
                continue;
            }
            for nth in if long { &[1][..] } else { &[1, 4] } {
                cases.push(Case { point, nth: *nth, example });
            }
        }
    }
    let queue = Mutex::new(cases.iter());
    let (reached, broken) = (Mutex::new(BTreeMap::<&str, Vec<&str>>::new()), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                loop {
                    let Some(case) = queue.lock().expect("a queue").next() else { return };
                    match case.check() {
                        Ok(false) => {}
                        Ok(true) => {
                            reached.lock().expect("a list").entry(case.point).or_default().push(case.example.name);
                        }
                        Err(why) => {
                            broken.lock().expect("a list").push(format!(
                                "{} in {}: {why}",
                                case.crash_at(),
                                case.example.name
                            ));
                        }
                    }
                }
            });
        }
    });
    let (mut reached, broken) = (reached.into_inner().expect("a list"), broken.into_inner().expect("a list"));
    let kills: usize = reached.values().map(Vec::len).sum();
    for names in reached.values_mut() {
        names.sort_unstable();
        names.dedup();
    }
    let pairs: usize = reached.values().map(Vec::len).sum();
    eprintln!("{pairs} pairs of crash point and example, {kills} kills, {} points", reached.len());
    assert!(broken.is_empty(), "{} broken:\n{}", broken.len(), broken.join("\n"));
    let missed: Vec<_> = CRASH_POINTS.iter().filter(|point| !reached.contains_key(**point)).collect();
    assert!(missed.is_empty(), "no example reaches {missed:?}");
}
