//! From the time of a schedule to the first step of its run, as the log says.

use std::{path::Path, time::Duration};

use millwork_engine::{
    Tick,
    model::{Clock, Event, Fault, SystemClock, event::Cause},
    store::{Cursor, RunFilter},
};
use millwork_service::ticker::delay;

use super::{
    super::{
        figure::{Figure, ms},
        world::Bench,
    },
    load::{self, Times},
    serving::{Serving, places},
    texts,
};
use crate::cli::{open, words};

/// Schedules with one moment in common.
const HERD: u32 = 20;
/// How far the others are spread.
const JITTER: Duration = Duration::from_secs(50);

pub(super) fn ticks(bench: &Bench<'_>) -> Result<Vec<Figure>, Fault> {
    let (spread, minutes): (u32, u64) = if bench.quick { (200, 1) } else { (1000, 3) };
    let (home, folder) = places(bench.folder, "ticks");
    let often = |name: String, more: &str| {
        let on = format!("on: {{schedule: [{{cron: '* * * * *', overlap: allow{more}}}]}}\n");
        (name.clone(), texts::three(&name, &on))
    };
    texts::write(&folder, (0..spread).map(|n| often(format!("spread_{n:04}"), ", jitter: 50s")))?;
    texts::write(&folder, (0..HERD).map(|n| often(format!("herd_{n:04}"), "")))?;
    load::block_on(async {
        let (serving, _) = Serving::busy(&home, &folder, "power").await?;
        // The minute that has begun is not counted: it was under way when the service was started.
        let into = SystemClock.now().as_micros() % 60_000_000;
        let wait = Duration::from_micros(60_000_000 - into as u64) + Duration::from_secs(minutes * 60);
        tokio::time::sleep(wait).await;
        serving.still_busy().await?;
        serving.kill()
    })?;
    let (all, together) = open::block_on(read(&home))?;
    let (expected, p99) = (u64::from(spread) * minutes, all.p99());
    let share = Duration::from_millis(50);
    let enough = all.count() as u64 >= expected;
    Ok(vec![
        Figure::new(
            &format!("tick to first step, {} schedules over 50 s, p99", words::count(u64::from(spread))),
            "< 50 ms",
            format!("{} of {} ticks", ms(p99), all.count()),
            p99 < share && enough,
        )
        .beside(format!("p50 {}, worst {}", ms(all.p50()), ms(all.most()))),
        Figure::new(
            &format!("tick to first step, {HERD} schedules at once, p99"),
            "< 50 ms",
            format!("{} of {} ticks", ms(together.p99()), together.count()),
            together.p99() < share && together.count() > 0,
        )
        .beside(format!("p50 {}", ms(together.p50()))),
    ])
}

/// How late first steps were: of schedules that are spread, and of those that are not.
async fn read(home: &Path) -> Result<(Times, Times), Fault> {
    let engine = open::to_look(home.to_owned()).await?;
    let reader = engine.reader();
    let (mut spread, mut herd, mut after) = (Vec::new(), Vec::new(), None);
    loop {
        let page = reader.runs(&RunFilter { limit: 500, after, ..RunFilter::default() }).await?;
        let Some(last) = page.last() else { break };
        after = Some(Cursor(last.id));
        for run in &page {
            let log = reader.events(run.id, 0, 20).await?;
            let Some(Event::RunCreated { origin }) = log.first().map(|first| &first.event) else { continue };
            let Cause::Schedule { schedule, at, .. } = &origin.cause else { continue };
            let is_spread = run.pipeline.starts_with("spread");
            let tick = Tick { schedule: *schedule, at: *at, again: None };
            let jitter = if is_spread { JITTER } else { Duration::ZERO };
            let due = at.after(delay(&tick.key(&run.pipeline), jitter));
            let first = log.iter().find(|recorded| matches!(recorded.event, Event::AttemptStarted { .. }));
            let Some(first) = first else { continue };
            if is_spread { &mut spread } else { &mut herd }.push(first.at.since(due));
        }
    }
    engine.close().await?;
    Ok((spread.into_iter().collect(), herd.into_iter().collect()))
}
