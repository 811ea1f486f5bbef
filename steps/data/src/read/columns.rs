use std::path::{Path, PathBuf};

use arrow::datatypes::{DataType, Schema, SchemaRef};
use indexmap::IndexSet;
use millwork_engine::{data::Type, model::Fault};

use super::load::Reading;
use crate::formats::{FileRead, Format, Input, Union, about, csv_names, once, shown, surely, unfit};

/// Rows that are looked at to guess the types of the columns of one text, and of all texts of a table.
const GUESS_ROWS: usize = 10_000;
const GUESS_ROWS_OF_ALL: usize = 1_000_000;
const GUESS_ROWS_AT_LEAST: usize = 100;

/// What the files of a table have together.
#[derive(Debug)]
pub(super) struct Columns {
    pub(super) schema: SchemaRef,
    /// Rows, where the files themselves tell.
    pub(super) rows: Option<u64>,
    /// Whether a value of a file may have no equal in the table's type.
    pub(super) checked: bool,
}

/// Why a table cannot be had.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The columns of the files do not fit each other, or what is promised.
    Columns(Fault),
    /// A file is missing or cannot be read.
    File(Fault),
}

impl Trouble {
    pub(super) fn fault(self) -> Fault {
        match self {
            Self::Columns(fault) | Self::File(fault) => fault,
        }
    }
}

/// Rows of each of so many files to guess from.
fn guess_rows(files: usize) -> usize {
    (GUESS_ROWS_OF_ALL / files.max(1)).clamp(GUESS_ROWS_AT_LEAST, GUESS_ROWS)
}

impl Reading {
    fn file(&self, path: &Path, format: Format) -> FileRead {
        FileRead { input: Input::File(path.to_owned()), format, options: self.options.clone() }
    }

    /// The columns that the files have. Of texts with promised columns only the names are looked at, with `thorough`
    /// their first rows too.
    pub(super) fn columns(&self, files: &[PathBuf], format: Format, thorough: bool) -> Result<Columns, Trouble> {
        match &self.promised {
            None => self.united(files, format),
            Some(promised) => self.kept(promised, files, format, thorough),
        }
    }

    /// The columns of all files by name; one that a file lacks is null there.
    fn united(&self, files: &[PathBuf], format: Format) -> Result<Columns, Trouble> {
        let mut union = Union::new(format);
        let mut schemas = Vec::with_capacity(files.len());
        let mut rows = Some(0);
        for path in files {
            let found = about(&self.file(path, format), guess_rows(files.len())).map_err(Trouble::File)?;
            union.add(&shown(path), &found.schema).map_err(Trouble::Columns)?;
            rows = sum(rows, found.rows);
            schemas.push(found.schema);
        }
        let schema = union.schema();
        // The readers of texts look at each value in any case.
        let checked = !format.is_text() && !schemas.iter().all(|file| surely(file, &schema));
        Ok(Columns { schema, rows, checked })
    }

    /// The promised columns, if each is in some file, and none has another type in a file that tells types.
    fn kept(
        &self,
        promised: &SchemaRef,
        files: &[PathBuf],
        format: Format,
        thorough: bool,
    ) -> Result<Columns, Trouble> {
        let (mut rows, mut checked) = (Some(0), false);
        let mut names: IndexSet<String> = IndexSet::new();
        let mut looked = false;
        for path in files {
            let file = self.file(path, format);
            if format == Format::Csv {
                let found = csv_names(&file, promised).map_err(Trouble::File)?;
                let wanted = |name: &str| promised.index_of(name).is_ok();
                once(format, &shown(path), found.iter().map(String::as_str), wanted).map_err(Trouble::Columns)?;
                names.extend(found);
                looked = true;
            }
            if format.is_text() && !thorough {
                rows = None;
                continue;
            }
            let found = about(&file, guess_rows(files.len())).map_err(Trouble::File)?;
            rows = sum(rows, found.rows);
            checked |= !format.is_text() && !surely(&found.schema, promised);
            // Without a header the columns of a csv have no names to find them by.
            if (format != Format::Csv || self.options.header)
                && let Some(why) = other_type(promised, &found.schema, format)
            {
                return Err(Trouble::Columns(broken(&format!("{}: {why}", shown(path)))));
            }
            if format != Format::Csv {
                // Rows of JSON may lack what is null, and a file may have no row.
                looked |= !format.is_text() || !found.schema.fields().is_empty();
                names.extend(found.schema.fields().iter().map(|field| field.name().clone()));
            }
        }
        if looked && let Some(why) = lacking(promised, &names) {
            let of = if let [only] = files { format!("{}: ", shown(only)) } else { String::new() };
            return Err(Trouble::Columns(broken(&format!("{of}{why}"))));
        }
        Ok(Columns { schema: promised.clone(), rows, checked })
    }
}

fn sum(a: Option<u64>, b: Option<u64>) -> Option<u64> {
    a.zip(b).map(|(a, b)| a + b)
}

/// The fault of files that are not as `schema:` says.
fn broken(why: &str) -> Fault {
    unfit(why).help(
        "correct `schema:`, or leave it out: the columns are then those of the files; or mend the program that writes \
         them",
    )
}

/// The first promised column that is not among the names.
pub(super) fn lacking(promised: &Schema, names: &IndexSet<String>) -> Option<String> {
    let field = promised.fields().iter().find(|field| !names.contains(field.name()))?;
    let found: Vec<_> = names.iter().take(24).map(String::as_str).collect();
    Some(format!("the column `{}` is missing; found are {}", field.name(), found.join(", ")))
}

/// The first promised column that a file has with a type whose values are not of the promised one.
fn other_type(promised: &Schema, found: &Schema, format: Format) -> Option<String> {
    promised.fields().iter().find_map(|field| {
        let column = found.field_with_name(field.name()).ok()?;
        let (is, should) = (Type::from_arrow(column.data_type()), Type::from_arrow(field.data_type()));
        let fits = *column.data_type() == DataType::Null
            || is == Type::Any
            || is.fits(&should)
            || format.is_text() && written(format, &is, &should);
        (!fits).then(|| format!("the column `{}` is {is}, not {should}", field.name()))
    })
}

/// Whether texts that look like `is` may be read as `should`; reading them tells in the end.
fn written(format: Format, is: &Type, should: &Type) -> bool {
    match (is, should) {
        (Type::Bool | Type::Int | Type::Float | Type::Date | Type::Timestamp, Type::String) => true,
        (Type::Date, Type::Timestamp) | (Type::Timestamp, Type::Date) | (Type::Int, Type::Duration) => true,
        // JSON has no types for these.
        (Type::Int, Type::Date | Type::Timestamp)
        | (Type::String, Type::Int | Type::Float | Type::Date | Type::Timestamp | Type::Duration | Type::Bytes) => {
            format != Format::Csv
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_files_are_looked_at_less() {
        let each = [0, 1, 100, 1_000, 1_000_000].map(guess_rows);
        assert_eq!(each, [10_000, 10_000, 10_000, 1_000, 100]);
    }
}
