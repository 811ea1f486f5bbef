use super::{
    super::{
        axis::Tick,
        svg::{Anchor, Svg},
    },
    room,
};

/// A frame with both axes; tells where values lie in the picture.
pub(super) struct Frame {
    pub(super) left: f64,
    pub(super) right: f64,
    pub(super) top: f64,
    pub(super) bottom: f64,
    pub(super) x: (f64, f64),
    pub(super) y: (f64, f64),
}

impl Frame {
    pub(super) fn at(&self, x: f64, y: f64) -> (f64, f64) {
        (self.across(x), self.up(y))
    }

    pub(super) fn across(&self, x: f64) -> f64 {
        self.left + (x - self.x.0) / (self.x.1 - self.x.0).max(f64::MIN_POSITIVE) * (self.right - self.left)
    }

    pub(super) fn up(&self, y: f64) -> f64 {
        self.bottom - (y - self.y.0) / (self.y.1 - self.y.0).max(f64::MIN_POSITIVE) * (self.bottom - self.top)
    }

    /// Lines and words of both axes; each unit stands at the end of its axis.
    pub(super) fn draw(&self, svg: &mut Svg, xs: &[Tick], ys: &[Tick], x_unit: &str, y_unit: &str) {
        for (value, words) in ys {
            let y = self.up(*value);
            svg.line(if *value == 0.0 { "base" } else { "grid" }, (self.left, y), (self.right, y));
            svg.text("tick", (self.left - 8.0, y + 4.0), Anchor::End, words);
        }
        if !y_unit.is_empty() {
            svg.text("tick", (0.0, self.top - 14.0), Anchor::Start, y_unit);
        }
        for (at, (value, words)) in xs.iter().enumerate() {
            let x = self.across(*value);
            svg.line("grid", (x, self.bottom), (x, self.bottom + 4.0));
            let last = at + 1 == xs.len() && !x_unit.is_empty();
            let words = if last { format!("{words} {x_unit}") } else { words.clone() };
            // Words at an edge stay in the picture.
            let half = words.chars().count() as f64 * 3.4;
            let anchor = if x + half > svg.width() { Anchor::End } else { Anchor::Middle };
            let x = if matches!(anchor, Anchor::End) { svg.width() } else { x.max(half) };
            svg.text("tick", (x, self.bottom + 19.0), anchor, &words);
        }
    }
}

/// Room on the left for the words of an axis.
pub(super) fn gutter(ys: &[Tick]) -> f64 {
    room(ys.iter().map(|tick| &tick.1), 12) + 10.0
}

/// The first and the last tick.
pub(super) fn ends(ticks: &[Tick]) -> (f64, f64) {
    (ticks.first().map_or(0.0, |t| t.0), ticks.last().map_or(1.0, |t| t.0))
}
