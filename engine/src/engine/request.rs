//! Asks of runs, wherever they are owned: here directly, elsewhere through the requests table.

use std::sync::Arc;

use serde_json::Value as Json;

use super::{
    budget,
    inner::{Inner, no_step},
};
use crate::{
    model::{Fault, RunId, Wait},
    run::Input,
    scheduler::Message,
    store::RequestKind,
};

impl Inner {
    pub(super) async fn cancel(self: &Arc<Self>, run: RunId, by: &str) -> Result<(), Fault> {
        if let Some(live) = self.live(run) {
            let _ = live.sender.send(Message::Cancel { by: by.to_owned() });
            return Ok(());
        }
        let view = self.store.run(run).await?;
        if view.status.is_final() {
            return Err(Fault::user("run.ended", format!("{run} has ended already")));
        }
        if self.refuse_if_owned(run).await.is_err() {
            self.ask(run, RequestKind::Cancel, by).await?;
            return Ok(());
        }
        // Nobody drives it: it is taken over, so that its `finally` runs.
        match self.resume(run, by).await {
            Ok(handle) => {
                handle.cancel(by);
                handle.ended(false).await.map(drop)
            }
            // Another was quicker, and is asked.
            Err(fault) if fault.code.as_str() == "run.owned" => self.ask(run, RequestKind::Cancel, by).await,
            Err(fault) => Err(fault),
        }
    }

    pub(super) async fn answer(self: &Arc<Self>, run: RunId, step: &str, answer: Json, by: &str) -> Result<(), Fault> {
        let (frozen, _) = self.look(run).await?;
        let node = frozen.find(step).ok_or_else(|| no_step(&frozen, step))?;
        let wait = frozen.board.with(node, |facts| facts.wait.clone()).flatten();
        let shown = match wait {
            Some(Wait::Approval { shown, .. }) => shown,
            Some(Wait::Budget { .. }) => {
                self.raise(run, node, &budget::granted(&answer)?).await?;
                Wait::budget_shown()
            }
            _ => {
                return Err(Fault::user("answer.none", format!("step `{step}` of {run} waits for nobody's answer")));
            }
        };
        match self.live(run) {
            Some(live) => {
                let _ = live.sender.send(Message::Input(Input::Answer { node, answer, by: by.to_owned() }));
                Ok(())
            }
            // The owner, or the next one, takes it if it is for what is shown then.
            None => self.ask(run, RequestKind::Answer { node, shown, answer }, by).await,
        }
    }

    async fn ask(&self, run: RunId, kind: RequestKind, by: &str) -> Result<(), Fault> {
        self.store.request(run, kind, by, self.clock.now()).await?;
        if let Some(disk) = &self.on_disk {
            let owner = self.store.owner(run).await?.owner;
            disk.ring(owner).await;
        }
        Ok(())
    }
}
