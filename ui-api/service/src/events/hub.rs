use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
    time::Duration,
};

use millwork_engine::{
    Engine,
    model::{Fault, RunId},
    store::{FeedCommit, StateStore},
};
use tokio::{
    sync::{Notify, broadcast},
    time::{Instant, sleep, sleep_until},
};
use tokio_util::sync::CancellationToken;

use super::{Teller, Told};

/// Messages kept for those who are slow; who is slower reads them from the store again.
const KEPT: usize = 4096;
/// Commits read at once.
const PAGE: u32 = 200;
/// How often commits of other processes are looked for.
const POLL: Duration = Duration::from_millis(500);
/// How long after the begin of one reading the next begins at least: what is committed meanwhile is read at once.
const PACE: Duration = Duration::from_millis(5);
/// The same while nobody follows.
const IDLE: Duration = Duration::from_millis(250);
/// Runs followed at once; more are read again when they are heard of next.
const FOLLOWED: usize = 2000;

/// The changes of one commit.
#[derive(Debug, Clone)]
pub struct Message {
    /// The place of the commit among all.
    pub pos: u64,
    /// Of which run.
    pub run: RunId,
    /// Of which pipeline.
    pub pipeline: Arc<str>,
    /// The last event of the commit.
    pub seq: u64,
    /// What it changed.
    pub told: Vec<Told>,
    /// The same as the bytes that most readers are sent: made by the first who needs them, shared by all.
    pub shown: OnceLock<Arc<[u8]>>,
}

/// Reads commits once, for all who follow.
#[derive(Debug)]
pub struct Hub {
    engine: Engine,
    sender: broadcast::Sender<Arc<Message>>,
    /// Told when somebody begins to follow.
    asked: Notify,
}

/// Where somebody is who follows.
#[derive(Debug)]
pub struct Following {
    receiver: broadcast::Receiver<Arc<Message>>,
}

impl Following {
    /// The next message; `None` if some were missed: read the store from where you are.
    pub async fn next(&mut self) -> Option<Arc<Message>> {
        self.receiver.recv().await.ok()
    }
}

impl Hub {
    /// Over an engine; nobody is told anything until [`Hub::run`].
    pub fn new(engine: Engine) -> Arc<Self> {
        Arc::new(Self { engine, sender: broadcast::channel(KEPT).0, asked: Notify::new() })
    }

    /// Follows what happens from now on.
    pub fn follow(&self) -> Following {
        let receiver = self.sender.subscribe();
        self.asked.notify_one();
        Following { receiver }
    }

    /// How many follow.
    pub fn followers(&self) -> usize {
        self.sender.receiver_count()
    }

    /// Reads and tells until it is stopped.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let store = self.engine.reader();
        let mut watch = store.feed_watch();
        let mut pos = loop {
            match store.feed_head().await {
                Ok(pos) => break pos,
                Err(error) => tracing::error!(%error, "the feed cannot be read"),
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(POLL) => {}
            }
        };
        let mut tellers = Tellers::default();
        loop {
            watch.borrow_and_update();
            let begin = Instant::now();
            match self.read(store.as_ref(), &mut tellers, pos).await {
                // More may be there than fits a page.
                Ok(now) if now > pos && self.followers() > 0 => pos = now,
                Ok(now) => {
                    pos = now;
                    tokio::select! {
                        () = stop.cancelled() => return,
                        () = self.asked.notified() => {}
                        _ = watch.changed() => {}
                        () = sleep(POLL) => {}
                    }
                }
                Err(fault) => {
                    tracing::error!(%fault, "the feed cannot be read");
                    sleep(POLL).await;
                }
            }
            let pace = if self.followers() == 0 { IDLE } else { PACE };
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.asked.notified() => {}
                () = sleep_until(begin + pace) => {}
            }
        }
    }

    async fn read(&self, store: &dyn StateStore, tellers: &mut Tellers, after: u64) -> Result<u64, Fault> {
        if self.followers() == 0 {
            // With nobody there, a run is read when somebody asks for it.
            let head = store.feed_head().await?;
            // Who began to follow since reads the store after that, and may have done so before the head was read.
            if self.followers() == 0 {
                *tellers = Tellers::default();
                return Ok(head);
            }
        }
        let page = store.feed(after, PAGE).await?;
        let mut pos = after;
        for commit in page.commits {
            pos = commit.pos;
            let message = tellers.message(&self.engine, commit).await?;
            let _ = self.sender.send(Arc::new(message));
        }
        Ok(pos)
    }

    /// Messages after a place, from the store, and up to where commits may be missing.
    pub async fn history(&self, tellers: &mut Tellers, after: u64) -> Result<(u64, Vec<Message>), Fault> {
        let page = self.engine.reader().feed(after, PAGE).await?;
        let mut messages = Vec::with_capacity(page.commits.len());
        for commit in page.commits {
            messages.push(tellers.message(&self.engine, commit).await?);
        }
        Ok((page.floor, messages))
    }
}

/// Tellers of the runs that are heard of.
#[derive(Debug, Default)]
pub struct Tellers {
    runs: HashMap<RunId, Teller>,
}

impl Tellers {
    async fn message(&mut self, engine: &Engine, commit: FeedCommit) -> Result<Message, Fault> {
        let FeedCommit { pos, run, pipeline, revision, events } = commit;
        let first = events.first().map_or(1, |event| event.seq);
        let last = events.last().map_or(0, |event| event.seq);
        let known = self.runs.remove(&run).filter(|teller| teller.seq() + 1 == first);
        let mut teller = match known {
            Some(teller) => teller,
            None => {
                let mut teller = Teller::new(run, engine.plan_of_revision(revision).await?.as_ref());
                while teller.seq() + 1 < first {
                    let page = engine.reader().events(run, teller.seq(), 1000).await?;
                    let before = teller.seq();
                    for event in page.iter().filter(|event| event.seq < first) {
                        teller.tell(event);
                    }
                    if teller.seq() == before {
                        break;
                    }
                }
                teller
            }
        };
        let told = events.iter().flat_map(|event| teller.tell(event)).collect();
        if !teller.status().is_final() {
            if self.runs.len() >= FOLLOWED {
                self.runs.clear();
            }
            self.runs.insert(run, teller);
        }
        Ok(Message { pos, run, pipeline: pipeline.into(), seq: last, told, shown: OnceLock::new() })
    }
}
