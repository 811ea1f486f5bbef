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
    arrow::{
        csv::{self, reader::Format as CsvFormat},
        json,
    },
    parquet::arrow::{ProjectionMask, arrow_reader::ParquetRecordBatchReaderBuilder},
};
use millwork_engine::model::Fault;
use serde_json::value::RawValue;

use super::{
    Format, Input, ScanOptions, conform,
    open::{open, unparsable},
};

/// Rows that are looked at to guess the types of columns of a text.
const GUESS_ROWS: usize = 10_000;
const BATCH_ROWS: usize = 8192;

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

/// The columns of a file: from its own description, or guessed from its first rows.
pub(crate) fn schema_of(file: &FileRead) -> Result<SchemaRef, Fault> {
    let name = file.input.name();
    let bad = |e: ArrowError| unparsable(&name, &e.to_string());
    let text = || file.input.text(file.options.compression);
    let schema = match file.format {
        Format::Csv => csv_format(&file.options)?.infer_schema(text()?, Some(GUESS_ROWS)).map_err(bad)?.0,
        Format::Ndjson => json::reader::infer_json_schema(text()?, Some(GUESS_ROWS)).map_err(bad)?.0,
        Format::Json => {
            json::reader::infer_json_schema(array_as_lines(text()?, &name)?.as_slice(), Some(GUESS_ROWS))
                .map_err(bad)?
                .0
        }
        Format::Parquet => {
            let Input::File(path) = &file.input else { return Err(only_text(file.format)) };
            let builder = ParquetRecordBatchReaderBuilder::try_new(open(path)?);
            builder.map_err(|e| unparsable(&name, &e.to_string()))?.schema().as_ref().clone()
        }
        Format::Arrow => arrow_reader(file)?.0.as_ref().clone(),
    };
    // Whether a text's column may be null is not known before its end.
    let fields: Vec<_> = schema.fields().iter().map(|f| known(f).with_nullable(true)).collect();
    Ok(Arc::new(Schema::new(fields)))
}

/// A column without a value in a text is text.
fn known(field: &Field) -> Field {
    match field.data_type() {
        DataType::Null => Field::new(field.name(), DataType::Utf8, true),
        _ => field.clone().with_metadata(std::collections::HashMap::new()),
    }
}

/// Rows of a file, where its own description has them.
pub(crate) fn known_rows(file: &FileRead) -> Option<u64> {
    let Input::File(path) = &file.input else { return None };
    if file.format != Format::Parquet {
        return None;
    }
    let builder = ParquetRecordBatchReaderBuilder::try_new(open(path).ok()?).ok()?;
    u64::try_from(builder.metadata().file_metadata().num_rows()).ok()
}

/// Counts the rows of a file.
pub(crate) fn count_rows(file: &FileRead, schema: &SchemaRef) -> Result<u64, Fault> {
    if let Some(rows) = known_rows(file) {
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
/// `schema` is what the whole file should have.
pub(crate) fn read_into(
    file: &FileRead,
    schema: &SchemaRef,
    wanted: &SchemaRef,
    sink: &mut dyn FnMut(RecordBatch) -> ControlFlow<()>,
) -> Result<(), Fault> {
    let name = file.input.name();
    for batch in batches(file, schema, wanted)? {
        let batch = batch.map_err(|e| unparsable(&name, &e.to_string()))?;
        if sink(conform(&batch, wanted, &name)?).is_break() {
            break;
        }
    }
    Ok(())
}

type Batches = Box<dyn Iterator<Item = Result<RecordBatch, ArrowError>>>;

fn batches(file: &FileRead, schema: &SchemaRef, wanted: &SchemaRef) -> Result<Batches, Fault> {
    let name = file.input.name();
    let text = || file.input.text(file.options.compression);
    let bad = |e: ArrowError| unparsable(&name, &e.to_string());
    Ok(match file.format {
        Format::Csv => csv_batches(file, schema, wanted)?,
        Format::Ndjson => Box::new(json_reader(wanted).build(text()?).map_err(bad)?),
        Format::Json => {
            let lines = std::io::Cursor::new(array_as_lines(text()?, &name)?);
            Box::new(json_reader(wanted).build(lines).map_err(bad)?)
        }
        Format::Parquet => {
            let Input::File(path) = &file.input else { return Err(only_text(file.format)) };
            let bad = |e: datafusion::parquet::errors::ParquetError| unparsable(&name, &e.to_string());
            let builder = ParquetRecordBatchReaderBuilder::try_new(open(path)?).map_err(bad)?;
            let columns = builder.schema().fields().iter().enumerate();
            let roots = columns.filter(|(_, f)| wanted.index_of(f.name()).is_ok()).map(|(i, _)| i);
            let mask = ProjectionMask::roots(builder.parquet_schema(), roots.collect::<Vec<_>>());
            Box::new(builder.with_projection(mask).with_batch_size(BATCH_ROWS).build().map_err(bad)?)
        }
        Format::Arrow => arrow_reader(file)?.1,
    })
}

fn csv_format(options: &ScanOptions) -> Result<CsvFormat, Fault> {
    let format =
        CsvFormat::default().with_header(options.header).with_delimiter(options.delimiter).with_quote(options.quote);
    Ok(match null_pattern(options)? {
        Some(pattern) => format.with_null_regex(pattern),
        None => format,
    })
}

fn null_pattern(options: &ScanOptions) -> Result<Option<regex::Regex>, Fault> {
    if options.nulls.is_empty() {
        return Ok(None);
    }
    let words: Vec<_> = options.nulls.iter().map(|word| regex::escape(word)).collect();
    let pattern = regex::Regex::new(&format!("^(?:{})?$", words.join("|")));
    pattern.map(Some).map_err(|e| Fault::user("table.option", format!("`nulls` cannot be used: {e}")))
}

/// Columns are found by the header's names where there is a header, so that files may order them differently.
fn csv_batches(file: &FileRead, schema: &SchemaRef, wanted: &SchemaRef) -> Result<Batches, Fault> {
    let name = file.input.name();
    let bad = |e: ArrowError| unparsable(&name, &e.to_string());
    let text = || file.input.text(file.options.compression);
    let format = csv_format(&file.options)?;
    let (written, _) = format.infer_schema(text()?, Some(1)).map_err(bad)?;
    let fields: Vec<Field> = written
        .fields()
        .iter()
        .enumerate()
        .map(|(at, field)| {
            let known = if file.options.header {
                schema.field_with_name(field.name()).ok()
            } else {
                schema.fields().get(at).map(AsRef::as_ref)
            };
            known.cloned().unwrap_or_else(|| Field::new(field.name(), DataType::Utf8, true))
        })
        .collect();
    if let Some(missing) = wanted.fields().iter().find(|w| !fields.iter().any(|f| f.name() == w.name())) {
        let found: Vec<_> = fields.iter().map(|f| f.name().as_str()).collect();
        return Err(unparsable(
            &name,
            &format!("the column `{}` is missing; found are {}", missing.name(), found.join(", ")),
        ));
    }
    let projection: Vec<usize> =
        fields.iter().enumerate().filter(|(_, f)| wanted.index_of(f.name()).is_ok()).map(|(at, _)| at).collect();
    // A line is counted by one of its fields.
    let projection = if projection.is_empty() { vec![0] } else { projection };
    let reader = csv::ReaderBuilder::new(Arc::new(Schema::new(fields)))
        .with_format(format)
        .with_batch_size(BATCH_ROWS)
        .with_projection(projection)
        .build_buffered(text()?)
        .map_err(bad)?;
    Ok(Box::new(reader))
}

fn json_reader(wanted: &SchemaRef) -> json::ReaderBuilder {
    json::ReaderBuilder::new(wanted.clone()).with_batch_size(BATCH_ROWS).with_coerce_primitive(true)
}

/// The elements of a JSON array, one after the other, as the reader of lines takes them.
fn array_as_lines(mut text: Box<dyn BufRead + Send>, name: &str) -> Result<Vec<u8>, Fault> {
    let mut whole = String::new();
    text.read_to_string(&mut whole).map_err(|e| unparsable(name, &e.to_string()))?;
    let rows: Vec<&RawValue> = serde_json::from_str(&whole).map_err(|e| {
        unparsable(
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

/// The file form of Arrow IPC, or else its stream form.
fn arrow_reader(file: &FileRead) -> Result<(SchemaRef, Batches), Fault> {
    let Input::File(path) = &file.input else { return Err(only_text(file.format)) };
    match FileReader::try_new_buffered(open(path)?, None) {
        Ok(reader) => Ok((reader.schema(), Box::new(reader))),
        Err(_) => {
            let reader = StreamReader::try_new_buffered(open(path)?, None);
            let reader = reader.map_err(|e| unparsable(&file.input.name(), &e.to_string()))?;
            Ok((reader.schema(), Box::new(reader)))
        }
    }
}

fn only_text(format: Format) -> Fault {
    Fault::user("table.option", format!("an inline table cannot be {}", format.name())).help("use csv, json or ndjson")
}
