//! Figures of the loop, printed. Ignored in ordinary runs: they measure a machine, not the code alone.

use std::time::Instant;

use super::harness::{Builder, Lab};
use crate::{
    engine::{Engine, RunRequest},
    model::RunStatus,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn three_steps_and_many_items() {
    let lab = Lab::new();
    measure("memory", lab.engine().await).await;
    measure("sqlite, process", lab.on_disk().await).await;
}

async fn measure(name: &str, engine: Engine) {
    let mut b = Builder::new();
    b.step("a", "pure", "echo", "1", |_, _| {});
    b.step("b", "pure", "echo", "${{ steps.a.outputs.value }}", |_, _| {});
    b.step("c", "pure", "echo", "${{ steps.b.outputs.value }}", |_, _| {});
    let plan = b.plan();
    let mut times = Vec::new();
    for _ in 0..200 {
        let begin = Instant::now();
        let handle = engine.start(plan.clone(), RunRequest::default()).await.expect("starts");
        assert_eq!(handle.ended(false).await.expect("ends").status, RunStatus::Succeeded);
        times.push(begin.elapsed());
    }
    times.sort();
    let begin = Instant::now();
    let mut tasks = Vec::new();
    for _ in 0..64 {
        let (engine, plan) = (engine.clone(), plan.clone());
        tasks.push(tokio::spawn(async move {
            for _ in 0..32 {
                let handle = engine.start(plan.clone(), RunRequest::default()).await.expect("starts");
                handle.ended(false).await.expect("ends");
            }
        }));
    }
    for task in tasks {
        task.await.expect("done");
    }
    let rate = 2048.0 / begin.elapsed().as_secs_f64();
    let mut b = Builder::new();
    b.step("each", "pure", "echo", "${{ item }}", |b, step| b.for_each(step, "range(100000)", 1.0));
    let plan = b.plan();
    let begin = Instant::now();
    let handle = engine.start(plan, RunRequest::default()).await.expect("starts");
    let summary = handle.ended(false).await.expect("ends");
    assert_eq!((summary.status, summary.fault), (RunStatus::Succeeded, None));
    let items = 100_000.0 / begin.elapsed().as_secs_f64();
    eprintln!("{name}: three steps {:?}, 64 in flight {rate:.0}/s, items {items:.0}/s", times[100]);
}
