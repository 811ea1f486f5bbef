use std::{
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::Arc,
};

use arrow::datatypes::SchemaRef;
use millwork_engine::{
    data::{Scan, Table, TableForm},
    model::Fault,
};

use super::columns::{Columns, Trouble, lacking};
use crate::formats::{FileRead, Format, Input, ScanOptions, Union, about, csv_names, expand, pin, read_into, unfit};

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

    /// The columns that the table over the files as they are now would have.
    pub(crate) fn schema(&self, base: &Path) -> Result<SchemaRef, Trouble> {
        let (files, format) = self.files(base).map_err(Trouble::File)?;
        Ok(self.columns(&files, format, true)?.schema)
    }

    /// The table over the files as they are now. No row is read; texts without `schema:` are looked
    /// into for their columns.
    pub(crate) fn table(&self, base: &Path) -> Result<Table, Fault> {
        let (files, format) = self.files(base)?;
        // Pinned first: a file that changes after this is noticed.
        let pinned = files.iter().map(|path| pin(path)).collect::<Result<Vec<_>, Fault>>()?;
        let Columns { schema, rows, checked } = self.columns(&files, format, false).map_err(Trouble::fault)?;
        let options = ScanOptions { checked, ..self.options.clone() };
        let options = serde_json::to_value(&options)
            .map_err(|e| Fault::internal("table.format", format!("options of a scan: {e}")))?;
        let scan = Scan { format: format.name().to_owned(), files: pinned, options };
        Ok(Table { schema, rows, form: TableForm::Scan(Arc::new(scan)) })
    }
}

/// The table of a text in the pipeline.
pub(crate) fn inline_table(
    text: &str,
    format: Format,
    options: &ScanOptions,
    promised: Option<&SchemaRef>,
) -> Result<Table, Fault> {
    let file = FileRead { input: Input::Inline(text.into()), format, options: options.clone() };
    let name = file.input.name();
    let schema = match promised {
        Some(schema) => {
            if format == Format::Csv
                && let Some(why) = lacking(schema, &csv_names(&file, schema)?.into_iter().collect())
            {
                return Err(unfit(format!("{name}: {why}")).help("mend `schema:`, or the first line of the table"));
            }
            schema.clone()
        }
        None => {
            let mut union = Union::new(format);
            union.add(&name, &about(&file, usize::MAX)?.schema)?;
            union.schema()
        }
    };
    let mut batches = Vec::new();
    read_into(&file, &schema, &schema, &mut |batch| {
        batches.push(batch);
        ControlFlow::Continue(())
    })?;
    Ok(Table::with_schema(schema, batches))
}
