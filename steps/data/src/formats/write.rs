use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use arrow::{
    datatypes::SchemaRef,
    ipc::{
        CompressionType,
        writer::{FileWriter, IpcWriteOptions},
    },
    record_batch::RecordBatch,
};
use datafusion::{
    arrow::{csv, json},
    parquet::{
        arrow::ArrowWriter,
        basic::{Compression as PageCompression, GzipLevel, ZstdLevel},
        file::properties::WriterProperties,
    },
};
use millwork_engine::model::Fault;

use super::{Compression, Format};

/// Writes one file: into a temporary name beside it, made durable, then renamed. Nobody sees half a file.
pub(crate) struct TableWriter {
    body: Body,
    temporary: PathBuf,
    target: PathBuf,
}

enum Body {
    Csv(csv::Writer<Sink>),
    Json(json::ArrayWriter<Sink>),
    Ndjson(json::LineDelimitedWriter<Sink>),
    Parquet(Box<ArrowWriter<File>>),
    Arrow(FileWriter<BufWriter<File>>),
}

/// The bytes of a text, compressed on the way.
enum Sink {
    Plain(BufWriter<File>),
    Gz(flate2::write::GzEncoder<BufWriter<File>>),
    Zst(zstd::Encoder<'static, BufWriter<File>>),
}

impl TableWriter {
    /// Begins a file at `target`; `unique` keeps temporary names of different writers apart.
    pub(crate) fn create(
        target: &Path,
        unique: &str,
        schema: &SchemaRef,
        format: Format,
        compression: Compression,
    ) -> Result<Self, Fault> {
        let failed = |why: String| unwritable(target, &why);
        let folder = target.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder).map_err(|e| failed(e.to_string()))?;
        let name = target.file_name().and_then(|n| n.to_str()).ok_or_else(|| failed("it names no file".to_owned()))?;
        let temporary = folder.join(format!(".{name}.{unique}.tmp"));
        let file = File::create(&temporary).map_err(|e| failed(e.to_string()))?;
        let body = match format {
            Format::Csv => {
                let sink = Sink::new(file, compression).map_err(|e| failed(e.to_string()))?;
                let mut writer = csv::WriterBuilder::new().with_header(true).build(sink);
                // The header stands even over no row.
                writer.write(&RecordBatch::new_empty(schema.clone())).map_err(|e| failed(e.to_string()))?;
                Body::Csv(writer)
            }
            Format::Json => Body::Json(
                json::WriterBuilder::new()
                    .with_explicit_nulls(true)
                    .build(Sink::new(file, compression).map_err(|e| failed(e.to_string()))?),
            ),
            Format::Ndjson => Body::Ndjson(
                json::WriterBuilder::new()
                    .with_explicit_nulls(true)
                    .build(Sink::new(file, compression).map_err(|e| failed(e.to_string()))?),
            ),
            Format::Parquet => {
                let pages = match compression {
                    Compression::None => PageCompression::SNAPPY,
                    Compression::Gz => PageCompression::GZIP(GzipLevel::default()),
                    Compression::Zst => PageCompression::ZSTD(ZstdLevel::default()),
                };
                let properties = WriterProperties::builder().set_compression(pages).build();
                let writer = ArrowWriter::try_new(file, schema.clone(), Some(properties));
                Body::Parquet(Box::new(writer.map_err(|e| failed(e.to_string()))?))
            }
            Format::Arrow => {
                let pages = (compression == Compression::Zst).then_some(CompressionType::ZSTD);
                let options = IpcWriteOptions::default().try_with_compression(pages);
                let options = options.map_err(|e| failed(e.to_string()))?;
                let writer = FileWriter::try_new_with_options(BufWriter::new(file), schema, options);
                Body::Arrow(writer.map_err(|e| failed(e.to_string()))?)
            }
        };
        Ok(Self { body, temporary, target: target.to_owned() })
    }

    /// Adds rows.
    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<(), Fault> {
        let written = match &mut self.body {
            Body::Csv(writer) => writer.write(batch).map_err(|e| e.to_string()),
            Body::Json(writer) => writer.write(batch).map_err(|e| e.to_string()),
            Body::Ndjson(writer) => writer.write(batch).map_err(|e| e.to_string()),
            Body::Parquet(writer) => writer.write(batch).map_err(|e| e.to_string()),
            Body::Arrow(writer) => writer.write(batch).map_err(|e| e.to_string()),
        };
        written.map_err(|why| {
            let fault = unwritable(&self.target, &why);
            if why.contains("not supported") { Fault::user("table.write_type", fault.message) } else { fault }
        })
    }

    /// Ends the file, makes it durable and puts it in its place. Gives its length in bytes.
    pub(crate) fn finish(self) -> Result<u64, Fault> {
        let target = self.target.clone();
        let failed = |why: String| unwritable(&target, &why);
        let file = match self.body {
            Body::Csv(writer) => writer.into_inner().finish(),
            Body::Json(mut writer) => {
                writer.finish().map_err(|e| failed(e.to_string()))?;
                writer.into_inner().finish()
            }
            Body::Ndjson(mut writer) => {
                writer.finish().map_err(|e| failed(e.to_string()))?;
                writer.into_inner().finish()
            }
            Body::Parquet(writer) => writer.into_inner().map_err(io::Error::other),
            Body::Arrow(mut writer) => {
                writer.finish().map_err(|e| failed(e.to_string()))?;
                let buffered = writer.into_inner().map_err(|e| failed(e.to_string()))?;
                buffered.into_inner().map_err(io::IntoInnerError::into_error)
            }
        };
        let file = file.map_err(|e| failed(e.to_string()))?;
        file.sync_all().map_err(|e| failed(e.to_string()))?;
        let bytes = file.metadata().map_err(|e| failed(e.to_string()))?.len();
        std::fs::rename(&self.temporary, &self.target).map_err(|e| failed(e.to_string()))?;
        let folder = self.target.parent().unwrap_or(Path::new("."));
        File::open(folder).and_then(|f| f.sync_all()).map_err(|e| failed(e.to_string()))?;
        Ok(bytes)
    }

    /// Gives up and removes what was written.
    pub(crate) fn abandon(self) {
        let _ = std::fs::remove_file(&self.temporary);
    }
}

impl Sink {
    fn new(file: File, compression: Compression) -> io::Result<Self> {
        let buffered = BufWriter::with_capacity(1 << 18, file);
        Ok(match compression {
            Compression::None => Self::Plain(buffered),
            Compression::Gz => Self::Gz(flate2::write::GzEncoder::new(buffered, flate2::Compression::default())),
            Compression::Zst => Self::Zst(zstd::Encoder::new(buffered, 0)?),
        })
    }

    fn finish(self) -> io::Result<File> {
        let buffered = match self {
            Self::Plain(buffered) => buffered,
            Self::Gz(encoder) => encoder.finish()?,
            Self::Zst(encoder) => encoder.finish()?,
        };
        buffered.into_inner().map_err(io::IntoInnerError::into_error)
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(sink) => sink.write(bytes),
            Self::Gz(sink) => sink.write(bytes),
            Self::Zst(sink) => sink.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(sink) => sink.flush(),
            Self::Gz(sink) => sink.flush(),
            Self::Zst(sink) => sink.flush(),
        }
    }
}

fn unwritable(target: &Path, why: &str) -> Fault {
    Fault::external("table.unwritable", format!("`{}` cannot be written: {why}", target.display()))
}
