use arrow::datatypes::{Field, Schema, SchemaRef};
use indexmap::IndexMap;
use millwork_engine::{
    data::Type,
    diag::{Code, Diagnostic},
    step::{Located, OneOrMany, Templated},
};
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;

use crate::formats::{Compression, Format, ScanOptions};

/// What `table.read` is told.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TableReadConfig {
    /// A path or several, each perhaps a pattern such as `data/flights-*.parquet`. Columns go by name; one that a file
    /// lacks is null there.
    #[serde(default)]
    pub path: OneOrMany<Templated<String>>,
    /// The rows themselves, in place of a path.
    #[serde(default)]
    pub inline: Option<Located<String>>,
    /// The format; by default the extension of the path tells it, and inline rows are csv.
    #[serde(default)]
    pub format: Option<Format>,
    /// Exactly the columns the table has, with their types.
    #[serde(default)]
    pub schema: IndexMap<String, Located<String>>,
    /// Between the fields of a csv line; `,` by default, a tab for `.tsv`.
    #[serde(default)]
    pub delimiter: Option<Located<String>>,
    /// Around fields of a csv line; `"` by default.
    #[serde(default)]
    pub quote: Option<Located<String>>,
    /// Whether the first line of a csv names the columns; true by default.
    #[serde(default)]
    pub header: Option<bool>,
    /// Texts in a csv that stand for null, beside the empty one.
    #[serde(default)]
    pub nulls: Vec<String>,
    /// How text is compressed; by default the extension tells it.
    #[serde(default)]
    pub compression: Option<Compression>,
}

impl TableReadConfig {
    /// The columns promised by `schema:`, if any are.
    pub(super) fn promised(&self) -> Result<Option<SchemaRef>, Vec<Diagnostic>> {
        if self.schema.is_empty() {
            return Ok(None);
        }
        let mut problems = Vec::new();
        let mut fields = Vec::new();
        for (name, written) in &self.schema {
            match Type::parse(written).map(|ty| ty.to_arrow()) {
                Ok(Some(ty)) => fields.push(Field::new(name, ty, true)),
                Ok(None) => problems.push(
                    Diagnostic::new(Code::TableSchema, written.span, format!("a column cannot be `{}`", written.value))
                        .help("columns are bool, int, float, string, bytes, date, timestamp or duration"),
                ),
                Err(why) => problems.push(
                    Diagnostic::new(Code::TableSchema, written.span, format!("the type of `{name}`: {why}"))
                        .did_you_mean(
                            &written.value,
                            ["bool", "int", "float", "string", "bytes", "date", "timestamp", "duration"],
                        ),
                ),
            }
        }
        if problems.is_empty() { Ok(Some(Arc::new(Schema::new(fields)))) } else { Err(problems) }
    }

    /// Options for a file of this path.
    pub(super) fn options(&self, path: Option<&str>) -> Result<ScanOptions, Vec<Diagnostic>> {
        let mut problems = Vec::new();
        let mut byte = |field: &Option<Located<String>>, what: &str, default: u8| match field {
            None => default,
            Some(written) => match written.value.replace("\\t", "\t").as_bytes() {
                [one] if one.is_ascii() => *one,
                _ => {
                    problems.push(
                        Diagnostic::new(Code::TableOption, written.span, format!("`{what}` is not one character"))
                            .help("write one ASCII character, such as \";\" or \"\\t\""),
                    );
                    default
                }
            },
        };
        let tabs = path.is_some_and(|p| p.to_ascii_lowercase().contains(".tsv"));
        let options = ScanOptions {
            delimiter: byte(&self.delimiter, "delimiter", if tabs { b'\t' } else { b',' }),
            quote: byte(&self.quote, "quote", b'"'),
            header: self.header.unwrap_or(true),
            nulls: self.nulls.clone(),
            compression: self.compression.or(path.map(|p| Format::of_path(p).1)).unwrap_or_default(),
            checked: false,
        };
        if problems.is_empty() { Ok(options) } else { Err(problems) }
    }
}
