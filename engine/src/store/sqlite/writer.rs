use std::{path::Path, sync::Arc, time::Duration};

use sqlx::{Connection, SqliteConnection};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{sleep, timeout},
};

use super::{
    super::StoreError,
    codec::is_busy,
    connect::TRIES,
    group::{self, Outcome},
    known::Known,
    op::{Answer, Job, Op, Refusal},
};
use crate::{
    crash::crash_point,
    model::{Clock, Fault},
};

/// Operations in one transaction at most, so that nobody waits long behind a crowd.
const GROUP: usize = 1024;

/// With nothing to do for this long, the writer empties the write-ahead log into the database.
const IDLE: Duration = Duration::from_millis(200);

/// Hands operations to the one task of this process that writes. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Writer {
    queue: mpsc::Sender<Message>,
    committed: watch::Receiver<u64>,
}

enum Message {
    Do(Box<Job>),
    Close(oneshot::Sender<()>),
}

impl Writer {
    /// Starts the task on the current runtime. It ends with the last handle.
    pub(super) fn start(conn: SqliteConnection, clock: Arc<dyn Clock>) -> Self {
        let (queue, messages) = mpsc::channel(4 * GROUP);
        let (told, committed) = watch::channel(0);
        tokio::spawn(write(conn, clock, messages, told));
        Self { queue, committed }
    }

    /// Refuses all operations: for a store that is only read.
    pub(super) fn refusing() -> Self {
        let (queue, _) = mpsc::channel(1);
        Self { queue, committed: watch::channel(0).1 }
    }

    /// Changes when runs were written.
    pub(super) fn committed(&self) -> watch::Receiver<u64> {
        self.committed.clone()
    }

    /// Has an operation done, and returns after its commit.
    pub(super) async fn apply(&self, op: Op) -> Result<Answer, Refusal> {
        let (reply, answer) = oneshot::channel();
        let closed = || Refusal::Store(StoreError::Broken("it is closed, or open for reading only".into()));
        self.queue.send(Message::Do(Box::new(Job { op, reply }))).await.map_err(|_| closed())?;
        answer.await.unwrap_or(Err(Refusal::Store(StoreError::Unknown)))
    }

    /// As [`Writer::apply`], for operations that are refused with a store error only.
    pub(super) async fn store(&self, op: Op) -> Result<Answer, StoreError> {
        self.apply(op).await.map_err(|refusal| match refusal {
            Refusal::Store(error) => error,
            Refusal::Fault(fault) => StoreError::Broken(fault.message),
        })
    }

    /// As [`Writer::apply`], for the journal. `file` is named where it is in trouble.
    pub(super) async fn journal(&self, op: Op, file: &Path) -> Result<(), Fault> {
        match self.apply(op).await {
            Ok(_) => Ok(()),
            Err(Refusal::Store(error)) => Err(error.at(file).into()),
            Err(Refusal::Fault(fault)) => Err(fault),
        }
    }

    /// Does what is queued, then closes the connection; later operations are refused.
    pub(super) async fn close(&self) {
        let (done, closed) = oneshot::channel();
        if self.queue.send(Message::Close(done)).await.is_ok() {
            let _ = closed.await;
        }
    }
}

async fn write(
    mut conn: SqliteConnection,
    clock: Arc<dyn Clock>,
    mut queue: mpsc::Receiver<Message>,
    told: watch::Sender<u64>,
) {
    let mut messages = Vec::with_capacity(GROUP);
    let (mut written, mut known) = (false, Known::default());
    let closed = loop {
        if written && queue.is_empty() {
            match timeout(IDLE, queue.recv_many(&mut messages, GROUP)).await {
                Ok(0) => break None,
                Ok(_) => {}
                Err(_) => {
                    written = false;
                    checkpoint(&mut conn).await;
                    continue;
                }
            }
        } else if queue.recv_many(&mut messages, GROUP).await == 0 {
            break None;
        }
        crash_point("writer.received");
        let mut closing = None;
        let jobs = messages.drain(..).filter_map(|message| match message {
            Message::Do(job) => Some(*job),
            Message::Close(done) => {
                closing = Some(done);
                None
            }
        });
        let jobs: Vec<Job> = jobs.collect();
        written |= !jobs.is_empty();
        let runs = jobs.iter().any(|job| matches!(job.op, Op::Create(_) | Op::Append(_)));
        settle(&mut conn, &*clock, &mut known, jobs).await;
        if runs {
            told.send_modify(|commits| *commits += 1);
        }
        crash_point("writer.answered");
        if closing.is_some() {
            break closing;
        }
    };
    queue.close();
    crash_point("writer.closing");
    if let Err(error) = conn.close().await {
        tracing::debug!(%error, "the state was not closed in good order");
    }
    crash_point("writer.closed");
    if let Some(closed) = closed {
        let _ = closed.send(());
    }
}

/// Does the jobs in as few transactions as they allow, and answers each.
async fn settle(conn: &mut SqliteConnection, clock: &dyn Clock, known: &mut Known, mut jobs: Vec<Job>) {
    while !jobs.is_empty() {
        match commit(conn, &jobs, clock, known).await {
            Ok(outcomes) => jobs = answer(jobs, outcomes),
            Err(error) if jobs.len() == 1 || !worth_splitting(&error) => {
                let error = StoreError::from(error);
                for job in jobs.drain(..) {
                    let _ = job.reply.send(Err(error.clone().into()));
                }
            }
            // Something in the group broke the transaction: alone, each commits or fails by itself.
            Err(_) => {
                for job in jobs.drain(..) {
                    let outcome = commit(conn, std::slice::from_ref(&job), clock, known).await;
                    let outcome = outcome.map(|mut outcomes| outcomes.pop().flatten());
                    let unknown = Err(Refusal::Store(StoreError::Unknown));
                    let _ = job.reply.send(match outcome {
                        Ok(done) => done.unwrap_or(unknown),
                        Err(error) => Err(StoreError::from(error).into()),
                    });
                }
            }
        }
    }
}

/// Answers the jobs that were done; gives back those that were not tried.
fn answer(jobs: Vec<Job>, outcomes: Vec<Outcome>) -> Vec<Job> {
    let mut later = Vec::new();
    for (job, outcome) in jobs.into_iter().zip(outcomes) {
        match outcome {
            Some(done) => drop(job.reply.send(done)),
            None => later.push(job),
        }
    }
    later
}

/// A refused row may be one job's; a full disk is everybody's.
fn worth_splitting(error: &sqlx::Error) -> bool {
    !is_busy(error)
        && !matches!(error, sqlx::Error::WorkerCrashed | sqlx::Error::Io(_))
        && !matches!(error.as_database_error().and_then(|e| e.code()).as_deref(), Some("13" | "8" | "11" | "26"))
}

#[tracing::instrument(level = "trace", skip_all, fields(jobs = jobs.len()))]
async fn commit(
    conn: &mut SqliteConnection,
    jobs: &[Job],
    clock: &dyn Clock,
    known: &mut Known,
) -> Result<Vec<Outcome>, sqlx::Error> {
    let mut tries = 0;
    loop {
        match group::commit(conn, jobs, clock, known).await {
            Err(error) if is_busy(&error) && tries < TRIES => {
                tries += 1;
                sleep(Duration::from_millis(u64::from(5 * tries))).await;
            }
            done => return done,
        }
    }
}

/// Moves what no reader needs any more out of the write-ahead log; in nobody's way.
async fn checkpoint(conn: &mut SqliteConnection) {
    if let Err(error) = sqlx::query("PRAGMA wal_checkpoint(PASSIVE)").execute(conn).await {
        tracing::debug!(%error, "the write-ahead log was not emptied");
    }
    crash_point("writer.emptied");
}
