use std::{
    collections::{HashMap, HashSet},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use millwork_engine::{
    Engine,
    data::Value,
    model::{Blame, Clock, Digest, Fault, Timestamp, event::Cause},
    spec::{FileTrigger, TriggerSpec},
    store::{RecordKind, When},
    triggers_of,
};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::{
    catalog::{Catalog, Startable},
    desk::{Desk, Outcome},
};

/// How often folders are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// A file as it was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Sight {
    bytes: u64,
    modified: SystemTime,
}

/// Starts pipelines when files arrive: each file once, when it has stopped growing. One whose content is replaced
/// later has arrived anew.
#[derive(Debug)]
pub struct Files {
    engine: Engine,
    clock: Arc<dyn Clock>,
    catalog: Arc<Catalog>,
    desk: Arc<Desk>,
    /// Files that were seen, since when they are as they are, and how many looks ago they were there.
    seen: HashMap<PathBuf, (Sight, Timestamp, u8)>,
    /// Files that were taken as they are.
    taken: HashMap<(String, PathBuf), Sight>,
}

impl Files {
    /// For the pipelines of a catalog.
    pub fn new(engine: Engine, clock: Arc<dyn Clock>, catalog: Arc<Catalog>, desk: Arc<Desk>) -> Self {
        Self { engine, clock, catalog, desk, seen: HashMap::new(), taken: HashMap::new() }
    }

    /// Looks until it is stopped.
    pub async fn run(mut self, stop: CancellationToken) {
        loop {
            if let Err(fault) = self.look().await {
                tracing::error!(%fault, "arrived files cannot be seen to; this is tried again");
            }
            let next = self.clock.now().after(LOOK);
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.clock.until(next) => {}
            }
        }
    }

    /// Looks once, and starts what has arrived.
    pub async fn look(&mut self) -> Result<(), Fault> {
        let all = self.catalog.all();
        self.seen.retain(|_, (_, _, looks)| {
            *looks += 1;
            *looks <= 2
        });
        for (pipeline, entry) in all.iter() {
            let Some(startable) = &entry.startable else { continue };
            for (trigger, spec) in triggers_of(&startable.spec) {
                if let TriggerSpec::File(file) = spec {
                    self.look_for(pipeline, startable, trigger, file).await?;
                }
            }
        }
        Ok(())
    }

    async fn look_for(
        &mut self,
        pipeline: &str,
        startable: &Arc<Startable>,
        trigger: u32,
        spec: &FileTrigger,
    ) -> Result<(), Fault> {
        // Signs of patterns in the folder's own name mean themselves.
        let base = PathBuf::from(glob::Pattern::escape(&startable.base().to_string_lossy()));
        let patterns: Vec<PathBuf> = spec.paths.iter().map(|path| base.join(&path.value)).collect();
        let found = tokio::task::spawn_blocking(move || matching(&patterns)).await.unwrap_or_default();
        let now = self.clock.now();
        let of = format!("{pipeline}/{trigger}");
        // What is gone is forgotten.
        let there: HashSet<&Path> = found.iter().map(|(path, _)| path.as_path()).collect();
        self.taken.retain(|(taker, path), _| *taker != of || there.contains(path.as_path()));
        for (path, sight) in found {
            let (known, since, looks) = self.seen.entry(path.clone()).or_insert((sight, now, 0));
            *looks = 0;
            if *known != sight {
                (*known, *since) = (sight, now);
            }
            // A file that was there before has not changed for as long as its time says.
            let modified = Timestamp::from(chrono::DateTime::<chrono::Utc>::from(sight.modified));
            let quiet = now.since((*since).min(modified));
            let key = (of.clone(), path.clone());
            if quiet < spec.settle || self.taken.get(&key) == Some(&sight) {
                continue;
            }
            if self.take(pipeline, startable, trigger, &path, sight, modified).await? {
                self.taken.insert(key, sight);
            }
        }
        Ok(())
    }

    /// Starts the run of a file, unless it was started before; whether there is nothing more to do. What a full group
    /// skips waits for the next look.
    async fn take(
        &self,
        pipeline: &str,
        startable: &Arc<Startable>,
        trigger: u32,
        path: &Path,
        sight: Sight,
        modified: Timestamp,
    ) -> Result<bool, Fault> {
        let shown = path.strip_prefix(startable.base()).unwrap_or(path).display().to_string();
        let stamp = format!("{}/{}", sight.bytes, modified.as_micros());
        let record = format!("{pipeline}/{trigger}/{}", Digest::of(shown.as_bytes()));
        let store = self.engine.reader();
        let taken = store.record(RecordKind::File, &record).await?;
        if taken.is_some_and(|record| record.value["stamp"] == json!(stamp)) {
            return Ok(true);
        }
        let event = Value::map([
            ("path", Value::from(shown.as_str())),
            ("bytes", Value::Int(sight.bytes as i64)),
            ("modified", Value::Timestamp(modified.to_datetime())),
        ]);
        let key = format!("file/{record}/{stamp}");
        let cause = Cause::File { trigger, path: shown.clone() };
        let started = async {
            let plan = startable.plan().await?;
            let prepared = self.engine.prepare_event(plan, trigger, event, cause, Some(&key)).await?;
            self.desk.start(prepared, None).await
        };
        match Box::pin(started).await {
            Ok(Outcome::Skipped { .. }) => return Ok(false),
            Err(fault) if fault.blame == Blame::User => {
                tracing::error!(pipeline, file = shown, %fault, "a run cannot be started");
            }
            done => drop(done?),
        }
        let value = json!({"path": shown, "stamp": stamp});
        store.put_record(RecordKind::File, &record, Some(value), When::Always).await?;
        Ok(true)
    }
}

/// Files of some globs, with what they look like.
fn matching(patterns: &[PathBuf]) -> Vec<(PathBuf, Sight)> {
    let mut found = Vec::new();
    for pattern in patterns {
        let Ok(paths) = glob::glob(&pattern.to_string_lossy()) else { continue };
        for path in paths.flatten() {
            let Ok(meta) = std::fs::metadata(&path) else { continue };
            if let (true, Ok(modified)) = (meta.is_file(), meta.modified()) {
                found.push((path, Sight { bytes: meta.len(), modified }));
            }
        }
    }
    found
}
