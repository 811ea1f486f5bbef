use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use millwork_engine::model::Fault;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::partition::split;
use crate::formats::{Compression, Format, TableWriter};

/// What happens to what is at the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// One file takes the place of what was there.
    #[default]
    Overwrite,
    /// The folder gets a file more; with `partition_by`, each partition with rows does.
    Append,
    /// Each partition with rows is replaced, and others stay: equal runs leave equal folders.
    Partitions,
}

/// Where and how rows are written.
#[derive(Debug, Clone)]
pub(crate) struct Saving {
    /// The file or folder.
    pub(crate) target: PathBuf,
    pub(crate) format: Format,
    pub(crate) compression: Compression,
    pub(crate) mode: Mode,
    pub(crate) by: Vec<String>,
    /// The attempt's key in short: files of another attempt at the same work are replaced.
    pub(crate) key: String,
}

/// What was written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Saved {
    /// The files with their lengths in bytes, in order.
    pub(crate) files: Vec<(PathBuf, u64)>,
    pub(crate) rows: u64,
}

/// Writes batches as they come. Nothing is visible under its final name before [`Saver::finish`].
pub(crate) struct Saver {
    saving: Saving,
    schema: SchemaRef,
    writers: BTreeMap<PathBuf, TableWriter>,
    rows: u64,
}

impl Saving {
    pub(crate) fn start(self, schema: &SchemaRef) -> Result<Saver, Fault> {
        for name in &self.by {
            schema.index_of(name).map_err(|_| {
                Fault::user("table.column", format!("the table has no column `{name}` to partition by"))
            })?;
        }
        Ok(Saver { saving: self, schema: schema.clone(), writers: BTreeMap::new(), rows: 0 })
    }

    fn part_name(&self) -> String {
        let zipped = if self.format.is_text() { self.compression.extension() } else { "" };
        format!("part-{}-0.{}{zipped}", self.key, self.format.name())
    }
}

impl Saver {
    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<(), Fault> {
        self.rows += batch.num_rows() as u64;
        match self.saving.mode {
            Mode::Overwrite => self.writer(self.saving.target.clone())?.write(batch),
            Mode::Append if self.saving.by.is_empty() => {
                self.writer(self.saving.target.join(self.saving.part_name()))?.write(batch)
            }
            Mode::Append | Mode::Partitions => {
                for (folder, rows) in split(batch, &self.saving.by)? {
                    let target = self.saving.target.join(folder).join(self.saving.part_name());
                    self.writer(target)?.write(&rows)?;
                }
                Ok(())
            }
        }
    }

    fn writer(&mut self, target: PathBuf) -> Result<&mut TableWriter, Fault> {
        match self.writers.entry(target) {
            std::collections::btree_map::Entry::Occupied(entry) => Ok(entry.into_mut()),
            std::collections::btree_map::Entry::Vacant(entry) => {
                let Saving { key, format, compression, .. } = &self.saving;
                let writer = TableWriter::create(entry.key(), key, &self.schema, *format, *compression)?;
                Ok(entry.insert(writer))
            }
        }
    }

    /// Puts every file in its place, and removes those that an earlier attempt at the same work left
    /// where this one has none.
    pub(crate) fn finish(mut self) -> Result<Saved, Fault> {
        if self.rows == 0 {
            match self.saving.mode {
                Mode::Overwrite => {
                    self.writer(self.saving.target.clone())?;
                }
                Mode::Append if self.saving.by.is_empty() => {
                    self.writer(self.saving.target.join(self.saving.part_name()))?;
                }
                Mode::Append | Mode::Partitions => {}
            }
        }
        let mut saved = Saved { files: Vec::new(), rows: self.rows };
        for (target, writer) in std::mem::take(&mut self.writers) {
            let bytes = writer.finish()?;
            saved.files.push((target, bytes));
        }
        if !self.saving.by.is_empty() {
            remove_strays(&self.saving.target, &self.saving.part_name(), &saved)?;
        }
        if self.saving.mode == Mode::Partitions {
            saved.files.iter().try_for_each(|(file, _)| remove_older(file))?;
        }
        Ok(saved)
    }
}

impl Drop for Saver {
    fn drop(&mut self) {
        for (_, writer) in std::mem::take(&mut self.writers) {
            writer.abandon();
        }
    }
}

/// Removes what other runs wrote into the partition of this file. It comes after the new file, so that a crash
/// between leaves rows too many until the next attempt, and never too few.
fn remove_older(file: &Path) -> Result<(), Fault> {
    let folder = file.parent().unwrap_or(Path::new("."));
    let failed = |e: std::io::Error| Fault::external("table.unwritable", format!("`{}`: {e}", folder.display()));
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let ours = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("part-"));
        if ours && path != file && path.is_file() {
            fs::remove_file(&path).map_err(failed)?;
        }
    }
    Ok(())
}

/// Removes files that an earlier attempt at the same work left where this one has none.
fn remove_strays(folder: &Path, name: &str, saved: &Saved) -> Result<(), Fault> {
    let failed = |e: std::io::Error| Fault::external("table.unwritable", format!("`{}`: {e}", folder.display()));
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(failed(e)),
    };
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        if path.is_dir() {
            remove_strays(&path, name, saved)?;
        } else if path.file_name().is_some_and(|n| n == name) && !saved.files.iter().any(|(file, _)| *file == path) {
            fs::remove_file(&path).map_err(failed)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        formats::ScanOptions,
        read::{Reading, inline_table},
    };

    fn saving(target: PathBuf, mode: Mode, key: &str) -> Saving {
        let by = if mode == Mode::Partitions { vec!["k".to_owned()] } else { Vec::new() };
        Saving { target, format: Format::Parquet, compression: Compression::Zst, mode, by, key: key.to_owned() }
    }

    fn save(saving: Saving, csv: &str) -> Saved {
        let table = inline_table(csv, Format::Csv, &ScanOptions::default(), None).expect("a table");
        let mut saver = saving.start(&table.schema).expect("starts");
        for batch in table.batches().expect("in memory").iter() {
            saver.write(batch).expect("written");
        }
        saver.finish().expect("finished")
    }

    fn rows_under(folder: &Path) -> u64 {
        let reading = Reading {
            paths: vec!["**/*.parquet".to_owned()],
            format: None,
            options: ScanOptions::default(),
            promised: None,
        };
        reading.table(folder).expect("readable").rows.expect("known")
    }

    #[test]
    fn a_retried_append_does_not_double() {
        let folder = tempfile::tempdir().expect("a folder");
        let target = folder.path().join("log");
        for (key, expected) in [("a1", 2), ("a1", 2), ("b2", 4), ("a1", 4)] {
            save(saving(target.clone(), Mode::Append, key), "k,v\nx,1\ny,2\n");
            assert_eq!(rows_under(&target), expected, "after {key}");
        }
    }

    #[test]
    fn a_partition_with_rows_is_replaced_and_others_stay() {
        let folder = tempfile::tempdir().expect("a folder");
        let target = folder.path().join("parts");
        let first = save(saving(target.clone(), Mode::Partitions, "a1"), "k,v\nx,1\ny,2\ny,3\n");
        assert_eq!((first.files.len(), first.rows), (2, 3));
        fs::write(target.join("k=x/notes.txt"), "of somebody else").expect("a file");
        save(saving(target.clone(), Mode::Partitions, "b2"), "k,v\nx,9\nx,8\n");
        assert_eq!(rows_under(&target), 4, "x is replaced, y stays");
        assert!(target.join("k=x/notes.txt").exists());
        save(saving(target.clone(), Mode::Partitions, "a1"), "k,v\nx,1\n");
        assert_eq!(rows_under(&target), 1, "a second attempt at the first work has no row for y");
        let mut appended = saving(target.clone(), Mode::Append, "c3");
        appended.by = vec!["k".to_owned()];
        for _ in 0..2 {
            save(appended.clone(), "k,v\nx,2\nz,2\n");
            assert_eq!(rows_under(&target), 3, "each partition gets a file more, once");
        }
    }

    #[test]
    fn every_column_may_be_a_partition_and_all_come_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut both = saving(folder.path().join("parts"), Mode::Partitions, "a1");
        both.by = vec!["k".to_owned(), "v".to_owned()];
        save(both, "k,v\nx,1\nx,2\n");
        let reading = Reading {
            paths: vec!["parts/**/*.parquet".to_owned()],
            format: None,
            options: ScanOptions::default(),
            promised: None,
        };
        let table = reading.table(folder.path()).expect("readable");
        let names: Vec<_> = table.schema.fields().iter().map(|field| field.name().as_str()).collect();
        assert_eq!((names, table.rows), (vec!["k", "v"], Some(2)));
    }

    #[test]
    fn every_format_gives_back_what_was_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let csv = "name,n,x,ok,day\nÉa,1,0.5,true,2013-01-09\n,,,,\n\"q,\"\"q\"\"\",-3,2,false,2014-12-31\n";
        let table = inline_table(csv, Format::Csv, &ScanOptions::default(), None).expect("a table");
        let batches = table.batches().expect("in memory");
        for (format, compression) in
            Format::ALL.into_iter().flat_map(|f| [Compression::None, Compression::Gz, Compression::Zst].map(|c| (f, c)))
        {
            let zipped = if format.is_text() { compression.extension() } else { "" };
            let name = format!("t.{}{zipped}", format.name());
            let saving = Saving {
                target: folder.path().join(&name),
                format,
                compression,
                mode: Mode::Overwrite,
                by: Vec::new(),
                key: "k".to_owned(),
            };
            let mut saver = saving.start(&table.schema).expect("starts");
            batches.iter().for_each(|batch| saver.write(batch).expect("written"));
            saver.finish().expect("finished");
            let options = ScanOptions { compression: Format::of_path(&name).1, ..ScanOptions::default() };
            let reading =
                Reading { paths: vec![name.clone()], format: None, options, promised: Some(table.schema.clone()) };
            let back = reading.table(folder.path()).expect("a table");
            let millwork_engine::data::TableForm::Scan(scan) = &back.form else { panic!("a scan") };
            let mut read = Vec::new();
            for file in crate::formats::files_of(scan).expect("files") {
                crate::formats::read_into(&file, &back.schema, &back.schema, &mut |batch| {
                    read.push(batch);
                    std::ops::ControlFlow::Continue(())
                })
                .expect("read");
            }
            assert_eq!(&read, batches.as_ref(), "{name}");
        }
    }

    #[test]
    fn an_abandoned_file_leaves_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let table = inline_table("k\n1\n", Format::Csv, &ScanOptions::default(), None).expect("a table");
        let mut saver =
            saving(folder.path().join("a.parquet"), Mode::Overwrite, "k").start(&table.schema).expect("starts");
        saver.write(&table.batches().expect("in memory")[0]).expect("written");
        drop(saver);
        assert_eq!(fs::read_dir(folder.path()).expect("listed").count(), 0);
    }
}
