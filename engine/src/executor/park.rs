//! Waits inside an item. The machine parks whole steps; an item waits where it is, without a permit.

use futures::future::BoxFuture;
use serde_json::Value as Json;
use tokio_util::sync::CancellationToken;

use super::attempt::{OutputLabels, Work};
use crate::{
    model::{Fault, Wait},
    step::{StepEnd, StepOutput},
};

/// Runs until the work ends with outputs: a time and a sub-pipeline's run are waited for.
pub(crate) async fn run_unparked<'a, 'w, F>(
    work: &'a Work<'w>,
    first: Option<Json>,
    cancel: &'a CancellationToken,
    run: F,
) -> Result<(StepOutput, OutputLabels), Fault>
where
    F: Fn(&'a Work<'w>, Option<Json>) -> BoxFuture<'a, Result<(StepEnd, OutputLabels), Fault>>,
{
    let mut answer = first;
    loop {
        let wait = match run(work, answer.take()).await? {
            (StepEnd::Done(output), labels) => return Ok((output, labels)),
            (StepEnd::Park(wait), _) => wait,
        };
        let answered = async {
            match wait {
                Wait::Until { at } => {
                    let left = at.since(work.deps.services.clock.now());
                    tokio::time::sleep(left).await;
                    Ok(Json::Null)
                }
                Wait::Run { run } => work.deps.children.ended(run).await,
                Wait::Approval { .. } | Wait::Budget { .. } => {
                    let text = format!("step `{}` waits for a person inside an item", work.node.id);
                    Err(Fault::user("item.cannot_park", text).help("move the step out of `for_each`"))
                }
            }
        };
        tokio::select! {
            ended = answered => answer = Some(ended?),
            () = cancel.cancelled() => return Err(Fault::cancelled()),
        }
    }
}
