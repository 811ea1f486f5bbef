use std::{
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::Arc,
};

use arrow::datatypes::SchemaRef;
use millwork_engine::{
    data::{Scan, Table, TableForm, Type},
    model::Fault,
};

use crate::formats::{FileRead, Format, Input, ScanOptions, expand, known_rows, pin, read_into, schema_of};

/// Files to read, as the configuration names them.
#[derive(Debug, Clone)]
pub(crate) struct Reading {
    pub(crate) paths: Vec<String>,
    pub(crate) format: Option<Format>,
    pub(crate) options: ScanOptions,
    pub(crate) promised: Option<SchemaRef>,
}

impl Reading {
    fn format(&self, path: &Path) -> Result<Format, Fault> {
        let name = path.to_string_lossy();
        self.format.or(Format::of_path(&name).0).ok_or_else(|| {
            Fault::user("table.format", format!("the extension of `{name}` tells no format"))
                .help("say it with `format:`: csv, json, ndjson, parquet or arrow")
        })
    }

    /// The files, and the format that all of them have.
    pub(crate) fn files(&self, base: &Path) -> Result<(Vec<PathBuf>, Format), Fault> {
        let mut files = Vec::new();
        for path in &self.paths {
            files.extend(expand(base, path)?);
        }
        let first = files.first().ok_or_else(|| Fault::user("table.missing", "no path is given"))?;
        let format = self.format(first)?;
        for file in &files {
            let other = self.format(file)?;
            if other != format {
                let message = format!("the files have different formats: {} and {}", format.name(), other.name());
                return Err(Fault::user("table.format", message).help("read them in two steps and join them in SQL"));
            }
        }
        Ok((files, format))
    }

    /// The columns that the files have now.
    pub(crate) fn schema(&self, base: &Path) -> Result<SchemaRef, Fault> {
        let (files, format) = self.files(base)?;
        let first = files.into_iter().next().unwrap_or_default();
        schema_of(&FileRead { input: Input::File(first), format, options: self.options.clone() })
    }

    /// The table over the files as they are now. No row is read; texts without `schema:` are looked
    /// into for their columns.
    pub(crate) fn table(&self, base: &Path) -> Result<Table, Fault> {
        let (files, format) = self.files(base)?;
        let read =
            |path: &PathBuf| FileRead { input: Input::File(path.clone()), format, options: self.options.clone() };
        // Pinned first: a file that changes after this is noticed.
        let pinned = files.iter().map(|path| pin(path)).collect::<Result<Vec<_>, Fault>>()?;
        let first = files.first().cloned().unwrap_or_default();
        let schema = match &self.promised {
            Some(promised) if format.is_text() => promised.clone(),
            Some(promised) => {
                let found = schema_of(&read(&first))?;
                match mismatch(promised, &found) {
                    Some(message) => {
                        return Err(Fault::user("table.schema", format!("`{}`: {message}", first.display()))
                            .help("mend `schema:`, or the program that writes the file"));
                    }
                    None => promised.clone(),
                }
            }
            None => schema_of(&read(&first))?,
        };
        let rows = files.iter().map(|path| known_rows(&read(path))).sum();
        let options = serde_json::to_value(&self.options)
            .map_err(|e| Fault::internal("table.format", format!("options of a scan: {e}")))?;
        let scan = Scan { format: format.name().to_owned(), files: pinned, options };
        Ok(Table { schema, rows, form: TableForm::Scan(Arc::new(scan)) })
    }
}

/// How a file's columns break what `schema:` promises.
pub(crate) fn mismatch(promised: &SchemaRef, found: &SchemaRef) -> Option<String> {
    promised.fields().iter().find_map(|field| match found.field_with_name(field.name()) {
        Err(_) => {
            let names: Vec<_> = found.fields().iter().take(24).map(|f| f.name().as_str()).collect();
            Some(format!("the column `{}` is missing; found are {}", field.name(), names.join(", ")))
        }
        Ok(column) => {
            let (is, should) = (Type::from_arrow(column.data_type()), Type::from_arrow(field.data_type()));
            let fits = is.fits(&should) || is == Type::Null || is == Type::Any;
            (!fits).then(|| format!("the column `{}` is {is}, not {should}", field.name()))
        }
    })
}

/// The table of a text in the pipeline.
pub(crate) fn inline_table(
    text: &str,
    format: Format,
    options: &ScanOptions,
    promised: Option<&SchemaRef>,
) -> Result<Table, Fault> {
    let file = FileRead { input: Input::Inline(text.into()), format, options: options.clone() };
    let schema = match promised {
        Some(schema) => schema.clone(),
        None => schema_of(&file)?,
    };
    let mut batches = Vec::new();
    read_into(&file, &schema, &schema, &mut |batch| {
        batches.push(batch);
        ControlFlow::Continue(())
    })?;
    Ok(Table::with_schema(schema, batches))
}
