//! A pipeline as a function: called, and answered with its outputs.

use std::time::{Duration, Instant};

use millwork_engine::model::Fault;

use super::{
    super::{
        figure::{Figure, ms},
        steps::{self, DURABILITIES},
        world::Bench,
    },
    http::Client,
    load::{self, Times},
    peer::Peer,
    serving::{Serving, places},
    texts,
};

pub(super) fn calls(bench: &Bench<'_>) -> Result<Vec<Figure>, Fault> {
    let rounds = if bench.quick { 200 } else { 2000 };
    let mut figures = Vec::new();
    for (name, durability) in DURABILITIES {
        let core = steps::core(&bench.folder.join(format!("core-{name}")), durability, rounds.min(200))?.took;
        let (home, folder) = places(bench.folder, &format!("calls-{name}"));
        texts::write(&folder, [("three".to_owned(), texts::three("three", ""))])?;
        let (called, echo) = load::block_on(async {
            let (serving, client) = Serving::busy(&home, &folder, name).await?;
            let peer = Peer::begin().await?;
            let bare = Client::new(peer.address);
            let (mut called, mut echo) = (Vec::new(), Vec::new());
            for round in 0..rounds + 20 {
                let begin = Instant::now();
                let answer = client.post("/api/v1/pipelines/three/call", "{}").await?;
                if answer.status != 200 {
                    let said = String::from_utf8_lossy(&answer.body).into_owned();
                    return Err(Fault::external("bench.call", format!("a call ended with {}: {said}", answer.status)));
                }
                if round >= 20 {
                    called.push(begin.elapsed());
                }
                let begin = Instant::now();
                bare.post("/", "{}").await?;
                echo.push(begin.elapsed());
            }
            serving.still_busy().await?;
            Ok((called.into_iter().collect::<Times>(), echo.into_iter().collect::<Times>()))
        })?;
        let bar = core + Duration::from_millis(1);
        let p50 = called.p50();
        figures.push(
            Figure::new(&format!("call of 3 steps, {name}, p50"), format!("<= {}", ms(bar)), ms(p50), p50 <= bar)
                .beside(format!(
                    "the core alone, without the query: {}; echo p50 {}; call p99 {}",
                    ms(core),
                    ms(echo.p50()),
                    ms(called.p99())
                )),
        );
    }
    Ok(figures)
}
