use super::{
    super::{
        axis::{Tick, numbers},
        columns::Column,
        number::shown,
        svg::Svg,
    },
    Drawing, Size, bounds,
    frame::{Frame, ends, gutter},
    nothing, with_unit,
};

/// How often the values of a column occur.
pub(super) fn draw(drawing: &Drawing, x: &Column, size: Size) -> String {
    let values: Vec<f64> = x.numbers.iter().flatten().copied().collect();
    if values.is_empty() {
        return nothing(drawing, size, "no numbers");
    }
    let about = format!("how often values of {} occur", drawing.x);
    let mut svg = Svg::new(size.class(), (size.width(), size.height() - 30.0), &drawing.title, &about);
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
    let frame = Frame {
        left: gutter(&ys),
        right: size.width() - 14.0,
        top: 10.0,
        bottom: size.height() - 58.0,
        x: (first, last),
        y: ends(&ys),
    };
    let xs: Vec<Tick> = edges.iter().step_by(edges.len() / size.ticks().min(9) + 1).cloned().collect();
    frame.draw(&mut svg, &xs, &ys, &drawing.unit, "");
    for (bin, count) in counts.iter().enumerate() {
        let from = first + width * bin as f64;
        let (a, b) = (frame.across(from), frame.across(from + width));
        let top = frame.up(*count as f64);
        let words = format!("{} to {}: {}", shown(from), with_unit(from + width, &drawing.unit), shown(*count as f64));
        svg.rect("s0", (a + 0.5, top), (b - a - 1.0, frame.bottom - top), 1.0, &words);
    }
    if first < 0.0 && last > 0.0 {
        svg.line("base", frame.at(0.0, frame.y.0), frame.at(0.0, frame.y.1));
    }
    svg.finish()
}
