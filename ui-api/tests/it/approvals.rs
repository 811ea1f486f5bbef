//! Questions to a person: asked, answered wrongly, answered once, also from inside a sub-pipeline.

use std::fs;

use millwork_testkit::program::Place;

use crate::program::empty;

const ASKS: &str = "version: 1
name: asks
steps:
  - id: review
    uses: approval
    with: {prompt: Go?, form: {note: {type: string}}}
outputs: {note: \"${{ steps.review.outputs.values.note }}\"}
";

const PARENT: &str = "version: 1
name: parent
steps:
  - id: below
    uses: pipeline
    with: {path: asks.yaml}
outputs: {note: \"${{ steps.below.outputs.note }}\"}
";

fn place() -> Place {
    let place = empty();
    fs::write(place.path().join("asks.yaml"), ASKS).expect("a file");
    fs::write(place.path().join("parent.yaml"), PARENT).expect("a file");
    place
}

#[test]
fn a_question_is_answered_once_and_rightly() {
    let place = place();
    let asked = place.do_it(&["run", "asks.yaml"], None);
    assert_eq!(asked.status.code(), Some(6), "{asked:?}");
    let listed = place.do_it(&["runs", "list", "--status", "waiting"], None);
    assert!(listed.stdout.contains("waiting"), "{listed:?}");
    let wrong = place.do_it(&["runs", "approve", "last"], None);
    assert_eq!(wrong.status.code(), Some(3), "{wrong:?}");
    assert!(wrong.stderr.contains("`note` (string) is missing") && wrong.stderr.contains("--value"), "{wrong:?}");
    let right = place.do_it(&["runs", "approve", "last", "--value", "note=fine"], None);
    assert_eq!(right.status.code(), Some(0), "{right:?}");
    assert!(right.stderr.contains("millwork runs resume run_"), "{right:?}");
    let again = place.do_it(&["runs", "approve", "last", "--refuse"], None);
    assert_eq!(again.status.code(), Some(3), "{again:?}");
    assert!(again.stderr.contains("answered by"), "{again:?}");
    let resumed = place.do_it(&["runs", "resume", "last", "--json"], None);
    assert_eq!(resumed.outputs(), Some(serde_json::json!({"note": "fine"})), "{resumed:?}");
}

#[test]
fn a_question_of_a_sub_pipeline_stops_its_parent_and_is_answered_there() {
    let place = place();
    let asked = place.do_it(&["run", "parent.yaml"], None);
    assert_eq!(asked.status.code(), Some(6), "{asked:?}");
    let answered = place.do_it(&["runs", "approve", "last", "--value", "note=deep"], None);
    assert_eq!(answered.status.code(), Some(0), "{answered:?}");
    assert!(answered.stderr.contains("Go?"), "{answered:?}");
    let resumed = place.do_it(&["runs", "resume", "last", "--json"], None);
    assert_eq!(resumed.outputs(), Some(serde_json::json!({"note": "deep"})), "{resumed:?}");
}
