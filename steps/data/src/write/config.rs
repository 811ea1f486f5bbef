use millwork_engine::{
    data::Table,
    step::{Located, Templated},
};
use schemars::JsonSchema;
use serde::Deserialize;

use super::Mode;
use crate::formats::{Compression, Format};

/// What `table.write` is told.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TableWriteConfig {
    /// The rows.
    pub table: Templated<Table>,
    /// A file for `overwrite`; a folder for `append` and `partitions`.
    pub path: Templated<String>,
    /// The format; by default the extension of a file tells it, and folders hold Parquet.
    #[serde(default)]
    pub format: Option<Format>,
    /// What happens to what is there; `overwrite` by default.
    #[serde(default)]
    pub mode: Mode,
    /// Columns whose values name the folders `column=value/`, for `mode: partitions`.
    #[serde(default)]
    pub partition_by: Vec<Located<String>>,
    /// How text, or the pages of Parquet, are compressed.
    #[serde(default)]
    pub compression: Option<Compression>,
}
