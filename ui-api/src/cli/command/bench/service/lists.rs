//! Lists of runs over a long past, while pipelines run.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use millwork_engine::model::{Fault, RunId};

use super::{
    super::{
        figure::{Figure, ms},
        world::Bench,
    },
    history,
    http::Client,
    load::{self, Times, open_loop},
    peer::Peer,
    serving::{Serving, places},
    texts,
};
use crate::cli::words;

/// What is asked for, in turn: a name, and the query of a list.
fn question(n: usize, known: &[RunId]) -> (&'static str, String) {
    let pipeline = history::name(n as u64 * 37);
    let place = known.get(n * 7919 % known.len().max(1)).map(RunId::to_string).unwrap_or_default();
    match n % 10 {
        0 | 1 => ("first page", String::new()),
        2 => ("of a pipeline", format!("?pipeline={pipeline}")),
        3 => ("failed", "?status=failed".to_owned()),
        4 => ("failed of a pipeline", format!("?pipeline={pipeline}&status=failed")),
        5 => ("open", "?status=queued,running,waiting".to_owned()),
        6 => ("later page", format!("?cursor={place}")),
        7 => ("later page of a pipeline", format!("?pipeline={pipeline}&cursor={place}")),
        8 => ("failed or cancelled, later page", format!("?status=failed,cancelled&cursor={place}")),
        _ => ("started by nobody", "?top=true&limit=100".to_owned()),
    }
}

pub(super) fn lists(bench: &Bench<'_>) -> Result<Vec<Figure>, Fault> {
    let (runs, length) = if bench.quick { (50_000, 10) } else { (1_000_000, 60) };
    let (home, folder) = places(bench.folder, "lists");
    texts::write(&folder, [("three".to_owned(), texts::three("three", ""))])?;
    load::block_on(async {
        let begin = Instant::now();
        let known = history::write(&home, runs).await?;
        bench.output.say(format!("{} runs written in {}", words::count(runs), ms(begin.elapsed())));
        let (serving, client) = Serving::busy(&home, &folder, "power").await?;
        let measured = measure(&serving, &client, known, Duration::from_secs(length)).await?;
        Ok(figures(runs, length, &measured))
    })
}

struct Measured {
    lists: Times,
    by_question: BTreeMap<&'static str, Times>,
    echo: Times,
    starts: Times,
    refused: usize,
    open: usize,
    cores: f64,
}

async fn measure(
    serving: &Serving,
    client: &Arc<Client>,
    known: Vec<RunId>,
    length: Duration,
) -> Result<Measured, Fault> {
    let peer = Peer::begin().await?;
    let echo = Arc::new(Client::new(peer.address));
    let known = Arc::new(known);
    let (cpu, begin) = (serving.cpu(), Instant::now());
    let lists = open_loop(200, length, |n| {
        let (client, known) = (client.clone(), known.clone());
        async move {
            let (name, query) = question(n, &known);
            Ok((name, client.get(&format!("/api/v1/runs{query}")).await?.status))
        }
    });
    let starts = open_loop(100, length, |_| {
        let client = client.clone();
        async move { Ok(client.post("/api/v1/runs", r#"{"pipeline": "three"}"#).await?.status) }
    });
    let echoes = open_loop(100, length, |_| {
        let echo = echo.clone();
        async move { echo.get("/").await }
    });
    let (lists, starts, echoes) = tokio::try_join!(lists, starts, echoes)?;
    let cores = serving.cpu().saturating_sub(cpu).as_secs_f64() / begin.elapsed().as_secs_f64();
    serving.still_busy().await?;
    let open = client.get("/api/v1/runs?pipeline=three&status=queued,running&limit=500").await?.json();
    let mut by_question: BTreeMap<&str, Vec<Duration>> = BTreeMap::new();
    for (_, took, (name, _)) in &lists {
        by_question.entry(name).or_default().push(*took);
    }
    Ok(Measured {
        refused: lists.iter().filter(|(_, _, (_, status))| *status != 200).count()
            + starts.iter().filter(|(_, _, status)| *status != 201).count(),
        lists: lists.into_iter().map(|(_, took, _)| took).collect(),
        by_question: by_question.into_iter().map(|(name, times)| (name, times.into_iter().collect())).collect(),
        echo: echoes.into_iter().map(|(_, took, _)| took).collect(),
        starts: starts.into_iter().map(|(_, took, _)| took).collect(),
        open: open.get("items").and_then(|items| items.as_array()).map_or(0, Vec::len),
        cores,
    })
}

fn figures(runs: u64, length: u64, found: &Measured) -> Vec<Figure> {
    let p99 = found.lists.p99();
    let slowest = found.by_question.iter().max_by_key(|(_, times)| times.p99());
    let slowest = slowest.map(|(name, times)| format!("; slowest: {name}, {}", ms(times.p99()))).unwrap_or_default();
    let refused = match found.refused {
        0 => String::new(),
        some => format!(", {some} refused"),
    };
    let lists = Figure::new(
        &format!("GET /runs over {} runs, p99", words::count(runs)),
        "< 25 ms",
        format!("{}{refused}", ms(p99)),
        p99 < Duration::from_millis(25) && found.refused == 0,
    );
    let rate = found.starts.count() as f64 / length as f64;
    let started = Figure::new(
        "pipelines started and ended beside it",
        ">= 100/s",
        format!("{rate:.0}/s, {} not ended", found.open),
        rate >= 100.0 && found.open < 20,
    );
    vec![
        lists.beside(format!("p50 {}, echo p99 {}{slowest}", ms(found.lists.p50()), ms(found.echo.p99()))),
        started.beside(format!("POST /runs p99 {}; the service used {:.2} cores", ms(found.starts.p99()), found.cores)),
    ]
}
