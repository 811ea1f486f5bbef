use std::fs;

use millwork_testkit::kill::Victim;

use crate::{
    cli::{folder, millwork, text},
    program::program,
};

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

/// The exit code of a run that waits for a person.
const WAITS: i32 = 6;

/// The example of every kind runs to its end in an empty folder; what asks a person is answered.
#[test]
fn every_example_runs_to_success() {
    let here = folder(&[("child.yaml", CHILD)]);
    let registry = millwork_steps::registry();
    assert!(registry.kinds().count() >= 10);
    for kind in registry.kinds() {
        fs::write(here.path().join("example.yaml"), kind.example()).expect("a file");
        let found = millwork(here.path(), &["run", "example.yaml"]);
        let mut said = text(&found.stderr);
        let mut code = found.status.code();
        if code == Some(WAITS) {
            let run = said.split_whitespace().find(|word| word.starts_with("run_")).expect("a run's id").to_owned();
            let answered = millwork(here.path(), &["runs", "approve", &run]);
            // The time that the example gives for an answer may be over by now: its default stands then.
            let (answer, late) = (text(&answered.stderr), "no step of the run waits");
            assert!(answered.status.success() || answer.contains(late), "{}:\n{answer}", kind.name());
            let resumed = millwork(here.path(), &["runs", "resume", &run]);
            (said, code) = (text(&resumed.stderr), resumed.status.code());
        }
        assert_eq!(code, Some(0), "{}:\n{said}", kind.name());
        let formatted = millwork(here.path(), &["fmt", "--check", "example.yaml"]);
        assert!(formatted.status.code().is_some_and(|code| code < 2), "{}", text(&formatted.stderr));
    }
}

/// The example of every kind, killed while its step is under way, goes on to the same outputs.
#[test]
fn every_example_survives_kills() {
    let registry = millwork_steps::registry();
    let mut reached = 0;
    for kind in registry.kinds() {
        let here = folder(&[("child.yaml", CHILD), ("example.yaml", kind.example())]);
        let victim = Victim { program: program(), folder: here.path(), file: "example.yaml" };
        for point in ["attempt.built", "attempt.returned", "keep.done"] {
            // One that asks a person waits for an answer: the examples above show it.
            match victim.kill_at(point, 1) {
                Ok(survivor) => reached += usize::from(survivor.is_some()),
                Err(why) if why.contains("waiting") => {}
                Err(why) => panic!("{} killed at {point}: {why}", kind.name()),
            }
        }
    }
    assert!(reached >= 20, "{reached} kills");
}
