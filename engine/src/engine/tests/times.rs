//! Waits of hours and days, on a clock that the test moves.

use std::{sync::Arc, time::Duration};

use crate::{
    engine::{RunRequest, RunSummary},
    model::{Clock as _, ManualClock, RunStatus, Timestamp},
};

use super::harness::{Lab, yaml};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

fn begin() -> Timestamp {
    Timestamp::from_micros(1_760_000_000_000_000)
}

/// One step, and what is written of it.
fn one(step: &str) -> String {
    let lines: String = step.lines().map(|line| format!("    {line}\n")).collect();
    format!("version: 1\nname: p\nsteps:\n  - id: one\n{lines}")
}

/// Runs a step; each time that so many wait, notes for how long and lets that time come.
async fn waits(many: usize, step: &str) -> (Vec<Duration>, RunSummary) {
    let clock = Arc::new(ManualClock::new(begin()));
    let lab = Lab::at(clock.clone());
    let engine = lab.engine().await;
    let handle = engine.start(yaml(&one(step)), RunRequest::default()).await.expect("starts");
    let mut waited = Vec::new();
    let ended = handle.ended(true);
    tokio::pin!(ended);
    loop {
        tokio::select! {
            biased;
            summary = &mut ended => return (waited, summary.expect("ends")),
            at = clock.waited_for(many) => {
                waited.push(at.since(clock.now()));
                clock.set(at);
            }
        }
    }
}

#[tokio::test]
async fn retries_wait_as_long_as_the_policy_says() {
    let retry = "retry: {max_attempts: 3, delay: 20m, max_delay: 2h, backoff: exponential, jitter: false}";
    let (waited, summary) = waits(1, &format!("uses: act\n{retry}\nwith: {{act: flaky, value: 1}}")).await;
    assert_eq!((waited, summary.status), (vec![20 * MINUTE, 40 * MINUTE], RunStatus::Succeeded));
}

#[tokio::test]
async fn an_item_waits_its_days_without_a_slot() {
    // Two permits; the four items wait side by side.
    let (waited, summary) =
        waits(4, "for_each: '[1, 1, 1, 1]'\nmax_parallel: 4\nuses: act\nwith: {act: days, value: \"${{ item }}\"}")
            .await;
    assert_eq!(summary.status, RunStatus::Succeeded, "{:?}", summary.fault);
    assert_eq!(waited, [DAY]);
}

#[tokio::test]
async fn a_timeout_and_a_deadline_come_at_their_time() {
    for (limit, code) in [("timeout: 2h", "timeout"), ("deadline: 2h", "deadline")] {
        let (waited, summary) = waits(1, &format!("uses: act\n{limit}\nwith: {{act: hang}}")).await;
        assert_eq!(waited, [2 * HOUR], "{limit}");
        let fault = summary.fault.expect("a fault");
        assert_eq!(fault.code.as_str(), code);
        assert!(fault.message.contains("2h"), "{fault}");
    }
}

#[tokio::test]
async fn a_wait_of_thirty_days_outlives_its_process() {
    let clock = Arc::new(ManualClock::new(begin()));
    let lab = Lab::at(clock.clone());
    let engine = lab.engine().await;
    let plan = yaml(&one("uses: act\nwith: {act: days, value: 30}"));
    let handle = engine.start(plan, RunRequest::default()).await.expect("starts");
    let id = handle.id();
    assert_eq!(clock.waited_for(1).await, begin().after(30 * DAY));
    handle.abandon().await;
    drop(engine);
    clock.advance(29 * DAY);
    let engine = lab.engine().await;
    let handle = engine.resume(id, "a test").await.expect("resumes");
    assert_eq!(clock.waited_for(1).await, begin().after(30 * DAY));
    assert_eq!(lab.stage.ran("one"), 1, "the wait does not begin anew");
    clock.advance(DAY);
    assert_eq!(handle.ended(true).await.expect("ends").status, RunStatus::Succeeded);
    assert_eq!(lab.stage.ran("one"), 2);
}
