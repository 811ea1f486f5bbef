//! Two texts side by side, as a unified diff.

use std::fmt::Write;

/// Lines that stay the same around a change.
const CONTEXT: usize = 3;
/// Above this many pairs of lines, everything between the first and the last change is one change.
const LARGEST: usize = 4_000_000;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Edit {
    Same,
    Less,
    More,
}

/// A unified diff; empty if the texts are equal.
pub(crate) fn unified(from: &str, to: &str, from_name: &str, to_name: &str) -> String {
    let (a, b): (Vec<&str>, Vec<&str>) = (from.lines().collect(), to.lines().collect());
    let edits = edits(&a, &b);
    if edits.iter().all(|edit| *edit == Edit::Same) {
        return String::new();
    }
    let mut text = format!("--- {from_name}\n+++ {to_name}\n");
    let mut at = 0;
    let (mut line_a, mut line_b) = (0, 0);
    while let Some(first) = edits[at..].iter().position(|edit| *edit != Edit::Same).map(|offset| at + offset) {
        let begin = first.saturating_sub(CONTEXT).max(at);
        line_a += begin - at;
        line_b += begin - at;
        let mut end = first;
        let mut quiet = 0;
        for (ix, edit) in edits.iter().enumerate().skip(first) {
            quiet = if *edit == Edit::Same { quiet + 1 } else { 0 };
            if quiet > 2 * CONTEXT {
                break;
            }
            end = ix + 1;
        }
        end -= quiet.min(2 * CONTEXT).saturating_sub(CONTEXT).min(end - first - 1);
        let hunk = &edits[begin..end];
        let less = hunk.iter().filter(|edit| **edit != Edit::More).count();
        let more = hunk.iter().filter(|edit| **edit != Edit::Less).count();
        let _ = writeln!(text, "@@ -{},{less} +{},{more} @@", line_a + 1, line_b + 1);
        for edit in hunk {
            let (sign, line) = match edit {
                Edit::Same => (' ', a.get(line_a)),
                Edit::Less => ('-', a.get(line_a)),
                Edit::More => ('+', b.get(line_b)),
            };
            let _ = writeln!(text, "{sign}{}", line.copied().unwrap_or_default());
            line_a += usize::from(*edit != Edit::More);
            line_b += usize::from(*edit != Edit::Less);
        }
        at = end;
    }
    text
}

/// What becomes of each line, by the longest lines in common.
fn edits(a: &[&str], b: &[&str]) -> Vec<Edit> {
    let head = a.iter().zip(b).take_while(|(x, y)| x == y).count();
    let tail = a[head..].iter().rev().zip(b[head..].iter().rev()).take_while(|(x, y)| x == y).count();
    let (mid_a, mid_b) = (&a[head..a.len() - tail], &b[head..b.len() - tail]);
    let mut edits = vec![Edit::Same; head];
    if mid_a.len().saturating_mul(mid_b.len()) > LARGEST {
        edits.extend(std::iter::repeat_n(Edit::Less, mid_a.len()));
        edits.extend(std::iter::repeat_n(Edit::More, mid_b.len()));
    } else {
        let width = mid_b.len() + 1;
        let mut longest = vec![0_u32; (mid_a.len() + 1) * width];
        for i in (0..mid_a.len()).rev() {
            for j in (0..mid_b.len()).rev() {
                longest[i * width + j] = if mid_a[i] == mid_b[j] {
                    longest[(i + 1) * width + j + 1] + 1
                } else {
                    longest[(i + 1) * width + j].max(longest[i * width + j + 1])
                };
            }
        }
        let (mut i, mut j) = (0, 0);
        while i < mid_a.len() || j < mid_b.len() {
            if i < mid_a.len() && j < mid_b.len() && mid_a[i] == mid_b[j] {
                edits.push(Edit::Same);
                (i, j) = (i + 1, j + 1);
            } else if j == mid_b.len()
                || (i < mid_a.len() && longest[(i + 1) * width + j] >= longest[i * width + j + 1])
            {
                edits.push(Edit::Less);
                i += 1;
            } else {
                edits.push(Edit::More);
                j += 1;
            }
        }
    }
    edits.extend(std::iter::repeat_n(Edit::Same, tail));
    edits
}

#[cfg(test)]
mod tests {
    use super::unified;

    #[test]
    fn changes_are_shown_with_their_surroundings() {
        let from = "a\nb\nc\nd\ne\nf\ng\nh\n";
        assert_eq!(unified(from, from, "x", "y"), "");
        let expected = "--- x\n+++ y\n@@ -1,5 +1,5 @@\n a\n-b\n+B\n c\n d\n e\n";
        assert_eq!(unified(from, &from.replace('b', "B"), "x", "y"), expected);
        let expected = "--- x\n+++ y\n@@ -6,3 +6,4 @@\n f\n g\n h\n+i\n";
        assert_eq!(unified(from, &format!("{from}i\n"), "x", "y"), expected);
        assert_eq!(unified("", "a\n", "x", "y"), "--- x\n+++ y\n@@ -1,0 +1,1 @@\n+a\n");
    }
}
