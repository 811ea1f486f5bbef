//! Many schedules at once.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use millwork_engine::model::{ManualClock, Timestamp};

use crate::place::{Place, Setup, gated, within};

/// More than are seen to at once, so that some wait for others.
const MANY: usize = 100;

#[tokio::test(flavor = "multi_thread")]
async fn every_time_of_many_schedules_is_started() {
    let clock = Arc::new(ManualClock::new(Timestamp::from_micros(1_800_000_000_000_000)));
    let on = "on: {schedule: [{cron: '* * * * *', overlap: allow}]}";
    let texts: Vec<String> = (0..MANY).map(|n| gated(&format!("often_{n}"), on)).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let place = Place::with(Setup { clock: clock.clone(), ..Setup::default() }, &texts).await;
    let mut stream = place.stream("/events", None).await;
    for _ in 0..3 {
        // Their times begin when they were seen first.
        within("all schedules are known", async {
            while place.service.ticker().schedules().await.len() < MANY {
                tokio::task::yield_now().await;
            }
        })
        .await;
        clock.advance(Duration::from_secs(60));
        let mut begun = BTreeSet::new();
        while begun.len() < MANY {
            let event = stream.next().await.expect("a stream without an end");
            if event.name == "run" && matches!(event.data["status"].as_str(), Some("queued" | "running")) {
                begun.insert(event.data["pipeline"].to_string());
            }
        }
    }
}
