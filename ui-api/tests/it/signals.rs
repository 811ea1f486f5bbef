//! Ctrl-C once, Ctrl-C twice, SIGTERM: what ends, what still runs, what goes on afterwards.

use std::{
    fs,
    process::{Child, Output},
};

use millwork_testkit::program::Place;
use rustix::process::{Pid, Signal, kill_process};

use crate::program::{empty, until};

/// `long` ends when it is stopped, or at once if the file `free` is there; `last` ends when `go` is there.
const PIPELINE: &str = "version: 1
name: stopped
steps:
  - id: first
    uses: shell
    with: {command: [sh, -c, 'echo first >> done']}
  - id: long
    needs: first
    uses: shell
    with: {command: [sh, -c, 'echo $$ > began; test -e free || sleep 600; echo long >> done']}
finally:
  - id: last
    uses: shell
    with: {command: [sh, -c, 'echo $$ > ending; until test -e go; do sleep 0.02; done; echo last >> done']}
";

struct Started {
    place: Place,
    child: Child,
}

fn start() -> Started {
    let place = empty();
    fs::write(place.path().join("pipeline.yaml"), PIPELINE).expect("a file");
    let child = place.command(&["run", "pipeline.yaml"]).spawn().expect("the program starts");
    let started = Started { place, child };
    started.until_there("began");
    started
}

impl Started {
    fn until_there(&self, name: &str) {
        until(name, || self.place.path().join(name).exists());
    }

    fn touch(&self, name: &str) {
        fs::write(self.place.path().join(name), "").expect("a file");
    }

    fn send(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it lives");
    }

    fn end(self) -> (Place, Output) {
        let output = self.child.wait_with_output().expect("it ends");
        (self.place, output)
    }
}

fn done(place: &Place) -> Vec<String> {
    fs::read_to_string(place.path().join("done")).unwrap_or_default().lines().map(str::to_owned).collect()
}

/// Resumes the run, whose steps now end by themselves.
fn go_on(place: &Place) {
    for name in ["free", "go"] {
        fs::write(place.path().join(name), "").expect("a file");
    }
    let resumed = place.do_it(&["runs", "resume", "last"], None);
    assert_eq!(resumed.status.code(), Some(0), "{resumed:?}");
}

#[test]
fn ctrl_c_cancels_and_finally_runs() {
    let started = start();
    started.send(Signal::INT);
    started.until_there("ending");
    started.touch("go");
    let (place, output) = started.end();
    assert_eq!(output.status.code(), Some(4), "{output:?}");
    assert_eq!(done(&place), ["first", "last"]);
    go_on(&place);
    assert_eq!(
        done(&place),
        ["first", "last", "long"],
        "what is recorded as done is not done again, `finally` neither"
    );
}

#[test]
fn a_second_ctrl_c_interrupts_and_resume_goes_on() {
    let started = start();
    started.send(Signal::INT);
    started.until_there("ending");
    started.send(Signal::INT);
    let (place, output) = started.end();
    assert_eq!(output.status.code(), Some(5), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("millwork runs resume run_"), "{output:?}");
    assert_eq!(done(&place), ["first"]);
    go_on(&place);
    assert_eq!(done(&place), ["first", "long", "last"]);
}

#[test]
fn sigterm_interrupts_and_resume_goes_on() {
    let started = start();
    started.send(Signal::TERM);
    let (place, output) = started.end();
    assert_eq!(output.status.code(), Some(5), "{output:?}");
    assert_eq!(done(&place), ["first"], "`finally` belongs to the end of a run, which this is not");
    go_on(&place);
    assert_eq!(done(&place), ["first", "long", "last"]);
}
