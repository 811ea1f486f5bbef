//! Many who follow everything, one of whom does not read.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use millwork_engine::model::{Clock, Fault, SystemClock, Timestamp};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    task::JoinSet,
};

use super::{
    super::{
        figure::{Figure, ms},
        world::Bench,
    },
    http::{find, request},
    load::{self, Times, open_loop},
    serving::{Serving, places},
    texts,
};
use crate::cli::words;

const FOLLOWERS: usize = 1000;
/// Runs of three steps a second: about nine events each, each of which goes to all.
const RATE: u32 = 2;

fn failed(error: std::io::Error) -> Fault {
    Fault::external("bench.follow", format!("a follower: {error}"))
}

pub(super) fn followers(bench: &Bench<'_>) -> Result<Vec<Figure>, Fault> {
    raise_limit();
    let length = Duration::from_secs(if bench.quick { 10 } else { 60 });
    let (home, folder) = places(bench.folder, "followers");
    texts::write(&folder, [("three".to_owned(), texts::three("three", ""))])?;
    load::block_on(async {
        let (serving, client) = Serving::busy(&home, &folder, "power").await?;
        let alone = serving.memory().all;
        let (mut following, over) = (JoinSet::new(), Arc::new(AtomicBool::new(false)));
        // One that asks and never reads, with next to no room for what is sent to it.
        let stalled = stall(serving.address).await?;
        for _ in 1..FOLLOWERS {
            let stream = follow(TcpStream::connect(serving.address).await.map_err(failed)?, serving.address).await?;
            following.spawn(read(stream, over.clone()));
        }
        let everybody = format!("millwork_event_followers {FOLLOWERS}");
        while !String::from_utf8_lossy(&client.get("/metrics").await?.body).contains(&everybody) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let begun = serving.memory().all;
        let start = |half| {
            let client = client.clone();
            open_loop(RATE, half, move |_| {
                let client = client.clone();
                async move { client.post("/api/v1/runs", r#"{"pipeline": "three"}"#).await }
            })
        };
        start(length / 2).await?;
        let half = serving.memory().all;
        start(length / 2).await?;
        tokio::time::sleep(Duration::from_secs(2)).await;
        let end = serving.memory().all;
        serving.still_busy().await?;
        over.store(true, Ordering::Relaxed);
        // They look up when the next event comes.
        client.post("/api/v1/runs", r#"{"pipeline": "three"}"#).await?;
        let (mut times, mut counts) = (Vec::new(), Vec::new());
        while let Some(read) = following.join_next().await {
            let read = read.map_err(|e| Fault::internal("bench.follow", e.to_string()))??;
            counts.push(read.len());
            times.extend(read);
        }
        drop(stalled);
        let (least, most) = (counts.iter().min().copied(), counts.iter().max().copied());
        let times: Times = times.into_iter().collect();
        let p99 = times.p99();
        let mb = |more: u64, than: u64| more.saturating_sub(than) as f64 / 1e6;
        let name = format!("{} followers, one stalled", words::count(FOLLOWERS as u64));
        Ok(vec![
            Figure::new(&format!("{name}: event to follower, p99"), "< 100 ms", ms(p99), {
                p99 < Duration::from_millis(100) && least.unwrap_or(0) > 0
            })
            .beside(format!(
                "p50 {}, worst {}; {} to {} events each",
                ms(times.p50()),
                ms(times.most()),
                least.unwrap_or_default(),
                most.unwrap_or_default()
            )),
            Figure::new(
                &format!("{name}: memory, second half"),
                "<= 8 MB more",
                format!("{:.1} MB more", mb(end, half)),
                mb(end, half) <= 8.0,
            )
            .beside(format!(
                "{:.1} MB for all connections, {:.1} MB more in the first half",
                mb(begun, alone),
                mb(half, begun)
            )),
        ])
    })
}

/// As many open files as may be: each follower is one.
fn raise_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}

async fn follow(mut stream: TcpStream, address: SocketAddr) -> Result<TcpStream, Fault> {
    stream.set_nodelay(true).map_err(failed)?;
    stream.write_all(request(address, "GET", "/api/v1/events", "").as_bytes()).await.map_err(failed)?;
    Ok(stream)
}

async fn stall(address: SocketAddr) -> Result<TcpStream, Fault> {
    let socket = TcpSocket::new_v4().map_err(failed)?;
    socket.set_recv_buffer_size(2048).map_err(failed)?;
    follow(socket.connect(address).await.map_err(failed)?, address).await
}

/// Reads until it is over; how late each event was.
async fn read(mut stream: TcpStream, over: Arc<AtomicBool>) -> Result<Vec<Duration>, Fault> {
    let (mut late, mut bytes) = (Vec::new(), Vec::with_capacity(4096));
    while !over.load(Ordering::Relaxed) {
        if stream.read_buf(&mut bytes).await.map_err(failed)? == 0 {
            return Err(failed(std::io::ErrorKind::UnexpectedEof.into()));
        }
        let now = SystemClock.now();
        let taken = take(&mut bytes, |at| late.push(now.since(at)));
        bytes.drain(..taken);
    }
    // Those of the last event, which tells them that it is over, do not count.
    Ok(late)
}

/// Finds the times of events; how many bytes were looked through.
fn take(bytes: &mut [u8], mut each: impl FnMut(Timestamp)) -> usize {
    const AT: &[u8] = br#""at":""#;
    const LONG: usize = "2026-01-05T00:00:00.000000Z".len();
    let mut from = 0;
    while let Some(at) = bytes.get(from..).and_then(|rest| find(rest, AT)) {
        let begin = from + at + AT.len();
        let Some(text) = bytes.get(begin..begin + LONG) else { return from + at };
        let time = std::str::from_utf8(text).ok().and_then(|text| chrono::DateTime::parse_from_rfc3339(text).ok());
        if let Some(time) = time {
            each(time.to_utc().into());
        }
        from = begin + LONG;
    }
    // What may be the begin of another one stays.
    from.max(bytes.len().saturating_sub(AT.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_though_they_come_in_parts() {
        let text = r#"data: {"seq":3,"at":"2026-01-05T00:00:00.000007Z"}  data: {"at":"2026-01-05T00:00:01.000000Z"}"#;
        for cut in 0..text.len() {
            let (mut found, mut bytes) = (Vec::new(), Vec::new());
            for part in [&text[..cut], &text[cut..]] {
                bytes.extend_from_slice(part.as_bytes());
                let taken = take(&mut bytes, |at| found.push(at.as_micros() % 60_000_000));
                bytes.drain(..taken);
            }
            assert_eq!(found, [7, 1_000_000], "cut at {cut}");
        }
    }
}
