//! From YAML to a plan, and how long that takes.

use std::{path::Path, time::Instant};

use super::kinds::registry;
use crate::{
    diag::Source,
    graph::{CheckOptions, CheckedPipeline, check_text},
};

fn checked(text: &str) -> CheckedPipeline {
    let include = |_: &str| Err("it is not there".to_owned());
    let options = CheckOptions { read_files: false, strict: false, include: &include, around: &[] };
    check_text(&Source::new("p.yaml", text), Path::new("/base"), &registry(), options)
}

#[test]
fn problems_of_the_file_and_of_its_meaning_come_together() {
    let checked = checked(
        "version: 1
name: p
inputs:
  day: {type: date, default: \"${{ run.interval.start ?? today() }}\"}
  n: {type: int, default: abc}
stpes: []
steps:
  - id: rows
    uses: rows
  - id: first
    uses: pure
    if: inputs.n > 3
    with: {value: \"${{ inputs.day }}\"}
  - id: second
    uses: pur
  - id: third
    uses: query
    with:
      query: |
        select *
        from rows
  - id: fourth
    uses: pure
    needs: [thrid]
    with:
      n: ${{ steps.first.outputs.n }}
  - id: fifth
    uses: pure
    with: {names: x}
",
    );
    let lines: Vec<_> = checked.diagnostics.iter().map(|problem| problem.one_line(&checked.source)).collect();
    assert_eq!(
        lines,
        [
            "p.yaml:5:27: error[T0004]: expected int, found string",
            "p.yaml:6:1: error[P0004]: a pipeline has no key `stpes`",
            "p.yaml:15:11: error[G0001]: there is no kind of step `pur`",
            "p.yaml:24:13: error[G0002]: there is no step `thrid`",
            "p.yaml:26:10: error[T0002]: the value may be missing (int?) where int is needed",
            "p.yaml:29:19: error[T0004]: expected list<string>, found string",
        ]
    );
    let mended: Vec<_> =
        checked.diagnostics.iter().filter_map(|p| Some(p.suggestion.as_ref()?.replacement.as_str())).collect();
    assert_eq!(mended, ["steps", "pure", "third"]);
}

#[test]
fn a_file_of_a_hundred_thousand_steps() {
    let make = |count: usize| {
        let mut text = "version: 1\nname: p\nsteps:\n".to_owned();
        for i in 0..count {
            let (before, half) = (i.saturating_sub(1), i / 2);
            text.push_str(&format!("  - id: s{i}\n    uses: pure\n"));
            if i > 0 {
                text.push_str(&format!(
                    "    needs: s{half}\n    with: {{n: \"${{{{ steps.s{before}.outputs.n + 1 }}}}\"}}\n"
                ));
            }
        }
        text
    };
    let text = make(100_000);
    let start = Instant::now();
    let checked = checked(&text);
    let took = start.elapsed();
    assert!(checked.plan.is_some(), "{:?}", checked.diagnostics.first());
    // The bar is 3 s on an idle machine; this only catches another order of growth.
    assert!(took.as_secs() < 30, "took {took:?}");
    println!("parse and check of {} bytes: {took:?}", text.len());
}
