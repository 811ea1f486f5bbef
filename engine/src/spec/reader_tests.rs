use std::{fmt::Write as _, time::Instant};

use super::*;
use crate::spec::read_pipeline;

fn tree(text: &str) -> Tree {
    read_tree(&Source::new("p.yaml", text))
}

fn codes(text: &str) -> Vec<&'static str> {
    tree(text).diagnostics.iter().map(|d| d.code.as_str()).collect()
}

#[test]
fn values_stand_where_they_are_written() {
    let text = "a: {b: [1, \"x\"]}\nlist:\n  - one\n  - two: |\n      text\n\nend: 1 # note\n";
    let source = Source::new("p.yaml", text);
    let root = read_tree(&source).root.expect("a document");
    let slice = |node: &Node| source.slice(node.span).to_owned();
    assert_eq!(slice(root.get("a").expect("a")), "{b: [1, \"x\"]}");
    let list = root.get("list").expect("list");
    assert_eq!(slice(list), "- one\n  - two: |\n      text");
    assert_eq!(slice(root.get("end").expect("end")), "1");
    let block = list.items().expect("items")[1].get("two").expect("two");
    let text = block.text().expect("text");
    assert_eq!(source.slice(text.map.span(0, 4)), "text");
}

#[test]
fn anchors_and_merge_keys_are_resolved() {
    let root = tree("x-a: &a {t: 1, u: 2}\ns:\n  <<: *a\n  u: 3\nl: [*a]\n").root.expect("a document");
    let s = root.get("s").expect("s");
    assert_eq!(s.get("t").map(|n| &n.kind), Some(&NodeKind::Int(1)));
    assert_eq!(s.get("u").map(|n| &n.kind), Some(&NodeKind::Int(3)));
    assert_eq!(root.get("l").and_then(|l| l.items()?[0].get("t")).map(|n| &n.kind), Some(&NodeKind::Int(1)));
}

#[test]
fn problems_are_named() {
    for (text, expected) in [
        ("a: 1\na: 2\nb: 1\nb: 2\n", vec!["P0003", "P0003"]),
        ("a: *x\nb: *y\n", vec!["P0007", "P0007"]),
        ("a: !x 1\n", vec!["P0008"]),
        ("a: 99999999999999999999\n", vec!["P0009"]),
        ("a: {n: ${{ x }}}\nb: [${{ y }}]\nc: 1\nc: 2\n", vec!["P0010", "P0010", "P0003"]),
        ("a: ${{ x #y }}\n", vec!["P0010"]),
        ("a:\n\t- b\n", vec!["P0001"]),
        ("a: 1\n---\nb: 2\n", vec!["P0001"]),
        ("a: [1\n", vec!["P0001"]),
        ("? [a]\n: 1\nb: 2\n", vec!["P0006"]),
        ("a: 1\r\nb: 2\r\n", vec![]),
        ("", vec![]),
    ] {
        assert_eq!(codes(text), expected, "{text:?}");
    }
}

#[test]
fn hostile_files_end_soon() {
    let begun = Instant::now();
    assert_eq!(codes(&"[".repeat(100_000)), ["P0002"]);
    let deep: String = (0..5_000).map(|n| format!("{}a:\n", " ".repeat(n))).collect();
    assert_eq!(codes(&deep), ["P0002"]);
    let mut laughs = "a: &l0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for n in 1..10 {
        let uses = vec![format!("*l{}", n - 1); 10].join(", ");
        let _ = writeln!(laughs, "a{n}: &l{n} [{uses}]");
    }
    assert_eq!(codes(&laughs), ["P0002"]);
    let quadratic = format!("a: &a {}\nb: [{}]\n", "x".repeat(100_000), "*a, ".repeat(20_000));
    assert!(tree(&quadratic).complete, "shared text costs nothing");
    let lines = format!("a: &a |\n{}b: [{}]\n", "  x\n".repeat(50_000), "*a, ".repeat(20_000));
    assert_eq!(codes(&lines), ["P0002"]);
    let keys: String = (0..50_000).map(|n| format!("k{n}: 1\n")).collect();
    assert!(tree(&keys).complete);
    let same = "k: 1\n".repeat(50_000);
    assert_eq!(codes(&same).len(), MAX_PROBLEMS);
    assert!(crate::spec::read_source("p.yaml", &vec![b'x'; 100 << 20]).is_err());
    assert!(crate::spec::read_source("p.yaml", b"a: \xff").is_err());
    assert!(crate::spec::read_source("p.yaml", b"\xef\xbb\xbfa: 1").is_ok_and(|s| s.text() == "a: 1"));
    assert!(begun.elapsed().as_secs() < 20, "took {:?}", begun.elapsed());
}

#[test]
fn a_hundred_thousand_steps_are_read_in_seconds() {
    let mut text = "version: 1\nname: wide\nsteps:\n".to_owned();
    for n in 0..100_000 {
        let _ =
            writeln!(text, "  - id: step_{n}\n    needs: [step_{}]\n    uses: assert\n    with: {{that: true}}", n / 2);
    }
    text = text.replacen("    needs: [step_0]\n", "", 1);
    let begun = Instant::now();
    let outcome = read_pipeline(&Source::new("p.yaml", text.as_str()));
    let took = begun.elapsed();
    let rate = text.len() as f64 / 1e6 / took.as_secs_f64();
    tracing::info!(?took, rate, "read 100,000 steps");
    assert!(outcome.diagnostics.is_empty(), "{:?}", outcome.diagnostics.first());
    assert_eq!(outcome.value.map(|v| v.steps.len()), Some(100_000));
    assert!(took.as_secs() < 10, "took {took:?}, {rate:.1} MB/s");
    std::io::Write::write_all(&mut std::io::stderr(), format!("100,000 steps: {took:?}, {rate:.1} MB/s\n").as_bytes())
        .ok();
}

/// Mutated files never panic. The seed is in the message.
#[test]
fn mutated_files_never_panic() {
    use rand::{RngExt, SeedableRng, rngs::StdRng};
    let seed: u64 = rand::random();
    let mut rng = StdRng::seed_from_u64(seed);
    let base = include_str!("fuzz_seed.yaml");
    let parts = [
        "{", "}", "[", "]", ": ", "- ", "\n", "\t", "\"", "'", "&a ", "*a", "<<", "!t ", "|", ">", "#", "é", "$", "0",
        "\r\n", "  ", "?", "%", "@", "\u{0}",
    ];
    for round in 0..2_000 {
        let mut text = base.to_owned();
        for _ in 0..rng.random_range(1..8) {
            let mut at = rng.random_range(0..=text.len());
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            match rng.random_range(0..3) {
                0 => text.insert_str(at, parts[rng.random_range(0..parts.len())]),
                1 => text.truncate(at),
                _ => {
                    let mut end = (at + rng.random_range(0..20)).min(text.len());
                    while !text.is_char_boundary(end) {
                        end -= 1;
                    }
                    if end > at {
                        text.replace_range(at..end, "");
                    }
                }
            }
        }
        let result = std::panic::catch_unwind(|| {
            let source = Source::new("p.yaml", text.as_str());
            let outcome = read_pipeline(&source);
            for problem in &outcome.diagnostics {
                assert!(problem.primary.span.end as usize <= text.len() && !problem.message.is_empty());
                let _ = problem.one_line(&source);
            }
        });
        assert!(result.is_ok(), "seed {seed}, round {round}: {text:?}");
    }
}
