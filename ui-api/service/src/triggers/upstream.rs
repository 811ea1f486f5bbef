use std::{sync::Arc, time::Duration};

use millwork_engine::{
    Engine,
    data::{Value, decode},
    model::{Blame, Event, Fault, RunId, RunStatus, event::Cause},
    spec::{ContentTrigger, PipelineSpec, TriggerSpec, UpstreamStatus, UpstreamTrigger},
    store::{RecordKind, When},
    triggers_of,
};
use serde_json::{Value as Json, json};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::content::{Changed, Digests};
use crate::{
    catalog::{Catalog, Startable},
    desk::{Desk, Outcome},
};

/// Where the reader of the feed has come to.
const CURSOR: &str = "upstream";
/// Commits read at once.
const PAGE: u32 = 500;
/// How often commits of other processes are looked for.
const POLL: Duration = Duration::from_secs(1);
/// How long after the begin of one reading the next begins at least: what ends meanwhile is read at once.
const PACE: Duration = Duration::from_millis(25);
/// Runs that start one another in a row at most.
const LONGEST: usize = 100;
/// How often it is recorded how far the feed was read, where nothing came of it.
const SAVE: Duration = Duration::from_secs(1);

/// Starts pipelines when others end, or when what others give has other content. Every end is seen once: how far the
/// feed was read is recorded after what it led to, and what is started twice has the same key.
#[derive(Debug)]
pub struct Upstream {
    engine: Engine,
    catalog: Arc<Catalog>,
    desk: Arc<Desk>,
    /// How far the feed was read; the record may be behind, where nothing ended.
    position: Option<u64>,
    /// When the record was written last.
    saved: Option<Instant>,
}

/// A run that ended.
struct End<'a> {
    /// Its place among all commits.
    pos: u64,
    run: RunId,
    pipeline: &'a str,
    status: RunStatus,
    outputs: &'a Json,
    fault: Option<&'a Fault>,
}

impl Upstream {
    /// For the pipelines of a catalog.
    pub fn new(engine: Engine, catalog: Arc<Catalog>, desk: Arc<Desk>) -> Self {
        Self { engine, catalog, desk, position: None, saved: None }
    }

    /// Says from where on ends count, if nobody has: before anything is started, for what ended before there was a
    /// service starts nothing, and what ends while it reads its pipelines does.
    pub async fn mark(engine: &Engine) -> Result<(), Fault> {
        let store = engine.reader();
        if store.record(RecordKind::Cursor, CURSOR).await?.is_none() {
            let head = store.feed_head().await?;
            store.put_record(RecordKind::Cursor, CURSOR, Some(json!(head)), When::Absent).await?;
        }
        Ok(())
    }

    /// Sees to ends until it is stopped.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut watch = self.engine.reader().feed_watch();
        loop {
            watch.borrow_and_update();
            let begin = Instant::now();
            let more = self.read().await.unwrap_or_else(|fault| {
                tracing::error!(%fault, "ends of runs cannot be seen to; this is tried again");
                false
            });
            let next = async {
                if !more {
                    tokio::select! {
                        _ = watch.changed() => {}
                        () = sleep(POLL) => {}
                    }
                }
                sleep_until(begin + PACE).await;
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = next => {}
            }
        }
    }

    /// Reads on from the cursor; whether there was something.
    pub async fn read(&mut self) -> Result<bool, Fault> {
        let store = self.engine.reader();
        let after = match self.position {
            Some(position) => position,
            None => match store.record(RecordKind::Cursor, CURSOR).await? {
                Some(record) => record.value.as_u64().unwrap_or(0),
                None => {
                    Self::mark(&self.engine).await?;
                    return Ok(true);
                }
            },
        };
        // Read before it is looked who listens: what ended up to there started nothing.
        let head = store.feed_head().await?;
        if !self.is_anybody_waiting() {
            if head > after {
                self.position = Some(head);
                if self.saved.is_none_or(|at| at.elapsed() >= SAVE) {
                    self.save(head).await?;
                }
            }
            return Ok(false);
        }
        let page = store.feed(after, PAGE).await?;
        let Some(last) = page.commits.last().map(|commit| commit.pos) else { return Ok(false) };
        let mut ended = false;
        for commit in &page.commits {
            for recorded in &commit.events {
                if let Event::RunEnded { status, outputs, fault } = &recorded.event {
                    ended = true;
                    let (run, pipeline, fault) = (commit.run, commit.pipeline.as_str(), fault.as_ref());
                    let end = End { pos: commit.pos, run, pipeline, status: *status, outputs, fault };
                    self.see_to(&end).await?;
                }
            }
        }
        // Commits in which nothing ended may be read again.
        if ended || page.commits.len() >= PAGE as usize {
            self.save(last).await?;
        }
        self.position = Some(last);
        Ok(true)
    }

    async fn save(&mut self, position: u64) -> Result<(), Fault> {
        let store = self.engine.reader();
        store.put_record(RecordKind::Cursor, CURSOR, Some(json!(position)), When::Always).await?;
        self.saved = Some(Instant::now());
        Ok(())
    }

    /// Whether a pipeline starts when another ends.
    fn is_anybody_waiting(&self) -> bool {
        let all = self.catalog.all();
        let mut specs = all.values().filter_map(|entry| entry.spec());
        specs.any(|spec| {
            triggers_of(spec).any(|(_, spec)| matches!(spec, TriggerSpec::Pipeline(_) | TriggerSpec::Content(_)))
        })
    }

    async fn see_to(&self, end: &End<'_>) -> Result<(), Fault> {
        let mut of_any = None;
        let mut digests = Digests::new();
        for entry in self.catalog.all().values() {
            let Some(startable) = &entry.startable else { continue };
            for (trigger, spec) in triggers_of(&startable.spec) {
                let seen = match spec {
                    TriggerSpec::Pipeline(upstream) if upstream.is_about_any() => {
                        let known = match of_any {
                            Some(known) => known,
                            None => *of_any.insert(self.is_for_any(end).await?),
                        };
                        if !known {
                            continue;
                        }
                        self.ended(startable, trigger, upstream, end).await
                    }
                    TriggerSpec::Pipeline(upstream) => self.ended(startable, trigger, upstream, end).await,
                    TriggerSpec::Content(content) => {
                        self.compared(startable, trigger, content, end, &mut digests).await
                    }
                    _ => continue,
                };
                match seen {
                    Err(fault) if fault.blame == Blame::User => {
                        tracing::error!(pipeline = %entry.name, upstream = %end.run, %fault, "a run cannot be started");
                    }
                    done => done?,
                }
            }
        }
        Ok(())
    }

    /// Whether a trigger on any pipeline is about an end. Runs of sub-pipelines are told of by their parents; and who
    /// listens to all is heard by none of them, or two of them would start each other for ever.
    async fn is_for_any(&self, end: &End<'_>) -> Result<bool, Fault> {
        let listens = |spec: &PipelineSpec| {
            triggers_of(spec).any(|(_, spec)| matches!(spec, TriggerSpec::Pipeline(on) if on.is_about_any()))
        };
        if self.catalog.get(end.pipeline).is_some_and(|entry| entry.spec().is_some_and(|spec| listens(spec))) {
            return Ok(false);
        }
        let origin = self.engine.origin(end.run).await?;
        Ok(!matches!(origin.cause, Cause::Parent { .. }))
    }

    async fn ended(
        &self,
        startable: &Arc<Startable>,
        trigger: u32,
        spec: &UpstreamTrigger,
        end: &End<'_>,
    ) -> Result<(), Fault> {
        let fits = match spec.status {
            UpstreamStatus::Succeeded => end.status == RunStatus::Succeeded,
            UpstreamStatus::Failed => end.status == RunStatus::Failed,
            UpstreamStatus::Any => true,
            UpstreamStatus::Late => false,
        };
        if !fits || !spec.is_about(end.pipeline, &startable.spec.name.value) {
            return Ok(());
        }
        let key = format!("upstream/{}/{trigger}/{}", startable.spec.name.value, end.run);
        let status = serde_json::to_value(end.status).ok();
        let event = Value::map([
            ("run", Value::from(end.run.to_string())),
            ("pipeline", Value::from(end.pipeline)),
            ("status", Value::from(status.as_ref().and_then(Json::as_str).unwrap_or_default())),
            ("fault", end.fault.map_or(Value::Null, |fault| Value::from(fault.to_string()))),
            ("outputs", decode(end.outputs)?),
        ]);
        let cause = Cause::Upstream { trigger, run: end.run, pipeline: end.pipeline.to_owned() };
        self.start(startable, trigger, event, cause, &key).await.map(drop)
    }

    async fn compared(
        &self,
        startable: &Arc<Startable>,
        trigger: u32,
        spec: &ContentTrigger,
        end: &End<'_>,
        digests: &mut Digests,
    ) -> Result<(), Fault> {
        if end.status != RunStatus::Succeeded || spec.pipeline.as_str() != end.pipeline {
            return Ok(());
        }
        let owner = owner(&startable.spec, trigger, spec);
        let found = Changed::find(&self.engine, &owner, spec, end.outputs, end.pos, digests).await?;
        let Some(changed) = found else { return Ok(()) };
        let event = Value::map([
            ("run", Value::from(end.run.to_string())),
            ("pipeline", Value::from(end.pipeline)),
            ("output", Value::from(spec.output.as_str())),
            ("digest", Value::from(changed.digest.to_string())),
            ("value", changed.value.clone()),
        ]);
        let (what, digest, run) = (spec.to_string(), changed.digest, Some(end.run));
        let cause = Cause::Content { trigger, what, digest, run };
        // The key names the run, not the content, which may come and go.
        let key = format!("content/{owner}/{}", end.run);
        // What was skipped is still to be acted on.
        if self.start(startable, trigger, event, cause, &key).await? {
            changed.remember(&self.engine, end.run).await?;
        }
        Ok(())
    }

    /// Whether runs have started one another so often in a row that it will not end by itself.
    async fn is_endless(&self, cause: &Cause) -> bool {
        let mut run = before(cause);
        for _ in 0..LONGEST {
            let Some(of) = run else { return false };
            // A run that was forgotten meanwhile ends the row.
            let Ok(origin) = self.engine.origin(of).await else { return false };
            run = before(&origin.cause);
        }
        run.is_some()
    }

    /// Starts the run of an end, unless it was started before; whether there is one.
    async fn start(
        &self,
        startable: &Arc<Startable>,
        trigger: u32,
        event: Value,
        cause: Cause,
        key: &str,
    ) -> Result<bool, Fault> {
        if self.engine.run_of_key(key).await?.is_some() {
            return Ok(true);
        }
        if self.is_endless(&cause).await {
            let message = format!("{LONGEST} runs have started one another in a row, so that this one is not started");
            return Err(Fault::user("trigger.loop", message).help("`millwork check FOLDER` shows the circle"));
        }
        let prepared = self.engine.prepare_event(startable.plan().await?, trigger, event, cause, Some(key)).await?;
        let outcome = self.desk.start(prepared, None).await?;
        if let Outcome::Skipped { group, .. } = &outcome {
            tracing::warn!(pipeline = %startable.spec.name.value, key, group, "a run was skipped, because its group is full");
        }
        Ok(!matches!(outcome, Outcome::Skipped { .. }))
    }
}

/// The run that led to another: by its end, or as one of its steps.
const fn before(cause: &Cause) -> Option<RunId> {
    match cause {
        Cause::Upstream { run, .. } | Cause::Parent { run, .. } => Some(*run),
        Cause::Content { run, .. } => *run,
        _ => None,
    }
}

/// Names a trigger by what it says, not by its place: another before it changes nothing. Of several that say the same,
/// the second is `#1`.
fn owner(pipeline: &PipelineSpec, trigger: u32, spec: &ContentTrigger) -> String {
    let same = |other: &TriggerSpec| {
        matches!(other, TriggerSpec::Content(other)
            if other.form == spec.form && other.pipeline == spec.pipeline && other.output == spec.output)
    };
    let before = triggers_of(pipeline).filter(|(number, other)| *number < trigger && same(other)).count();
    format!("{}/{}/{spec}#{before}", pipeline.name.value, spec.form.key())
}
