//! A file of 100,000 steps.

use std::{fmt::Write as _, time::Instant};

use millwork_engine::{
    diag::Source,
    model::Fault,
    spec::{read_pipeline, read_tree},
};

use super::{
    figure::{Figure, median, middle, ms},
    world::{Bench, plan},
};
use crate::cli::words;

/// A chain of steps, each with an expression.
fn text(steps: u32) -> String {
    let mut text = "version: 1\nname: many\nsteps:\n  - id: step_000000\n    uses: bench.noop\n".to_owned();
    for n in 1..steps {
        let before = n - 1;
        let _ = write!(
            text,
            "  - id: step_{n:06}\n    uses: bench.noop\n    needs: [step_{before:06}]\n    \
             with: {{value: \"${{{{ steps.step_{before:06}.outputs.value }}}}\"}}\n"
        );
    }
    text
}

pub(super) fn parse(bench: &Bench<'_>) -> Result<Vec<Figure>, Fault> {
    let steps = if bench.quick { 10_000 } else { 100_000 };
    let text = text(steps);
    let megabytes = text.len() as f64 / 1e6;
    let source = Source::new("bench.yaml", text.as_str());
    let (mut trees, mut specs, mut all) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..3 {
        let begin = Instant::now();
        let tree = read_tree(&source);
        trees.push(megabytes / begin.elapsed().as_secs_f64());
        drop(tree);
        let begin = Instant::now();
        let read = read_pipeline(&source);
        specs.push(megabytes / begin.elapsed().as_secs_f64());
        drop(read);
        let begin = Instant::now();
        let plan = plan(&text)?;
        all.push(begin.elapsed());
        drop(plan);
    }
    let (tree, spec, all) = (middle(trees), middle(specs), median(all));
    let name = format!("{} steps", words::count(u64::from(steps)));
    Ok(vec![
        Figure::new(&format!("parse and check {name}"), "< 3 s", ms(all), all.as_secs_f64() < 3.0)
            .beside(format!("{megabytes:.1} MB of YAML")),
        Figure::new(&format!("parse {name} with spans"), ">= 8 MB/s", format!("{tree:.1} MB/s"), tree >= 8.0)
            .beside(format!("to a pipeline: {spec:.1} MB/s")),
    ])
}
