use std::{
    fs::File,
    io::{BufRead, BufReader, Cursor, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

use millwork_engine::model::Fault;

use super::{
    Compression,
    fault::{shown, unreadable},
};

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
            Self::File(path) => shown(path),
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
    File::open(path).map_err(|e| unreadable(&shown(path), &e.to_string()))
}
