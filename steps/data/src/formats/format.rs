use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A format of tables in files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Comma-separated values, or another delimiter.
    Csv,
    /// One JSON array of objects.
    Json,
    /// One JSON object a line.
    Ndjson,
    /// Apache Parquet.
    Parquet,
    /// Arrow IPC, also known as Feather.
    Arrow,
}

/// How the bytes of a text format are compressed; for Parquet, how its pages are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// Not.
    #[default]
    None,
    /// Gzip.
    Gz,
    /// Zstandard.
    Zst,
}

/// How to read a file, as [`Scan::options`](millwork_engine::data::Scan) holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScanOptions {
    /// Between fields, in csv.
    pub delimiter: u8,
    /// Around fields, in csv.
    pub quote: u8,
    /// Whether the first line names the columns, in csv.
    pub header: bool,
    /// Texts that stand for null beside the empty one, in csv.
    pub nulls: Vec<String>,
    /// How the bytes are compressed.
    pub compression: Compression,
    /// Whether a value may have no equal in the type that its column has in the table, so that each is looked at.
    #[serde(default)]
    pub checked: bool,
}

impl Default for ScanOptions {
    fn default() -> Self {
        Self {
            delimiter: b',',
            quote: b'"',
            header: true,
            nulls: Vec::new(),
            compression: Compression::None,
            checked: false,
        }
    }
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 5] = [Self::Csv, Self::Json, Self::Ndjson, Self::Parquet, Self::Arrow];

    /// Its name in the pipeline language and in scans.
    pub fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Json => "json",
            Self::Ndjson => "ndjson",
            Self::Parquet => "parquet",
            Self::Arrow => "arrow",
        }
    }

    /// The format of a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }

    /// Whether its files are text, which may be compressed as a whole.
    pub fn is_text(self) -> bool {
        matches!(self, Self::Csv | Self::Json | Self::Ndjson)
    }

    /// Format and compression by a path's extensions, such as `.csv.gz`.
    pub fn of_path(path: &str) -> (Option<Self>, Compression) {
        let name = Path::new(path).file_name().and_then(|n| n.to_str()).unwrap_or(path).to_ascii_lowercase();
        let (name, compression) = match name.rsplit_once('.') {
            Some((rest, "gz")) => (rest, Compression::Gz),
            Some((rest, "zst")) => (rest, Compression::Zst),
            _ => (name.as_str(), Compression::None),
        };
        let format = match name.rsplit_once('.').map(|(_, ext)| ext) {
            Some("csv" | "tsv") => Some(Self::Csv),
            Some("json") => Some(Self::Json),
            Some("ndjson" | "jsonl") => Some(Self::Ndjson),
            Some("parquet" | "pq") => Some(Self::Parquet),
            Some("arrow" | "feather" | "ipc") => Some(Self::Arrow),
            _ => None,
        };
        (format, compression)
    }
}

impl Compression {
    /// The extension that it adds to a text format's.
    pub fn extension(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Gz => ".gz",
            Self::Zst => ".zst",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_extension_tells_format_and_compression() {
        for (path, format, compression) in [
            ("a/b.csv", Some(Format::Csv), Compression::None),
            ("a/b.CSV.gz", Some(Format::Csv), Compression::Gz),
            ("b.jsonl.zst", Some(Format::Ndjson), Compression::Zst),
            ("x.y.parquet", Some(Format::Parquet), Compression::None),
            ("csv", None, Compression::None),
            ("a.txt", None, Compression::None),
        ] {
            assert_eq!(Format::of_path(path), (format, compression), "{path}");
        }
        for format in Format::ALL {
            assert_eq!(Format::parse(format.name()), Some(format));
        }
    }
}
