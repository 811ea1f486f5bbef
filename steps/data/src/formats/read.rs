use std::{
    io::{BufRead, Read},
    ops::ControlFlow,
    sync::Arc,
};

use arrow::{
    datatypes::{DataType, Field, Schema, SchemaRef},
    error::ArrowError,
    ipc::reader::{FileReader, StreamReader},
    record_batch::RecordBatch,
};
use datafusion::{
    arrow::json,
    parquet::arrow::{ProjectionMask, arrow_reader::ParquetRecordBatchReaderBuilder},
};
use millwork_engine::model::Fault;
use serde_json::value::RawValue;

use super::{
    Format, Input, ScanOptions, csv,
    fault::{unparsable, unreadable},
    open::open,
    shape::fit,
    texts::asked,
};

pub(super) const BATCH_ROWS: usize = 8192;

/// One file to read.
#[derive(Debug, Clone)]
pub(crate) struct FileRead {
    /// Where the bytes are.
    pub(crate) input: Input,
    /// Their format.
    pub(crate) format: Format,
    /// Its options.
    pub(crate) options: ScanOptions,
}

/// What is known of a file without reading it whole.
#[derive(Debug)]
pub(crate) struct About {
    /// Its columns. One without a value so far has the type null.
    pub(crate) schema: SchemaRef,
    /// Its rows, where its own description has them.
    pub(crate) rows: Option<u64>,
}

/// The columns of a file: from its own description, or guessed from its first `rows` rows.
pub(crate) fn about(file: &FileRead, rows: usize) -> Result<About, Fault> {
    let name = file.input.name();
    let bad = |e: ArrowError| unparsable(file.format, &name, &e.to_string());
    let text = || file.input.text(file.options.compression);
    let guess = Some(rows);
    let mut known = None;
    let schema = match file.format {
        Format::Csv => csv::guess(file, rows)?,
        Format::Ndjson => json::reader::infer_json_schema(text()?, guess).map_err(bad)?.0,
        Format::Json => {
            json::reader::infer_json_schema(array_as_lines(text()?, &name)?.as_slice(), guess).map_err(bad)?.0
        }
        Format::Parquet => {
            let builder = parquet(file)?;
            known = u64::try_from(builder.metadata().file_metadata().num_rows()).ok();
            builder.schema().as_ref().clone()
        }
        Format::Arrow => arrow_reader(file)?.0.as_ref().clone(),
    };
    // What else is said of a column is of no use, and would keep equal columns of two files from being equal.
    let plain = |field: &Arc<Field>| Field::new(field.name(), field.data_type().clone(), true);
    let fields: Vec<Field> = schema.fields().iter().map(plain).collect();
    Ok(About { schema: Arc::new(Schema::new(fields)), rows: known })
}

/// Counts the rows of a file.
pub(crate) fn count_rows(file: &FileRead, schema: &SchemaRef) -> Result<u64, Fault> {
    if file.format == Format::Parquet
        && let Ok(rows) = u64::try_from(parquet(file)?.metadata().file_metadata().num_rows())
    {
        return Ok(rows);
    }
    let first: SchemaRef = Arc::new(Schema::new(schema.fields().iter().take(1).cloned().collect::<Vec<_>>()));
    let mut rows = 0;
    read_into(file, schema, &first, &mut |batch| {
        rows += batch.num_rows() as u64;
        ControlFlow::Continue(())
    })?;
    Ok(rows)
}

/// Reads a file and hands its batches over, each with the columns `wanted`, until `sink` breaks.
/// `schema` is what the whole table has; a column of it that the file lacks is null.
pub(crate) fn read_into(
    file: &FileRead,
    schema: &SchemaRef,
    wanted: &SchemaRef,
    sink: &mut dyn FnMut(RecordBatch) -> ControlFlow<()>,
) -> Result<(), Fault> {
    let json = matches!(file.format, Format::Json | Format::Ndjson);
    let mut before = 0;
    for batch in batches(file, schema, wanted)? {
        let batch = batch?;
        let fitting = fit(&batch, wanted, json);
        let fitting = fitting.map_err(|e| e.fault(&file.input.name(), Some(before), file.format.is_text()))?;
        before += batch.num_rows() as u64;
        if sink(fitting).is_break() {
            break;
        }
    }
    Ok(())
}

pub(super) type Batches = Box<dyn Iterator<Item = Result<RecordBatch, Fault>>>;

fn batches(file: &FileRead, schema: &SchemaRef, wanted: &SchemaRef) -> Result<Batches, Fault> {
    let name = file.input.name();
    let text = || file.input.text(file.options.compression);
    Ok(match file.format {
        Format::Csv => csv::batches(file, schema, wanted)?,
        Format::Ndjson => json_batches(file, wanted, text()?)?,
        Format::Json => json_batches(file, wanted, std::io::Cursor::new(array_as_lines(text()?, &name)?))?,
        Format::Parquet => {
            let builder = parquet(file)?;
            let columns = builder.schema().fields().iter().enumerate();
            let roots = columns.filter(|(_, f)| wanted.index_of(f.name()).is_ok()).map(|(i, _)| i);
            let mask = ProjectionMask::roots(builder.parquet_schema(), roots.collect::<Vec<_>>());
            let reader = builder.with_projection(mask).with_batch_size(BATCH_ROWS).build();
            named(file, reader.map_err(|e| unparsable(file.format, &name, &e.to_string()))?)
        }
        Format::Arrow => arrow_reader(file)?.1,
    })
}

/// Batches whose errors name the file.
fn named(file: &FileRead, batches: impl Iterator<Item = Result<RecordBatch, ArrowError>> + 'static) -> Batches {
    let (name, format) = (file.input.name(), file.format);
    Box::new(batches.map(move |batch| batch.map_err(|e| unparsable(format, &name, &e.to_string()))))
}

fn parquet(file: &FileRead) -> Result<ParquetRecordBatchReaderBuilder<std::fs::File>, Fault> {
    let Input::File(path) = &file.input else { return Err(only_text(file.format)) };
    let builder = ParquetRecordBatchReaderBuilder::try_new(open(path)?);
    builder.map_err(|e| unparsable(file.format, &file.input.name(), &e.to_string()))
}

fn json_batches(file: &FileRead, wanted: &SchemaRef, text: impl BufRead + 'static) -> Result<Batches, Fault> {
    let fields = wanted.fields().iter().map(|field| {
        let ty: DataType = asked(field.data_type(), true);
        Field::new(field.name(), ty, field.is_nullable())
    });
    let reader = json::ReaderBuilder::new(Arc::new(Schema::new(fields.collect::<Vec<_>>())))
        .with_batch_size(BATCH_ROWS)
        .with_coerce_primitive(true)
        .build(text);
    Ok(named(file, reader.map_err(|e| unparsable(file.format, &file.input.name(), &e.to_string()))?))
}

/// The elements of a JSON array, one after the other, as the reader of lines takes them.
fn array_as_lines(mut text: Box<dyn BufRead + Send>, name: &str) -> Result<Vec<u8>, Fault> {
    let mut whole = String::new();
    text.read_to_string(&mut whole).map_err(|e| unparsable(Format::Json, name, &e.to_string()))?;
    let rows: Vec<&RawValue> = serde_json::from_str(&whole).map_err(|e| {
        unparsable(
            Format::Json,
            name,
            &format!("it is not one JSON array of objects ({e}); for an object a line use `format: ndjson`"),
        )
    })?;
    let mut lines = Vec::with_capacity(whole.len());
    for row in rows {
        lines.extend_from_slice(row.get().as_bytes());
        lines.push(b'\n');
    }
    Ok(lines)
}

/// The file form of Arrow IPC, or its stream form. What begins as neither is not given to the readers, which would
/// take its first bytes for a length and make room for it.
fn arrow_reader(file: &FileRead) -> Result<(SchemaRef, Batches), Fault> {
    let Input::File(path) = &file.input else { return Err(only_text(file.format)) };
    let name = file.input.name();
    let bad = |e: ArrowError| unparsable(file.format, &name, &e.to_string());
    let mut start = Vec::new();
    open(path)?.take(6).read_to_end(&mut start).map_err(|e| unreadable(&name, &e.to_string()))?;
    if start == b"ARROW1" {
        let reader = FileReader::try_new_buffered(open(path)?, None).map_err(bad)?;
        Ok((reader.schema(), named(file, reader)))
    } else if start.starts_with(&[0xff; 4]) {
        let reader = StreamReader::try_new_buffered(open(path)?, None).map_err(bad)?;
        Ok((reader.schema(), named(file, reader)))
    } else {
        Err(unparsable(file.format, &name, "it does not begin as such a file does"))
    }
}

fn only_text(format: Format) -> Fault {
    Fault::user("table.option", format!("an inline table cannot be {}", format.name())).help("use csv, json or ndjson")
}
