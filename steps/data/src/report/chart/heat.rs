use std::collections::HashMap;

use super::{
    super::{
        columns::Column,
        svg::{Anchor, Svg, short},
    },
    Drawing, Size, bounds, ordered, room, with_unit,
};

/// A field for each pair of values, the darker the greater.
pub(super) fn draw(drawing: &Drawing, x: &Column, y: &Column, value: &Column, size: Size) -> String {
    let (xs, ys) = (ordered(x), ordered(y));
    let left = room(ys.iter(), size.label()) + 10.0;
    let cell = (size.width() - left) / xs.len().max(1) as f64;
    let tall = cell.clamp(18.0, 26.0);
    let base = tall * ys.len() as f64;
    let of = |name: &Option<String>| name.clone().unwrap_or_default();
    let about = format!("{} by {} and {}", of(&drawing.value), drawing.x, of(&drawing.y));
    let mut svg = Svg::new(
        size.class(),
        (size.width(), base + if size == Size::Narrow { 72.0 } else { 52.0 }),
        &drawing.title,
        &about,
    );
    let (low, high) = bounds(value.numbers.iter().flatten().copied());
    let span = if high > low { high - low } else { 1.0 };
    let shade = |value: f64| 0.07 + 0.93 * ((value - low) / span).clamp(0.0, 1.0);
    let (columns, rows) = (places(&xs), places(&ys));
    for (row, value) in value.numbers.iter().enumerate() {
        let Some(value) = value else { continue };
        let place = |order: &HashMap<&str, f64>, words: &str| order.get(words).copied().unwrap_or(0.0);
        let (cx, cy) = (left + place(&columns, &x.words[row]) * cell, place(&rows, &y.words[row]) * tall);
        let words = format!("{} / {}: {}", x.words[row], y.words[row], with_unit(*value, &drawing.unit));
        svg.rect("s0", (cx + 0.5, cy + 0.5), (cell - 1.0, tall - 1.0), shade(*value), &words);
    }
    for (at, words) in ys.iter().enumerate() {
        let y = tall * at as f64 + tall / 2.0 + 4.0;
        svg.text("label", (left - 8.0, y), Anchor::End, &short(words, size.label()));
    }
    let widest = room(xs.iter(), 10) + 8.0;
    let step = ((widest / cell).ceil() as usize).max(1);
    for (at, words) in xs.iter().enumerate().step_by(step) {
        svg.text("tick", (left + cell * (at as f64 + 0.5), base + 17.0), Anchor::Middle, &short(words, 10));
    }
    let axes = format!("{} →  {} ↓", drawing.x, of(&drawing.y)).replace('_', " ");
    // Under the legend where there is no room beside it.
    let line = if size == Size::Narrow { 62.0 } else { 42.0 };
    svg.text("quiet", (size.width(), base + line), Anchor::End, &short(&axes, 30));
    if low.is_finite() {
        legend(
            &mut svg,
            left,
            base + 32.0,
            &with_unit(low, &drawing.unit),
            &with_unit(high, &drawing.unit),
            &shade,
            (low, high),
        );
    }
    svg.finish()
}

fn places(order: &[String]) -> HashMap<&str, f64> {
    order.iter().enumerate().map(|(at, word)| (word.as_str(), at as f64)).collect()
}

/// From the least to the greatest value, what each shade means.
fn legend(
    svg: &mut Svg,
    left: f64,
    top: f64,
    least: &str,
    greatest: &str,
    shade: &dyn Fn(f64) -> f64,
    (low, high): (f64, f64),
) {
    let start = left + least.chars().count() as f64 * 6.6 + 8.0;
    svg.text("quiet", (left, top + 10.0), Anchor::Start, least);
    for step in 0..6_u8 {
        let value = low + (high - low) * f64::from(step) / 5.0;
        svg.rect("s0", (start + 18.0 * f64::from(step), top), (18.0, 12.0), shade(value), "");
    }
    svg.text("quiet", (start + 18.0 * 6.0 + 8.0, top + 10.0), Anchor::Start, greatest);
}
