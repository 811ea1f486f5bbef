use millwork_engine::{
    data::{Table, Value},
    diag::{Code, Diagnostic},
    step::{Located, OneOrMany, Period, Templated},
};
use schemars::JsonSchema;
use serde::Deserialize;

/// What `table.check` is told.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TableCheckConfig {
    /// The rows to look at.
    pub table: Templated<Table>,
    /// What they are expected to be.
    pub expect: Vec<Expectation>,
    /// How many failing rows of each check are kept; 100 by default.
    #[serde(default)]
    pub keep: Option<u32>,
}

/// One expectation: exactly one of the keys beside `severity` and `name`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    /// What people call it; by default it is made from the rest.
    #[serde(default)]
    pub name: Option<String>,
    /// Whether a failure fails the step; `error` by default.
    #[serde(default)]
    pub severity: Severity,
    /// Columns without nulls.
    #[serde(default)]
    pub not_null: OneOrMany<Located<String>>,
    /// Columns whose values together are different in each row; rows with a null among them are not looked at.
    #[serde(default)]
    pub unique: OneOrMany<Located<String>>,
    /// A column that has only these values, or null.
    #[serde(default)]
    pub accepted_values: Option<AcceptedValues>,
    /// A column whose values stand in a column of another table, or are null.
    #[serde(default)]
    pub relationships: Option<Relationships>,
    /// How many rows there are.
    #[serde(default)]
    pub row_count: Option<RowCount>,
    /// A column whose values lie between others, or are null.
    #[serde(default)]
    pub range: Option<Range>,
    /// A column whose latest time is not long ago.
    #[serde(default)]
    pub freshness: Option<Freshness>,
}

/// Whether a failing check fails its step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It is reported.
    Warn,
    /// It fails the step.
    #[default]
    Error,
}

/// Values that a column may have.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AcceptedValues {
    /// The column.
    pub column: Located<String>,
    /// The values.
    pub values: Templated<Value>,
}

/// A column that refers to another table.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Relationships {
    /// The column.
    pub column: Located<String>,
    /// The other table.
    pub to: Templated<Table>,
    /// Its column; by default the one of the same name.
    #[serde(default)]
    pub field: Option<Located<String>>,
}

/// Bounds of the number of rows.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RowCount {
    /// At least so many.
    #[serde(default)]
    pub min: Option<Templated<i64>>,
    /// At most so many.
    #[serde(default)]
    pub max: Option<Templated<i64>>,
}

/// Bounds of a column's values, themselves inside.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Range {
    /// The column.
    pub column: Located<String>,
    /// The least value.
    #[serde(default)]
    pub min: Option<Templated<Value>>,
    /// The greatest value.
    #[serde(default)]
    pub max: Option<Templated<Value>>,
}

/// How recent a column's latest time is.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Freshness {
    /// The column, of dates or timestamps.
    pub column: Located<String>,
    /// How long before the step its latest time may lie.
    pub max_age: Period,
}

impl Expectation {
    /// The keys that say what is expected.
    pub(super) fn keys(&self) -> Vec<&'static str> {
        let all = [
            ("not_null", !self.not_null.is_empty()),
            ("unique", !self.unique.is_empty()),
            ("accepted_values", self.accepted_values.is_some()),
            ("relationships", self.relationships.is_some()),
            ("row_count", self.row_count.is_some()),
            ("range", self.range.is_some()),
            ("freshness", self.freshness.is_some()),
        ];
        all.into_iter().filter(|(_, given)| *given).map(|(key, _)| key).collect()
    }

    /// Every column of the table that it names.
    pub(super) fn columns(&self) -> Vec<&Located<String>> {
        let mut columns: Vec<_> = self.not_null.iter().chain(self.unique.iter()).collect();
        columns.extend(self.accepted_values.iter().map(|a| &a.column));
        columns.extend(self.relationships.iter().map(|r| &r.column));
        columns.extend(self.range.iter().map(|r| &r.column));
        columns.extend(self.freshness.iter().map(|f| &f.column));
        columns
    }
}

/// A column that a table does not have.
pub(super) fn unknown_column(
    column: &Located<String>,
    schema: &arrow::datatypes::Schema,
    of: &str,
) -> Option<Diagnostic> {
    if schema.index_of(column).is_ok() {
        return None;
    }
    let known = schema.fields().iter().map(|f| f.name().as_str());
    let message = format!("{of} has no column `{}`", column.value);
    Some(Diagnostic::new(Code::ExpectColumn, column.span, message).did_you_mean(column, known))
}
