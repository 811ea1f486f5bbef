//! A thousand pipelines with schedules, and nothing to do.

use std::time::{Duration, Instant};

use chrono::Timelike;
use millwork_engine::model::{Clock, Fault, SystemClock};

use super::{
    super::{
        figure::{Figure, ms},
        world::Bench,
    },
    load,
    serving::{Serving, places},
    texts,
};

/// Pipelines of a big folder.
pub(super) const PIPELINES: u32 = 1000;

pub(super) fn idle(bench: &Bench<'_>) -> Result<Vec<Figure>, Fault> {
    let (home, folder) = places(bench.folder, "idle");
    // At hours that are far from now in every zone of the schedule's.
    let hour = SystemClock.now().to_datetime().hour();
    let text = |n: u32| {
        let name = format!("daily_{n:04}");
        (name.clone(), texts::daily(&name, (hour + 8 + n % 8) % 24, n % 60))
    };
    texts::write(&folder, (0..PIPELINES).map(text))?;
    let mut starts = Vec::new();
    for _ in 0..3 {
        let begin = Instant::now();
        let serving = Serving::begin(&home, &folder, "power")?;
        load::block_on(serving.ready())?;
        starts.push((serving.listening, begin.elapsed()));
        serving.kill()?;
    }
    starts.sort_unstable();
    let (listening, ready) = starts.get(starts.len() / 2).copied().unwrap_or_default();

    let serving = Serving::begin(&home, &folder, "power")?;
    load::block_on(serving.ready())?;
    let (settle, length) = if bench.quick { (5, 10) } else { (20, 60) };
    std::thread::sleep(Duration::from_secs(settle));
    let before = serving.cpu();
    std::thread::sleep(Duration::from_secs(length));
    let used = serving.cpu().saturating_sub(before).as_secs_f64() / length as f64;
    let memory = serving.memory();
    let mb = |bytes: u64| bytes / 1_000_000;
    let name = "1,000 pipelines";
    Ok(vec![
        Figure::new(&format!("{name}: start to listening"), "< 1 s", ms(listening), listening.as_secs_f64() < 1.0)
            .beside(format!("all read and checked after {}", ms(ready))),
        Figure::new(
            &format!("{name}: idle memory"),
            "< 80 MB",
            format!("{} MB", mb(memory.all)),
            memory.all < 80_000_000,
        )
        .beside(format!("anonymous {} MB, mapped from files {} MB", mb(memory.anonymous), mb(memory.file))),
        Figure::new(
            &format!("{name}: idle processor"),
            "< 1 % of a core",
            format!("{:.2} %", used * 100.0),
            used < 0.01,
        ),
    ])
}
