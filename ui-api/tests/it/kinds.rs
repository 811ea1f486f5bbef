use std::fs;

use crate::cli::{folder, millwork, text};

/// The only file that an example names and does not bring along.
const CHILD: &str = "version: 1
name: child
inputs:
  who: {type: string}
steps:
  - id: greet
    uses: assert
    with: {that: {condition: \"${{ inputs.who != '' }}\"}}
outputs: {text: \"hello ${{ inputs.who }}\"}
";

/// The example of every kind runs to its end in an empty folder.
#[test]
fn every_example_runs_to_success() {
    let here = folder(&[("child.yaml", CHILD)]);
    let registry = millwork_steps::registry();
    assert!(registry.kinds().count() >= 10);
    for kind in registry.kinds() {
        fs::write(here.path().join("example.yaml"), kind.example()).expect("a file");
        let found = millwork(here.path(), &["run", "example.yaml"]);
        assert_eq!(found.status.code(), Some(0), "{}:\n{}", kind.name(), text(&found.stderr));
        let formatted = millwork(here.path(), &["fmt", "--check", "example.yaml"]);
        assert!(formatted.status.code().is_some_and(|code| code < 2), "{}", text(&formatted.stderr));
    }
}
