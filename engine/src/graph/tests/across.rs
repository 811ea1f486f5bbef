//! Triggers from one pipeline to another.

use std::path::Path;

use super::kinds::registry;
use crate::{
    diag::{Diagnostic, Source},
    graph::{CheckOptions, CheckedPipeline, check_text, triggers_across},
};

fn checked(name: &str, on: &str) -> CheckedPipeline {
    let text = format!(
        "version: 1\nname: {name}\non: {on}\nsteps:\n  - {{id: a, uses: rows}}\n\
         outputs: {{rows: \"${{{{ steps.a.outputs.table }}}}\"}}\n"
    );
    let include = |_: &str| Err("it is not there".to_owned());
    let options = CheckOptions { read_files: false, strict: false, include: &include, around: &[] };
    check_text(&Source::new("p.yaml", text), Path::new("/base"), &registry(), options)
}

/// Warnings of pipelines, given by name and `on:`.
fn warnings(pipelines: &[(&str, &str)]) -> Vec<String> {
    let checked: Vec<_> = pipelines.iter().map(|(name, on)| checked(name, on)).collect();
    let plan =
        |checked: &'_ CheckedPipeline| checked.plan.clone().unwrap_or_else(|| panic!("{:?}", checked.diagnostics));
    let plans: Vec<_> = checked.iter().map(plan).collect();
    let plans: Vec<_> = plans.iter().map(|plan| &*plan.spec).collect();
    let found = triggers_across(&plans, |name| name == "broken");
    let line = |(at, problem): (usize, Diagnostic)| {
        let help = problem.help.as_deref().unwrap_or_default();
        format!("{} {}: {}; {help}", pipelines[at].0, problem.code.as_str(), problem.message)
    };
    found.into_iter().map(line).collect()
}

const HAND: &str = "manual";

#[test]
fn what_is_not_here_is_told_of() {
    let found = warnings(&[
        ("sums", HAND),
        ("one", "{pipeline: {name: sum}}"),
        ("ones", "{pipeline: {name: onse}}"),
        ("two", "{table: sums.rows}"),
        ("three", "{table: sums.row}"),
        ("four", "{artifact: nothing.like_it}"),
        ("five", "{pipeline: {name: broken}}"),
    ]);
    assert_eq!(
        found,
        [
            "one L0006: there is no pipeline `sum` here; did you mean `sums`?",
            "ones L0006: there is no pipeline `onse` here; did you mean `one`?",
            "three L0006: the pipeline `sums` has no output `row`; it has rows",
            "four L0006: there is no pipeline `nothing` here; it starts nothing until there is one",
        ]
    );
}

#[test]
fn circles_are_told_of_at_each_of_their_triggers() {
    let codes = |pipelines: &[(&str, &str)]| {
        let all = warnings(pipelines);
        all.iter().map(|line| line.split(';').next().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    let round = "pipelines start one another in a circle:";
    assert_eq!(
        codes(&[
            ("a", "{pipeline: {name: c}}"),
            ("b", "{table: a.rows}"),
            ("c", "{pipeline: {name: b, status: any}}"),
            ("d", "{pipeline: {name: c}}"),
        ]),
        [
            format!("a L0007: {round} a -> b -> c -> a"),
            format!("b L0007: {round} b -> c -> a -> b"),
            format!("c L0007: {round} c -> a -> b -> c"),
        ]
    );
    assert_eq!(codes(&[("a", "{table: a.rows}")]), [format!("a L0007: {round} a -> a")]);
    // Who listens to all is heard by name.
    let all = "{pipeline: {name: \"*\", status: any}}";
    assert_eq!(codes(&[("a", "{pipeline: {name: z}}"), ("z", all)]), [format!("a L0007: {round} a -> z -> a")]);
    assert_eq!(codes(&[("a", HAND), ("y", all), ("z", all)]), [] as [&str; 0]);
    let late = "{pipeline: {name: a, status: late}}";
    assert_eq!(codes(&[("a", "{pipeline: {name: z}}"), ("z", late)]), [] as [&str; 0]);
}

#[test]
fn nothing_starts_itself() {
    let lines = |on: &str| {
        let checked = checked("me", on);
        checked.diagnostics.iter().map(|problem| problem.one_line(&checked.source)).collect::<Vec<_>>()
    };
    assert_eq!(
        lines("{pipeline: {name: me, status: failed}}"),
        ["p.yaml:3:23: error[G0012]: `me` would start itself, again and again"]
    );
    assert_eq!(lines("{pipeline: {name: me, status: late}}"), [] as [&str; 0]);
    assert_eq!(lines("{pipeline: {name: \"*\", status: any}}"), [] as [&str; 0]);
}
