//! Every crash point and every example: the program kills itself there, another goes on, and nothing
//! is lost or done again. `MILLWORK_KILL_ALL=1` visits every point with the long example too.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Mutex,
};

use millwork_engine::crash::CRASH_POINTS;
use millwork_testkit::kill::{Survivor, Victim};
use serde_json::Value as Json;

use crate::program::program;

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
        let victim = Victim { program: program(), folder: &self.example.folder, file: self.example.file };
        let survivor = victim.kill_at(self.point, self.nth)?;
        survivor.map_or(Ok(false), |survivor| self.compare(survivor).map(|()| true))
    }

    fn compare(&self, survivor: Survivor) -> Result<(), String> {
        let Survivor { place, mut outputs } = survivor;
        if let Some(page) = outputs.get_mut("page") {
            let path = page.as_str().unwrap_or_default().to_owned();
            let relative = Path::new(&path).strip_prefix(place.path()).unwrap_or(Path::new(&path));
            *page = relative.to_string_lossy().into_owned().into();
        }
        if !same(&outputs, &self.example.golden) {
            return Err(format!("outputs are {outputs}, should be {}", self.example.golden));
        }
        let mut counts = BTreeMap::<String, u32>::new();
        for line in place.ledger() {
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
