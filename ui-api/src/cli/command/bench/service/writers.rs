//! Many who start runs as fast as they are answered, and whether all of it is there afterwards.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use millwork_engine::model::Fault;
use serde_json::Value as Json;
use tokio::task::JoinSet;

use super::{
    super::{
        figure::{Figure, ms},
        world::Bench,
    },
    http::Client,
    load::{self, Times},
    serving::{Serving, places},
    texts,
};
use crate::cli::words;

const WRITERS: usize = 100;
/// How long what waits may need to end.
const PATIENCE: Duration = Duration::from_secs(300);

/// What one of them saw.
#[derive(Default)]
struct Seen {
    runs: Vec<String>,
    times: Vec<Duration>,
    refused: BTreeMap<u16, usize>,
    said: Option<String>,
}

async fn write(client: Arc<Client>, length: Duration) -> Result<Seen, Fault> {
    let (mut seen, begin) = (Seen::default(), Instant::now());
    while begin.elapsed() < length {
        let asked = Instant::now();
        let answer = client.post("/api/v1/runs", r#"{"pipeline": "three", "inputs": {"n": 2}}"#).await?;
        seen.times.push(asked.elapsed());
        if answer.status == 201 {
            seen.runs.push(answer.text("id"));
        } else {
            *seen.refused.entry(answer.status).or_default() += 1;
            seen.said.get_or_insert_with(|| String::from_utf8_lossy(&answer.body).into_owned());
        }
    }
    Ok(seen)
}

pub(super) fn writers(bench: &Bench<'_>) -> Result<Vec<Figure>, Fault> {
    let length = Duration::from_secs(if bench.quick { 10 } else { 60 });
    let (home, folder) = places(bench.folder, "writers");
    texts::write(&folder, [("three".to_owned(), texts::three("three", ""))])?;
    load::block_on(async {
        let (serving, client) = Serving::busy(&home, &folder, "power").await?;
        let mut writing = JoinSet::new();
        for _ in 0..WRITERS {
            writing.spawn(write(client.clone(), length));
        }
        let mut all = Seen::default();
        while let Some(seen) = writing.join_next().await {
            let seen = seen.map_err(|e| Fault::internal("bench.write", e.to_string()))??;
            all.runs.extend(seen.runs);
            all.times.extend(seen.times);
            for (status, many) in seen.refused {
                *all.refused.entry(status).or_default() += many;
            }
            all.said = all.said.or(seen.said);
        }
        let begin = Instant::now();
        while open(&client).await? > 0 && begin.elapsed() < PATIENCE {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        let drained = begin.elapsed();
        serving.still_busy().await?;
        let ended = ended(&client).await?;
        let lost = all.runs.iter().filter(|run| !ended.contains(*run)).count();
        let times: Times = all.times.into_iter().collect();
        let wrong: usize = all.refused.iter().filter(|(status, _)| **status >= 500).map(|(_, many)| many).sum();
        let others: usize = all.refused.values().sum::<usize>() - wrong;
        let rate = all.runs.len() as f64 / length.as_secs_f64();
        let name = format!("{WRITERS} writers for {}", words::duration(length));
        let mut beside = format!(
            "{:.0} runs/s started, p50 {}, p99 {}; the last ended {} after",
            rate,
            ms(times.p50()),
            ms(times.p99()),
            ms(drained)
        );
        if let Some(said) = all.said {
            beside = format!("{beside}; first refusal: {said}");
        }
        Ok(vec![
            Figure::new(
                &format!("{name}: errors"),
                "0",
                format!("{wrong} of the server's, {others} others"),
                wrong == 0 && others == 0,
            )
            .beside(beside),
            Figure::new(
                &format!("{name}: lost"),
                "0",
                format!("{lost} of {}", words::count(all.runs.len() as u64)),
                lost == 0 && !all.runs.is_empty(),
            )
            .beside("every acknowledged run is in the list and succeeded"),
        ])
    })
}

async fn open(client: &Client) -> Result<usize, Fault> {
    let page = client.get("/api/v1/runs?pipeline=three&status=queued,running,waiting&limit=1").await?.json();
    Ok(page.get("items").and_then(Json::as_array).map_or(0, Vec::len))
}

/// Every run that has succeeded.
async fn ended(client: &Client) -> Result<BTreeSet<String>, Fault> {
    let (mut found, mut cursor) = (BTreeSet::new(), String::new());
    loop {
        let page = client.get(&format!("/api/v1/runs?pipeline=three&limit=500{cursor}")).await?.json();
        for run in page.get("items").and_then(Json::as_array).into_iter().flatten() {
            let text = |field: &str| run.get(field).and_then(Json::as_str).unwrap_or_default();
            if text("status") == "succeeded" {
                found.insert(text("id").to_owned());
            }
        }
        match page.get("next").and_then(Json::as_str) {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return Ok(found),
        }
    }
}
