//! Asks of runs, wherever they are owned: here directly, elsewhere through the requests table.

use std::sync::Arc;

use serde_json::Value as Json;

use super::{
    budget,
    inner::{Inner, no_step},
};
use crate::{
    graph::Work,
    model::{Digest, Fault, FaultCode, NodeIx, RunId, Timestamp, Wait},
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
        // Nobody drives it: it is taken over, so that its `finally` runs. One that waits in the queue starts nothing.
        match self.resume_with(run, by, Some(Input::Cancel { by: by.to_owned() })).await {
            Ok(handle) => handle.ended(false).await.map(drop),
            // Another was quicker, and is asked.
            Err(fault) if fault.code == FaultCode::RUN_OWNED => self.ask(run, RequestKind::Cancel, by).await,
            Err(fault) => Err(fault),
        }
    }

    pub(super) async fn answer(self: &Arc<Self>, run: RunId, step: &str, answer: Json, by: &str) -> Result<(), Fault> {
        let (frozen, _) = self.look(run).await?;
        let node = frozen.find(step).ok_or_else(|| no_step(&frozen.plan, step))?;
        let waits = frozen.board.with(node, |facts| facts.wait.clone().zip(facts.waits_since)).flatten();
        let Some((wait, since)) = waits else { return Err(nobody_asked(run, step)) };
        if let Some(Work::Kind { kind, config, .. }) = frozen.plan.nodes.get(node.index()).map(|node| &node.work)
            && matches!(wait, Wait::Approval { .. })
        {
            kind.judge_answer(config, &answer).map_err(|wrong| {
                Fault::user("answer.wrong", format!("the answer is not accepted: {wrong}"))
                    .help("give the form's values, each as `--value name=text`")
            })?;
        }
        let shown = match wait {
            Wait::Approval { shown, .. } => {
                self.refuse_second_answer(run, step, node, shown, since).await?;
                shown
            }
            Wait::Budget { .. } => {
                self.raise(run, node, &budget::granted(&answer)?).await?;
                Wait::budget_shown()
            }
            Wait::Until { .. } | Wait::Run { .. } => return Err(nobody_asked(run, step)),
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

    /// The fault `answer.given`, if a question was answered already and nobody has acted on it yet.
    async fn refuse_second_answer(
        &self,
        run: RunId,
        step: &str,
        node: NodeIx,
        shown: Digest,
        since: Timestamp,
    ) -> Result<(), Fault> {
        let requests = self.store.requests(run, 0).await?;
        let earlier = requests.iter().find(|request| {
            let same =
                matches!(&request.kind, RequestKind::Answer { node: n, shown: s, .. } if *n == node && *s == shown);
            same && request.at >= since
        });
        match earlier {
            None => Ok(()),
            Some(earlier) => {
                let message = format!("step `{step}` was answered by {} at {} already", earlier.by, earlier.at);
                Err(Fault::user("answer.given", message)
                    .help(format!("`millwork runs resume {run}` goes on with that answer")))
            }
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

fn nobody_asked(run: RunId, step: &str) -> Fault {
    Fault::user("answer.none", format!("step `{step}` of {run} waits for nobody's answer"))
        .help(format!("`millwork why {run}` says what it waits for"))
}
