//! Runs that take all they can get, beside runs that want little: nobody starves and nothing dies.

use std::{fs, thread};

use serde_json::{Value as Json, json};

use crate::{cli::folder, program::until, serving::Serving};

/// Writes log lines without end.
const LOUD: &str = "version: 1
name: loud
steps:
  - id: shout
    uses: shell
    with: {command: [sh, -c, 'yes a line that nobody wants to read >&2']}
";

/// Keeps every processor busy.
const GREEDY: &str = "version: 1
name: greedy
steps:
  - id: count
    uses: sql
    for_each: ${{ range(0, 8) }}
    with:
      query: |
        with recursive n(v) as (select 1 union all select v + 1 from n where v < 2000)
        select count(*) as n from n a, n b, n c where a.v * b.v * c.v % 7 = $item
      params: {item: '${{ item }}'}
";

/// Has more items than anybody can wait for.
const ENDLESS: &str = "version: 1
name: endless
steps:
  - id: each
    uses: shell
    for_each: ${{ range(0, 100000) }}
    with: {command: ['true']}
";

/// Starts runs of another pipeline without end, which do not end.
const BREEDING: &str = "version: 1
name: breeding
steps:
  - id: each
    uses: pipeline
    for_each: ${{ range(0, 1000) }}
    with: {path: child.yaml}
";

const CHILD: &str = "version: 1
name: child
steps:
  - {id: wait, uses: shell, with: {command: [sleep, '1000']}}
";

/// Gives more than it may.
const FAT: &str = "version: 1
name: fat
steps:
  - id: pour
    uses: shell
    with: {command: [sh, -c, 'yes poured'], max_output: 1MiB}
";

/// Starts processes that start processes, and holds on to them.
const CLINGING: &str = "version: 1
name: clinging
steps:
  - id: cling
    uses: shell
    with: {command: [sh, -c, 'trap \"\" TERM INT; for n in 1 2 3 4 5 6 7 8; do (while :; do :; done) & done; wait']}
";

const MODEST: &str = "version: 1
name: modest
inputs: {n: {type: int}}
steps:
  - id: one
    uses: shell
    with: {command: [echo, '${{ string(inputs.n) }}']}
  - id: two
    uses: assert
    with: {that: {condition: \"${{ steps.one.outputs.stdout == string(inputs.n) }}\"}}
outputs: {n: '${{ steps.one.outputs.stdout }}'}
";

/// Asks for as little, and has another pipeline do it.
const FAMILY: &str = "version: 1
name: family
inputs: {n: {type: int}}
steps:
  - id: below
    uses: pipeline
    with: {path: modest.yaml, inputs: {n: '${{ inputs.n }}'}}
outputs: {n: '${{ steps.below.outputs.n }}'}
";

fn resident(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) / 1024
}

#[test]
fn a_hostile_run_starves_nobody() {
    let hostile = ["loud", "greedy", "endless", "clinging", "breeding"];
    let texts = [LOUD, GREEDY, ENDLESS, CLINGING, BREEDING];
    let mut files: Vec<(String, &str)> =
        hostile.iter().zip(texts).map(|(name, text)| (format!("{name}.yaml"), text)).collect();
    files.push(("fat.yaml".to_owned(), FAT));
    files.push(("modest.yaml".to_owned(), MODEST));
    files.push(("family.yaml".to_owned(), FAMILY));
    files.push(("child.yaml".to_owned(), CHILD));
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), *text)).collect();
    let here = folder(&files);
    let serving = Serving::begin(here.path());
    let start = |pipeline: &str| {
        let (code, started) = serving.ask("POST", "/api/v1/runs", Some(&json!({"pipeline": pipeline})), "");
        assert_eq!(code, 201, "{started}");
        started["id"].as_str().expect("an id").to_owned()
    };
    // Two of each, so that they could take every permit.
    let runs: Vec<String> = hostile.iter().chain(&hostile).map(|name| start(name)).collect();
    for run in &runs {
        until("it runs", || serving.status(run) == "running");
    }
    let fat = start("fat");

    // A payload without end is refused before it is read.
    let huge = json!({"inputs": {"n": "x".repeat(40 << 20)}});
    let (code, _) = serving.ask("POST", "/api/v1/pipelines/modest/call", Some(&huge), "");
    assert!(code == 413 || code == 0, "{code}");
    // Who asks for little gets it, many at once, while all of them go on.
    thread::scope(|scope| {
        for n in 0..12 {
            let serving = &serving;
            scope.spawn(move || {
                for m in 0..3 {
                    let body = json!({"inputs": {"n": n * 10 + m}});
                    let pipeline = if n % 3 == 0 { "family" } else { "modest" };
                    let path = format!("/api/v1/pipelines/{pipeline}/call");
                    let (code, called) = serving.ask("POST", &path, Some(&body), "");
                    assert_eq!((code, &called["outputs"]["n"]), (200, &json!((n * 10 + m).to_string())), "{called}");
                }
            });
        }
    });
    for (run, name) in runs.iter().zip(hostile.iter().chain(&hostile)) {
        assert_eq!(serving.status(run), "running", "{name} was to last longer than what it is in the way of");
    }
    until("what gives too much is stopped", || serving.status(&fat) == "failed");
    let (_, end) = serving.get(&format!("/api/v1/runs/{fat}"));
    assert_eq!(end["fault"]["code"], "shell.output_limit", "{end}");
    let resident = resident(serving.pid());
    assert!(resident < 1500, "{resident} MB");

    for run in &runs {
        let (code, answer) = serving.ask("POST", &format!("/api/v1/runs/{run}/cancel"), Some(&Json::Null), "");
        assert!(code < 300, "{code} {answer}");
    }
    for run in &runs {
        until("it has ended", || serving.status(run) == "cancelled");
    }
    assert_eq!(serving.get("/livez").0, 200);
    assert_eq!(serving.stop(), Some(0));
}
