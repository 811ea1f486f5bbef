use std::{collections::HashMap, sync::Arc};

use async_trait::async_trait;
use indexmap::IndexMap;
use millwork_engine::{
    data::{self, Type, Value},
    diag::{Code, Diagnostic},
    model::{Fault, Labels, Name, RunId, Wait},
    step::{
        CheckContext, ChildRequest, ChildRuns, Effect, InputTypes, Located, Port, Ports, Resolved, Services, Step,
        StepContext, StepEnd, StepKind, StepOutput, Templated,
    },
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map as JsonMap, Value as Json};

/// Runs another pipeline.
#[derive(Debug)]
pub struct Pipeline;

/// `with:` of `pipeline`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PipelineConfig {
    /// The other pipeline's file, from this one's folder.
    path: Located<String>,
    /// Its inputs.
    #[serde(default)]
    inputs: IndexMap<String, Templated<Value>>,
}

struct Call {
    runs: Arc<dyn ChildRuns>,
    path: String,
    inputs: JsonMap<String, Json>,
    labels: HashMap<String, Labels>,
}

impl StepKind for Pipeline {
    type Config = PipelineConfig;
    const NAME: &'static str = "pipeline";
    const VERSION: u32 = 1;
    const EFFECT: Effect = Effect::Idempotent;
    const SUMMARY: &'static str = "Runs another pipeline and gives its outputs.";
    const EXAMPLE: &'static str = r"version: 1
name: pipeline_example
steps:
  - id: child
    uses: pipeline
    with:
      path: child.yaml
      inputs: {who: world}
outputs:
  text: ${{ steps.child.outputs.text }}
";

    fn includes(config: &PipelineConfig) -> Vec<String> {
        vec![config.path.value.clone()]
    }

    fn ports(config: &PipelineConfig, _: &InputTypes, cx: &CheckContext<'_>) -> Result<Ports, Vec<Diagnostic>> {
        let at = config.path.span;
        let child = cx.child(&config.path).map_err(|why| {
            let message = format!("the pipeline `{}` cannot be used: {why}", config.path.value);
            vec![
                Diagnostic::new(Code::IncludeFailed, at, message)
                    .help("`millwork check` on that file shows all problems"),
            ]
        })?;
        let mut ports = Ports::none();
        for (name, ty) in child.outputs {
            ports.outputs.insert(name, Port { ty, doc: "an output of the other pipeline" });
        }
        Ok(ports)
    }

    /// Names and presence of inputs. Their types are checked where the values are known.
    fn check(config: &PipelineConfig, cx: &CheckContext<'_>) -> Vec<Diagnostic> {
        let Ok(child) = cx.child(&config.path) else { return Vec::new() };
        let mut problems = Vec::new();
        for (name, given) in &config.inputs {
            if !child.inputs.contains_key(name.as_str()) {
                let message = format!("the pipeline `{}` has no input `{name}`", config.path.value);
                let names: Vec<&str> = child.inputs.keys().map(|name| name.as_str()).collect();
                let help =
                    if names.is_empty() { "it has none".to_owned() } else { format!("it has {}", names.join(", ")) };
                problems.push(Diagnostic::new(Code::UnknownKey, given.span(), message).help(help));
            }
        }
        for (name, input) in &child.inputs {
            match config.inputs.get(name.as_str()) {
                Some(given) => {
                    let found = given.template().literal().map(Type::of);
                    if let Some(found) = found.filter(|found| !found.fits(&input.ty) && *found != Type::String) {
                        let message = format!("the input `{name}` is {}, not {found}", input.ty);
                        problems.push(Diagnostic::new(Code::EdgeType, given.span(), message));
                    }
                }
                None if input.required => {
                    let message = format!("the input `{name}` of `{}` is missing", config.path.value);
                    let help = format!("write `inputs: {{{name}: ..}}`; it is {}", input.ty);
                    problems.push(Diagnostic::new(Code::MissingKey, config.path.span, message).help(help));
                }
                None => {}
            }
        }
        problems
    }

    fn build(config: Resolved<'_, PipelineConfig>, services: &Services) -> Result<Box<dyn Step>, Fault> {
        let (mut inputs, mut labels) = (JsonMap::new(), HashMap::new());
        for (name, field) in &config.config().inputs {
            let given = config.labelled(field)?;
            inputs.insert(name.clone(), data::encode(&given.value)?);
            if !given.labels.is_empty() {
                labels.insert(name.clone(), given.labels);
            }
        }
        let path = config.config().path.value.clone();
        Ok(Box::new(Call { runs: services.runs.clone(), path, inputs, labels }))
    }
}

#[async_trait]
impl Step for Call {
    async fn run(self: Box<Self>, cx: StepContext) -> Result<StepEnd, Fault> {
        if let Some(answer) = &cx.answer {
            return outputs(answer);
        }
        let request = ChildRequest {
            parent: cx.run,
            node: cx.journal.node(),
            step: cx.step.clone(),
            item: cx.item,
            path: self.path,
            inputs: self.inputs,
            labels: self.labels,
        };
        let run = self.runs.start(request).await?;
        Ok(StepEnd::Park(Wait::Run { run }))
    }
}

/// What the child's end brings: `{run, status, outputs, fault}`.
fn outputs(answer: &Json) -> Result<StepEnd, Fault> {
    let unreadable = || Fault::internal("pipeline.answer", "the end of the sub-pipeline's run cannot be read");
    let run: RunId = answer.get("run").and_then(Json::as_str).and_then(|id| id.parse().ok()).ok_or_else(unreadable)?;
    let status = answer.get("status").and_then(Json::as_str).ok_or_else(unreadable)?;
    if status != "succeeded" {
        return Err(failed(run, status, answer.get("fault")));
    }
    let mut output = StepOutput::none().note(run.to_string());
    for (name, value) in answer.get("outputs").and_then(Json::as_object).into_iter().flatten() {
        let name = Name::new(name).ok_or_else(unreadable)?;
        output.values.insert(name, data::decode(value)?);
    }
    Ok(output.into())
}

fn failed(run: RunId, status: &str, fault: Option<&Json>) -> Fault {
    let said = |key: &str| fault.and_then(|fault| fault.get(key)?.as_str());
    let why = said("message").map(|message| format!(": {message}")).unwrap_or_default();
    let message = format!("the sub-pipeline's run {run} was {status}{why}");
    let mut outer = Fault::user("pipeline.failed", message).help(format!("see `millwork runs show {run}`"));
    if let Some(inner) = fault.and_then(|fault| serde_json::from_value::<Fault>(fault.clone()).ok()) {
        (outer.blame, outer.exit_code) = (inner.blame, inner.exit_code);
    }
    outer
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const RUN: &str = "run_00000000000000000000000000";

    #[test]
    fn a_childs_end_becomes_outputs_or_a_fault() {
        let good = outputs(&json!({"run": RUN, "status": "succeeded", "outputs": {"text": "hi"}})).expect("outputs");
        assert!(matches!(good, StepEnd::Done(output) if output.values["text"].as_str() == Some("hi")));
        let inner = Fault::external("shell.exit", "`x` exited with code 3").exit_code(3);
        let bad = outputs(&json!({"run": RUN, "status": "failed", "fault": inner})).expect_err("a fault");
        assert_eq!((bad.code.as_str(), bad.exit_code), ("pipeline.failed", Some(3)));
        assert!(bad.message.contains(RUN) && bad.message.contains("exited with code 3"), "{}", bad.message);
        assert_eq!(outputs(&json!({})).expect_err("a bug").code.as_str(), "pipeline.answer");
    }
}
