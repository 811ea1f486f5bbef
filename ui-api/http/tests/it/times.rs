//! Many schedules at once.

use std::{sync::Arc, time::Duration};

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
    for minute in 1..=3 {
        // Their times begin when they were seen first.
        within("all schedules are known", async {
            while place.service.ticker().schedules().await.len() < MANY {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
        clock.advance(Duration::from_secs(60));
        within("all runs are there", async {
            while place.good("/runs?limit=500").await["items"].as_array().map_or(0, Vec::len) < minute * MANY {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
    }
}
