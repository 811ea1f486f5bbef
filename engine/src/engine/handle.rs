use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use super::{RunSummary, inner::Inner, summary};
use crate::{
    executor::{Frozen, Update},
    model::{Fault, RunId, RunStatus},
    scheduler::{Message, Stand},
};

/// A run under way in this process. Dropping it does not stop the run.
#[derive(Debug)]
pub struct RunHandle {
    pub(super) run: Arc<Frozen>,
    pub(super) live: Live,
    pub(super) updates: Option<mpsc::UnboundedReceiver<Update>>,
    pub(super) inner: Arc<Inner>,
}

/// How to reach the driver of a run.
#[derive(Debug, Clone)]
pub(super) struct Live {
    pub sender: mpsc::UnboundedSender<Message>,
    pub stand: watch::Receiver<Stand>,
}

impl Live {
    /// Waits until the run is over here, or, with `detach`, waits for a person.
    pub(super) async fn settled(&mut self, detach: bool) -> Result<Stand, Fault> {
        self.until(|stand| stand.over || (detach && stand.needs_person)).await
    }

    /// Waits until the run is over here; tells on the way whether it waits for a person.
    pub(super) async fn over(&mut self, asks: &(dyn Fn(bool) + Send + Sync)) -> Result<Stand, Fault> {
        let mut asked = false;
        self.until(|stand| {
            if std::mem::replace(&mut asked, stand.needs_person) != stand.needs_person {
                asks(stand.needs_person);
            }
            stand.over
        })
        .await
    }

    async fn until(&mut self, mut holds: impl FnMut(&Stand) -> bool) -> Result<Stand, Fault> {
        loop {
            {
                let stand = self.stand.borrow_and_update();
                if holds(&stand) {
                    return Ok(stand.clone());
                }
            }
            if self.stand.changed().await.is_err() {
                return Err(Fault::internal("run.lost", "the driver of the run is gone"));
            }
        }
    }
}

impl RunHandle {
    /// Which run.
    pub fn id(&self) -> RunId {
        self.run.id
    }

    /// What happens from its begin (of this ownership) on. Can be taken once; a second call gives a
    /// receiver that is closed.
    pub fn updates(&mut self) -> mpsc::UnboundedReceiver<Update> {
        self.updates.take().unwrap_or_else(|| mpsc::unbounded_channel().1)
    }

    /// One more handle of the same run, without its updates.
    pub fn another(&self) -> Self {
        Self { run: self.run.clone(), live: self.live.clone(), updates: None, inner: self.inner.clone() }
    }

    /// How the run stands; `None` if its driver is gone without its end: another process has it, or the store refuses.
    pub fn status(&self) -> Option<RunStatus> {
        self.live.stand.borrow().status
    }

    /// Waits until the status may have changed; `false` if nothing more will happen to the run here.
    pub async fn changed(&mut self) -> bool {
        !self.live.stand.borrow().over && self.live.stand.changed().await.is_ok()
    }

    /// First stage of stopping: cancels, then runs `finally`.
    pub fn cancel(&self, by: &str) {
        let _ = self.live.sender.send(Message::Cancel { by: by.to_owned() });
    }

    /// Second stage: stops now; the run is interrupted.
    pub fn interrupt(&self, reason: &str) {
        let _ = self.live.sender.send(Message::Interrupt { reason: reason.to_owned() });
    }

    /// Waits until the run has ended, is interrupted, or waits for a person (`detach_on_wait`).
    pub async fn ended(self, detach_on_wait: bool) -> Result<RunSummary, Fault> {
        let Self { run, mut live, updates, inner } = self;
        drop(updates);
        let stand = live.settled(detach_on_wait).await?;
        if let Some(fault) = stand.broken {
            return Err(fault);
        }
        Ok(summary::of(&run, &stand, inner.clock.now()))
    }

    /// Lets the run's driver vanish without a trace, as a crash would have it: for tests of recovery.
    #[doc(hidden)]
    pub async fn abandon(mut self) {
        let _ = self.live.sender.send(Message::Abandon);
        while self.live.stand.changed().await.is_ok() {}
    }
}
