//! Waits inside an item. The machine parks whole steps; an item waits where it is, without a permit.

use serde_json::Value as Json;

use super::{
    attempt::{OutputLabels, Work, log_of, run_kind},
    slot::Slot,
};
use crate::{
    model::{Fault, Wait},
    step::{StepEnd, StepOutput},
};

/// Runs until the work ends with outputs: a time and a sub-pipeline's run are waited for. After a crash
/// the item is attempted again and finds the child that it started.
pub(crate) async fn run_unparked(work: &Work<'_>) -> Result<(StepOutput, OutputLabels), Fault> {
    let mut answer = None;
    loop {
        let parked = match run_kind(work, answer.take()).await? {
            (StepEnd::Done(output), labels) => return Ok((output, labels)),
            (StepEnd::Park(parked), _) => parked,
        };
        answer = Some(wait(work.slot, answered(work, parked)).await??);
    }
}

/// Waits for something without a permit, and takes one again.
pub(crate) async fn wait<T>(slot: &Slot, until: impl Future<Output = T>) -> Result<T, Fault> {
    slot.release();
    let waited = tokio::select! {
        waited = until => waited,
        () = slot.cancel.cancelled() => return Err(Fault::cancelled()),
    };
    slot.reacquire().await?;
    Ok(waited)
}

async fn answered(work: &Work<'_>, parked: Wait) -> Result<Json, Fault> {
    match parked {
        Wait::Until { at } => {
            work.slot.until(at).await;
            Ok(Json::Null)
        }
        Wait::Run { run } => {
            let log = log_of(work);
            let asks = move |asks: bool| {
                if asks {
                    log.line(format!("{run} waits for a person: millwork runs approve {run}"));
                }
            };
            work.deps.children.ended(run, &asks).await
        }
        Wait::Approval { .. } | Wait::Budget { .. } => {
            let text = format!("step `{}` waits for a person inside an item", work.node.id);
            Err(Fault::user("item.cannot_park", text).help("move the step out of `for_each`"))
        }
    }
}
