use millwork_engine::{
    data::{Table, Value},
    model::Timestamp,
};

use super::{expect::Severity, query::quoted};

/// An expectation with its values, as it is put to a table.
#[derive(Debug, Clone)]
pub(super) struct Probe {
    pub(super) name: String,
    pub(super) severity: Severity,
    pub(super) test: Test,
}

/// What is looked for.
#[derive(Debug, Clone)]
pub(super) enum Test {
    NotNull(String),
    Unique(Vec<String>),
    Accepted { column: String, values: Vec<Value> },
    Refers { column: String, to: Table, field: String },
    Rows { min: Option<i64>, max: Option<i64> },
    Range { column: String, min: Option<Value>, max: Option<Value> },
    Fresh { column: String, since: Timestamp },
}

/// A query over `t` (and `r`) for how many failures there are, and one for the rows that fail.
#[derive(Debug, Clone)]
pub(super) struct Queries {
    pub(super) count: String,
    pub(super) rows: Option<String>,
    pub(super) params: Vec<(String, Value)>,
}

impl Test {
    /// The words for it where nobody named it.
    pub(super) fn name(&self) -> String {
        match self {
            Self::NotNull(column) => format!("not_null({column})"),
            Self::Unique(columns) => format!("unique({})", columns.join(", ")),
            Self::Accepted { column, .. } => format!("accepted_values({column})"),
            Self::Refers { column, field, .. } => format!("relationships({column} -> {field})"),
            Self::Rows { .. } => "row_count".to_owned(),
            Self::Range { column, .. } => format!("range({column})"),
            Self::Fresh { column, .. } => format!("freshness({column})"),
        }
    }

    pub(super) fn queries(&self) -> Queries {
        match self {
            Self::NotNull(column) => Queries::rows_where(format!("{} is null", quoted(column)), Vec::new()),
            Self::Unique(columns) => {
                let keys = columns.iter().map(|c| quoted(c)).collect::<Vec<_>>().join(", ");
                let whole =
                    columns.iter().map(|c| format!("{} is not null", quoted(c))).collect::<Vec<_>>().join(" and ");
                let same =
                    columns.iter().map(|c| format!("t.{0} = d.{0}", quoted(c))).collect::<Vec<_>>().join(" and ");
                let groups = format!(
                    "select {keys}, count(*) as \"_n\" from t where {whole} group by {keys} having count(*) > 1"
                );
                Queries {
                    count: format!("select coalesce(sum(\"_n\" - 1), 0) as n from ({groups})"),
                    rows: Some(format!(
                        "select t.* from t join ({groups}) d on {same} order by {}",
                        columns.iter().map(|c| format!("t.{}", quoted(c))).collect::<Vec<_>>().join(", ")
                    )),
                    params: Vec::new(),
                }
            }
            Self::Accepted { column, values } => {
                let names = (0..values.len()).map(|i| format!("$v{i}")).collect::<Vec<_>>().join(", ");
                let column = quoted(column);
                let outside = if values.is_empty() {
                    format!("{column} is not null")
                } else {
                    format!("{column} not in ({names})")
                };
                let params = values.iter().enumerate().map(|(i, value)| (format!("v{i}"), value.clone())).collect();
                Queries::rows_where(outside, params)
            }
            Self::Refers { column, field, .. } => {
                let (column, field) = (quoted(column), quoted(field));
                let missing =
                    format!("{column} is not null and not exists (select 1 from r where r.{field} = t.{column})");
                Queries::rows_where(missing, Vec::new())
            }
            Self::Rows { .. } => {
                Queries { count: "select count(*) as n from t".to_owned(), rows: None, params: Vec::new() }
            }
            Self::Range { column, min, max } => {
                let column = quoted(column);
                let mut outside = Vec::new();
                let mut params = Vec::new();
                for (value, name, sign) in [(min, "low", "<"), (max, "high", ">")] {
                    if let Some(value) = value {
                        outside.push(format!("{column} {sign} ${name}"));
                        params.push((name.to_owned(), value.clone()));
                    }
                }
                Queries::rows_where(outside.join(" or "), params)
            }
            Self::Fresh { column, since } => Queries {
                count: format!(
                    "select case when coalesce(max({}) < $since, true) then 1 else 0 end as n from t",
                    quoted(column)
                ),
                rows: None,
                params: vec![("since".to_owned(), Value::Timestamp(since.to_datetime()))],
            },
        }
    }
}

impl Queries {
    fn rows_where(condition: String, params: Vec<(String, Value)>) -> Self {
        Self {
            count: format!("select count(*) as n from t where {condition}"),
            rows: Some(format!("select * from t where {condition}")),
            params,
        }
    }
}
