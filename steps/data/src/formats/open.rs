use std::{
    fs::File,
    io::{BufRead, BufReader, Cursor, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

use millwork_engine::model::Fault;

use super::Compression;

/// Where the bytes of a table come from.
#[derive(Debug, Clone)]
pub(crate) enum Input {
    /// A file.
    File(PathBuf),
    /// A text in the pipeline.
    Inline(Arc<str>),
}

impl Input {
    /// What messages call it.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::File(path) => format!("`{}`", path.display()),
            Self::Inline(_) => "the inline table".to_owned(),
        }
    }

    /// Its text, decompressed, without a byte order mark.
    pub(super) fn text(&self, compression: Compression) -> Result<Box<dyn BufRead + Send>, Fault> {
        let raw: Box<dyn Read + Send> = match self {
            Self::File(path) => Box::new(open(path)?),
            Self::Inline(text) => Box::new(Cursor::new(text.as_bytes().to_vec())),
        };
        let raw: Box<dyn Read + Send> = match compression {
            Compression::None => raw,
            Compression::Gz => Box::new(flate2::read::MultiGzDecoder::new(raw)),
            Compression::Zst => {
                Box::new(zstd::Decoder::new(raw).map_err(|e| unreadable(&self.name(), &e.to_string()))?)
            }
        };
        let mut text = BufReader::with_capacity(1 << 18, raw);
        let start = text.fill_buf().map_err(|e| unreadable(&self.name(), &e.to_string()))?;
        if start.starts_with(b"\xef\xbb\xbf") {
            text.consume(3);
        }
        Ok(Box::new(text))
    }
}

/// Opens a file, or says why not.
pub(super) fn open(path: &Path) -> Result<File, Fault> {
    File::open(path).map_err(|e| unreadable(&format!("`{}`", path.display()), &e.to_string()))
}

/// The fault of a file that cannot be read.
pub(super) fn unreadable(name: &str, why: &str) -> Fault {
    Fault::external("table.unreadable", format!("{name} cannot be read: {why}"))
}

/// The fault of bytes that are not what their format says.
pub(super) fn unparsable(name: &str, why: &str) -> Fault {
    let why = why.trim_start_matches("Csv error: ").trim_start_matches("Json error: ");
    let why = why.trim_start_matches("Parser error: ");
    Fault::user("table.parse", format!("{name} does not hold the rows expected: {why}"))
        .help("give the columns' types with `schema:`, or the format with `format:`, if they were guessed wrong")
}
