use async_trait::async_trait;
use millwork_engine::{
    data::{Table, Type, Value, write_kept},
    diag::{Code, Diagnostic},
    model::{Fault, Timestamp},
    step::{
        CheckContext, Effect, InputTypes, Ports, Resolved, Services, Step, StepContext, StepEnd, StepKind, StepOutput,
        Templated,
    },
};

use super::{
    expect::{Expectation, Severity, TableCheckConfig, unknown_column},
    probe::{Probe, Test},
    query::{Findings, examine, failures_schema, results, results_schema},
};
use crate::sql::Engine;

/// The kind `table.check`.
#[derive(Debug)]
pub struct TableCheck;

impl StepKind for TableCheck {
    type Config = TableCheckConfig;
    const NAME: &'static str = "table.check";
    const VERSION: u32 = 1;
    const EFFECT: Effect = Effect::Pure;
    const SUMMARY: &'static str = "Checks what a table is expected to be, and keeps the rows that are not.";
    const EXAMPLE: &'static str = r#"version: 1
name: check_example
steps:
  - id: planes
    uses: table.read
    with: {inline: "tailnum,seats\nN1,55\nN2,\n"}
  - id: sane
    uses: table.check
    with:
      table: "${{ steps.planes.outputs.table }}"
      expect:
        - {unique: tailnum}
        - {not_null: seats, severity: warn}
        - {range: {column: seats, min: 1, max: 500}}
        - {row_count: {min: 1}}
"#;

    fn effect(config: &TableCheckConfig) -> Effect {
        // How old something is depends on when it is asked.
        if config.expect.iter().any(|e| e.freshness.is_some()) { Effect::Idempotent } else { Effect::Pure }
    }

    fn ports(config: &TableCheckConfig, inputs: &InputTypes, _: &CheckContext<'_>) -> Result<Ports, Vec<Diagnostic>> {
        let schema_at = |start: u32| match inputs.fields.get(&start).map(Type::required) {
            Some(Type::Table(table)) => table.schema.clone(),
            _ => None,
        };
        let schema = schema_at(config.table.span().start);
        let mut problems = Vec::new();
        if let Some(schema) = &schema {
            let named = config.expect.iter().flat_map(Expectation::columns);
            problems.extend(named.filter_map(|column| unknown_column(column, schema, "the table")));
        }
        for refers in config.expect.iter().filter_map(|e| e.relationships.as_ref()) {
            if let Some(other) = schema_at(refers.to.span().start) {
                let field = refers.field.as_ref().unwrap_or(&refers.column);
                problems.extend(unknown_column(field, &other, "the other table"));
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let failures = schema.map_or_else(Type::any_table, |schema| Type::table(failures_schema(&schema)));
        Ok(Ports::none()
            .output("passed", Type::Bool, "whether every check passed")
            .output("warned", Type::Int, "checks of severity `warn` that failed")
            .output("failed", Type::Int, "checks of severity `error` that failed; above 0 the step fails")
            .output("results", Type::table(results_schema()), "a row for each check")
            .output("failures", failures, "rows that failed, with `_check`"))
    }

    fn check(config: &TableCheckConfig, _: &CheckContext<'_>) -> Vec<Diagnostic> {
        let wrong = config.expect.iter().enumerate().filter_map(|(at, expectation)| {
            let keys = expectation.keys();
            let message = match keys.as_slice() {
                [_] => return None,
                [] => format!("expectation {} expects nothing", at + 1),
                many => format!("expectation {} holds {} at once", at + 1, many.join(" and ")),
            };
            let span = expectation.columns().first().map_or(config.table.span(), |column| column.span);
            Some(Diagnostic::new(Code::TableOption, span, message).help(
                "each item has one of not_null, unique, accepted_values, relationships, row_count, range, freshness",
            ))
        });
        wrong.chain(config.expect.iter().filter_map(nothing_fits)).collect()
    }

    fn build(config: Resolved<'_, TableCheckConfig>, _: &Services) -> Result<Box<dyn Step>, Fault> {
        let mut checks = Vec::new();
        for expectation in &config.config().expect {
            for test in tests(expectation, &config)? {
                checks.push((expectation.name.clone(), expectation.severity, test));
            }
        }
        Ok(Box::new(CheckStep { table: config.get(&config.table)?, checks, keep: config.keep.unwrap_or(100) }))
    }
}

/// Bounds that no value lies between, where both are written.
fn nothing_fits(expectation: &Expectation) -> Option<Diagnostic> {
    let number = |bound: &Option<Templated<Value>>| match bound.as_ref()?.literal()? {
        Value::Int(n) => Some(n as f64),
        Value::Float(x) => Some(x),
        _ => None,
    };
    let whole = |bound: &Option<Templated<i64>>| bound.as_ref()?.literal().map(|n| n as f64);
    let (min, max, span) = match (&expectation.range, &expectation.row_count) {
        (Some(range), _) => (number(&range.min), number(&range.max), range.max.as_ref()?.span()),
        (None, Some(rows)) => (whole(&rows.min), whole(&rows.max), rows.max.as_ref()?.span()),
        (None, None) => return None,
    };
    let (min, max) = min.zip(max)?;
    (min > max).then(|| {
        Diagnostic::new(Code::TableOption, span, format!("nothing is at least {min} and at most {max}"))
            .help("exchange `min` and `max`")
    })
}

/// A test whose time bound is known only when the attempt begins.
enum Due {
    Now(Test),
    Fresh { column: String, max_age: std::time::Duration },
}

fn tests(expectation: &Expectation, config: &Resolved<'_, TableCheckConfig>) -> Result<Vec<Due>, Fault> {
    let mut tests: Vec<Due> = expectation.not_null.iter().map(|c| Due::Now(Test::NotNull(c.value.clone()))).collect();
    if !expectation.unique.is_empty() {
        tests.push(Due::Now(Test::Unique(expectation.unique.iter().map(|c| c.value.clone()).collect())));
    }
    if let Some(accepted) = &expectation.accepted_values {
        let values = match config.get(&accepted.values)? {
            Value::List(values) => values.to_vec(),
            one => vec![one],
        };
        tests.push(Due::Now(Test::Accepted { column: accepted.column.value.clone(), values }));
    }
    if let Some(refers) = &expectation.relationships {
        let field = refers.field.as_ref().unwrap_or(&refers.column).value.clone();
        let to = config.get(&refers.to)?;
        tests.push(Due::Now(Test::Refers { column: refers.column.value.clone(), to, field }));
    }
    if let Some(rows) = &expectation.row_count {
        tests.push(Due::Now(Test::Rows { min: config.get_opt(&rows.min)?, max: config.get_opt(&rows.max)? }));
    }
    if let Some(range) = &expectation.range {
        let (min, max) = (config.get_opt(&range.min)?, config.get_opt(&range.max)?);
        if min.is_some() || max.is_some() {
            tests.push(Due::Now(Test::Range { column: range.column.value.clone(), min, max }));
        }
    }
    if let Some(fresh) = &expectation.freshness {
        tests.push(Due::Fresh { column: fresh.column.value.clone(), max_age: fresh.max_age.0 });
    }
    Ok(tests)
}

struct CheckStep {
    table: Table,
    checks: Vec<(Option<String>, Severity, Due)>,
    keep: u32,
}

#[async_trait]
impl Step for CheckStep {
    async fn run(self: Box<Self>, cx: StepContext) -> Result<StepEnd, Fault> {
        let probes: Vec<Probe> = self
            .checks
            .into_iter()
            .map(|(name, severity, due)| {
                let test = match due {
                    Due::Now(test) => test,
                    Due::Fresh { column, max_age } => {
                        let age = i64::try_from(max_age.as_micros()).unwrap_or(i64::MAX);
                        let since = Timestamp::from_micros(cx.started_at.as_micros().saturating_sub(age));
                        Test::Fresh { column, since }
                    }
                };
                Probe { name: name.unwrap_or_else(|| test.name()), severity, test }
            })
            .collect();
        let access = cx.tables.clone();
        let engine = Engine { memory: cx.memory, scratch: cx.scratch.clone(), access: &access, cx: Some(&cx) };
        let findings = Box::pin(examine(&self.table, &probes, self.keep, &engine)).await?;
        for finding in findings.each.iter().filter(|f| f.failures > 0) {
            let word = if finding.severity == Severity::Error { "failed" } else { "warned" };
            cx.log.line(format!("{word}: {}: {}", finding.name, finding.said));
        }
        let count = |severity: Severity| {
            findings.each.iter().filter(|f| f.severity == severity && f.failures > 0).count() as i64
        };
        let (warned, failed) = (count(Severity::Warn), count(Severity::Error));
        if failed > 0 {
            return Err(failure(&findings, &cx).await);
        }
        let note = if warned == 0 {
            format!("{} checks passed", findings.each.len())
        } else {
            format!("{warned} of {} checks warned", findings.each.len())
        };
        Ok(StepOutput::none()
            .value("passed", warned == 0)
            .value("warned", warned)
            .value("failed", failed)
            .value("results", results(&findings.each)?)
            .value("failures", findings.failing)
            .note(note)
            .into())
    }
}

/// A failed step has no outputs, so the failing rows are kept as an artifact that the log names.
async fn failure(findings: &Findings, cx: &StepContext) -> Fault {
    let broken = findings.each.iter().filter(|f| f.severity == Severity::Error && f.failures > 0);
    let broken: Vec<_> = broken.map(|f| format!("{} ({})", f.name, f.said)).collect();
    let fault = Fault::user("check.failed", format!("the table is not as expected: {}", broken.join(", ")));
    let rows = findings.failing.rows.unwrap_or(0);
    let Some(batches) = findings.failing.batches().filter(|_| rows > 0) else { return fault };
    let store = cx.tables.artifacts();
    match write_kept(store, &findings.failing.schema, batches.clone()).await {
        Ok(kept) => {
            let place = store.local_path(kept.id).map_or_else(|| kept.id.to_string(), |p| p.display().to_string());
            cx.log.line(format!("{rows} failing rows are kept in {place}"));
            fault.help(format!(
                "{rows} failing rows are kept as an Arrow file: {place}; read it with `table.read` and `format: arrow`"
            ))
        }
        Err(why) => {
            cx.log.line(format!("the failing rows could not be kept: {why}"));
            fault
        }
    }
}
