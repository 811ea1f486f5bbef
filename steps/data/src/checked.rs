//! Examples and the shipped pipeline, read and checked as the engine does.

use std::path::Path;

use millwork_engine::{
    diag::Source,
    graph::{CheckOptions, CheckedPipeline, check_text},
    step::Registry,
};

fn checked(name: &str, text: &str, base: &Path) -> CheckedPipeline {
    let mut registry = Registry::new();
    crate::register(&mut registry);
    let include = |path: &str| Err(format!("`{path}` is not included here"));
    let options = CheckOptions { read_files: true, strict: false, include: &include, around: &[] };
    check_text(&Source::new(name, text), base, &registry, options)
}

fn lines(checked: &CheckedPipeline) -> Vec<String> {
    checked.diagnostics.iter().map(|problem| problem.one_line(&checked.source)).collect()
}

#[test]
fn every_example_is_without_problems() {
    let mut registry = Registry::new();
    crate::register(&mut registry);
    for kind in registry.kinds() {
        let folder = tempfile::tempdir().expect("a folder");
        let found = checked(kind.name(), kind.example(), folder.path());
        assert_eq!(lines(&found), Vec::<String>::new(), "{}", kind.name());
        assert!(found.plan.is_some(), "{}", kind.name());
    }
}

#[test]
fn flights_etl_is_without_problems_and_knows_its_columns() {
    let base = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../pipelines");
    let text = include_str!("../../../pipelines/flights_etl.yaml");
    let found = checked("flights_etl.yaml", text, &base);
    assert_eq!(lines(&found), Vec::<String>::new());
    // A column that the files do not have is shown in the query that uses it.
    let broken = text.replacen("f.dep_delay, f.arr_delay", "f.dep_delay, f.arr_dely", 1);
    let found = checked("flights_etl.yaml", &broken, &base);
    let at = broken.lines().position(|line| line.contains("arr_dely")).expect("there") + 1;
    let shown = lines(&found);
    assert!(
        shown.iter().any(|line| line.starts_with(&format!("flights_etl.yaml:{at}:")) && line.contains("[T0103]")),
        "{shown:?}"
    );
}
