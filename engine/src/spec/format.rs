//! The canonical layout of a pipeline: order of keys, blank lines, blanks. Comments and meaning stay.
//!
//! Works on lines: a block is a key's line with the comments above it and the deeper lines below.
//! Whatever cannot be moved safely stays as it is, and a result that would mean something else is
//! never given out.

use std::collections::BTreeMap;

use super::{Node, NodeKind, keys, read_pipeline, read_tree};
use crate::diag::{Diagnostic, Severity, Source};

/// The text in canonical layout, or the problems that keep it from being read.
pub fn format(source: &Source) -> Result<String, Vec<Diagnostic>> {
    let outcome = read_pipeline(source);
    if outcome.has_errors() {
        return Err(outcome.diagnostics.into_iter().filter(|d| d.severity == Severity::Error).collect());
    }
    let text = source.text();
    let mut best = text.to_owned();
    for layout in [tidy_lines, even, ordered] {
        let next = layout(&best);
        if same_meaning(&best, &next) {
            best = next;
        }
    }
    Ok(best)
}

/// Whether two texts hold the same values; the order of a mapping's keys is no part of it.
fn same_meaning(before: &str, after: &str) -> bool {
    let read = |text: &str| read_tree(&Source::new("", text));
    let (before, after) = (read(before), read(after));
    after.complete
        && match (&before.root, &after.root) {
            (Some(a), Some(b)) => equal(a, b),
            (a, b) => a.is_none() && b.is_none(),
        }
}

fn equal(a: &Node, b: &Node) -> bool {
    match (&a.kind, &b.kind) {
        (NodeKind::List(a), NodeKind::List(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        (NodeKind::Map(a), NodeKind::Map(b)) => {
            a.len() == b.len()
                && a.iter().zip(b).all(|((ka, va), (kb, vb))| {
                    // Mostly in the same order; a lookup only where a key moved.
                    if ka.text == kb.text { equal(va, vb) } else { find(b, &ka.text).is_some_and(|vb| equal(va, vb)) }
                })
        }
        (NodeKind::String(a), NodeKind::String(b)) => a.value == b.value,
        (NodeKind::Float(a), NodeKind::Float(b)) => a.to_bits() == b.to_bits(),
        (a, b) => a == b,
    }
}

fn find<'n>(entries: &'n [(super::Key, Node)], key: &str) -> Option<&'n Node> {
    entries.iter().find(|(k, _)| &*k.text == key).map(|(_, v)| v)
}

/// No blanks at line ends, `\n` as line end, at most one empty line in a row, one line end at the end.
fn tidy_lines(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 1);
    let mut empty = true;
    for line in text.lines() {
        let line = line.trim_end();
        if line.is_empty() {
            empty = empty || {
                out.push('\n');
                true
            };
            continue;
        }
        out.push_str(line);
        out.push('\n');
        empty = false;
    }
    while out.ends_with("\n\n") {
        out.pop();
    }
    out
}

/// One blank between a key and a value on the same line.
fn even(text: &str) -> String {
    let mut gaps = BTreeMap::new();
    if let Some(root) = &read_tree(&Source::new("", text)).root {
        find_gaps(root, text, &mut gaps);
    }
    let (mut out, mut done) = (String::with_capacity(text.len()), 0);
    for (from, to) in gaps {
        out.push_str(&text[done..from]);
        out.push(' ');
        done = to;
    }
    out.push_str(&text[done..]);
    out
}

/// Where two or more blanks, and nothing else, follow the colon behind a key.
fn find_gaps(node: &Node, text: &str, gaps: &mut BTreeMap<usize, usize>) {
    for (key, value) in node.entries().unwrap_or_default() {
        let (from, to) = (key.span.end as usize, value.span.start as usize);
        let between = text.get(from..to).and_then(|between| between.strip_prefix(':'));
        if between.is_some_and(|blanks| blanks.len() > 1 && blanks.bytes().all(|b| b == b' ')) {
            gaps.insert(from + 1, to);
        }
        find_gaps(value, text, gaps);
    }
    for item in node.items().unwrap_or_default() {
        find_gaps(item, text, gaps);
    }
}

/// Keys of the top level, and of steps written as block mappings, in their canonical order.
fn ordered(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let (head, mut blocks) = split(&lines, 0);
    for block in &mut blocks {
        if matches!(block.key, "steps" | "on_failure" | "finally") {
            order_steps(block);
        }
    }
    sort(&mut blocks, &keys::PIPELINE);
    let mut out: Vec<String> = head;
    for block in blocks {
        out.extend(block.lines);
    }
    let mut text = out.join("\n");
    text.push('\n');
    tidy_lines(&text)
}

struct Block<'t> {
    key: &'t str,
    lines: Vec<String>,
}

/// The lines before the first key, and one block a key. Comments directly above a key belong to it.
fn split<'t>(lines: &[&'t str], indent: usize) -> (Vec<String>, Vec<Block<'t>>) {
    let mut head = Vec::new();
    let mut blocks: Vec<Block<'t>> = Vec::new();
    let mut above: Vec<String> = Vec::new();
    for line in lines {
        let depth = line.len() - line.trim_start_matches(' ').len();
        let body = &line[depth..];
        let comment = body.starts_with('#') && depth == indent;
        if body.is_empty() || comment {
            above.push((*line).to_owned());
            continue;
        }
        if let Some(key) = (depth == indent).then(|| key_of(body)).flatten() {
            blocks.push(Block { key, lines: std::mem::take(&mut above) });
        }
        match blocks.last_mut() {
            Some(block) => {
                block.lines.append(&mut above);
                block.lines.push((*line).to_owned());
            }
            None => {
                head.append(&mut above);
                head.push((*line).to_owned());
            }
        }
    }
    match blocks.last_mut() {
        Some(block) => block.lines.append(&mut above),
        None => head.append(&mut above),
    }
    (head, blocks)
}

/// The key that a line begins with, if it is a plain word.
fn key_of(line: &str) -> Option<&str> {
    let (key, rest) = line.split_once(':')?;
    let plain = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
    (plain && (rest.is_empty() || rest.starts_with(' '))).then_some(key)
}

/// Moves known keys into the order of `keys`, if every key is known or free for own use.
fn sort(blocks: &mut [Block<'_>], keys: &super::Keys) {
    let rank = |key: &str| keys.list.iter().position(|k| k.name == key).map(|n| n + 1);
    // Own keys hold anchors, and an anchor stands before its use: they follow `version`.
    let place = |key: &str| match rank(key) {
        Some(1) => 1,
        Some(n) => n + 1,
        None => 2,
    };
    if blocks.iter().all(|b| rank(b.key).is_some() || b.key.starts_with("x-")) {
        blocks.sort_by_key(|b| place(b.key));
    }
}

/// Orders the keys of each step of a list, and puts an empty line between steps of several lines.
fn order_steps(block: &mut Block<'_>) {
    let Some(dash) = block.lines.iter().skip(1).find_map(|l| {
        let depth = l.len() - l.trim_start_matches(' ').len();
        l[depth..].starts_with("- ").then_some(depth)
    }) else {
        return;
    };
    let mut out: Vec<String> = Vec::new();
    let mut above: Vec<String> = Vec::new();
    let mut step: Vec<String> = Vec::new();
    let mut seen = 0;
    let flush = |step: &mut Vec<String>, out: &mut Vec<String>, seen: &mut usize| {
        if step.is_empty() {
            return;
        }
        let start = step.iter().position(|l| l.trim_start().starts_with("- ")).unwrap_or(0);
        let long = step.len() - start > 1;
        if *seen > 0 && long && out.last().is_some_and(|l| !l.is_empty()) {
            out.push(String::new());
        }
        out.extend(one_step(std::mem::take(step), dash));
        *seen += 1;
    };
    for line in std::mem::take(&mut block.lines) {
        let depth = line.len() - line.trim_start_matches(' ').len();
        let body = &line[depth..];
        if body.is_empty() || (body.starts_with('#') && depth <= dash) {
            above.push(line);
        } else if depth == dash && body.starts_with("- ") {
            flush(&mut step, &mut out, &mut seen);
            step.append(&mut above);
            step.push(line);
        } else if step.is_empty() {
            out.append(&mut above);
            out.push(line);
        } else {
            step.append(&mut above);
            step.push(line);
        }
    }
    flush(&mut step, &mut out, &mut seen);
    out.append(&mut above);
    block.lines = out;
}

fn one_step(lines: Vec<String>, dash: usize) -> Vec<String> {
    let indent = dash + 2;
    let Some(first) = lines.iter().position(|l| l.get(dash..).is_some_and(|b| b.starts_with("- "))) else {
        return lines;
    };
    // The dash gives way to blanks while the keys are moved.
    let head = lines[..first].to_vec();
    let mut body = lines[first..].to_vec();
    body[0].replace_range(dash..=dash, " ");
    let deep = |l: &String| l.len() - l.trim_start_matches(' ').len();
    if deep(&body[0]) != indent || body.iter().any(|l| !l.is_empty() && deep(l) < indent) {
        return lines;
    }
    let refs: Vec<&str> = body.iter().map(String::as_str).collect();
    let (before, mut blocks) = split(&refs, indent);
    if !before.is_empty() {
        return lines;
    }
    sort(&mut blocks, &keys::STEP);
    // A comment above what is now the first key stands above the dash.
    let mut out = head;
    let Some(lead) = blocks.first_mut() else { return lines };
    let Some(at) = lead.lines.iter().position(|l| !l.is_empty() && !l.trim_start().starts_with('#')) else {
        return lines;
    };
    out.extend(lead.lines.drain(..at).filter(|l| !l.is_empty()).map(|l| l[2..].to_owned()));
    if let Some(line) = lead.lines.first_mut() {
        line.replace_range(dash..=dash, "-");
    }
    out.extend(blocks.into_iter().flat_map(|b| b.lines));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn formatted(text: &str) -> String {
        format(&Source::new("p.yaml", text)).unwrap_or_else(|d| panic!("{d:?}"))
    }

    #[test]
    fn keys_are_ordered_and_comments_stay_with_them() {
        let text = "name: x\r\n# the language\r\nversion: 1\r\nsteps:\r\n  # first\r\n  - uses: wait   \r\n    # the id\r\n    id: a\r\n    with:\r\n      text: |\r\n        b:  1\r\n  - id: b\r\n    uses: wait\r\n\r\n\r\n# the end\r\n";
        let expected = "# the language\nversion: 1\nname: x\nsteps:\n  # first\n  # the id\n  - id: a\n    uses: wait\n    with:\n      text: |\n        b:  1\n\n  - id: b\n    uses: wait\n\n# the end\n";
        assert_eq!(formatted(text), expected);
        assert_eq!(formatted(expected), expected);
    }

    #[test]
    fn one_blank_follows_a_colon() {
        let text = "version:   1\nname: x\ndescription:  \"a:   b\" # c:   d\nsteps:\n  - id:    a\n    uses: wait\n    with: {text:   'x'}\n";
        let expected = "version: 1\nname: x\ndescription: \"a:   b\" # c:   d\nsteps:\n  - id: a\n    uses: wait\n    with: {text: 'x'}\n";
        assert_eq!(formatted(text), expected);
        let block = "version: 1\nname: x\ndescription:   |\n  a:   b\nsteps:\n  - {id: a, uses: wait}\n";
        assert_eq!(formatted(block), block.replace(":   |", ": |"));
    }

    #[test]
    fn formatting_twice_is_formatting_once_and_meaning_stays() {
        use rand::{SeedableRng, rngs::StdRng, seq::SliceRandom};
        let seed: u64 = rand::random();
        let mut rng = StdRng::seed_from_u64(seed);
        for round in 0..300 {
            let mut top = [
                "version: 1",
                "name: x # its name",
                "description: >\n  long\n\n  text\n",
                "# note\nfail_fast: true",
                "\nsecrets:\n  - A\n",
            ];
            let mut step = [
                "id: a",
                "uses: wait # kind",
                "# why\n    needs:\n      - b",
                "with:\n      q: |\n        # no comment\n\n        x  \n      l: [1,\n        2]",
                "timeout: 5m",
            ];
            top.shuffle(&mut rng);
            step.shuffle(&mut rng);
            let step = step.join("\n    ").trim_start_matches("# why\n    ").to_owned();
            let mut parts: Vec<String> = top.iter().map(|s| (*s).to_owned()).collect();
            parts.insert(
                round % (parts.len() + 1),
                format!("steps:\n  - {step}\n  # second\n  - {{id: b, uses: wait}}"),
            );
            let text = parts.join("\n");
            let once = formatted(&text);
            assert!(same_meaning(&text, &once), "seed {seed}, round {round}:\n{text}\n---\n{once}");
            assert_eq!(formatted(&once), once, "seed {seed}, round {round}:\n{text}");
            assert_eq!(
                text.matches('#').count(),
                once.matches('#').count(),
                "seed {seed}: a comment is lost in\n{once}"
            );
        }
    }

    #[test]
    fn a_broken_file_is_not_formatted() {
        assert!(format(&Source::new("p.yaml", "version: 1\nversion: 1\n")).is_err());
    }
}
