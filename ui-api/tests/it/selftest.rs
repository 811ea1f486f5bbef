//! The self-test at a small size, and what it found.

use std::fs;

use crate::program::empty;

#[test]
fn a_few_kills_lose_nothing() {
    let place = empty();
    let done = place.bare(&["selftest", "--seed", "101", "--kills", "6", "--folder", "work"]);
    assert!(done.status.success(), "{done:?}");
    assert!(done.stderr.contains("seed 101") && done.stdout.contains("6 kills"), "{done:?}");
}

/// A fan-out's body did not see what only its own steps read.
#[test]
fn a_body_reads_inputs_and_steps_outside() {
    let place = empty();
    let text = r#"version: 1
name: body
inputs:
  word: {type: string, default: in}
steps:
  - id: before
    uses: shell
    with: {command: [printf, out]}
  - id: each
    for_each: ${{ [1, 2] }}
    steps:
      - id: first
        uses: shell
        env: {WORD: "${{ inputs.word }}", BEFORE: "${{ steps.before.outputs.stdout }}"}
        with: {command: [sh, -c, 'printf "%s %s" "$WORD" "$BEFORE"']}
      - id: second
        uses: shell
        if: inputs.word == 'in'
        with: {command: [printf, "%s %s", "${{ steps.first.outputs.stdout }}", "${{ inputs.word }}"]}
outputs:
  said: ${{ steps.each.outputs.stdout }}
"#;
    fs::write(place.path().join("pipeline.yaml"), text).expect("a file");
    let done = place.do_it(&["run", "pipeline.yaml", "--json"], None);
    assert_eq!(done.outputs(), Some(serde_json::json!({"said": ["in out in", "in out in"]})), "{done:?}");
}
