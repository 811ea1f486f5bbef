//! Charts as SVG, each drawn twice: for a page's width and for a phone's.

mod bars;
mod frame;
mod heat;
mod histogram;
mod lines;

use arrow::array::RecordBatch;
use millwork_engine::model::Fault;

use super::{
    columns::{Column, Kind, column},
    config::ChartKind,
    number::shown,
    svg::{Anchor, Svg},
};

/// A chart to draw, its values resolved.
#[derive(Debug, Clone)]
pub(super) struct Drawing {
    pub(super) kind: ChartKind,
    pub(super) title: String,
    pub(super) x: String,
    pub(super) y: Option<String>,
    pub(super) value: Option<String>,
    pub(super) series: Option<String>,
    pub(super) unit: String,
}

/// How much room a chart has. Letters keep their size, so a narrow one has fewer of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Size {
    Wide,
    Narrow,
}

impl Size {
    fn class(self) -> &'static str {
        match self {
            Self::Wide => "chart wide",
            Self::Narrow => "chart narrow",
        }
    }
    fn width(self) -> f64 {
        match self {
            Self::Wide => 720.0,
            Self::Narrow => 360.0,
        }
    }
    /// Letters of a label at most.
    fn label(self) -> usize {
        match self {
            Self::Wide => 30,
            Self::Narrow => 15,
        }
    }
    /// Ticks along an axis, about.
    fn ticks(self) -> usize {
        match self {
            Self::Wide => 12,
            Self::Narrow => 5,
        }
    }
    fn height(self) -> f64 {
        match self {
            Self::Wide => 300.0,
            Self::Narrow => 220.0,
        }
    }
}

/// Draws a chart of a table, wide and narrow. The narrow one is hidden unless the page's style shows it in
/// place of the other, so that a page with a style of its own shows one.
pub(super) fn draw(drawing: &Drawing, batches: &[RecordBatch]) -> Result<String, Fault> {
    let mut both = String::new();
    for size in [Size::Wide, Size::Narrow] {
        both.push_str(&draw_one(drawing, batches, size)?);
    }
    Ok(both)
}

fn draw_one(drawing: &Drawing, batches: &[RecordBatch], size: Size) -> Result<String, Fault> {
    if batches.iter().all(|batch| batch.num_rows() == 0) {
        return Ok(nothing(drawing, size, "no rows"));
    }
    let x = column(batches, &drawing.x)?;
    let needed = |name: &Option<String>, key: &str| match name {
        Some(name) => column(batches, name),
        None => Err(Fault::user("report.chart", format!("the chart `{}` needs `{key}`", drawing.title))),
    };
    match drawing.kind {
        ChartKind::Bar => Ok(bars::draw(drawing, &x, &needed(&drawing.y, "y")?, size)),
        ChartKind::Histogram => Ok(histogram::draw(drawing, &x, size)),
        ChartKind::Line => {
            let series = drawing.series.as_ref().map(|name| column(batches, name)).transpose()?;
            Ok(lines::draw(drawing, &x, &needed(&drawing.y, "y")?, series.as_ref(), size))
        }
        ChartKind::Heatmap => {
            Ok(heat::draw(drawing, &x, &needed(&drawing.y, "y")?, &needed(&drawing.value, "value")?, size))
        }
    }
}

/// A picture that says why there is none.
fn nothing(drawing: &Drawing, size: Size, why: &str) -> String {
    let mut svg = Svg::new(size.class(), (size.width(), 60.0), &drawing.title, why);
    svg.text("quiet", (0.0, 34.0), Anchor::Start, why);
    svg.finish()
}

fn with_unit(value: f64, unit: &str) -> String {
    if unit.is_empty() { shown(value) } else { format!("{} {unit}", shown(value)) }
}

/// Room that the longest of some words needs, each cut to `most` letters.
fn room<'a>(words: impl Iterator<Item = &'a String>, most: usize) -> f64 {
    words.map(|word| word.chars().count().min(most)).max().unwrap_or(0) as f64 * 6.8
}

fn bounds(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)))
}

/// The words, each once, in the order in which they come.
fn distinct(words: &[String]) -> Vec<String> {
    let mut seen = std::collections::HashSet::new();
    words.iter().filter(|word| seen.insert(word.as_str())).cloned().collect()
}

/// The words, each once: by their number where they have one, else as they come.
fn ordered(column: &Column) -> Vec<String> {
    if column.kind == Kind::Words {
        return distinct(&column.words);
    }
    let mut keyed: Vec<(f64, &String)> =
        column.numbers.iter().zip(&column.words).map(|(n, word)| (n.unwrap_or(f64::INFINITY), word)).collect();
    keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
    let words: Vec<String> = keyed.into_iter().map(|(_, word)| word.clone()).collect();
    distinct(&words)
}
