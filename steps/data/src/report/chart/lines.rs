use super::{
    super::{
        axis::{Tick, numbers, times},
        columns::{Column, Kind},
        svg::{Anchor, Svg, short},
    },
    Drawing, Size, bounds, distinct,
    frame::{Frame, ends, gutter},
    nothing, room,
};

const MOST_SERIES: usize = 6;
const NAME: usize = 16;

/// Values over a time, a number or words, a line for each series.
pub(super) fn draw(drawing: &Drawing, x: &Column, y: &Column, series: Option<&Column>, size: Size) -> String {
    // Words stand in the order in which they come.
    let order = distinct(&x.words);
    let places: std::collections::HashMap<&str, f64> =
        order.iter().enumerate().map(|(at, word)| (word.as_str(), at as f64)).collect();
    let place = |row: usize| match x.kind {
        Kind::Words => places.get(x.words[row].as_str()).copied(),
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
    if drawn.is_empty() {
        return nothing(drawing, size, "no values");
    }
    let about = format!("{} over {}", drawing.y.as_deref().unwrap_or(""), drawing.x);
    let mut svg = Svg::new(size.class(), (size.width(), size.height()), &drawing.title, &about);
    let (low, high) = bounds(drawn.iter().flat_map(|(_, p)| p.iter().map(|p| p.1)));
    let across = bounds(drawn.iter().flat_map(|(_, p)| p.iter().map(|p| p.0)));
    let ys = numbers(low.min(0.0), high.max(0.0), 5);
    let names_room = if series.is_some() { room(names.iter(), NAME) + 10.0 } else { 12.0 };
    let frame = Frame {
        left: gutter(&ys),
        right: size.width() - names_room,
        top: 26.0,
        bottom: size.height() - 28.0,
        x: across,
        y: ends(&ys),
    };
    frame.draw(&mut svg, &along(x.kind, across, &order, size), &ys, "", &drawing.unit);
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
        svg.text(&format!("value t{index}"), (frame.right + 6.0, y + 4.0), Anchor::Start, &short(&names[index], NAME));
    }
    svg.finish()
}

fn along(kind: Kind, (low, high): (f64, f64), order: &[String], size: Size) -> Vec<Tick> {
    match kind {
        Kind::Time => times(low, high, size.ticks()),
        Kind::Number => numbers(low, high, size.ticks()).into_iter().filter(|t| t.0 >= low && t.0 <= high).collect(),
        Kind::Words => {
            let step = order.len() / size.ticks() + 1;
            order.iter().enumerate().step_by(step).map(|(at, w)| (at as f64, short(w, 12))).collect()
        }
    }
}
