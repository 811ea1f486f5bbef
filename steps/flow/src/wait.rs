use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use millwork_engine::{
    data::{Type, Value},
    diag::{Code, Diagnostic},
    model::{self, Digest, Fault, Timestamp},
    step::{
        CheckContext, Effect, InputTypes, Ports, Resolved, Services, Step, StepContext, StepEnd, StepKind, StepOutput,
        Templated,
    },
};
use schemars::JsonSchema;
use serde::Deserialize;

/// Waits for a length of time or until a moment, without holding a slot.
#[derive(Debug)]
pub struct Wait;

/// `with:` of `wait`: one of the two.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WaitConfig {
    /// How long, from the step's start.
    #[serde(default, rename = "for")]
    length: Option<Templated<Duration>>,
    /// Until when; a moment that is over waits for nothing.
    #[serde(default)]
    until: Option<Templated<DateTime<Utc>>>,
}

enum Goal {
    For(Duration),
    Until(Timestamp),
}

impl StepKind for Wait {
    type Config = WaitConfig;
    const NAME: &'static str = "wait";
    const VERSION: u32 = 1;
    // Waiting twice does no harm, but it must not be skipped or recomputed.
    const EFFECT: Effect = Effect::Idempotent;
    const SUMMARY: &'static str = "Waits for a length of time or until a moment, without holding a slot.";
    const EXAMPLE: &'static str = r"version: 1
name: wait_example
steps:
  - id: pause
    uses: wait
    with: {for: 10ms}
outputs:
  until: ${{ steps.pause.outputs.until }}
";

    fn ports(_: &WaitConfig, _: &InputTypes, _: &CheckContext<'_>) -> Result<Ports, Vec<Diagnostic>> {
        Ok(Ports::none().output("until", Type::Timestamp, "when the wait was over"))
    }

    fn check(config: &WaitConfig, _: &CheckContext<'_>) -> Vec<Diagnostic> {
        match (&config.length, &config.until) {
            (Some(length), Some(until)) => {
                let problem = Diagnostic::new(Code::WrongShape, until.span(), "`for` and `until` exclude each other");
                vec![problem.also(length.span(), "this one says how long").help("remove one of them")]
            }
            _ => Vec::new(),
        }
    }

    fn build(config: Resolved<'_, WaitConfig>, _: &Services) -> Result<Box<dyn Step>, Fault> {
        let goal = match (config.get_opt(&config.config().length)?, config.get_opt(&config.config().until)?) {
            (Some(length), None) => Goal::For(length),
            (None, Some(until)) => Goal::Until(until.into()),
            _ => return Err(Fault::user("wait.config", "`wait` needs either `for` or `until`")),
        };
        Ok(Box::new(goal))
    }
}

#[async_trait]
impl Step for Goal {
    async fn run(self: Box<Self>, cx: StepContext) -> Result<StepEnd, Fault> {
        let at = match *self {
            Self::Until(at) => at,
            // Kept, so that a resumed attempt does not begin the wait anew.
            Self::For(length) => {
                let begun = async { Ok(cx.started_at.after(length)) };
                cx.journal.once("until", Digest::of(&length.as_micros().to_le_bytes()), begun).await?
            }
        };
        if cx.answer.is_none() && at > cx.started_at {
            return Ok(StepEnd::Park(model::Wait::Until { at }));
        }
        Ok(StepOutput::none().value("until", Value::Timestamp(at.to_datetime())).into())
    }
}
