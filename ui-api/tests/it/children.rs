//! A sub-pipeline ends with its parent.

use std::fs;

use crate::program::{empty, until};

const CHILD: &str = "version: 1
name: child
steps:
  - id: long
    uses: shell
    with: {command: [sh, -c, 'echo $$ > began; sleep 600']}
finally:
  - id: tidy
    uses: shell
    with: {command: [sh, -c, 'echo tidied >> done']}
";

const PARENT: &str = "version: 1
name: parent
steps:
  - {id: below, uses: pipeline, with: {path: child.yaml}}
";

#[test]
fn a_cancel_reaches_the_child_and_its_finally_runs() {
    let place = empty();
    fs::write(place.path().join("child.yaml"), CHILD).expect("a file");
    fs::write(place.path().join("parent.yaml"), PARENT).expect("a file");
    let run = place.command(&["run", "parent.yaml"]).spawn().expect("the program starts");
    until("the child's step begins", || place.path().join("began").exists());
    let asked = place.do_it(&["runs", "cancel", "last"], None);
    assert_eq!(asked.status.code(), Some(0), "{asked:?}");
    let ended = run.wait_with_output().expect("an end");
    assert_eq!(ended.status.code(), Some(4), "{ended:?}");
    assert_eq!(fs::read_to_string(place.path().join("done")).unwrap_or_default(), "tidied\n");
    let listed = place.do_it(&["runs", "list", "--json"], None);
    let runs: Vec<serde_json::Value> = listed.stdout.lines().filter_map(|l| serde_json::from_str(l).ok()).collect();
    assert_eq!(runs.len(), 2, "{listed:?}");
    assert!(runs.iter().all(|run| run["status"] == "cancelled"), "{listed:?}");
}
