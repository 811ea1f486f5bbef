use std::{
    fs,
    time::{Duration, Instant},
};

use millwork_engine::model::Fault;
use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};

use super::table::{Entry, descendants, entry, with_environment};

/// Tells one process from every other, over reuse of its id and restarts of the machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Its id.
    pub pid: i32,
    /// Ticks from the system's start to its own.
    pub started: u64,
    /// Which start of the system.
    pub boot: String,
}

impl Identity {
    /// The identity of a running process; `None` if it is gone.
    pub fn of(pid: i32) -> Option<Self> {
        Some(Self { pid, started: entry(pid)?.started, boot: boot() })
    }

    fn alive(&self) -> Option<Entry> {
        entry(self.pid).filter(|found| found.started == self.started && !found.zombie && self.boot == boot())
    }
}

fn boot() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").map(|id| id.trim().to_owned()).unwrap_or_default()
}

/// Ends what is left of an earlier attempt: the guard that was recorded, its descendants, and whatever
/// carries the attempt's mark in its environment. Returns when they are gone.
pub async fn end_survivors(guard: Option<&Identity>, mark: &str) -> Result<usize, Fault> {
    let limit = Instant::now() + Duration::from_secs(10);
    let mut ended = 0;
    loop {
        let mut left: Vec<Entry> = guard.and_then(Identity::alive).into_iter().collect();
        if let Some(guard) = left.first() {
            left.extend(descendants(guard.pid));
        }
        left.extend(with_environment(mark));
        if left.is_empty() {
            return Ok(ended);
        }
        if Instant::now() > limit {
            let pid = left[0].pid;
            let message = format!("process {pid} of an earlier attempt cannot be ended");
            return Err(
                Fault::external("shell.survivor", message).help(format!("end it (`kill -9 {pid}`), then resume"))
            );
        }
        ended = ended.max(left.len());
        for process in left {
            if let Some(pid) = Pid::from_raw(process.pid) {
                let _ = kill_process(pid, Signal::KILL);
            }
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
