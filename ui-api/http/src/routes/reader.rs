//! Somebody who follows all runs.

use std::{collections::VecDeque, sync::Arc};

use axum::body::Bytes;
use millwork_service::{
    Service,
    events::{Following, Message, Tellers},
};
use serde_json::json;

use crate::{
    guard::{Caller, Read},
    lapse::Watch,
    sse::{BEAT, Known, all_changes, changes},
};

/// What a reader is told, in order. Nothing happens while the reader does not read: what comes meanwhile is read again
/// from the store, so that who is slow costs no memory.
pub(super) struct Reader {
    service: Arc<Service>,
    caller: Caller<Read>,
    pipeline: Option<String>,
    known: Known,
    phase: Phase,
    ready: VecDeque<Bytes>,
    watch: Watch,
    over: bool,
}

/// Where a reader stands.
enum Phase {
    /// Reads what was committed before; what is committed meanwhile comes after.
    Before(Following, Tellers),
    /// Is told what is committed.
    Now(Following),
}

impl Reader {
    /// One who knows everything up to a place; who `begins_now` is told where that is.
    pub(super) fn new(
        service: Arc<Service>,
        caller: Caller<Read>,
        pipeline: Option<String>,
        known: Known,
        begins_now: bool,
        watch: Watch,
    ) -> Self {
        let phase = Phase::Before(service.hub().follow(), Tellers::default());
        // Without data nothing is dispatched, but the reader knows where to go on.
        let ready = begins_now.then(|| Bytes::from(format!("id: p:{known}\n\n"))).into_iter().collect();
        Self { service, caller, pipeline, known, phase, ready, watch, over: false }
    }

    /// What is sent next; `None` at the end.
    pub(super) async fn next(&mut self) -> Option<Bytes> {
        if self.over {
            return None;
        }
        let next = self.news().await?;
        match self.watch.over().await {
            None => Some(next),
            Some(problem) => {
                self.over = true;
                Some(problem.written())
            }
        }
    }

    async fn news(&mut self) -> Option<Bytes> {
        loop {
            if let Some(bytes) = self.ready.pop_front() {
                return Some(bytes);
            }
            match &mut self.phase {
                Phase::Before(..) => self.read().await?,
                Phase::Now(following) => {
                    let message = tokio::select! {
                        () = self.service.stopping().cancelled() => return None,
                        message = following.next() => message,
                        () = tokio::time::sleep(BEAT) => return Some(Bytes::from_static(b":\n\n")),
                    };
                    match message {
                        Some(message) => self.tell(&message),
                        // Too slow: what was missed is read from the store.
                        None => self.phase = Phase::Before(self.service.hub().follow(), Tellers::default()),
                    }
                }
            }
        }
    }

    /// Reads a page of the past.
    async fn read(&mut self) -> Option<()> {
        let hub = self.service.hub().clone();
        let Phase::Before(_, tellers) = &mut self.phase else { return Some(()) };
        let (floor, messages) = hub.history(tellers, self.known.upto).await.ok()?;
        if self.known.upto < floor {
            // What is left before the floor is not told: the lists that are read again have it.
            let from = self.known.upto;
            let gap = json!({"from": from, "to": floor, "reason": "runs between were removed by retention"});
            self.known = Known::upto(floor);
            self.ready.push_back(Bytes::from(format!("event: gap\ndata: {gap}\nid: p:{}\n\n", self.known)));
            return Some(());
        }
        for message in &messages {
            self.tell(message);
        }
        if messages.is_empty() {
            let anew = Phase::Before(hub.follow(), Tellers::default());
            if let Phase::Before(following, _) = std::mem::replace(&mut self.phase, anew) {
                self.phase = Phase::Now(following);
            }
        }
        Some(())
    }

    fn tell(&mut self, message: &Message) {
        if message.pos <= self.known.upto {
            return;
        }
        let wanted = self.caller.sees(&message.pipeline)
            && self.pipeline.as_deref().is_none_or(|name| name == &*message.pipeline);
        if wanted && !message.told.is_empty() {
            let bytes = match self.known.of(message.pos) {
                0 => all_changes(message),
                some => Bytes::from(changes(message, some)),
            };
            self.ready.push_back(bytes);
        }
        self.known = Known::upto(message.pos);
    }
}
