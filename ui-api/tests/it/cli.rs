use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

pub(crate) fn millwork(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_millwork"));
    command.args(arguments).current_dir(folder).env_remove("MILLWORK_HOME").env("NO_COLOR", "1");
    command.output().expect("the binary starts")
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub(crate) fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        fs::write(folder.path().join(name), text).expect("a file");
    }
    folder
}

/// Every command has help, and none of it mentions a type of ours.
#[test]
fn every_command_has_help() {
    let here = folder(&[]);
    let commands = [
        "init",
        "run",
        "check",
        "fmt",
        "plan",
        "test",
        "runs",
        "why",
        "explain",
        "schema",
        "steps",
        "graph",
        "gc",
        "doctor",
        "selftest",
        "completions",
        "runs list",
        "runs show",
        "runs logs",
        "runs cancel",
        "runs resume",
        "runs approve",
        "runs rerun",
    ];
    for command in commands {
        let words: Vec<&str> = command.split(' ').chain(["--help"]).collect();
        let found = millwork(here.path(), &words);
        assert_eq!(found.status.code(), Some(0), "{command}");
        let help = text(&found.stdout);
        assert!(help.contains("Usage: millwork") && !help.contains("Option<"), "{command}: {help}");
    }
    let top = text(&millwork(here.path(), &["--help"]).stdout);
    assert!(top.contains("Exit codes:") && top.contains("70"), "{top}");
}

#[test]
fn mistakes_on_the_command_line_have_code_2() {
    let here = folder(&[("p.yaml", "version: 1\nname: p\nsteps: []\n")]);
    for arguments in [
        &["rnu"][..],
        &["run"],
        &["run", "p.yaml", "--input", "novalue"],
        &["run", "p.yaml", "--memory", "12"],
        &["gc", "--keep", "30"],
        &["explain", "X9999"],
        &["steps", "shel"],
    ] {
        let found = millwork(here.path(), arguments);
        assert_eq!(found.status.code(), Some(2), "{arguments:?}: {}", text(&found.stderr));
        assert!(found.stdout.is_empty(), "{arguments:?}");
    }
}

#[test]
fn what_is_missing_is_said_with_help() {
    let here = folder(&[]);
    for (arguments, expected) in [
        (&["run", "nothing.yaml"][..], "there is no file nothing.yaml"),
        (&["run", "."], "there is no pipeline in ."),
        (&["runs", "list"], "there is no state in"),
        (&["check", "."], "there is no pipeline here"),
    ] {
        let found = millwork(here.path(), arguments);
        assert_eq!(found.status.code(), Some(3), "{arguments:?}");
        assert!(text(&found.stderr).contains(expected), "{arguments:?}: {}", text(&found.stderr));
    }
}

#[test]
fn explain_prints_pages_and_the_list() {
    let here = folder(&[]);
    let page = text(&millwork(here.path(), &["explain", "p0004"]).stdout);
    assert!(page.starts_with("P0004: a key that means nothing here"), "{page}");
    let all = text(&millwork(here.path(), &["explain"]).stdout);
    assert!(all.lines().count() > 20 && all.contains("P0004  a key"), "{all}");
}

#[test]
fn steps_describes_every_kind() {
    let here = folder(&[]);
    let all = text(&millwork(here.path(), &["steps"]).stdout);
    for line in all.lines().skip(1) {
        let name = line.split_whitespace().next().expect("a name");
        let page = text(&millwork(here.path(), &["steps", name]).stdout);
        assert!(page.contains("\nwith:") && page.contains("\nexample:\nversion: 1"), "{name}: {page}");
    }
    let shell = text(&millwork(here.path(), &["steps", "shell"]).stdout);
    assert!(shell.contains("command (list of string or ${{ }}, required)"), "{shell}");
}

#[test]
fn check_shows_problems_in_three_forms() {
    let wrong = "version: 1\nname: p\nstpes: []\nsteps:\n  - id: a\n    uses: shell\n    with: {command: git status}\n";
    let here = folder(&[("p.yaml", wrong)]);
    let short = millwork(here.path(), &["check", "p.yaml", "--format", "short"]);
    assert_eq!(short.status.code(), Some(1));
    let lines = text(&short.stdout);
    assert!(lines.contains("p.yaml:3:1: error[P0004]"), "{lines}");
    assert!(lines.contains(r#"write ["git", "status"]"#), "{lines}");
    let long = text(&millwork(here.path(), &["check", "p.yaml"]).stderr);
    assert!(long.contains("stpes: []") && long.contains("─────"), "{long}");
    let json = text(&millwork(here.path(), &["check", "p.yaml", "--format", "json"]).stdout);
    let first: serde_json::Value = serde_json::from_str(json.lines().next().expect("a line")).expect("JSON");
    assert_eq!(first["at"]["line"], 3, "{first}");
}

#[test]
fn init_writes_a_pipeline_that_checks() {
    let here = folder(&[]);
    assert_eq!(millwork(here.path(), &["init", "new"]).status.code(), Some(0));
    let checked = millwork(here.path(), &["check", "new", "--strict"]);
    assert_eq!(checked.status.code(), Some(0), "{}", text(&checked.stderr));
    let again = millwork(here.path(), &["init", "new"]);
    assert_eq!(again.status.code(), Some(3));
    assert!(text(&again.stderr).contains("is there already"));
}

#[test]
fn graph_draws_and_completions_complete() {
    let here = folder(&[]);
    millwork(here.path(), &["init", "new"]);
    for (format, expected) in [("text", "greet"), ("dot", "digraph"), ("mermaid", "flowchart"), ("svg", "<svg")] {
        let drawn = text(&millwork(here.path(), &["graph", "new", "--format", format]).stdout);
        assert!(drawn.contains(expected), "{format}: {drawn}");
    }
    let script = text(&millwork(here.path(), &["completions", "bash"]).stdout);
    assert!(script.contains("_millwork"), "{script}");
}

#[test]
fn doctor_finds_this_machine_in_order() {
    let here = folder(&[]);
    let found = millwork(here.path(), &["doctor"]);
    assert_eq!(found.status.code(), Some(0), "{}", text(&found.stdout));
}

/// `millwork.yaml` above a pipeline says what it may do, where secrets come from, and how its own mistakes stand.
#[test]
fn a_workspace_is_applied() {
    let pipeline = "version: 1\nname: p\nsecrets: [TOKEN]\nsteps:\n  - id: a\n    uses: shell\n    with: {command: [sh, -c, 'echo \
                    got ${#T}; echo $T >&2']}\n    env: {T: \"${{ secrets.TOKEN }}\"}\n";
    let workspace = "version: 1\nsecrets: [{file: {path: keys.env}}]\n";
    let here = folder(&[("millwork.yaml", workspace), ("keys.env", "TOKEN=hush-hush-12\n"), ("p.yaml", pipeline)]);
    let run = millwork(here.path(), &["run", "p.yaml"]);
    assert_eq!(run.status.code(), Some(0), "{}", text(&run.stderr));
    let logs = millwork(here.path(), &["runs", "logs", "last"]);
    let logs = text(&logs.stdout) + &text(&logs.stderr);
    assert!(logs.contains("got 12") && !logs.contains("hush-hush"), "{logs}");

    fs::write(here.path().join("millwork.yaml"), "version: 1\nallow_steps: [sql]\n").expect("a file");
    let forbidden = millwork(here.path(), &["check", "p.yaml"]);
    let said = text(&forbidden.stdout) + &text(&forbidden.stderr);
    assert!(forbidden.status.code() == Some(1) && said.contains("does not allow the kind `shell`"), "{said}");

    fs::write(here.path().join("millwork.yaml"), "version: 1\ndurabilty: power\n").expect("a file");
    let wrong = millwork(here.path(), &["check", "p.yaml"]);
    let said = text(&wrong.stdout) + &text(&wrong.stderr);
    assert!(wrong.status.code() != Some(0) && said.contains("millwork.yaml:2:1"), "{said}");
    let schema = millwork(here.path(), &["schema", "--workspace"]);
    assert!(text(&schema.stdout).contains("allow_steps"));
}

/// Nothing is logged unless the environment asks; what it asks for wrongly is said.
#[test]
fn the_engine_logs_what_it_is_asked_to() {
    let here = folder(&[(
        "p.yaml",
        "version: 1\nname: p\nsteps:\n  - {id: a, uses: assert, with: {that: {condition: true}}}\n",
    )]);
    let run = |filter: &str, format: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_millwork"));
        command.args(["run", "p.yaml"]).current_dir(here.path()).env_remove("MILLWORK_HOME");
        command.env("MILLWORK_LOG", filter).env("MILLWORK_LOG_FORMAT", format);
        command.output().expect("the binary starts")
    };
    let logged = run("millwork_engine=debug", "json");
    assert_eq!(logged.status.code(), Some(0), "{logged:?}");
    let said = text(&logged.stderr);
    let lines: Vec<serde_json::Value> = said.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let of = |message: &str| lines.iter().find(|line| line["message"] == message);
    let step = of("the step returned").unwrap_or_else(|| panic!("{said}"));
    assert_eq!((&step["span"]["step"], &step["level"]), (&"a".into(), &"DEBUG".into()), "{step}");
    assert!(of("the run is driven here").is_some_and(|line| line["span"]["pipeline"] == "p"), "{said}");
    let refused = run("millwork_engine=loud", "text");
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    assert!(text(&refused.stderr).contains("MILLWORK_LOG"), "{refused:?}");
}
