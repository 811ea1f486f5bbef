//! Tables of text: columns padded to their widest cell, and made to fit a terminal.

use super::output::cut;

/// Blanks between two columns.
const GAP: usize = 2;

/// What gives way where a table is wider than the terminal.
#[derive(Debug, Clone, Copy)]
pub(super) struct Yield<'a> {
    /// Columns that are left out, in this order.
    pub(super) drop: &'a [usize],
    /// The column that is cut.
    pub(super) cut: usize,
    /// How narrow it may become as long as another can still be left out.
    pub(super) least: usize,
}

/// The lines of a table; with a width, no line is longer where that can be.
pub(super) fn lines(header: &[&str], rows: &[Vec<String>], fit: Option<(usize, Yield<'_>)>) -> Vec<String> {
    let mut widths: Vec<usize> = header.iter().map(|cell| cell.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut shown: Vec<usize> = (0..header.len()).filter(|column| widths[*column] > 0).collect();
    if let Some((room, fit)) = fit {
        // All but the column that is cut.
        let others = |shown: &[usize]| -> usize {
            let rest = shown.iter().filter(|column| **column != fit.cut);
            rest.map(|column| widths[*column] + GAP).sum()
        };
        let least = widths.get(fit.cut).copied().unwrap_or_default().min(fit.least);
        for out in fit.drop {
            if others(&shown) + least <= room {
                break;
            }
            shown.retain(|column| column != out);
        }
        let left = room.saturating_sub(others(&shown)).max(1);
        if let Some(width) = widths.get_mut(fit.cut) {
            *width = (*width).min(left);
        }
    }
    let head: Vec<String> = header.iter().map(|cell| (*cell).to_owned()).collect();
    let room = fit.map_or(usize::MAX, |(room, _)| room);
    let line = |row: &Vec<String>| {
        let cells = shown.iter().filter_map(|column| Some((row.get(*column)?, widths[*column])));
        let padded: Vec<String> = cells.map(|(cell, width)| format!("{:<width$}", cut(cell, width))).collect();
        cut(padded.join(&" ".repeat(GAP)).trim_end(), room)
    };
    std::iter::once(&head).chain(rows).map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &[&str] = &["RUN", "PIPELINE", "STATUS", "TOOK"];

    fn shown(room: usize) -> Vec<String> {
        let row = ["run_0123456789", "flights", "succeeded", "12.3s"].map(str::to_owned).to_vec();
        lines(HEADER, &[row], Some((room, Yield { drop: &[3, 1], cut: 0, least: 14 })))
    }

    #[test]
    fn what_matters_less_goes_first() {
        for (room, row) in [
            (60, "run_0123456789  flights   succeeded  12.3s"),
            (42, "run_0123456789  flights   succeeded  12.3s"),
            (41, "run_0123456789  flights   succeeded"),
            (34, "run_0123456789  succeeded"),
            (20, "run_0123…  succeeded"),
        ] {
            let lines = shown(room);
            assert_eq!(lines[1], row, "{room}");
            assert!(lines.iter().all(|line| line.chars().count() <= room), "{lines:?}");
        }
        assert_eq!(shown(41)[0], "RUN             PIPELINE  STATUS");
    }

    #[test]
    fn without_a_width_all_is_there_and_empty_columns_are_not() {
        let rows = [vec!["a".to_owned(), String::new(), "x".repeat(300)]];
        assert_eq!(lines(&["A", "", "B"], &rows, None)[1].len(), 303);
    }
}
