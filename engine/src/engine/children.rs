//! Runs of sub-pipelines: started once a step and item of the parent, watched until they end.

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock, Weak},
    time::Duration,
};

use async_trait::async_trait;
use serde_json::{Value as Json, json};

use super::{
    RunRequest, bundle,
    inner::Inner,
    launch::{Launched, New},
};
use crate::{
    crash::crash_point,
    data::decode,
    executor::ChildEnds,
    model::{Fault, FaultCode, RunId, event::Cause},
    step::{ChildRequest, ChildRuns},
};

/// Starts and watches children. Made before its engine, which it belongs to afterwards.
#[derive(Debug, Clone)]
pub(super) struct Children(Arc<OnceLock<Weak<Inner>>>);

impl Children {
    pub(super) fn new() -> Self {
        Self(Arc::default())
    }

    pub(super) fn belong_to(&self, inner: &Arc<Inner>) {
        let _ = self.0.set(Arc::downgrade(inner));
    }

    fn inner(&self) -> Result<Arc<Inner>, Fault> {
        let closed = || Fault::external("engine.closed", "the engine is closed");
        self.0.get().and_then(Weak::upgrade).ok_or_else(closed)
    }
}

#[async_trait]
impl ChildRuns for Children {
    async fn start(&self, request: ChildRequest) -> Result<RunId, Fault> {
        let inner = self.inner()?;
        let parent = inner.store.run(request.parent).await?;
        let frozen = inner.store.bundle(parent.revision).await?;
        let (mut root, mut above) = (request.parent, parent.parent);
        while let Some(next) = above {
            (root, above) = (next, inner.store.run(next).await?.parent);
        }
        let registry = inner.registry.clone();
        let path = request.path.clone();
        let checked = tokio::task::spawn_blocking(move || bundle::thaw_child(&frozen, &path, &registry)).await;
        let plan = checked.map_err(|e| Fault::internal("bundle", format!("the check was stopped: {e}")))??;
        let inputs: Result<BTreeMap<_, _>, Fault> =
            request.inputs.iter().map(|(name, json)| Ok((name.clone(), decode(json)?))).collect();
        let new = New {
            cause: Cause::Parent { run: request.parent, step: request.step, item: request.item, root: Some(root) },
            parent: Some((request.parent, request.node, request.item)),
            labels: request.labels.into_iter().collect(),
            ..New::of(plan, RunRequest { inputs: inputs?, ..RunRequest::default() })
        };
        let child = match inner.launch(new).await? {
            Launched::Run(handle) => handle.id(),
            Launched::Exists(child) => child,
        };
        crash_point("child.created");
        Ok(child)
    }
}

#[async_trait]
impl ChildEnds for Children {
    async fn ended(&self, run: RunId, asks: &(dyn Fn(bool) + Send + Sync)) -> Result<Json, Fault> {
        loop {
            let inner = self.inner()?;
            if let Some(mut live) = inner.live(run) {
                let _ = live.over(asks).await;
            }
            let view = inner.store.run(run).await?;
            if view.status.is_final() {
                let (_, state) = inner.look(run).await?;
                let fault = state.fault().map(serde_json::to_value).transpose().unwrap_or_default();
                return Ok(json!({
                    "run": run.to_string(),
                    "status": view.status,
                    "outputs": state.run_outputs().cloned().unwrap_or_else(|| json!({})),
                    "fault": fault,
                }));
            }
            // Left by a dead process, or interrupted: it goes on here. Owned by a live one: it is watched.
            if inner.live(run).is_none() {
                match inner.resume(run, "its parent").await {
                    Ok(_) => {}
                    Err(fault) if fault.code == FaultCode::RUN_OWNED => {
                        tokio::time::sleep(Duration::from_secs(1)).await;
                    }
                    Err(fault) => return Err(fault),
                }
            }
        }
    }

    async fn cancel(&self, run: RunId, by: &str) -> Result<(), Fault> {
        let inner = self.inner()?;
        Box::pin(inner.cancel(run, by)).await?;
        if let Some(mut live) = inner.live(run) {
            live.settled(false).await?;
        }
        Ok(())
    }
}
