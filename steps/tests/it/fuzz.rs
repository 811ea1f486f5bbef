//! Whole files with random damage, and random units and cron lines: no panic, no hang. A failure prints its
//! seed; `MILLWORK_SEED` repeats it and `MILLWORK_FUZZ_SECONDS` goes on for longer.

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    time::{Duration, Instant},
};

use millwork_engine::{
    diag::render,
    model::units::{parse_count, parse_duration, parse_size},
    spec::format,
    step::Registry,
};
use rand::{RngExt, SeedableRng, rngs::StdRng};

use crate::checking::{check, here, yaml_files};

/// Longer than any file of the seeds may take; a slow machine is far below it.
const HANGS: Duration = Duration::from_secs(20);
/// What damage is made of: what YAML, pipelines, units and cron lines are made of.
const PIECES: &[&str] = &[
    ":",
    ": ",
    "- ",
    "  ",
    "\n",
    "\n  ",
    "\t",
    "\r\n",
    "{",
    "}",
    "[",
    "]",
    ",",
    "&a",
    "*a",
    "<<: *a",
    "!!str ",
    "|",
    ">-",
    "'",
    "\"",
    "#",
    "%",
    "@",
    "`",
    "---\n",
    "...\n",
    "? ",
    "~",
    "null",
    "true",
    "yes",
    "0x1f",
    "1e999",
    ".nan",
    "-0",
    "\u{feff}",
    "\u{0}",
    "\u{85}",
    "\u{2028}",
    "é",
    "\u{1F600}",
    "${{",
    "}}",
    "${{ steps.a.outputs.b }}",
    "inputs.",
    "item",
    "version: 1",
    "name: x",
    "steps:",
    "id: a",
    "uses: sql",
    "uses: shell",
    "with:",
    "if:",
    "for_each:",
    "needs:",
    "retry:",
    "triggers:",
    "schedule:",
    "cron:",
    "timeout:",
    "10",
    "10s",
    "99999999999999999999",
    "1.5h",
    "-3ms",
    "P1D",
    "512MiB",
    "7 B",
    "* * * * *",
    "0 2 30 2 *",
    "*/0",
    "1-",
    "5-2",
    "L",
    "W",
    "#3",
    "MON",
    "@daily",
    "SELECT",
    " FROM ",
    "(",
    ")",
    ";",
];

fn seed() -> u64 {
    std::env::var("MILLWORK_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or_else(rand::random)
}

fn time() -> Duration {
    let seconds = std::env::var("MILLWORK_FUZZ_SECONDS").ok().and_then(|s| s.parse().ok());
    seconds.map_or(Duration::from_millis(600), Duration::from_secs)
}

fn piece(rng: &mut StdRng) -> &'static str {
    PIECES[rng.random_range(0..PIECES.len())]
}

/// Some bytes with a few places damaged: taken out, doubled, moved, replaced, cut short.
fn damaged(rng: &mut StdRng, bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..rng.random_range(1..6) {
        let at = rng.random_range(0..=bytes.len());
        let end = (at + rng.random_range(0..40)).min(bytes.len());
        match rng.random_range(0..7) {
            0 => drop(bytes.drain(at..end)),
            1 => {
                let part = bytes[at..end].to_vec();
                let to = rng.random_range(0..=bytes.len());
                bytes.splice(to..to, part);
            }
            2 if at < bytes.len() => bytes[at] = rng.random(),
            3 => bytes.truncate(at.max(bytes.len() / 4)),
            4 => {
                let text = piece(rng).repeat(rng.random_range(1..200));
                bytes.splice(at..at, text.into_bytes());
            }
            _ => drop(bytes.splice(at..at, piece(rng).bytes())),
        }
    }
    bytes
}

fn exercise(bytes: &[u8], registry: &Registry) {
    let checked = check("fuzz.yaml", bytes, &here().join("tests/broken/with"), registry);
    assert!(checked.plan.is_some() || !checked.diagnostics.is_empty(), "no plan, and no word why");
    let _ = render(&checked.source, &checked.diagnostics, 60, false);
    if let (Some(_), Ok(text)) = (&checked.plan, format(&checked.source)) {
        let again = check("fuzz.yaml", text.as_bytes(), &here().join("tests/broken/with"), registry);
        assert!(again.plan.is_some(), "the standard form means something else:\n{text}");
    }
}

/// Does something with a seed; what goes wrong names the seed. What ends the process at once, such as a stack
/// that is full, names nothing: then the file says what it was busy with.
fn from_seed(busy_with: &str, seed: u64, text: &[u8], work: impl FnOnce()) {
    let note = Path::new(env!("CARGO_TARGET_TMPDIR")).join(busy_with);
    fs::write(note, [format!("MILLWORK_SEED={seed}\n").as_bytes(), text].concat()).expect("a note");
    let begun = Instant::now();
    let worked = catch_unwind(AssertUnwindSafe(work));
    let shown = String::from_utf8_lossy(text);
    assert!(worked.is_ok(), "MILLWORK_SEED={seed} panics on:\n{shown}");
    let took = begun.elapsed();
    assert!(took < HANGS, "MILLWORK_SEED={seed} takes {took:?} on:\n{shown}");
}

#[test]
fn damaged_files_end_in_words() {
    let registry = millwork_steps::registry();
    let top = here().join("..");
    let mut seeds = yaml_files(&here().join("tests/broken"));
    seeds.extend(yaml_files(&top.join("pipelines")));
    seeds.extend(registry.kinds().map(|_| top.join("examples/01_hello/pipeline.yaml")).take(1));
    let mut texts: Vec<Vec<u8>> = seeds.iter().map(|path| fs::read(path).expect("a file")).collect();
    texts.extend(registry.kinds().map(|kind| kind.example().as_bytes().to_vec()));
    // What is big on purpose has tests of its own and would leave no time for the rest.
    texts.retain(|text| text.len() < 20_000);
    let (first, end) = (seed(), Instant::now() + time());
    let mut done = 0;
    while done == 0 || Instant::now() < end {
        let seed = first.wrapping_add(done);
        let mut rng = StdRng::seed_from_u64(seed);
        let text = &texts[rng.random_range(0..texts.len())];
        let bytes = damaged(&mut rng, text);
        from_seed("fuzz_files.txt", seed, &bytes, || exercise(&bytes, &registry));
        done += 1;
    }
    println!("{done} files from seed {first}");
}

#[test]
fn random_units_and_cron_lines_end_in_words() {
    let registry = millwork_steps::registry();
    let (first, end) = (seed(), Instant::now() + time());
    let mut done = 0;
    while done == 0 || Instant::now() < end {
        let seed = first.wrapping_add(done);
        let mut rng = StdRng::seed_from_u64(seed);
        let count = rng.random_range(1..6);
        let text: String =
            (0..count).map(|_| piece(&mut rng)).collect::<Vec<_>>().join(if rng.random() { " " } else { "" });
        let line = format!("{text:?}");
        let pipeline = format!(
            "version: 1\nname: x\non:\n  schedule:\n    - cron: {line}\n      timezone: Europe/Berlin\ndeadline: {line}\n\
             steps:\n  - {{id: a, uses: shell, with: {{command: [ls]}}, timeout: {line}}}\n"
        );
        from_seed("fuzz_units.txt", seed, pipeline.as_bytes(), || {
            let _ = (parse_duration(&text), parse_size(&text), parse_count(&text));
            exercise(pipeline.as_bytes(), &registry);
        });
        done += 1;
    }
    println!("{done} texts from seed {first}");
}
