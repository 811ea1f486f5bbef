use std::{collections::HashMap, sync::Arc, time::Duration};

use millwork_engine::{
    Engine,
    model::{Fault, RunId},
    store::{FeedCommit, StateStore},
};
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

use super::{Teller, Told};

/// Messages kept for those who are slow; who is slower reads them from the store again.
const KEPT: usize = 4096;
/// Commits read at once.
const PAGE: u32 = 200;
/// How often commits of other processes are looked for.
const POLL: Duration = Duration::from_millis(500);
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
}

/// Reads commits once, for all who follow.
#[derive(Debug)]
pub struct Hub {
    engine: Engine,
    sender: broadcast::Sender<Arc<Message>>,
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
        Arc::new(Self { engine, sender: broadcast::channel(KEPT).0 })
    }

    /// Follows what happens from now on.
    pub fn follow(&self) -> Following {
        Following { receiver: self.sender.subscribe() }
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
            match self.read(store.as_ref(), &mut tellers, pos).await {
                Ok(now) if now > pos => {
                    pos = now;
                    continue;
                }
                Ok(_) => {}
                Err(fault) => tracing::error!(%fault, "the feed cannot be read"),
            }
            tokio::select! {
                () = stop.cancelled() => return,
                _ = watch.changed() => {}
                () = tokio::time::sleep(POLL) => {}
            }
        }
    }

    async fn read(&self, store: &dyn StateStore, tellers: &mut Tellers, after: u64) -> Result<u64, Fault> {
        let page = store.feed(after, PAGE).await?;
        let mut pos = after;
        for commit in page.commits {
            pos = commit.pos;
            // With nobody there, a run is read when somebody asks for it.
            if self.sender.receiver_count() == 0 {
                tellers.forget(commit.run);
                continue;
            }
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
    fn forget(&mut self, run: RunId) {
        self.runs.remove(&run);
    }

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
        Ok(Message { pos, run, pipeline: pipeline.into(), seq: last, told })
    }
}
