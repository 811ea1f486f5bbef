//! Runs a step under its limits. The step has a task of its own, so that one which blocks its thread
//! delays neither its timeout nor a request to stop.

use std::{
    panic::AssertUnwindSafe,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use futures::FutureExt;
use tokio::task::JoinHandle;
use tracing::Instrument;

use super::slot::Slot;
use crate::{
    graph::PlanNode,
    model::{Fault, Retry},
    step::{Effect, Step, StepContext, StepEnd},
};

/// How long an attempt that was told to stop may take to do so.
const GRACE: Duration = Duration::from_secs(10);
/// A step that was told to stop and is this long inside one poll blocks its thread: it will not hear.
const BLOCKED: Duration = Duration::from_millis(250);

/// Runs the step: panics are faults; after a timeout or a request to stop it has some grace to end by
/// itself, unless it blocks its thread. `kept` is dropped when the step has really returned.
pub(super) async fn guarded<K: Send + 'static>(
    node: &PlanNode,
    slot: &Slot,
    step: Box<dyn Step>,
    context: StepContext,
    kept: K,
) -> Result<StepEnd, Fault> {
    let (cancel, log) = (context.cancel.clone(), context.log.clone());
    let beat = Arc::new(AtomicU64::new(0));
    let (hold, watched) = (slot.hold(), beat.clone());
    let number = hold.number;
    let work = async move {
        tracing::debug!("the step begins");
        let work = AssertUnwindSafe(step.run(context)).catch_unwind();
        let end = Watched { work: Box::pin(work), beat: watched }.await;
        tracing::debug!(ended = matches!(end, Ok(Ok(_))), "the step returned");
        drop((kept, hold));
        end
    };
    let mut task = Task(tokio::spawn(work.in_current_span()));
    let ended = |end: Result<Result<Result<StepEnd, Fault>, Box<dyn std::any::Any + Send>>, tokio::task::JoinError>| {
        // Only a runtime that shuts down ends the task otherwise.
        end.unwrap_or_else(|_| Ok(Err(Fault::cancelled()))).unwrap_or_else(|panic| Err(panicked(node, &*panic)))
    };
    let limit = async {
        match node.spec.timeout {
            Some(limit) => {
                slot.sleep(limit).await;
                limit
            }
            None => std::future::pending().await,
        }
    };
    let timeout = tokio::select! {
        biased;
        end = &mut task.0 => {
            return ended(end).map_err(|fault| if cancel.is_cancelled() { Fault::cancelled() } else { fault });
        }
        () = cancel.cancelled() => None,
        limit = limit => Some(limit),
    };
    cancel.cancel();
    let end = in_grace(&mut task, &beat, slot).await.map(ended);
    if end.is_none() {
        let name = format!("step `{}`", node.id);
        slot.name_straggler(number, name);
        if task.0.is_finished() {
            slot.forget_straggler(number);
        }
        tracing::warn!(step = %node.id, "the step did not stop when asked; it keeps its slot until it returns");
        log.line("the step did not stop when asked; it keeps its slot until it returns");
    }
    match (timeout, end) {
        (Some(limit), Some(_)) => Err(Fault::timeout(limit)),
        (Some(limit), None) => {
            let fault = Fault::timeout(limit).help("the step does not stop: it keeps its slot until it returns");
            // Another attempt at something with an effect would run beside the one that goes on.
            Err(if node.effect == Effect::Pure { fault } else { fault.retry(Retry::Never) })
        }
        // It had finished before it saw the request: what it did counts.
        (None, Some(Ok(end))) => Ok(end),
        (None, Some(Err(_)) | None) => Err(Fault::cancelled()),
    }
}

async fn in_grace<T>(task: &mut Task<T>, beat: &AtomicU64, slot: &Slot) -> Option<Result<T, tokio::task::JoinError>> {
    let grace = slot.watch(GRACE);
    tokio::pin!(grace);
    loop {
        let before = beat.load(Ordering::Acquire);
        tokio::select! {
            biased;
            end = &mut task.0 => return Some(end),
            () = &mut grace => return None,
            () = slot.watch(BLOCKED) => {
                let inside = before % 2 == 1;
                if inside && beat.load(Ordering::Acquire) == before {
                    return None;
                }
            }
        }
    }
}

/// A task that is dropped at its next await when nobody waits for it any more.
struct Task<T>(JoinHandle<T>);

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Counts the begins and ends of polls: an odd count is one under way.
struct Watched<F> {
    work: Pin<Box<F>>,
    beat: Arc<AtomicU64>,
}

impl<F: Future> Future for Watched<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.beat.fetch_add(1, Ordering::AcqRel);
        let polled = self.work.as_mut().poll(cx);
        self.beat.fetch_add(1, Ordering::AcqRel);
        polled
    }
}

/// The fault of a kind that panicked.
pub(super) fn panicked(node: &PlanNode, panic: &(dyn std::any::Any + Send)) -> Fault {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    let text = text.unwrap_or("no message");
    Fault::internal("step.panic", format!("step `{}` panicked: {text}", node.id))
        .help("this is a bug of the step's kind, not of the pipeline")
}
