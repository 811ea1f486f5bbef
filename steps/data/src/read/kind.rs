use std::sync::Arc;

use async_trait::async_trait;
use millwork_engine::{
    data::{Table, Type},
    diag::{Code, Diagnostic, Span},
    model::Fault,
    spec::Access,
    step::{
        CheckContext, Effect, InputTypes, Ports, Resolved, Services, Step, StepContext, StepEnd, StepKind, StepOutput,
    },
};

use super::{
    columns::Trouble,
    config::TableReadConfig,
    load::{Reading, inline_table},
};
use crate::{
    formats::{Format, blocking},
    permit::not_permitted,
};

/// The kind `table.read`.
#[derive(Debug)]
pub struct TableRead;

impl TableReadConfig {
    fn reading(&self, paths: Vec<String>) -> Result<Reading, Vec<Diagnostic>> {
        let options = self.options(paths.first().map(String::as_str))?;
        Ok(Reading { format: self.format, options, promised: self.promised()?, paths })
    }

    /// Where the columns are said: in `schema:`, or else by the paths.
    fn columns_span(&self) -> Span {
        let promised = self.schema.values().map(|written| written.span).reduce(Span::to);
        promised.or(self.path.iter().map(|path| path.span()).reduce(Span::to)).unwrap_or_default()
    }

    fn literal_paths(&self) -> Option<Vec<String>> {
        self.path.iter().map(|path| path.literal()).collect()
    }
}

impl StepKind for TableRead {
    type Config = TableReadConfig;
    const NAME: &'static str = "table.read";
    const VERSION: u32 = 1;
    // What it gives depends on files, which other steps may write.
    const EFFECT: Effect = Effect::Idempotent;
    const SUMMARY: &'static str = "Reads csv, JSON, Parquet or Arrow files as one table, lazily.";
    const EXAMPLE: &'static str = r"version: 1
name: read_example
steps:
  - id: airlines
    uses: table.read
    with:
      inline: |
        carrier,name
        UA,United Air Lines Inc.
        B6,JetBlue Airways
      schema: {carrier: string, name: string}
";

    fn ports(config: &TableReadConfig, _: &InputTypes, cx: &CheckContext<'_>) -> Result<Ports, Vec<Diagnostic>> {
        let promised = config.promised()?;
        let place = |span: Span, fault: &Fault| {
            // Files as they are written in the pipeline.
            let message = fault.message.replace(&format!("{}/", cx.base.display()), "");
            let diagnostic = Diagnostic::new(Code::TableSchema, span, message);
            match &fault.help {
                Some(help) => diagnostic.help(help.clone()),
                None => diagnostic,
            }
        };
        let found = if let Some(inline) = &config.inline {
            let format = config.format.unwrap_or(Format::Csv);
            let table = inline_table(inline, format, &config.options(None)?, promised.as_ref());
            Some(table.map_err(|fault| vec![place(inline.span, &fault)])?.schema)
        } else if let Some(paths) = config.literal_paths()
            && cx.may_look()
        {
            match config.reading(paths)?.schema(cx.base) {
                Ok(schema) => Some(schema),
                Err(Trouble::Columns(fault)) => return Err(vec![place(config.columns_span(), &fault)]),
                // A file that is not there yet may be written by a step before.
                Err(Trouble::File(_)) => None,
            }
        } else {
            None
        };
        let ty = promised.or(found).map_or_else(Type::any_table, Type::table);
        Ok(Ports::none().output("table", ty, "the rows of the files, in order"))
    }

    fn check(config: &TableReadConfig, cx: &CheckContext<'_>) -> Vec<Diagnostic> {
        let mut problems: Vec<_> =
            config.path.iter().filter_map(|path| not_permitted(path, Access::Read, cx)).collect();
        let place = config.path.first().map(|path| path.span()).or(config.inline.as_ref().map(|text| text.span));
        if config.path.is_empty() == config.inline.is_none() {
            let message =
                if config.inline.is_none() { "nothing to read is given" } else { "`path` and `inline` are both given" };
            problems.push(
                Diagnostic::new(Code::TableOption, place.unwrap_or_default(), message)
                    .help("give `path:`, such as `path: data/*.parquet`, or the rows themselves in `inline:`"),
            );
        }
        for path in config.path.iter() {
            if let Some(written) = path.literal()
                && config.format.is_none()
                && Format::of_path(&written).0.is_none()
            {
                problems.push(
                    Diagnostic::new(Code::TableOption, path.span(), "the extension of the path tells no format")
                        .help("say it with `format:`: csv, json, ndjson, parquet or arrow"),
                );
            }
        }
        problems
    }

    fn build(config: Resolved<'_, TableReadConfig>, _: &Services) -> Result<Box<dyn Step>, Fault> {
        let told = |problems: Vec<Diagnostic>| {
            let message = problems.first().map_or("the configuration is wrong", |p| p.message.as_str());
            Fault::user("table.option", message)
        };
        let inner = config.config();
        if let Some(text) = &inner.inline {
            let promised = inner.promised().map_err(told)?;
            let options = inner.options(None).map_err(told)?;
            let table = inline_table(text, inner.format.unwrap_or(Format::Csv), &options, promised.as_ref())?;
            return Ok(Box::new(ReadStep::Inline(table)));
        }
        let paths = inner.path.iter().map(|path| config.get(path)).collect::<Result<Vec<_>, Fault>>()?;
        Ok(Box::new(ReadStep::Files(Arc::new(inner.reading(paths).map_err(told)?))))
    }
}

enum ReadStep {
    Inline(Table),
    Files(Arc<Reading>),
}

#[async_trait]
impl Step for ReadStep {
    async fn run(self: Box<Self>, cx: StepContext) -> Result<StepEnd, Fault> {
        let table = match *self {
            Self::Inline(table) => table,
            Self::Files(reading) => {
                let base = cx.base.clone();
                blocking(move || {
                    for file in reading.files(&base)?.0 {
                        cx.permit(&file, Access::Read)?;
                    }
                    reading.table(&base)
                })
                .await?
            }
        };
        let mut output = StepOutput::none();
        output.rows = table.rows;
        Ok(output.value("table", table).into())
    }
}
