use std::{collections::BTreeMap, sync::Arc};

use arrow::{
    array::{ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch, StringArray},
    datatypes::{DataType, Field, Int64Type, Schema, SchemaRef},
};
use millwork_engine::{data::Table, model::Fault};

use super::{
    expect::Severity,
    probe::{Probe, Test},
};
use crate::sql::{Engine, SqlTable, run_query};

/// What one check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) name: String,
    pub(super) severity: Severity,
    pub(super) failures: i64,
    /// What is wrong, in a few words.
    pub(super) said: String,
}

/// What all checks found.
#[derive(Debug)]
pub(super) struct Findings {
    pub(super) each: Vec<Finding>,
    pub(super) failing: Table,
}

/// A name as SQL takes it whatever it is.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Puts every probe to a table; keeps up to `keep` failing rows of each.
pub(super) async fn examine(
    table: &Table,
    probes: &[Probe],
    keep: u32,
    engine: &Engine<'_>,
) -> Result<Findings, Fault> {
    let schema = failing_schema(&table.schema);
    let mut each = Vec::new();
    let mut failing = Vec::new();
    for probe in probes {
        let mut tables = vec![SqlTable { name: "t".to_owned(), table: table.clone() }];
        if let Test::Refers { to, .. } = &probe.test {
            tables.push(SqlTable { name: "r".to_owned(), table: to.clone() });
        }
        let queries = probe.test.queries();
        let params: BTreeMap<_, _> = queries.params.iter().cloned().collect();
        let counted =
            Box::pin(run_query(&queries.count, &tables, &params, engine)).await.map_err(|f| named(probe, f))?;
        let found = first_int(&counted)?;
        let (failures, said) = judge(&probe.test, found);
        if failures > 0
            && keep > 0
            && let Some(rows) = &queries.rows
        {
            let text = format!("{rows} limit {keep}");
            let rows = Box::pin(run_query(&text, &tables, &params, engine)).await.map_err(|f| named(probe, f))?;
            for batch in rows.batches().into_iter().flat_map(|b| b.iter()) {
                failing.push(with_name(batch, &probe.name, &schema)?);
            }
        }
        each.push(Finding { name: probe.name.clone(), severity: probe.severity, failures, said });
    }
    Ok(Findings { each, failing: Table::with_schema(schema, failing) })
}

fn judge(test: &Test, found: i64) -> (i64, String) {
    match test {
        Test::Rows { min, max } => {
            let low = min.is_some_and(|min| found < min);
            let high = max.is_some_and(|max| found > max);
            let bounds = match (min, max) {
                (Some(min), Some(max)) => format!("{min} to {max}"),
                (Some(min), None) => format!("at least {min}"),
                (None, Some(max)) => format!("at most {max}"),
                (None, None) => "any number".to_owned(),
            };
            (i64::from(low || high), format!("{found} rows, expected {bounds}"))
        }
        Test::Fresh { since, .. } => {
            let said = if found > 0 { format!("nothing since {since}") } else { "recent".to_owned() };
            (found, said)
        }
        _ => (found, format!("{found} {}", if found == 1 { "row" } else { "rows" })),
    }
}

fn named(probe: &Probe, fault: Fault) -> Fault {
    Fault { message: format!("the check {}: {}", probe.name, fault.message), ..fault }
}

fn first_int(table: &Table) -> Result<i64, Fault> {
    let batch = table.batches().and_then(|b| b.first());
    let column = batch.map(|b| b.column(0).clone());
    let column = column.and_then(|c| arrow::compute::cast(&c, &DataType::Int64).ok());
    let value = column.and_then(|c| c.as_primitive_opt::<Int64Type>().and_then(|c| c.iter().next().flatten()));
    value.ok_or_else(|| Fault::internal("check.count", "a count has no value"))
}

fn failing_schema(schema: &SchemaRef) -> SchemaRef {
    let mut fields = vec![Field::new("_check", DataType::Utf8, false)];
    fields.extend(schema.fields().iter().map(|f| f.as_ref().clone().with_nullable(true)));
    Arc::new(Schema::new(fields))
}

fn with_name(batch: &RecordBatch, name: &str, schema: &SchemaRef) -> Result<RecordBatch, Fault> {
    let mut columns: Vec<ArrayRef> = vec![Arc::new(StringArray::from(vec![name; batch.num_rows()]))];
    columns.extend(batch.columns().iter().cloned());
    RecordBatch::try_new(schema.clone(), columns)
        .map_err(|e| Fault::internal("check.rows", format!("failing rows cannot be kept: {e}")))
}

/// The findings as a table: check, severity, passed, failures, found.
pub(super) fn results(each: &[Finding]) -> Result<Table, Fault> {
    let schema = results_schema();
    let severity = |f: &Finding| match f.severity {
        Severity::Warn => "warn",
        Severity::Error => "error",
    };
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(each.iter().map(|f| f.name.as_str()))),
        Arc::new(StringArray::from_iter_values(each.iter().map(severity))),
        Arc::new(BooleanArray::from(each.iter().map(|f| f.failures == 0).collect::<Vec<_>>())),
        Arc::new(Int64Array::from(each.iter().map(|f| f.failures).collect::<Vec<_>>())),
        Arc::new(StringArray::from_iter_values(each.iter().map(|f| f.said.as_str()))),
    ];
    let batch = RecordBatch::try_new(schema.clone(), columns);
    let batch = batch.map_err(|e| Fault::internal("check.results", format!("results cannot be kept: {e}")))?;
    Ok(Table::with_schema(schema, vec![batch]))
}

pub(super) fn results_schema() -> SchemaRef {
    let field = |name: &str, ty: DataType| Field::new(name, ty, false);
    Arc::new(Schema::new(vec![
        field("check", DataType::Utf8),
        field("severity", DataType::Utf8),
        field("passed", DataType::Boolean),
        field("failures", DataType::Int64),
        field("found", DataType::Utf8),
    ]))
}

pub(super) fn failures_schema(schema: &SchemaRef) -> SchemaRef {
    failing_schema(schema)
}

#[cfg(test)]
mod tests {
    use millwork_engine::{data::Value, model::Timestamp};

    use super::*;
    use crate::sql::tests::{access, csv, nyc};

    async fn failures(table: Table, tests: Vec<Test>) -> (Vec<i64>, Table) {
        let probe = |test: Test| Probe { name: test.name(), severity: Severity::Warn, test };
        let probes: Vec<_> = tests.into_iter().map(probe).collect();
        let access = access();
        let engine = Engine { memory: None, scratch: std::env::temp_dir(), access: &access, cx: None };
        let findings = examine(&table, &probes, 10, &engine).await.expect("examined");
        (findings.each.iter().map(|f| f.failures).collect(), findings.failing)
    }

    #[tokio::test]
    async fn each_expectation_counts_what_breaks_it() {
        let table = csv("id,kind,n,at\n1,a,5,2013-01-01\n2,b,,2013-01-02\n2,c,50,2013-01-03\n,a,7,2013-01-04\n");
        let to = csv("kind\na\nb\n");
        let day = |d: i64| Timestamp::from_micros(d * 86_400_000_000);
        let (counts, failing) = failures(
            table,
            vec![
                Test::NotNull("n".into()),
                Test::Unique(vec!["id".into()]),
                Test::Accepted { column: "kind".into(), values: vec![Value::from("a"), Value::from("c")] },
                Test::Refers { column: "kind".into(), to, field: "kind".into() },
                Test::Rows { min: Some(5), max: None },
                Test::Rows { min: Some(1), max: Some(4) },
                Test::Range { column: "n".into(), min: Some(Value::Int(6)), max: Some(Value::Int(49)) },
                Test::Fresh { column: "at".into(), since: day(15_700) },
                Test::Fresh { column: "at".into(), since: day(20_000) },
            ],
        )
        .await;
        assert_eq!(counts, [1, 1, 1, 1, 1, 0, 2, 0, 1]);
        assert_eq!(failing.rows, Some(1 + 2 + 1 + 1 + 2));
        assert_eq!(failing.schema.field(0).name(), "_check");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_flights_have_the_flaws_that_are_known() {
        let (counts, failing) = failures(
            nyc("flights"),
            vec![
                Test::Refers { column: "tailnum".into(), to: nyc("planes"), field: "tailnum".into() },
                Test::NotNull("tailnum".into()),
            ],
        )
        .await;
        assert_eq!((counts, failing.rows), (vec![50_094, 2_512], Some(20)));
        let key = ["year", "month", "day", "hour", "origin"].map(str::to_owned).to_vec();
        let (counts, failing) = failures(nyc("weather"), vec![Test::Unique(key)]).await;
        assert_eq!((counts, failing.rows), (vec![3], Some(6)));
    }

    #[tokio::test]
    async fn one_more_flight_with_an_unknown_tail_number_is_seen() {
        let flights = csv("tailnum\nN1\nN2\nN2\n\n");
        let planes = csv("tailnum\nN1\n");
        let test = |to: &Table| Test::Refers { column: "tailnum".into(), to: to.clone(), field: "tailnum".into() };
        assert_eq!(failures(flights, vec![test(&planes)]).await.0, [2]);
        assert_eq!(failures(csv("tailnum\nN1\nN2\nN2\nN3\n"), vec![test(&planes)]).await.0, [3]);
    }
}
