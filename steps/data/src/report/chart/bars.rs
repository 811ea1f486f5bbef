use super::{
    super::{
        columns::Column,
        number::{digits_of, fixed},
        svg::{Anchor, Svg, short},
    },
    Drawing, Size, room, with_unit,
};

/// More bars than this are a table, not a chart.
const MOST_BARS: usize = 40;
const ROW: f64 = 24.0;
const TOP: f64 = 4.0;

/// A bar for each row, in the order of the rows, its value at its end.
pub(super) fn draw(drawing: &Drawing, x: &Column, y: &Column, size: Size) -> String {
    let rows: Vec<(&String, f64)> = x.words.iter().zip(&y.numbers).filter_map(|(w, n)| Some((w, (*n)?))).collect();
    let left_out = rows.len().saturating_sub(MOST_BARS);
    let rows = &rows[..rows.len().min(MOST_BARS)];
    let height = TOP + ROW * rows.len() as f64 + if left_out > 0 { 26.0 } else { 4.0 };
    let about = format!("bars of {} by {}", drawing.y.as_deref().unwrap_or(""), drawing.x);
    let mut svg = Svg::new(size.class(), (size.width(), height), &drawing.title, &about);

    let digits = digits_of(rows.iter().map(|r| r.1));
    // The unit is said once: at the first bar.
    let said = |at: usize, value: f64| {
        let unit = if at == 0 && !drawing.unit.is_empty() { format!(" {}", drawing.unit) } else { String::new() };
        format!("{}{unit}", fixed(value, digits))
    };
    let longest = |negative: bool| {
        let words = rows.iter().enumerate().filter(|(_, r)| (r.1 < 0.0) == negative).map(|(at, r)| said(at, r.1));
        let words: Vec<String> = words.collect();
        room(words.iter(), 24) + if words.is_empty() { 0.0 } else { 8.0 }
    };
    let labels = room(rows.iter().map(|r| r.0), size.label());
    let (from, to) = (labels + 10.0 + longest(true), size.width() - longest(false) - 2.0);
    let low = rows.iter().map(|r| r.1).fold(0.0, f64::min);
    let high = rows.iter().map(|r| r.1).fold(0.0, f64::max);
    let span = if high > low { high - low } else { 1.0 };
    let place = |value: f64| from + (value - low) / span * (to - from).max(1.0);
    for (at, (words, value)) in rows.iter().enumerate() {
        let y = TOP + ROW * at as f64;
        let (start, end) = (place(value.min(0.0)), place(value.max(0.0)));
        svg.text("label", (labels, y + 16.0), Anchor::End, &short(words, size.label()));
        let hint = format!("{words}: {}", with_unit(*value, &drawing.unit));
        svg.rect("s0", (start, y + 3.0), (end - start, ROW - 7.0), 1.0, &hint);
        if *value < 0.0 {
            svg.text("value", (start - 6.0, y + 16.0), Anchor::End, &said(at, *value));
        } else {
            svg.text("value", (end + 6.0, y + 16.0), Anchor::Start, &said(at, *value));
        }
    }
    svg.line("base", (place(0.0), TOP), (place(0.0), TOP + ROW * rows.len() as f64));
    if left_out > 0 {
        svg.text("quiet", (from, height - 8.0), Anchor::Start, &format!("and {left_out} more"));
    }
    svg.finish()
}
