//! Values of `tests:` against values of a run.

use arrow::{
    array::RecordBatch,
    util::display::{ArrayFormatter, FormatOptions},
};
use millwork_engine::{
    data::{Table, Type, Value},
    diag::Span,
    model::Fault,
    spec::{Node, value_of},
    step::TableAccess,
};
use millwork_steps::flow::csv;
use serde_json::Value as Json;

/// Something that did not come out as expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Difference {
    pub(super) what: String,
    pub(super) span: Span,
    pub(super) expected: String,
    pub(super) found: String,
}

impl Difference {
    pub(super) fn new(
        what: impl Into<String>,
        span: Span,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        Self { what: what.into(), span, expected: expected.into(), found: found.into() }
    }
}

/// The value that stands in for an output: `{csv: ..}` is a table with the columns that the step promises.
pub(super) fn stand_in(node: &Node, ty: Option<&Type>) -> Result<Value, Fault> {
    let Some(text) = csv_of(node) else { return Ok(value_of(node)) };
    let schema = match ty {
        Some(Type::Table(table)) => table.schema.as_ref(),
        _ => None,
    };
    let table = csv::parse(text, schema).map_err(|e| Fault::user("test.csv", format!("a stand-in is not CSV: {e}")))?;
    Ok(Value::Table(table))
}

fn csv_of(node: &Node) -> Option<&str> {
    match node.entries()? {
        [(key, text)] if &*key.text == "csv" => text.text().map(|text| &*text.value),
        _ => None,
    }
}

/// Compares what a run gave with what is written. Tables are equal with the same rows in any order.
pub(super) async fn compare(
    what: &str,
    expected: &Node,
    found: &Value,
    tables: &TableAccess,
) -> Result<Option<Difference>, Fault> {
    if let Some(text) = csv_of(expected) {
        let Value::Table(table) = found else {
            return Ok(Some(Difference::new(what, expected.span, "a table", found.to_string())));
        };
        return compare_table(what, expected.span, text, table, tables).await;
    }
    let wanted = value_of(expected);
    let (wanted_text, found_text) = (wanted.to_string(), found.to_string());
    let equal = wanted_text == found_text || alike_texts(&wanted_text, &found_text);
    Ok((!equal).then(|| Difference::new(what, expected.span, wanted_text, found_text)))
}

async fn compare_table(
    what: &str,
    span: Span,
    text: &str,
    found: &Table,
    tables: &TableAccess,
) -> Result<Option<Difference>, Fault> {
    let bad = |e: String| Fault::user("test.csv", format!("{what} is not CSV that fits the table: {e}"));
    let names = |table: &Table| table.schema.fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>();
    let header = csv::parse(text.lines().next().unwrap_or_default(), None).map_err(bad)?;
    if names(&header) != names(found) {
        let (wanted, found) = (names(&header).join(","), names(found).join(","));
        return Ok(Some(Difference::new(format!("{what}: columns"), span, wanted, found)));
    }
    let wanted = csv::parse(text, Some(&found.schema)).map_err(bad)?;
    let (mut wanted, mut found) =
        (rows(&tables.read(&wanted, None, None).await?)?, rows(&tables.read(found, None, None).await?)?);
    wanted.sort();
    found.sort();
    let same = |(a, b): (&Vec<String>, &Vec<String>)| a.iter().zip(b).all(|(a, b)| a == b || close(a, b));
    if wanted.len() == found.len() && wanted.iter().zip(&found).all(same) {
        return Ok(None);
    }
    // Rows on one side only; a person looks for those.
    let lines = |mine: &[Vec<String>], other: &[Vec<String>]| {
        let only = mine.iter().filter(|row| !other.iter().any(|theirs| same((row, theirs))));
        let lines: Vec<String> = only.take(20).map(|row| row.join(",")).collect();
        if lines.is_empty() { format!("{} rows", mine.len()) } else { lines.join("\n") }
    };
    Ok(Some(Difference::new(what, span, lines(&wanted, &found), lines(&found, &wanted))))
}

fn rows(batches: &[RecordBatch]) -> Result<Vec<Vec<String>>, Fault> {
    let cannot = |e: arrow::error::ArrowError| Fault::internal("test.table", format!("a table cannot be shown: {e}"));
    let options = FormatOptions::default().with_null("");
    let mut rows = Vec::new();
    for batch in batches {
        let columns = batch.columns().iter().map(|column| ArrayFormatter::try_new(column.as_ref(), &options));
        let columns = columns.collect::<Result<Vec<_>, _>>().map_err(cannot)?;
        rows.extend(
            (0..batch.num_rows()).map(|row| columns.iter().map(|column| column.value(row).to_string()).collect()),
        );
    }
    Ok(rows)
}

fn alike_texts(wanted: &str, found: &str) -> bool {
    match (serde_json::from_str(wanted), serde_json::from_str(found)) {
        (Ok(wanted), Ok(found)) => alike(&wanted, &found),
        _ => false,
    }
}

/// `24` is written where `24.0` is found: numbers are compared as numbers, at any depth.
fn alike(wanted: &Json, found: &Json) -> bool {
    match (wanted, found) {
        (Json::Number(a), Json::Number(b)) if a.is_f64() || b.is_f64() => close(&a.to_string(), &b.to_string()),
        (Json::Array(a), Json::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| alike(a, b)),
        (Json::Object(a), Json::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(name, a)| b.get(name).is_some_and(|b| alike(a, b)))
        }
        (a, b) => a == b,
    }
}

/// Floats of another order of addition are equal.
fn close(a: &str, b: &str) -> bool {
    match (a.parse::<f64>(), b.parse::<f64>()) {
        (Ok(a), Ok(b)) => (a - b).abs() <= 1e-9 * a.abs().max(b.abs()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use millwork_engine::{model::Timestamp, store::LocalArtifacts};

    use super::*;

    async fn differs(text: &str, found: &str) -> Option<Difference> {
        let found = csv::parse(found, None).expect("a table");
        let home = tempfile::tempdir().expect("a folder");
        let artifacts = LocalArtifacts::open(home.path(), Timestamp::from_micros(0)).expect("a store");
        let tables = TableAccess::new(std::sync::Arc::new(artifacts), millwork_steps::scans());
        compare_table("t", Span::new(0, 0), text, &found, &tables).await.expect("comparable")
    }

    #[test]
    fn numbers_are_compared_as_numbers_at_any_depth() {
        for (wanted, found, expected) in [
            ("[21.5,24,null]", "[21.5,24.0,null]", true),
            (r#"{"a":{"b":[0.3]}}"#, r#"{"a":{"b":[0.30000000000000004]}}"#, true),
            ("9007199254740993", "9007199254740992", false),
            (r#"["1"]"#, r#"["1.0"]"#, false),
            ("[1]", "[1,1]", false),
            (r#"{"a":1}"#, r#"{"a":1,"b":2}"#, false),
        ] {
            assert_eq!(alike_texts(wanted, found), expected, "{wanted} {found}");
        }
    }

    #[tokio::test]
    async fn tables_are_compared_by_rows_in_any_order() {
        assert_eq!(differs("a,b\n1,x\n2,y\n", "a,b\n2,y\n1,x\n").await, None);
        assert_eq!(differs("a\n0.3\n", "a\n0.30000000000000004\n").await, None);
        let one = differs("a,b\n1,x\n2,y\n", "a,b\n1,x\n2,z\n").await.expect("a difference");
        assert_eq!((one.expected.as_str(), one.found.as_str()), ("2,y", "2,z"));
        let columns = differs("a,c\n1,x\n", "a,b\n1,x\n").await.expect("a difference");
        assert_eq!((columns.expected.as_str(), columns.found.as_str()), ("a,c", "a,b"));
        assert!(differs("a\n1\n1\n", "a\n1\n").await.is_some());
    }
}
