use async_trait::async_trait;
use millwork_engine::{
    diag::Diagnostic,
    model::Fault,
    step::{
        CheckContext, Effect, InputTypes, OneOrMany, Ports, Resolved, Services, Step, StepContext, StepEnd, StepKind,
        StepOutput, Templated,
    },
};
use schemars::JsonSchema;
use serde::Deserialize;

/// Fails the run unless conditions hold.
#[derive(Debug)]
pub struct Assert;

/// `with:` of `assert`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AssertConfig {
    /// What must hold: one condition with its message, or a list of them.
    that: OneOrMany<Claim>,
}

/// One thing that must hold.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Claim {
    /// A boolean.
    condition: Templated<bool>,
    /// What to say if it is false; the condition as written if not given.
    #[serde(default)]
    message: Option<Templated<String>>,
}

struct Verdict {
    checked: usize,
    broken: Vec<String>,
}

impl StepKind for Assert {
    type Config = AssertConfig;
    const NAME: &'static str = "assert";
    const VERSION: u32 = 1;
    const EFFECT: Effect = Effect::Pure;
    const SUMMARY: &'static str = "Fails unless conditions hold.";
    const EXAMPLE: &'static str = r#"version: 1
name: assert_example
inputs:
  rows: {type: int, default: 3}
steps:
  - id: enough
    uses: assert
    with:
      that:
        - condition: ${{ inputs.rows > 0 }}
          message: there are no rows
        - condition: ${{ inputs.rows < 1000 }}
          message: "${{ inputs.rows }} rows are too many"
"#;

    fn ports(_: &AssertConfig, _: &InputTypes, _: &CheckContext<'_>) -> Result<Ports, Vec<Diagnostic>> {
        Ok(Ports::none())
    }

    fn build(config: Resolved<'_, AssertConfig>, _: &Services) -> Result<Box<dyn Step>, Fault> {
        let claims = &config.config().that;
        let mut broken = Vec::new();
        for (i, claim) in claims.iter().enumerate() {
            if !config.get(&claim.condition)? {
                let said = config.get_opt(&claim.message)?;
                broken.push(said.unwrap_or_else(|| as_written(i, claim)));
            }
        }
        Ok(Box::new(Verdict { checked: claims.len(), broken }))
    }
}

fn as_written(index: usize, claim: &Claim) -> String {
    match claim.condition.template().expressions().first() {
        Some(expression) => format!("`{}` is false", expression.source().trim()),
        None => format!("condition {} is false", index + 1),
    }
}

#[async_trait]
impl Step for Verdict {
    async fn run(self: Box<Self>, _: StepContext) -> Result<StepEnd, Fault> {
        match self.broken.as_slice() {
            [] => Ok(StepOutput::none().note(format!("{} hold", self.checked)).into()),
            [only] => Err(Fault::user("assert.failed", only.clone())),
            [first, rest @ ..] => {
                Err(Fault::user("assert.failed", format!("{first} (and {} more: {})", rest.len(), rest.join("; "))))
            }
        }
    }
}
