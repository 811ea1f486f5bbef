use std::time::Duration;

use millwork_engine::{
    data::Type,
    diag::{Code, Diagnostic},
    model::Fault,
    step::{
        CheckContext, Effect, InputTypes, Located, Period, Ports, Resolved, Services, Size, Step, StepKind, Templated,
    },
};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{argv::Argv, output::Format, run::ShellStep};
use crate::process::GuardCommand;

/// Runs a command.
#[derive(Debug)]
pub struct Shell;

/// `with:` of `shell`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ShellConfig {
    /// Program and arguments, a list. No shell reads it; for one, write `["sh", "-c", "…"]`.
    command: Argv,
    /// Working folder, from the pipeline's own; that one if not given.
    #[serde(default)]
    cwd: Option<Templated<String>>,
    /// Text for standard input; empty if not given.
    #[serde(default)]
    stdin: Option<Templated<String>>,
    /// How standard output becomes outputs.
    #[serde(default)]
    output: Format,
    /// Type of `value` or `table`, for `output: json` and `csv`; checked when the command has ended.
    #[serde(default, rename = "type")]
    ty: Option<Located<String>>,
    /// Exit codes that count as success; 0 if not given.
    #[serde(default = "zero")]
    success_codes: Vec<i32>,
    /// Bytes of standard output at most, such as `64MiB`.
    #[serde(default)]
    max_output: Option<Size>,
    /// Time from SIGTERM to SIGKILL when the step is stopped; `10s` if not given.
    #[serde(default)]
    grace: Option<Period>,
    /// What the command does to the world; `external` if not given.
    #[serde(default)]
    effect: Option<Declared>,
}

const MAX_OUTPUT: usize = 64 << 20;
const GRACE: Duration = Duration::from_secs(10);

/// What a command does to the world.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Declared {
    /// Nothing: equal inputs give equal outputs.
    Pure,
    /// Twice is the same as once.
    Idempotent,
    /// Twice may be twice.
    External,
}

fn zero() -> Vec<i32> {
    vec![0]
}

impl ShellConfig {
    fn value_type(&self) -> Result<Option<Type>, String> {
        self.ty.as_ref().map(|ty| Type::parse(ty)).transpose()
    }
}

impl StepKind for Shell {
    type Config = ShellConfig;
    const NAME: &'static str = "shell";
    const VERSION: u32 = 1;
    const EFFECT: Effect = Effect::External;
    const SUMMARY: &'static str = "Runs a command, given as a list of words.";
    const EXAMPLE: &'static str = r#"version: 1
name: shell_example
inputs:
  who: {type: string, default: world}
steps:
  - id: greet
    uses: shell
    with:
      command: [printf, "hello %s", "${{ inputs.who }}"]
  - id: count
    uses: shell
    with:
      command: [sh, -c, 'printf "{\"letters\": %s}" "$(printf %s "$TEXT" | wc -c)"']
      output: json
      type: "object{letters: int}"
    env: {TEXT: "${{ steps.greet.outputs.stdout }}"}
outputs:
  letters: ${{ steps.count.outputs.value.letters }}
"#;

    fn effect(config: &ShellConfig) -> Effect {
        match config.effect {
            Some(Declared::Pure) => Effect::Pure,
            Some(Declared::Idempotent) => Effect::Idempotent,
            Some(Declared::External) | None => Effect::External,
        }
    }

    fn ports(config: &ShellConfig, _: &InputTypes, _: &CheckContext<'_>) -> Result<Ports, Vec<Diagnostic>> {
        let code = |ports: Ports| ports.output("exit_code", Type::Int, "the command's exit code");
        let stdout = |ports: Ports| ports.output("stdout", Type::String, "standard output without its last line break");
        // A type that cannot be read is reported by `check`.
        let ty = config.value_type().ok().flatten();
        Ok(match config.output {
            Format::Text => code(stdout(Ports::none())),
            Format::Lines => {
                code(stdout(Ports::none())).output("lines", Type::list(Type::String), "the lines of standard output")
            }
            Format::Json => code(stdout(Ports::none())).output("value", ty.unwrap_or(Type::Any), "the JSON value"),
            Format::Csv => {
                let ty = ty.filter(|ty| matches!(ty, Type::Table(_))).unwrap_or_else(Type::any_table);
                code(Ports::none()).output("table", ty, "the rows of the CSV")
            }
        })
    }

    fn check(config: &ShellConfig, _: &CheckContext<'_>) -> Vec<Diagnostic> {
        let mut problems = Vec::new();
        let mut wrong = |at: &Option<Located<String>>, message: String| {
            if let Some(at) = at {
                problems.push(Diagnostic::new(Code::WrongShape, at.span, message));
            }
        };
        match (config.value_type(), config.output) {
            (Err(e), _) => wrong(&config.ty, format!("the type cannot be read: {e}")),
            (Ok(Some(Type::Table(_)) | None), Format::Csv) | (Ok(_), Format::Json) | (Ok(None), _) => {}
            (Ok(Some(ty)), Format::Csv) => wrong(&config.ty, format!("`output: csv` gives a table, not {ty}")),
            (Ok(Some(_)), Format::Text | Format::Lines) => {
                wrong(&config.ty, "`type` belongs to `output: json` or `output: csv`".to_owned());
            }
        }
        problems
    }

    fn build(config: Resolved<'_, ShellConfig>, services: &Services) -> Result<Box<dyn Step>, Fault> {
        let bad = |e: String| Fault::user("shell.config", e);
        let guard = services.extensions.get::<GuardCommand>().ok_or_else(|| {
            Fault::user("shell.no_guard", "this program does not say how child processes are guarded")
                .help("put a `GuardCommand` into the engine's extensions")
        })?;
        let argv = config.command.0.iter().map(|word| config.get(word)).collect::<Result<Vec<_>, _>>()?;
        Ok(Box::new(ShellStep {
            guard,
            argv,
            cwd: config.get_opt(&config.config().cwd)?,
            stdin: config.get_opt(&config.config().stdin)?.unwrap_or_default(),
            format: config.output,
            ty: config.value_type().map_err(bad)?,
            success_codes: config.success_codes.clone(),
            max_output: config.max_output.map_or(MAX_OUTPUT, |size| usize::try_from(size.0).unwrap_or(usize::MAX)),
            grace: config.grace.map_or(GRACE, |grace| grace.0),
        }))
    }
}
