use std::{fmt, path::Path, sync::Arc};

use async_trait::async_trait;
use serde_json::Value as Json;

use super::{
    super::{
        Append, Balance, CacheEntry, Committed, Doomed, Durability, ItemFilter, ItemView, Ledger, NewRun, OwnerRecord,
        Request, RequestKind, Requests, RunFilter, RunLog, RunReader, RunView, RunWriter, Scope, StepView, StoreError,
        Unsettled, append::numbered,
    },
    codec::to_json,
    connect, known,
    op::{Answer, Create, Op, Prepared},
    reader::Reader,
    writer::Writer,
};
use crate::{
    graph::Bundle,
    model::{ArtifactId, Clock, Digest, Fault, NodeIx, OwnerId, Recorded, RunId, Timestamp, event::StoredOutputs},
    step::{Entry, JournalKey, JournalStore, Reservation, Resource, Settlement},
};

/// The file in the home.
pub(super) const FILE: &str = "state.db";

/// State in `state.db`. Several processes may have it open at once. Cheap to clone.
#[derive(Clone)]
pub struct SqliteStore {
    file: Arc<Path>,
    pub(super) writer: Writer,
    pub(super) reader: Reader,
    clock: Arc<dyn Clock>,
}

impl SqliteStore {
    /// Opens `home/state.db`, making it if it is not there. Starts the writer on the current runtime.
    /// Tables of a newer build are [`StoreError::Newer`].
    pub async fn open(home: &Path, durability: Durability, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        let made = tokio::fs::create_dir_all(home).await;
        made.map_err(|e| StoreError::Broken(format!("`{}` cannot be made: {e}", home.display())))?;
        let file = home.join(FILE);
        let options = connect::options(&file, durability);
        let mut conn = connect::writer(&options).await.map_err(|error| error.at(&file))?;
        known::prepare(&mut conn).await.map_err(|error| StoreError::from(error).at(&file))?;
        let writer = Writer::start(conn, clock.clone());
        Ok(Self { file: file.into(), writer, reader: Reader::new(options), clock })
    }

    /// Opens `home/state.db` for reading, also where this process may not write. What would write is refused. `None`
    /// if it is not there, or its tables are not of this build yet.
    pub async fn open_to_read(home: &Path, clock: Arc<dyn Clock>) -> Result<Option<Self>, StoreError> {
        let file = home.join(FILE);
        if !file.exists() {
            return Ok(None);
        }
        let (options, version) = connect::to_read(&file).await.map_err(|error| StoreError::from(error).at(&file))?;
        match version {
            connect::VERSION => {}
            newer if newer > connect::VERSION => return Err(connect::newer(newer).at(&file)),
            _ => return Ok(None),
        }
        Ok(Some(Self { file: file.into(), writer: Writer::refusing(), reader: Reader::new(options), clock }))
    }

    /// Does what is queued and closes the file. Later calls, on clones too, are refused.
    pub async fn close(&self) {
        self.reader.close().await;
        self.writer.close().await;
    }

    fn now(&self) -> i64 {
        self.clock.now().as_micros()
    }

    /// An error of the file names it.
    pub(super) fn named<T>(&self, done: Result<T, StoreError>) -> Result<T, StoreError> {
        done.map_err(|error| error.at(&self.file))
    }

    pub(super) async fn write(&self, op: Op) -> Result<Answer, StoreError> {
        self.named(self.writer.store(op).await)
    }

    async fn write_journal(&self, op: Op) -> Result<(), Fault> {
        self.writer.journal(op, &self.file).await
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").finish_non_exhaustive()
    }
}

pub(super) fn unexpected<T>() -> Result<T, StoreError> {
    Err(StoreError::Broken("the writer gave another answer than was asked for".into()))
}

#[async_trait]
impl RunWriter for SqliteStore {
    async fn create(&self, run: NewRun) -> Result<RunId, StoreError> {
        numbered(0, &run.events)?;
        match self.write(Op::Create(Create::new(run, self.now())?)).await? {
            Answer::Run(run) => Ok(run),
            _ => unexpected(),
        }
    }

    async fn append(&self, append: Append) -> Result<Committed, StoreError> {
        numbered(append.after, &append.events)?;
        match self.write(Op::Append(Prepared::new(append, self.now())?)).await? {
            Answer::Committed(committed) => Ok(committed),
            _ => unexpected(),
        }
    }

    async fn take(&self, run: RunId, owner: OwnerId, after: u64) -> Result<OwnerRecord, StoreError> {
        match self.write(Op::Take { run, owner, after }).await? {
            Answer::Owner(record) => Ok(record),
            _ => unexpected(),
        }
    }

    async fn forget(&self, run: RunId) -> Result<(), StoreError> {
        self.write(Op::Forget { run }).await.map(drop)
    }

    async fn sweep(&self, cached_before: Option<RunId>) -> Result<u64, StoreError> {
        match self.write(Op::Sweep { cached_before }).await? {
            Answer::Number(removed) => Ok(removed as u64),
            _ => unexpected(),
        }
    }

    async fn cache(&self, fingerprint: Digest, entry: CacheEntry) -> Result<(), StoreError> {
        let row = match &entry.outputs {
            StoredOutputs::Row { digest } => Some(*digest),
            StoredOutputs::Inline(_) | StoredOutputs::Artifact { .. } | StoredOutputs::Recomputable { .. } => None,
        };
        let (outputs, labels) = (to_json(&entry.outputs)?, to_json(&entry.labels)?);
        let op = Op::Cache { fingerprint, outputs, row, labels, rows: entry.rows, run: entry.run };
        self.write(op).await.map(drop)
    }
}

#[async_trait]
impl RunReader for SqliteStore {
    async fn run(&self, run: RunId) -> Result<RunView, StoreError> {
        self.named(self.reader.run(run).await)
    }

    async fn owner(&self, run: RunId) -> Result<OwnerRecord, StoreError> {
        self.named(self.reader.owner(run).await)
    }

    async fn runs(&self, filter: &RunFilter) -> Result<Vec<RunView>, StoreError> {
        self.named(self.reader.runs(filter).await)
    }

    async fn steps(&self, run: RunId) -> Result<Vec<StepView>, StoreError> {
        self.named(self.reader.steps(run).await)
    }

    async fn log(&self, run: RunId) -> Result<RunLog, StoreError> {
        self.named(self.reader.log(run).await)
    }

    async fn events(&self, run: RunId, after: u64, limit: u32) -> Result<Vec<Recorded>, StoreError> {
        self.named(self.reader.events(run, after, limit).await)
    }

    async fn items(&self, run: RunId, node: NodeIx, filter: &ItemFilter) -> Result<Vec<ItemView>, StoreError> {
        self.named(self.reader.items(run, node, filter).await)
    }

    async fn outputs(&self, digest: Digest) -> Result<String, StoreError> {
        self.named(self.reader.outputs(digest).await)
    }

    async fn bundle(&self, revision: Digest) -> Result<Bundle, StoreError> {
        self.named(self.reader.bundle(revision).await)
    }

    async fn run_of_key(&self, key: &str) -> Result<Option<RunId>, StoreError> {
        self.named(self.reader.run_of_key(key).await)
    }

    async fn cached(&self, fingerprint: Digest) -> Result<Option<CacheEntry>, StoreError> {
        self.named(self.reader.cached(fingerprint).await)
    }

    async fn state(&self, pipeline: &str) -> Result<Vec<(String, Json)>, StoreError> {
        self.named(self.reader.state(pipeline).await)
    }

    async fn live_artifacts(&self, without: &Doomed) -> Result<Vec<ArtifactId>, StoreError> {
        self.named(self.reader.live_artifacts(without).await)
    }
}

#[async_trait]
impl Requests for SqliteStore {
    async fn request(&self, run: RunId, kind: RequestKind, by: &str, at: Timestamp) -> Result<i64, StoreError> {
        let op = Op::Request { run, kind: to_json(&kind)?, by: by.to_owned(), at: at.as_micros() };
        match self.write(op).await? {
            Answer::Number(id) => Ok(id),
            _ => unexpected(),
        }
    }

    async fn requests(&self, run: RunId, after: i64) -> Result<Vec<Request>, StoreError> {
        self.named(self.reader.requests(run, after).await)
    }
}

#[async_trait]
impl JournalStore for SqliteStore {
    async fn entry(&self, key: &JournalKey) -> Result<Entry, Fault> {
        Ok(self.named(self.reader.entry(key).await)?)
    }

    async fn intend(&self, key: &JournalKey, request: Digest, reserve: &Reservation, epoch: u64) -> Result<(), Fault> {
        self.write_journal(Op::Intend { key: key.clone(), request, reserve: reserve.clone(), epoch }).await
    }

    async fn finish(&self, key: &JournalKey, request: Digest, result: &Json, settle: &Settlement) -> Result<(), Fault> {
        let (key, result, settle) = (key.clone(), to_json(result)?, settle.clone());
        self.write_journal(Op::Finish { key, request, result, settle }).await
    }
}

#[async_trait]
impl Ledger for SqliteStore {
    async fn set_limit(&self, scope: &Scope, resource: Resource, limit: Option<u64>) -> Result<(), StoreError> {
        self.write(Op::Limit { scope: scope.key(), resource, limit }).await.map(drop)
    }

    async fn nest(&self, scope: &Scope, within: &Scope) -> Result<(), StoreError> {
        self.write(Op::Nest { links: scope.links(within) }).await.map(drop)
    }

    async fn balance(&self, scope: &Scope) -> Result<Vec<Balance>, StoreError> {
        self.named(self.reader.balance(scope).await)
    }

    async fn release(&self, key: &JournalKey) -> Result<(), StoreError> {
        self.write(Op::Release { key: key.clone() }).await.map(drop)
    }

    async fn unsettled(&self, run: RunId) -> Result<Vec<Unsettled>, StoreError> {
        self.named(self.reader.unsettled(run).await)
    }
}
