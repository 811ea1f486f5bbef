use arrow::array::RecordBatch;
use millwork_engine::model::Fault;

use super::{
    axis::{Tick, numbers, times},
    columns::{Column, Kind, column},
    config::ChartKind,
    number::shown,
    svg::{Anchor, Svg, short},
};

const WIDTH: f64 = 720.0;
/// More bars than this are a table, not a chart.
const MOST_BARS: usize = 40;
const MOST_SERIES: usize = 6;

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

/// Draws a chart of a table.
pub(super) fn draw(drawing: &Drawing, batches: &[RecordBatch]) -> Result<String, Fault> {
    if batches.iter().all(|batch| batch.num_rows() == 0) {
        let mut svg = Svg::new(WIDTH, 60.0, &drawing.title, "no rows");
        svg.text("quiet", (0.0, 34.0), Anchor::Start, "no rows");
        return Ok(svg.finish());
    }
    let x = column(batches, &drawing.x)?;
    let needed = |name: &Option<String>, key: &str| match name {
        Some(name) => column(batches, name),
        None => Err(Fault::user("report.chart", format!("the chart `{}` needs `{key}`", drawing.title))),
    };
    match drawing.kind {
        ChartKind::Bar => Ok(bars(drawing, &x, &needed(&drawing.y, "y")?)),
        ChartKind::Histogram => Ok(histogram(drawing, &x)),
        ChartKind::Line => {
            let series = drawing.series.as_ref().map(|name| column(batches, name)).transpose()?;
            Ok(lines(drawing, &x, &needed(&drawing.y, "y")?, series.as_ref()))
        }
        ChartKind::Heatmap => Ok(heat(drawing, &x, &needed(&drawing.y, "y")?, &needed(&drawing.value, "value")?)),
    }
}

fn with_unit(value: f64, unit: &str) -> String {
    if unit.is_empty() { shown(value) } else { format!("{} {unit}", shown(value)) }
}

fn bars(drawing: &Drawing, x: &Column, y: &Column) -> String {
    let rows: Vec<(&String, f64)> = x.words.iter().zip(&y.numbers).filter_map(|(w, n)| Some((w, (*n)?))).collect();
    let left_out = rows.len().saturating_sub(MOST_BARS);
    let rows = &rows[..rows.len().min(MOST_BARS)];
    let (row, top) = (22.0, 4.0);
    let height = top + row * rows.len() as f64 + if left_out > 0 { 26.0 } else { 6.0 };
    let mut svg = Svg::new(
        WIDTH,
        height,
        &drawing.title,
        &format!("bars of {} by {}", drawing.y.as_deref().unwrap_or(""), drawing.x),
    );
    let longest = rows.iter().map(|(w, _)| w.chars().count().min(26)).max().unwrap_or(0) as f64;
    let (from, to) = (longest * 7.2 + 12.0, WIDTH - 84.0);
    let low = rows.iter().map(|r| r.1).fold(0.0, f64::min);
    let high = rows.iter().map(|r| r.1).fold(0.0, f64::max);
    // Room on the left for the words of a bar that goes there.
    let from = if low < 0.0 { from + 64.0 } else { from };
    let span = if high > low { high - low } else { 1.0 };
    let place = |value: f64| from + (value - low) / span * (to - from);
    for (at, (words, value)) in rows.iter().enumerate() {
        let y = top + row * at as f64;
        let (start, end) = (place(value.min(0.0)), place(value.max(0.0)));
        svg.text("label", (longest * 7.2 + 4.0, y + 15.0), Anchor::End, &short(words, 26));
        let said = with_unit(*value, &drawing.unit);
        svg.rect("s0", (start, y + 3.0), (end - start, row - 7.0), 1.0, &format!("{words}: {said}"));
        if *value < 0.0 {
            svg.text("value", (start - 6.0, y + 15.0), Anchor::End, &said);
        } else {
            svg.text("value", (end + 6.0, y + 15.0), Anchor::Start, &said);
        }
    }
    svg.line("base", (place(0.0), top), (place(0.0), top + row * rows.len() as f64));
    if left_out > 0 {
        svg.text("quiet", (from, height - 8.0), Anchor::Start, &format!("and {left_out} more"));
    }
    svg.finish()
}

/// A frame with both axes; gives back how values become places.
struct Frame {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    x: (f64, f64),
    y: (f64, f64),
}

impl Frame {
    fn at(&self, x: f64, y: f64) -> (f64, f64) {
        (self.across(x), self.up(y))
    }
    fn across(&self, x: f64) -> f64 {
        self.left + (x - self.x.0) / (self.x.1 - self.x.0).max(f64::MIN_POSITIVE) * (self.right - self.left)
    }
    fn up(&self, y: f64) -> f64 {
        self.bottom - (y - self.y.0) / (self.y.1 - self.y.0).max(f64::MIN_POSITIVE) * (self.bottom - self.top)
    }
    fn draw(&self, svg: &mut Svg, xs: &[Tick], ys: &[Tick], unit: &str) {
        for (at, (value, words)) in ys.iter().enumerate() {
            let y = self.up(*value);
            svg.line(if *value == 0.0 { "base" } else { "grid" }, (self.left, y), (self.right, y));
            let words = if at + 1 == ys.len() && !unit.is_empty() { format!("{words} {unit}") } else { words.clone() };
            svg.text("tick", (self.left, y - 4.0), Anchor::Start, &words);
        }
        for (value, words) in xs {
            let x = self.across(*value);
            svg.line("grid", (x, self.bottom), (x, self.bottom + 4.0));
            svg.text("tick", (x, self.bottom + 18.0), Anchor::Middle, words);
        }
    }
}

fn bounds(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)))
}

fn ends(ticks: &[Tick]) -> (f64, f64) {
    (ticks.first().map_or(0.0, |t| t.0), ticks.last().map_or(1.0, |t| t.0))
}

fn lines(drawing: &Drawing, x: &Column, y: &Column, series: Option<&Column>) -> String {
    let mut svg =
        Svg::new(WIDTH, 300.0, &drawing.title, &format!("{} over {}", drawing.y.as_deref().unwrap_or(""), drawing.x));
    // Words stand in the order in which they come.
    let order = distinct(&x.words);
    let place = |row: usize| match x.kind {
        Kind::Words => order.iter().position(|w| *w == x.words[row]).map(|at| at as f64),
        Kind::Number | Kind::Time => x.numbers[row],
    };
    let names = series.map_or_else(|| vec![String::new()], |s| distinct(&s.words));
    let names = &names[..names.len().min(MOST_SERIES)];
    let mut drawn: Vec<(usize, Vec<(f64, f64)>)> = Vec::new();
    for (index, name) in names.iter().enumerate() {
        let mine = |row: &usize| series.is_none_or(|s| s.words[*row] == *name);
        let points = (0..x.words.len()).filter(mine).filter_map(|row| Some((place(row)?, y.numbers[row]?)));
        let mut points: Vec<_> = points.collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        if !points.is_empty() {
            drawn.push((index, points));
        }
    }
    let (low, high) = bounds(drawn.iter().flat_map(|(_, p)| p.iter().map(|p| p.1)));
    let across = bounds(drawn.iter().flat_map(|(_, p)| p.iter().map(|p| p.0)));
    if drawn.is_empty() {
        svg.text("quiet", (0.0, 34.0), Anchor::Start, "no values");
        return svg.finish();
    }
    let ys = numbers(low.min(0.0), high.max(0.0), 5);
    let xs = match x.kind {
        Kind::Time => times(across.0, across.1),
        Kind::Number => {
            let ticks = numbers(across.0, across.1, 8);
            ticks.into_iter().filter(|t| t.0 >= across.0 && t.0 <= across.1).collect()
        }
        Kind::Words => {
            let step = order.len() / 10 + 1;
            order.iter().enumerate().step_by(step).map(|(at, w)| (at as f64, short(w, 12))).collect()
        }
    };
    let room = if series.is_some() {
        names.iter().map(|n| n.chars().count().min(16)).max().unwrap_or(0) as f64 * 7.5 + 14.0
    } else {
        12.0
    };
    let frame = Frame { left: 8.0, right: WIDTH - room, top: 24.0, bottom: 270.0, x: across, y: ends(&ys) };
    frame.draw(&mut svg, &xs, &ys, &drawing.unit);
    let mut labels: Vec<(f64, usize)> = Vec::new();
    for (index, points) in &drawn {
        let path: Vec<_> = points.iter().map(|p| frame.at(p.0, p.1)).collect();
        svg.path(&format!("line l{index}"), &path, &names[*index]);
        labels.extend(path.last().map(|p| (p.1, *index)));
    }
    // Labels stand at the ends of their lines, moved apart where they would cover each other.
    labels.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut free = 0.0_f64;
    for (y, index) in labels {
        let y = y.max(free);
        free = y + 15.0;
        svg.text(&format!("value t{index}"), (frame.right + 6.0, y + 4.0), Anchor::Start, &short(&names[index], 16));
    }
    svg.finish()
}

fn histogram(drawing: &Drawing, x: &Column) -> String {
    let values: Vec<f64> = x.numbers.iter().flatten().copied().collect();
    let mut svg = Svg::new(WIDTH, 260.0, &drawing.title, &format!("how often values of {} occur", drawing.x));
    if values.is_empty() {
        svg.text("quiet", (0.0, 34.0), Anchor::Start, "no numbers");
        return svg.finish();
    }
    let (low, high) = bounds(values.iter().copied());
    let edges = numbers(low, high, 30);
    let (first, last) = ends(&edges);
    let bins = edges.len().saturating_sub(1).max(1);
    let width = (last - first) / bins as f64;
    let mut counts = vec![0_u64; bins];
    for value in &values {
        let bin = (((value - first) / width).floor().max(0.0) as usize).min(bins - 1);
        counts[bin] += 1;
    }
    let most = counts.iter().copied().max().unwrap_or(1) as f64;
    let ys = numbers(0.0, most, 4);
    let frame = Frame { left: 8.0, right: WIDTH - 12.0, top: 24.0, bottom: 230.0, x: (first, last), y: ends(&ys) };
    let every = edges.len() / 9 + 1;
    let xs: Vec<Tick> = edges.iter().step_by(every).cloned().collect();
    frame.draw(&mut svg, &xs, &ys, "");
    for (bin, count) in counts.iter().enumerate() {
        let from = first + width * bin as f64;
        let (a, b) = (frame.across(from), frame.across(from + width));
        let top = frame.up(*count as f64);
        let words = format!("{} to {}: {}", shown(from), with_unit(from + width, &drawing.unit), shown(*count as f64));
        svg.rect("s0", (a + 0.5, top), (b - a - 1.0, frame.bottom - top), 1.0, &words);
    }
    svg.finish()
}

fn heat(drawing: &Drawing, x: &Column, y: &Column, value: &Column) -> String {
    let (xs, ys) = (ordered(x), ordered(y));
    let left = ys.iter().map(|w| w.chars().count().min(14)).max().unwrap_or(0) as f64 * 7.2 + 10.0;
    let cell = (WIDTH - left) / xs.len().max(1) as f64;
    let tall = cell.clamp(16.0, 26.0);
    let height = tall * ys.len() as f64 + 46.0;
    let mut svg = Svg::new(
        WIDTH,
        height,
        &drawing.title,
        &format!(
            "{} by {} and {}",
            drawing.value.as_deref().unwrap_or(""),
            drawing.x,
            drawing.y.as_deref().unwrap_or("")
        ),
    );
    let (low, high) = bounds(value.numbers.iter().flatten().copied());
    let span = if high > low { high - low } else { 1.0 };
    for (row, value) in value.numbers.iter().enumerate() {
        let Some(value) = value else { continue };
        let at = |order: &[String], words: &str| order.iter().position(|w| w == words).unwrap_or(0) as f64;
        let (cx, cy) = (left + at(&xs, &x.words[row]) * cell, at(&ys, &y.words[row]) * tall);
        let words = format!("{} / {}: {}", x.words[row], y.words[row], with_unit(*value, &drawing.unit));
        svg.rect("s0", (cx + 0.5, cy + 0.5), (cell - 1.0, tall - 1.0), 0.06 + 0.94 * (value - low) / span, &words);
    }
    for (at, words) in ys.iter().enumerate() {
        svg.text("label", (left - 8.0, tall * at as f64 + tall / 2.0 + 4.0), Anchor::End, &short(words, 14));
    }
    let step = ((28.0 / cell).ceil() as usize).max(1);
    let base = tall * ys.len() as f64;
    for (at, words) in xs.iter().enumerate().step_by(step) {
        svg.text("tick", (left + cell * (at as f64 + 0.5), base + 15.0), Anchor::Middle, &short(words, 10));
    }
    if low.is_finite() {
        let words = format!("pale {} · full {}", with_unit(low, &drawing.unit), with_unit(high, &drawing.unit));
        svg.text("quiet", (left, base + 36.0), Anchor::Start, &words);
    }
    svg.finish()
}

/// The words, each once, in the order in which they come.
fn distinct(words: &[String]) -> Vec<String> {
    let mut seen = std::collections::HashSet::new();
    words.iter().filter(|word| seen.insert(word.as_str())).cloned().collect()
}

/// The words, each once: by their number where they have one, else as they come.
fn ordered(column: &Column) -> Vec<String> {
    let order = distinct(&column.words);
    if column.kind == Kind::Words {
        return order;
    }
    let number = |word: &String| column.words.iter().position(|w| w == word).and_then(|row| column.numbers[row]);
    let mut keyed: Vec<_> = order.into_iter().map(|word| (number(&word).unwrap_or(f64::INFINITY), word)).collect();
    keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
    keyed.into_iter().map(|(_, word)| word).collect()
}
