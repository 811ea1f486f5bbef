use std::sync::Arc;

use async_trait::async_trait;
use millwork_engine::{
    data::{FileRef, Table, TableForm, Type, Value},
    diag::{Code, Diagnostic},
    model::Fault,
    spec::Access,
    step::{
        CheckContext, Effect, InputTypes, Ports, Resolved, Services, Step, StepContext, StepEnd, StepKind, StepOutput,
    },
};

use super::{
    config::TableWriteConfig,
    save::{Mode, Saved, Saver, Saving},
};
use crate::{
    formats::{Compression, Format, blocking, check_pin, files_of, read_into},
    permit::not_permitted,
};

/// The kind `table.write`.
#[derive(Debug)]
pub struct TableWrite;

impl StepKind for TableWrite {
    type Config = TableWriteConfig;
    const NAME: &'static str = "table.write";
    const VERSION: u32 = 1;
    const EFFECT: Effect = Effect::Idempotent;
    const SUMMARY: &'static str = "Writes a table as csv, JSON, Parquet or Arrow: one file, one more, or partitions.";
    const EXAMPLE: &'static str = r#"version: 1
name: write_example
steps:
  - id: rows
    uses: table.read
    with: {inline: "carrier,delay\nUA,3\nB6,5\n"}
  - id: saved
    uses: table.write
    with: {table: "${{ steps.rows.outputs.table }}", path: out/delays.csv}
"#;

    fn ports(config: &TableWriteConfig, inputs: &InputTypes, _: &CheckContext<'_>) -> Result<Ports, Vec<Diagnostic>> {
        if let Some(Type::Table(table)) = inputs.fields.get(&config.table.span().start).map(Type::required)
            && let Some(schema) = &table.schema
        {
            let unknown = config.partition_by.iter().filter(|name| schema.index_of(name).is_err());
            let unknown = unknown.map(|name| {
                Diagnostic::new(Code::ExpectColumn, name.span, format!("the table has no column `{}`", name.value))
                    .did_you_mean(name, schema.fields().iter().map(|f| f.name().as_str()))
            });
            let unknown: Vec<_> = unknown.collect();
            if !unknown.is_empty() {
                return Err(unknown);
            }
        }
        Ok(Ports::none()
            .output("file", Type::File.optional(), "the file, if just one was written")
            .output("files", Type::list(Type::File), "the files")
            .output("paths", Type::list(Type::String), "the paths of the files")
            .output("rows", Type::Int, "rows written"))
    }

    fn check(config: &TableWriteConfig, cx: &CheckContext<'_>) -> Vec<Diagnostic> {
        let mut problems: Vec<_> = not_permitted(&config.path, Access::Write, cx).into_iter().collect();
        let mut refuse = |message: &str, help: &str| {
            problems.push(Diagnostic::new(Code::TableOption, config.path.span(), message).help(help));
        };
        let partitions = config.mode == Mode::Partitions;
        if partitions && config.partition_by.is_empty() {
            refuse("`mode: partitions` needs to know by what", "name the columns: `partition_by: [origin]`");
        }
        if config.mode == Mode::Overwrite && !config.partition_by.is_empty() {
            refuse(
                "`partition_by` has no meaning for one file",
                "add `mode: partitions` to replace the partitions that have rows, or `mode: append` to add to them",
            );
        }
        if let Some(path) = config.path.literal()
            && config.mode == Mode::Overwrite
            && config.format.is_none()
            && Format::of_path(&path).0.is_none()
        {
            refuse(
                "the extension of the path tells no format",
                "say it with `format:`: csv, json, ndjson, parquet or arrow",
            );
        }
        problems
    }

    fn build(config: Resolved<'_, TableWriteConfig>, _: &Services) -> Result<Box<dyn Step>, Fault> {
        let path = config.get(&config.path)?;
        let (by_name, zipped) = Format::of_path(&path);
        let format = match (config.format.or(by_name), config.mode) {
            (Some(format), _) => format,
            (None, Mode::Append | Mode::Partitions) => Format::Parquet,
            (None, Mode::Overwrite) => {
                return Err(Fault::user("table.format", format!("the extension of `{path}` tells no format"))
                    .help("say it with `format:`: csv, json, ndjson, parquet or arrow"));
            }
        };
        let compression = config.compression.unwrap_or(zipped);
        let by = config.partition_by.iter().map(|name| name.value.clone()).collect();
        Ok(Box::new(WriteStep { table: config.get(&config.table)?, path, format, compression, mode: config.mode, by }))
    }
}

struct WriteStep {
    table: Table,
    path: String,
    format: Format,
    compression: Compression,
    mode: Mode,
    by: Vec<String>,
}

#[async_trait]
impl Step for WriteStep {
    async fn run(self: Box<Self>, cx: StepContext) -> Result<StepEnd, Fault> {
        let target = cx.base.join(&self.path);
        cx.permit(&target, Access::Write)?;
        let saving = Saving {
            target,
            format: self.format,
            compression: self.compression,
            mode: self.mode,
            by: self.by,
            key: cx.key.short(),
        };
        let table = self.table;
        let saved = match &table.form {
            TableForm::Scan(_) => {
                let cancel = cx.cancel.clone();
                let progress = cx.progress.clone();
                blocking(move || {
                    save_files(&table, saving, &|rows| {
                        progress.add(rows);
                        cancel.is_cancelled()
                    })
                })
                .await?
            }
            TableForm::Batches(_) | TableForm::Kept(_) => {
                let batches = cx.tables.read(&table, None, None).await?;
                let cancel = cx.cancel.clone();
                let progress = cx.progress.clone();
                blocking(move || {
                    let mut saver = saving.start(&table.schema)?;
                    for batch in &batches {
                        if cancel.is_cancelled() {
                            return Err(Fault::cancelled());
                        }
                        saver.write(batch)?;
                        progress.add(batch.num_rows() as u64);
                    }
                    saver.finish()
                })
                .await?
            }
        };
        Ok(outputs(&saved).into())
    }
}

/// Copies files through without holding them in memory. `seen` says whether to stop.
fn save_files(table: &Table, saving: Saving, seen: &dyn Fn(u64) -> bool) -> Result<Saved, Fault> {
    let TableForm::Scan(scan) = &table.form else { return Ok(Saved::default()) };
    let mut saver: Saver = saving.start(&table.schema)?;
    for (file, pinned) in files_of(scan)?.iter().zip(&scan.files) {
        check_pin(pinned)?;
        let mut failed = None;
        read_into(file, &table.schema, &table.schema, &mut |batch| {
            if seen(batch.num_rows() as u64) {
                failed = Some(Fault::cancelled());
            } else if let Err(fault) = saver.write(&batch) {
                failed = Some(fault);
            }
            if failed.is_some() { std::ops::ControlFlow::Break(()) } else { std::ops::ControlFlow::Continue(()) }
        })?;
        if let Some(fault) = failed {
            return Err(fault);
        }
        check_pin(pinned)?;
    }
    saver.finish()
}

fn outputs(saved: &Saved) -> StepOutput {
    let files: Vec<Value> = saved
        .files
        .iter()
        .map(|(path, bytes)| {
            Value::File(Arc::new(FileRef {
                path: path.to_string_lossy().into_owned(),
                artifact: None,
                media_type: None,
                bytes: *bytes,
            }))
        })
        .collect();
    let paths = saved.files.iter().map(|(path, _)| Value::string(path.to_string_lossy()));
    let one = if let [one] = files.as_slice() { one.clone() } else { Value::Null };
    StepOutput::none()
        .value("file", one)
        .value("paths", Value::list(paths))
        .value("files", Value::list(files))
        .value("rows", i64::try_from(saved.rows).unwrap_or(i64::MAX))
        .rows(saved.rows)
        .note(match saved.files.as_slice() {
            [(path, _)] => path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default(),
            many => format!("{} files", many.len()),
        })
}
