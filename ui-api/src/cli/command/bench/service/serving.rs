//! This program as a service, in a process of its own.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use millwork_engine::model::Fault;
use serde_json::json;

use super::{
    super::files::{self, Resident},
    http::Client,
    texts,
};

/// How long something may take that is no measure.
const PATIENCE: Duration = Duration::from_secs(300);

/// A service under way; killed when it is dropped.
#[derive(Debug)]
pub(super) struct Serving {
    child: Child,
    pub address: SocketAddr,
    /// From its start until it said that it listens.
    pub listening: Duration,
    /// The query that keeps the processors busy.
    query: Option<String>,
}

fn failed(why: impl std::fmt::Display) -> Fault {
    Fault::external("bench.serve", format!("the measured service: {why}"))
}

impl Serving {
    /// Starts it, and waits until it listens.
    pub(super) fn begin(home: &Path, folder: &Path, durability: &str) -> Result<Self, Fault> {
        let program = std::env::current_exe().map_err(failed)?;
        let mut command = Command::new(program);
        command.arg("serve").arg(folder).arg("--home").arg(home);
        command.args(["--listen", "127.0.0.1:0", "--durability", durability]);
        let begin = Instant::now();
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().map_err(failed)?;
        let stderr = child.stderr.take().ok_or_else(|| failed("it has no output"))?;
        let mut lines = BufReader::new(stderr).lines().map_while(Result::ok);
        let address = lines.find_map(|line| line.split("http://").nth(1)?.trim().parse().ok());
        let listening = begin.elapsed();
        // Read on, so that it never waits for a reader; what it complains of is for whoever looks on.
        std::thread::spawn(move || {
            for line in lines.filter(|line| line.contains("ERROR")) {
                tracing::warn!(line, "the measured service complains");
            }
        });
        let address = address.ok_or_else(|| failed("it ended before it listened"))?;
        Ok(Self { child, address, listening, query: None })
    }

    /// Waits until all pipelines are read.
    pub(super) async fn ready(&self) -> Result<(), Fault> {
        let client = Client::new(self.address);
        let begin = Instant::now();
        while client.get("/readyz").await?.status != 200 {
            if begin.elapsed() > PATIENCE {
                return Err(failed("it does not become ready"));
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }

    /// Starts it on a folder with the query, and waits until that keeps the processors busy.
    pub(super) async fn busy(home: &Path, folder: &Path, durability: &str) -> Result<(Self, Arc<Client>), Fault> {
        texts::write(folder, [("grind".to_owned(), texts::GRIND.to_owned())])?;
        let (home, of, durability) = (home.to_owned(), folder.to_owned(), durability.to_owned());
        let started = tokio::task::spawn_blocking(move || Self::begin(&home, &of, &durability)).await;
        let mut serving = started.map_err(failed)??;
        serving.ready().await?;
        let client = Arc::new(Client::new(serving.address));
        let answer = client.post("/api/v1/runs", &json!({"pipeline": "grind"}).to_string()).await?;
        if answer.status != 201 {
            return Err(failed(format!("the query is not started: {}", String::from_utf8_lossy(&answer.body))));
        }
        serving.query = Some(answer.text("id"));
        let begin = Instant::now();
        loop {
            let before = serving.cpu();
            tokio::time::sleep(Duration::from_millis(500)).await;
            // With a processor for others it needs less.
            if serving.cpu().saturating_sub(before).as_secs_f64() > 0.25 {
                return Ok((serving, client));
            }
            if begin.elapsed() > PATIENCE {
                return Err(failed("the query does not begin"));
            }
        }
    }

    /// A measure beside which the query did not run is none.
    pub(super) async fn still_busy(&self) -> Result<(), Fault> {
        let Some(query) = &self.query else { return Ok(()) };
        let status = Client::new(self.address).get(&format!("/api/v1/runs/{query}")).await?.text("status");
        if status == "running" { Ok(()) } else { Err(failed(format!("the query is {status}"))) }
    }

    /// Resident memory.
    pub(super) fn memory(&self) -> Resident {
        files::memory_of(&self.child.id().to_string())
    }

    /// Processor time so far.
    pub(super) fn cpu(&self) -> Duration {
        let text = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap_or_default();
        // After the name, which may have blanks, the 12th and 13th fields.
        let ticks = text.rsplit_once(") ").map_or(0, |(_, rest)| {
            let fields = rest.split(' ').skip(11).take(2);
            fields.filter_map(|field| field.parse::<u64>().ok()).sum::<u64>()
        });
        Duration::from_secs(ticks) / u32::try_from(rustix::param::clock_ticks_per_second()).unwrap_or(100)
    }

    /// SIGKILL, and its end.
    pub(super) fn kill(mut self) -> Result<(), Fault> {
        self.child.kill().and_then(|()| self.child.wait()).map(drop).map_err(failed)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A home and a folder of pipelines below another folder.
pub(super) fn places(under: &Path, name: &str) -> (PathBuf, PathBuf) {
    let under = under.join(name);
    (under.join("home"), under.join("pipelines"))
}
