use std::sync::Arc;

use super::bench::Bench;
use crate::{
    model::{Event, NodeIx, OwnerId, Recorded, StepStatus, Timestamp, event::VERSION},
    run::*,
};

#[test]
fn a_log_that_does_not_fit_is_refused() {
    let mut bench = Bench::new("a\nb: a");
    bench.give("taken");
    let seq = bench.state.seq() + 1;
    let at = Timestamp::default();
    let recorded = |seq, version, event| Recorded { seq, at, version, event };
    let start = |node, attempt| Event::AttemptStarted { node: NodeIx(node), attempt };
    for (wrong, says) in [
        (recorded(seq, VERSION + 1, start(1, 1)), "format version 2"),
        (recorded(seq + 1, VERSION, start(1, 1)), "follows event"),
        (recorded(seq, VERSION, start(1, 1)), "step 1 is Pending"),
        (recorded(seq, VERSION, start(7, 1)), "no step 7"),
        (recorded(seq, VERSION, Event::RunStarted), "cannot take `run_started`"),
        (recorded(seq, VERSION, Event::RunResumed { by: String::new() }), "the run is Running"),
        (recorded(seq, VERSION, Event::ItemsSettled { node: NodeIx(0), ranges: Vec::new() }), "an item is not there"),
    ] {
        let mut state = bench.state.clone();
        let error = evolve(&mut state, &wrong).expect_err("it does not fit").to_string();
        assert!(error.contains(says), "{error}");
        assert_eq!(state, bench.state, "a refused event changes nothing");
    }
}

#[test]
fn inputs_that_no_driver_may_give() {
    let bench = Bench::new("a");
    let now = Timestamp::default();
    assert_eq!(decide(&bench.state, Input::Tick, now, &mut || 0.0), Err(IllegalInput::NotOwned));
    let mut bench = bench;
    bench.give("taken");
    let stranger = Input::Condition { node: NodeIx(9), holds: Ok(true) };
    assert_eq!(decide(&bench.state, stranger, now, &mut || 0.0), Err(IllegalInput::NoStep(NodeIx(9))));
    bench.give("ok a1");
    let resume = Input::Resume { by: String::new() };
    assert_eq!(decide(&bench.state, resume, now, &mut || 0.0), Err(IllegalInput::Succeeded));
    let old = Input::Taken { owner: OwnerId::from_parts(now, 1), epoch: 1 };
    assert_eq!(decide(&bench.state, old, now, &mut || 0.0), Ok(Vec::new()));
}

#[test]
fn a_final_step_takes_no_event() {
    use StepStatus::{Cancelled, Failed, Skipped, Succeeded};
    let node = NodeIx(0);
    for status in [Succeeded, Failed, Skipped, Cancelled] {
        for event in [
            Event::AttemptStarted { node, attempt: 1 },
            Event::StepCancelled { node },
            Event::ConditionHeld { node },
            Event::ItemsSettled { node, ranges: Vec::new() },
        ] {
            assert!(next(node, status, &event).is_err(), "{status:?} {event:?}");
        }
    }
}

#[test]
fn a_snapshot_that_is_not_ours_is_refused() {
    let bench = Bench::new("a\nb: a");
    let bytes = bench.state.to_snapshot();
    let other = Bench::new("a");
    assert!(matches!(
        RunState::from_snapshot(&bytes, Arc::clone(other.state.shape())),
        Err(SnapshotError::OtherPlan { snapshot: 2, plan: 1 })
    ));
    let newer = String::from_utf8(bytes).expect("text").replacen("\"version\":1", "\"version\":9", 1);
    let shape = Arc::clone(bench.state.shape());
    assert!(matches!(RunState::from_snapshot(newer.as_bytes(), shape), Err(SnapshotError::Version(9))));
    assert!(RunState::from_snapshot(b"{", Arc::clone(bench.state.shape())).is_err());
}
