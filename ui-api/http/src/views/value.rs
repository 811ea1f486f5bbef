use arrow::{
    array::{Array, ArrayRef},
    record_batch::RecordBatch,
    util::display::{ArrayFormatter, FormatOptions},
};
use millwork_engine::{
    data::{Type, Value, plain},
    model::{Fault, Retry},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::word;
use crate::problem::AnyJson;

/// Why something did not succeed.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct FaultView {
    /// A stable code.
    pub code: String,
    /// What went wrong.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
    /// Who can mend it: `user`, `external` or `internal`.
    pub blame: String,
    /// Whether another try could succeed: `never`, `backoff`, or `after N ms`.
    pub retry: String,
}

impl From<&Fault> for FaultView {
    fn from(fault: &Fault) -> Self {
        let retry = match fault.retry {
            Retry::Never => "never".to_owned(),
            Retry::Backoff => "backoff".to_owned(),
            Retry::AfterMillis(millis) => format!("after {millis} ms"),
        };
        Self {
            code: fault.code.to_string(),
            message: fault.message.clone(),
            help: crate::help::help(fault),
            blame: word(fault.blame),
            retry,
        }
    }
}

/// A name with its type.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Named {
    /// The name.
    pub name: String,
    /// The type, in the language of pipelines.
    #[serde(rename = "type")]
    pub ty: String,
}

impl Named {
    pub(crate) fn new(name: impl ToString, ty: &Type) -> Self {
        Self { name: name.to_string(), ty: ty.to_string() }
    }
}

/// What is known of a table.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct TableView {
    /// Rows, where that is known.
    pub rows: Option<u64>,
    /// Columns with their Arrow types.
    pub columns: Vec<Named>,
}

/// A file that a run left.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct FileView {
    /// Its artifact, where it is kept as one.
    pub artifact: Option<String>,
    /// Bytes.
    pub bytes: Option<u64>,
    /// Its name.
    pub name: String,
    /// Where its bytes are.
    pub url: String,
}

/// A value that a step or a run gave.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct OutputView {
    /// Its name.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub ty: String,
    /// The value, unless it is a table.
    #[schema(value_type = Option<Value>)]
    pub value: Option<AnyJson>,
    /// If it is a table.
    pub table: Option<TableView>,
    /// If it is a file.
    pub file: Option<FileView>,
    /// Whether the value was cut, being large.
    pub preview_of: bool,
}

/// The longest JSON of a value that is shown whole.
const LONGEST: usize = 64 << 10;

pub(crate) fn columns(schema: &arrow::datatypes::Schema) -> Vec<Named> {
    let named = |field: &arrow::datatypes::FieldRef| Named {
        name: field.name().clone(),
        ty: field.data_type().to_string().to_lowercase(),
    };
    schema.fields().iter().map(named).collect()
}

impl OutputView {
    pub(crate) fn new(name: impl ToString, value: &Value) -> Self {
        let (mut table, mut file, mut cut) = (None, None, false);
        let json = match value {
            Value::Table(of) => {
                table = Some(TableView { rows: of.rows, columns: columns(&of.schema) });
                None
            }
            value => {
                if let Value::File(of) = value {
                    let name = of.path.rsplit('/').next().unwrap_or_default().to_owned();
                    file = Some(FileView {
                        artifact: of.artifact.map(|id| id.to_string()),
                        bytes: Some(of.bytes),
                        name,
                        url: String::new(),
                    });
                }
                let json = plain(value);
                let text = json.to_string();
                cut = text.len() > LONGEST;
                Some(if cut { AnyJson::String(text.chars().take(2000).collect()) } else { json })
            }
        };
        let ty = Type::of(value).to_string();
        Self { name: name.to_string(), ty, value: json, table, file, preview_of: cut }
    }
}

/// Rows of a table.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RowsView {
    /// Columns with their Arrow types.
    pub columns: Vec<Named>,
    /// One list a row, one cell a column; numbers and booleans as JSON has them, all else as text.
    #[schema(value_type = Vec<Vec<Value>>)]
    pub rows: Vec<Vec<AnyJson>>,
    /// The first row's number.
    pub offset: u64,
    /// Rows of the whole table.
    pub total: Option<u64>,
}

/// Rows of batches as JSON.
pub(crate) fn rows(batches: &[RecordBatch]) -> Vec<Vec<AnyJson>> {
    let mut all = Vec::new();
    for batch in batches {
        let columns: Vec<Vec<AnyJson>> = batch.columns().iter().map(cells).collect();
        for row in 0..batch.num_rows() {
            all.push(columns.iter().map(|column| column.get(row).cloned().unwrap_or_default()).collect());
        }
    }
    all
}

fn cells(column: &ArrayRef) -> Vec<AnyJson> {
    use arrow::datatypes::DataType::{
        Boolean, Float16, Float32, Float64, Int8, Int16, Int32, Int64, UInt8, UInt16, UInt32, UInt64,
    };
    let options = FormatOptions::default().with_null("");
    let Ok(formatter) = ArrayFormatter::try_new(column.as_ref(), &options) else {
        return vec![AnyJson::Null; column.len()];
    };
    let number = matches!(
        column.data_type(),
        Boolean | Float16 | Float32 | Float64 | Int8 | Int16 | Int32 | Int64 | UInt8 | UInt16 | UInt32 | UInt64
    );
    let cell = |row: usize| {
        if column.is_null(row) {
            return AnyJson::Null;
        }
        let text = formatter.value(row).to_string();
        // What JavaScript cannot count exactly, and what is no number of JSON, stays text.
        let exact = text.len() <= 15 || text.contains('.');
        if number && exact {
            serde_json::from_str(&text).unwrap_or(AnyJson::String(text))
        } else {
            AnyJson::String(text)
        }
    };
    (0..column.len()).map(cell).collect()
}
