use std::{fmt::Display, io::BufRead, sync::Arc};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::arrow::csv::{ReaderBuilder, reader::Format as CsvFormat};
use millwork_engine::model::Fault;

use super::{
    FileRead, Format, ScanOptions,
    fault::{unparsable, unreadable},
    quotes::{Quotes, Unclosed, line_of},
    read::{BATCH_ROWS, Batches},
    texts::asked,
    union::once,
};

/// The columns of a file as its first rows show them.
pub(super) fn guess(file: &FileRead, rows: usize) -> Result<Schema, Fault> {
    let (text, unclosed) = text(file)?;
    let guessed = format(&file.options)?.infer_schema(text, Some(rows));
    Ok(guessed.map_err(|e| broken(file, &unclosed, &e))?.0)
}

/// The names of the columns. Without a header they have those of the table, by their places.
pub(crate) fn names(file: &FileRead, table: &Schema) -> Result<Vec<String>, Fault> {
    let found = guess(file, 1)?;
    let name = |(at, field): (usize, &Arc<Field>)| match (file.options.header, table.fields().get(at)) {
        (true, _) => field.name().clone(),
        (false, Some(known)) => known.name().clone(),
        // Beyond those of the table.
        (false, None) => String::new(),
    };
    Ok(found.fields().iter().enumerate().map(name).collect())
}

/// Columns are found by the header's names where there is a header, so that files may order them differently.
pub(super) fn batches(file: &FileRead, schema: &SchemaRef, wanted: &SchemaRef) -> Result<Batches, Fault> {
    let names = names(file, schema)?;
    if names.is_empty() {
        return Ok(Box::new(std::iter::empty()));
    }
    let known = |name: &str| schema.index_of(name).is_ok();
    once(Format::Csv, &file.input.name(), names.iter().map(String::as_str), known)?;
    let field = |name: &String| {
        let ty = schema.field_with_name(name).map_or(DataType::Utf8, |field| asked(field.data_type(), false));
        Field::new(name, ty, true)
    };
    let fields: Vec<Field> = names.iter().map(field).collect();
    let places = names.iter().enumerate().filter(|(_, name)| wanted.index_of(name).is_ok()).map(|(at, _)| at);
    let places: Vec<usize> = places.collect();
    // A line is counted by one of its fields.
    let places = if places.is_empty() { vec![0] } else { places };
    let (text, unclosed) = text(file)?;
    let reader = ReaderBuilder::new(Arc::new(Schema::new(fields)))
        .with_format(format(&file.options)?)
        .with_batch_size(BATCH_ROWS)
        .with_projection(places)
        .build_buffered(text)
        .map_err(|e| broken(file, &unclosed, &e))?;
    let file = file.clone();
    Ok(Box::new(reader.map(move |batch| batch.map_err(|e| broken(&file, &unclosed, &e)))))
}

fn text(file: &FileRead) -> Result<(Quotes<Box<dyn BufRead + Send>>, Unclosed), Fault> {
    let text = file.input.text(file.options.compression)?;
    let quotes = Quotes::new(text, file.options.delimiter, file.options.quote);
    let unclosed = quotes.unclosed();
    Ok((quotes, unclosed))
}

/// The fault of rows that cannot be read: of the quote that swallowed them, if there is one.
fn broken(file: &FileRead, unclosed: &Unclosed, error: &dyn Display) -> Fault {
    let name = file.input.name();
    let Some(byte) = unclosed.at() else { return unparsable(Format::Csv, &name, &error.to_string()) };
    let line = file
        .input
        .text(file.options.compression)
        .and_then(|text| line_of(text, byte).map_err(|e| unreadable(&name, &e.to_string())));
    let quote = char::from(file.options.quote);
    match line {
        Ok(line) => unparsable(
            Format::Csv,
            &name,
            &format!("the quote ({quote}) opened in line {line} is never closed"),
        )
        .help(format!(
            "close it there; a quote that belongs to the text is written twice; another sign for quotes is said with \
                 `quote:`, such as `quote: \"{}\"`",
            if quote == '\'' { '|' } else { '\'' }
        )),
        Err(fault) => fault,
    }
}

fn format(options: &ScanOptions) -> Result<CsvFormat, Fault> {
    let format =
        CsvFormat::default().with_header(options.header).with_delimiter(options.delimiter).with_quote(options.quote);
    Ok(match nulls(options)? {
        Some(pattern) => format.with_null_regex(pattern),
        None => format,
    })
}

fn nulls(options: &ScanOptions) -> Result<Option<regex::Regex>, Fault> {
    if options.nulls.is_empty() {
        return Ok(None);
    }
    let words: Vec<_> = options.nulls.iter().map(|word| regex::escape(word)).collect();
    let pattern = regex::Regex::new(&format!("^(?:{})?$", words.join("|")));
    pattern.map(Some).map_err(|e| Fault::user("table.option", format!("`nulls` cannot be used: {e}")))
}
