use std::{path::Path, sync::Arc};

use async_trait::async_trait;
use indexmap::IndexMap;
use millwork_engine::{
    data::{FileRef, Table, Type, Value},
    diag::{Code, Diagnostic},
    model::Fault,
    spec::Access,
    step::{
        CheckContext, Effect, InputTypes, Ports, Resolved, Services, Step, StepContext, StepEnd, StepKind, StepOutput,
    },
};
use serde_json::{Value as Json, json};

use super::{
    chart::{Drawing, draw},
    config::{Chart, ReportConfig},
    page::{DEFAULT, figure, flaw, records, render, table_json},
};
use crate::{formats::blocking, permit::not_permitted};

/// Rows of a table that a chart or a template sees at most.
const MOST_ROWS: u64 = 2_000_000;
const MOST_TEMPLATE_ROWS: u64 = 10_000;
const SHOWN_ROWS: u32 = 20;

/// The kind `report`.
#[derive(Debug)]
pub struct Report;

impl StepKind for Report {
    type Config = ReportConfig;
    const NAME: &'static str = "report";
    const VERSION: u32 = 1;
    const EFFECT: Effect = Effect::Idempotent;
    const SUMMARY: &'static str = "Writes an HTML page with figures, tables and charts that needs nothing else.";
    const EXAMPLE: &'static str = r#"version: 1
name: report_example
steps:
  - id: delays
    uses: table.read
    with: {inline: "carrier,delay\nUA,3.5\nB6,9.1\nDL,1.6\n"}
  - id: page
    uses: report
    with:
      title: Delays by carrier
      path: out/report.html
      sections:
        - text: Average arrival delay in minutes.
          table: "${{ steps.delays.outputs.table }}"
      charts:
        - {kind: bar, table: "${{ steps.delays.outputs.table }}", x: carrier, y: delay, unit: min}
"#;

    fn ports(config: &ReportConfig, inputs: &InputTypes, _: &CheckContext<'_>) -> Result<Ports, Vec<Diagnostic>> {
        let charts = config.charts.iter().chain(config.sections.iter().filter_map(|s| s.chart.as_ref()));
        let mut problems = Vec::new();
        for chart in charts {
            if let Some(Type::Table(table)) = inputs.fields.get(&chart.table.span().start).map(Type::required)
                && let Some(schema) = &table.schema
            {
                let unknown = chart.columns().into_iter().filter(|name| schema.index_of(name).is_err());
                problems.extend(unknown.map(|name| {
                    Diagnostic::new(Code::ExpectColumn, name.span, format!("the table has no column `{}`", name.value))
                        .did_you_mean(name, schema.fields().iter().map(|f| f.name().as_str()))
                }));
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Ports::none().output("file", Type::File, "the page").output("path", Type::String, "the path of the page"))
    }

    fn check(config: &ReportConfig, cx: &CheckContext<'_>) -> Vec<Diagnostic> {
        let mut problems: Vec<_> = not_permitted(&config.path, Access::Write, cx).into_iter().collect();
        problems.extend(config.template_file.as_ref().and_then(|path| not_permitted(path, Access::Read, cx)));
        if let Some(template) = &config.template
            && let Some((line, why)) = flaw(template)
        {
            let start = template.split_inclusive('\n').take(line.unwrap_or(1).saturating_sub(1)).map(str::len).sum();
            let end = template[start..].find('\n').map_or(template.len(), |end| start + end);
            problems.push(Diagnostic::new(Code::ReportTemplate, template.part(start, end), why));
        }
        if let (Some(_), Some(file)) = (&config.template, &config.template_file) {
            problems.push(
                Diagnostic::new(Code::TableOption, file.span(), "`template` and `template_file` are both given")
                    .help("keep one of them"),
            );
        }
        let charts = config.charts.iter().chain(config.sections.iter().filter_map(|s| s.chart.as_ref()));
        for chart in charts {
            use super::config::ChartKind::{Bar, Heatmap, Line};
            let message = match chart.kind {
                Bar | Line | Heatmap if chart.y.is_none() => "the chart needs `y`",
                Heatmap if chart.value.is_none() => "a heat map needs `value`, the column of its values",
                _ => continue,
            };
            problems.push(Diagnostic::new(Code::TableOption, chart.x.span, message));
        }
        problems
    }

    fn build(config: Resolved<'_, ReportConfig>, _: &Services) -> Result<Box<dyn Step>, Fault> {
        let inner = config.config();
        let sections = inner.sections.iter().map(|section| {
            Ok(Part {
                title: config.get_opt(&section.title)?,
                text: config.get_opt(&section.text)?,
                table: config.get_opt(&section.table)?,
                rows: section.rows.unwrap_or(SHOWN_ROWS),
                chart: section.chart.as_ref().map(|chart| resolve(chart, &config)).transpose()?,
            })
        });
        let data = inner.data.iter().map(|(name, field)| Ok((name.clone(), config.get(field)?)));
        Ok(Box::new(ReportStep {
            path: config.get(&inner.path)?,
            title: config.get_opt(&inner.title)?.unwrap_or_else(|| "Report".to_owned()),
            subtitle: config.get_opt(&inner.subtitle)?,
            sections: sections.collect::<Result<_, Fault>>()?,
            charts: inner.charts.iter().map(|c| resolve(c, &config)).collect::<Result<_, Fault>>()?,
            data: data.collect::<Result<_, Fault>>()?,
            template: inner.template.as_ref().map(|t| t.value.clone()),
            template_file: config.get_opt(&inner.template_file)?,
        }))
    }
}

fn resolve(chart: &Chart, config: &Resolved<'_, ReportConfig>) -> Result<(Drawing, Table), Fault> {
    let name = |field: &Option<millwork_engine::step::Located<String>>| field.as_ref().map(|f| f.value.clone());
    let drawing = Drawing {
        kind: chart.kind,
        title: config.get_opt(&chart.title)?.unwrap_or_default(),
        x: chart.x.value.clone(),
        y: name(&chart.y),
        value: name(&chart.value),
        series: name(&chart.series),
        unit: chart.unit.clone().unwrap_or_default(),
    };
    Ok((drawing, config.get(&chart.table)?))
}

struct Part {
    title: Option<String>,
    text: Option<String>,
    table: Option<Table>,
    rows: u32,
    chart: Option<(Drawing, Table)>,
}

struct ReportStep {
    path: String,
    title: String,
    subtitle: Option<String>,
    sections: Vec<Part>,
    charts: Vec<(Drawing, Table)>,
    data: IndexMap<String, Value>,
    template: Option<String>,
    template_file: Option<String>,
}

#[async_trait]
impl Step for ReportStep {
    async fn run(self: Box<Self>, cx: StepContext) -> Result<StepEnd, Fault> {
        let mut sections = Vec::new();
        for part in &self.sections {
            let text = part.text.as_deref().unwrap_or_default();
            let paragraphs: Vec<_> = text.split("\n\n").map(str::trim).filter(|p| !p.is_empty()).collect();
            let table = match &part.table {
                Some(table) => Some(shown_table(&cx, table, part.rows).await?),
                None => None,
            };
            let chart = match &part.chart {
                Some(chart) => Some(drawn(&cx, chart).await?),
                None => None,
            };
            sections.push(json!({"title": part.title, "paragraphs": paragraphs, "table": table, "chart": chart}));
        }
        let mut charts = Vec::new();
        for chart in &self.charts {
            charts.push(drawn(&cx, chart).await?);
        }
        let (mut figures, mut tables, mut data) = (Vec::new(), Vec::new(), serde_json::Map::new());
        for (name, value) in &self.data {
            let label = name.replace('_', " ");
            if let Value::Table(table) = value {
                let batches = cx.tables.read(table, None, Some(MOST_TEMPLATE_ROWS)).await?;
                data.insert(name.clone(), records(&table_json(&batches, None)?));
                let mut shown = shown_table(&cx, table, SHOWN_ROWS).await?;
                shown["name"] = json!(label);
                tables.push(shown);
            } else {
                figures.push(json!({"name": label, "value": figure(value)}));
                data.insert(name.clone(), millwork_engine::data::plain(value));
            }
        }
        let context = json!({
            "title": self.title, "subtitle": self.subtitle, "sections": sections, "charts": charts,
            "figures": figures, "tables": tables, "data": data,
            "generated": format!("Made by Millwork, {}", cx.started_at.to_datetime().format("%-d %B %Y, %H:%M UTC")),
        });
        let template = match (&self.template, &self.template_file) {
            (Some(text), _) => text.clone(),
            (None, Some(path)) => {
                let full = cx.base.join(path);
                cx.permit(&full, Access::Read)?;
                tokio::fs::read_to_string(&full).await.map_err(|e| {
                    Fault::user("report.template", format!("the template `{}` cannot be read: {e}", full.display()))
                })?
            }
            (None, None) => DEFAULT.to_owned(),
        };
        let target = cx.base.join(&self.path);
        cx.permit(&target, Access::Write)?;
        let (name, unique) = (target.clone(), cx.key.short());
        let bytes = blocking(move || {
            let page = render(&template, &context)?;
            save(&name, &unique, page.as_bytes())
        })
        .await?;
        let path = target.to_string_lossy().into_owned();
        let file = FileRef { path: path.clone(), artifact: None, media_type: Some("text/html".to_owned()), bytes };
        Ok(StepOutput::none().value("file", Value::File(Arc::new(file))).value("path", path).note(self.path).into())
    }
}

async fn shown_table(cx: &StepContext, table: &Table, rows: u32) -> Result<Json, Fault> {
    let total = cx.tables.count(table).await?;
    let batches = cx.tables.read(table, None, Some(u64::from(rows))).await?;
    table_json(&batches, Some(total))
}

async fn drawn(cx: &StepContext, (drawing, table): &(Drawing, Table)) -> Result<Json, Fault> {
    let mut names = vec![drawing.x.clone()];
    names.extend([&drawing.y, &drawing.value, &drawing.series].into_iter().flatten().cloned());
    names.sort();
    names.dedup();
    let batches = cx.tables.read(table, Some(&names), Some(MOST_ROWS)).await?;
    Ok(json!({"title": drawing.title, "svg": draw(drawing, &batches)?}))
}

/// Writes the page under another name, makes it durable, and renames it.
fn save(target: &Path, unique: &str, bytes: &[u8]) -> Result<u64, Fault> {
    let failed = |e: std::io::Error| {
        Fault::external("report.unwritable", format!("`{}` cannot be written: {e}", target.display()))
    };
    let folder = target.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(failed)?;
    let temporary = folder.join(format!(".report.{unique}.tmp"));
    std::fs::write(&temporary, bytes).map_err(failed)?;
    std::fs::File::open(&temporary).and_then(|f| f.sync_all()).map_err(failed)?;
    std::fs::rename(&temporary, target).map_err(failed)?;
    std::fs::File::open(folder).and_then(|f| f.sync_all()).map_err(failed)?;
    Ok(bytes.len() as u64)
}
