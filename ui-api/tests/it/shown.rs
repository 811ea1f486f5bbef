//! What people are told of runs, of homes, and of what there is.

use std::{fs, os::unix::fs::PermissionsExt};

use crate::{
    cli::{folder, millwork, text},
    program::{empty, until},
};

/// What commands print of the last run, one after the other.
fn told(here: &std::path::Path, commands: &[&[&str]]) -> Vec<String> {
    commands.iter().map(|words| text(&millwork(here, words).stdout)).collect()
}

#[test]
fn a_run_that_fails_without_a_step_says_why() {
    let here = folder(&[(
        "p.yaml",
        "version: 1\nname: p\ninputs: {z: {type: int, default: 0}}\nsteps:\n  - {id: w, uses: wait, with: {for: 1ms}}\noutputs:\n  \
         o: \"${{ 1 / inputs.z }}\"\n",
    )]);
    let run = millwork(here.path(), &["run", "p.yaml"]);
    assert_eq!(run.status.code(), Some(3), "{run:?}");
    assert!(text(&run.stderr).contains("in `outputs` at p.yaml:"), "{}", text(&run.stderr));
    for said in told(here.path(), &[&["why", "last"], &["runs", "show", "last"]]) {
        assert!(said.contains("error[expr.division_by_zero]"), "{said}");
        assert!(said.contains("in `outputs` at p.yaml:"), "{said}");
    }
}

#[test]
fn the_step_that_made_the_run_fail_is_named() {
    let here = folder(&[(
        "p.yaml",
        "version: 1\nname: p\norder: sequence\nsteps:\n  - {id: may, uses: shell, with: {command: [\"false\"]}, \
         continue_on_error: true}\n  - id: counts\n    uses: shell\n    with: {command: [sh, -c, 'exit 7']}\n",
    )]);
    millwork(here.path(), &["run", "p.yaml"]);
    let shown = told(here.path(), &[&["runs", "show", "last"], &["why", "last"]]);
    assert!(shown[0].contains("in step `counts` at p.yaml:6:9") && !shown[0].contains("in step `may`"), "{}", shown[0]);
    let (first, other) = (shown[1].find("in step `counts`"), shown[1].find("in step `may`"));
    assert!(first.is_some() && first < other, "what counts comes first: {}", shown[1]);
}

#[test]
fn failed_items_are_counted_and_told() {
    let here = folder(&[(
        "p.yaml",
        "version: 1\nname: p\nsteps:\n  - id: each\n    for_each: '[1, 2, 3, 4, 5, 6]'\n    min_success: 0.1\n    uses: \
         shell\n    with: {command: [sh, -c, 'test $N -lt 2'], effect: pure}\n    env: {N: \"${{ item }}\"}\n",
    )]);
    let run = millwork(here.path(), &["run", "p.yaml"]);
    assert_eq!(run.status.code(), Some(0), "{}", text(&run.stderr));
    for said in told(here.path(), &[&["runs", "show", "last"], &["why", "last"], &["why", "last", "each"]]) {
        assert!(said.contains("`each`: 5 of 6 items failed"), "{said}");
        assert!(said.contains("  item 1, after 1 attempt [shell.exit]: "), "{said}");
        assert!(said.contains("and 2 more"), "{said}");
    }
}

/// A killed program leaves a run that is recorded as under way and is not.
#[test]
fn a_run_without_its_process_is_interrupted() {
    let place = empty();
    let pipeline = "version: 1\nname: p\nsteps:\n  - {id: w, uses: wait, with: {for: 1h}}\n";
    fs::write(place.path().join("p.yaml"), pipeline).expect("a file");
    let list = |status: &str| place.do_it(&["runs", "list", "--json", "--status", status], None).stdout;
    let mut run = place.command(&["run", "p.yaml", "--json"]).spawn().expect("the program starts");
    until("it waits", || place.home().join("state.db").exists() && list("waiting").contains("\"run\""));
    let why = place.do_it(&["why", "last"], None);
    assert!(why.stdout.contains("it is driven by process") && why.stdout.contains("`w` waits until"), "{why:?}");
    run.kill().expect("a kill");
    run.wait().expect("an end");
    assert_eq!(list("waiting"), "");
    assert!(list("interrupted").contains("\"status\":\"interrupted\""));
    for words in [&["why", "last"][..], &["runs", "show", "last"]] {
        let said = place.do_it(words, None).stdout;
        assert!(said.contains("interrupted") && said.contains("its process is gone"), "{said}");
        assert!(said.contains("millwork runs resume run_"), "{said}");
    }
    let listed = place.do_it(&["runs", "list"], None);
    assert!(listed.stderr.contains("1 run lost its process"), "{listed:?}");
}

#[test]
fn a_plan_shows_what_only_runs() {
    let here = folder(&[(
        "p.yaml",
        "version: 1\nname: p\nsteps:\n  - {id: a, uses: wait, with: {for: 1ms}}\n  - {id: b, uses: wait, with: {for: \
         1ms}}\nfinally:\n  - {id: tidy, uses: wait, with: {for: 1ms}}\n",
    )]);
    let said = text(&millwork(here.path(), &["plan", "p.yaml", "--only", "a"]).stdout);
    let line = |id: &str| said.lines().find(|line| line.starts_with(id)).unwrap_or_default().to_owned();
    assert!(line("b").contains("not asked for") && line("tidy").contains("runs last, always"), "{said}");
}

#[test]
fn a_lost_result_has_a_remedy() {
    let here = folder(&[(
        "p.yaml",
        "version: 1\nname: p\norder: sequence\nsteps:\n  - id: rows\n    uses: shell\n    with: {command: [printf, \"n\\n1\\n2\\n\"], \
         output: csv}\n  - id: gate\n    uses: shell\n    with: {command: [test, -e, go]}\n  - id: sum\n    needs: gate\n    uses: \
         sql\n    with: {query: \"select count(*) as n from t\", tables: {t: \"${{ steps.rows.outputs.table }}\"}}\n",
    )]);
    let run = millwork(here.path(), &["run", "p.yaml"]);
    assert_eq!(run.status.code(), Some(3), "{}", text(&run.stderr));
    fs::remove_dir_all(here.path().join(".millwork/artifacts")).expect("artifacts");
    fs::write(here.path().join("go"), "").expect("a file");
    let resumed = text(&millwork(here.path(), &["runs", "resume", "last"]).stderr);
    assert!(resumed.contains("error[artifact.missing]") && resumed.contains("runs rerun RUN --from STEP"), "{resumed}");
    assert!(resumed.contains("go on with: millwork runs rerun run_"), "{resumed}");
    let again = millwork(here.path(), &["runs", "rerun", "last", "--from", "rows", "--yes"]);
    assert_eq!(again.status.code(), Some(0), "{}", text(&again.stderr));
}

#[test]
fn gc_tells_of_what_is_young() {
    let here = folder(&[(
        "p.yaml",
        "version: 1\nname: p\nsteps:\n  - id: rows\n    uses: shell\n    with: {command: [printf, \"n\\n1\\n\"], output: csv}\n",
    )]);
    millwork(here.path(), &["run", "p.yaml"]);
    let said = text(&millwork(here.path(), &["gc", "--keep", "0s"]).stdout);
    assert!(said.contains("removed 1 run") && said.contains("kept 1 artifact ("), "{said}");
}

#[test]
fn doctor_looks_into_the_state() {
    let here = folder(&[("p.yaml", "version: 1\nname: p\nsteps:\n  - {id: w, uses: wait, with: {for: 1ms}}\n")]);
    millwork(here.path(), &["run", "p.yaml"]);
    let well = text(&millwork(here.path(), &["doctor"]).stdout);
    assert!(well.contains("state        1 run in "), "{well}");
    fs::write(here.path().join(".millwork/state.db"), "hello").expect("a file");
    let ill = millwork(here.path(), &["doctor"]);
    assert_eq!(ill.status.code(), Some(3), "{ill:?}");
    assert!(text(&ill.stdout).contains("state.db") && text(&ill.stdout).contains("damaged"), "{ill:?}");
    let list = text(&millwork(here.path(), &["runs", "list"]).stderr);
    assert!(list.contains("state.db") && list.contains("help: ") && list.contains("millwork doctor"), "{list}");
}

/// Where a user's rights count, looking needs none to write.
#[test]
fn a_home_of_somebody_else_can_be_looked_at() {
    let here = folder(&[("p.yaml", "version: 1\nname: p\nsteps:\n  - {id: w, uses: wait, with: {for: 1ms}}\n")]);
    millwork(here.path(), &["run", "p.yaml"]);
    let home = here.path().join(".millwork");
    let set = |mode: u32| fs::set_permissions(&home, fs::Permissions::from_mode(mode)).expect("rights");
    set(0o555);
    let listed = millwork(here.path(), &["runs", "list"]);
    let shown = millwork(here.path(), &["runs", "show", "last"]);
    set(0o755);
    assert!(text(&listed.stdout).contains("succeeded"), "{listed:?}");
    assert!(text(&shown.stdout).contains("succeeded"), "{shown:?}");
}

#[test]
fn codes_of_faults_are_explained() {
    let here = folder(&[]);
    let page = text(&millwork(here.path(), &["explain", "shell.exit"]).stdout);
    assert!(page.starts_with("shell.exit: ") && page.contains("success_codes") && page.contains("retry: "), "{page}");
    let all = text(&millwork(here.path(), &["explain"]).stdout);
    assert!(all.contains("\nartifact.missing  "), "{all}");
    let near = millwork(here.path(), &["explain", "shell.exti"]);
    assert!(near.status.code() == Some(2) && text(&near.stderr).contains("did you mean `shell.exit`?"), "{near:?}");
}

#[test]
fn nested_keys_of_kinds_are_described() {
    let here = folder(&[]);
    for (kind, lines) in [
        ("table.check", &["      - accepted_values (object): ", "        - values (any or ${{ }}, required): "][..]),
        ("report", &["        - heatmap: ", "      Its keys are those of `sections.chart`."]),
        ("approval", &["      - type (string, required): "]),
        ("assert", &["      - condition (bool or ${{ }}, required): "]),
    ] {
        let page = text(&millwork(here.path(), &["steps", kind]).stdout);
        for line in lines {
            assert!(page.contains(line), "{kind} {line}: {page}");
        }
        let fields = page.split("\nexample:").next().unwrap_or_default();
        assert!(fields.lines().all(|line| line.chars().count() <= 110), "{page}");
    }
}
