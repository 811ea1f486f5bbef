//! Pipelines from a seed. Each has several kinds of steps; each effect writes lines to a ledger.

use std::fmt::Write as _;

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

/// A pipeline made from a seed.
#[derive(Debug, Clone)]
pub struct Generated {
    /// The pipeline's text.
    pub yaml: String,
    /// File name and text of the sub-pipeline that it may call.
    pub child: (&'static str, &'static str),
    /// What it is made of, in order.
    pub forms: Vec<&'static str>,
}

const CHILD: &str = r#"version: 1
name: child
inputs:
  dir: {type: string}
  n: {type: int}
steps:
  - id: note
    uses: shell
    env: {DIR: "${{ inputs.dir }}"}
    with: {command: [sh, -c, 'echo "end $MILLWORK_KEY child" >> "$DIR/ledger"; echo child']}
outputs:
  twice: "${{ inputs.n * 2 }}"
  said: "${{ trim(steps.note.outputs.stdout) }}"
"#;

/// An effect: a line when it begins, a little work, a line when it ends.
const EFFECT: &str = r#"echo "begin $MILLWORK_KEY" >> "$DIR/ledger"; sleep 0.0$PAUSE; echo "end $MILLWORK_KEY $WHAT" >> "$DIR/ledger"; echo "$WHAT""#;

/// Fails the first time with a status that the policy retries.
const FLAKY: &str = r#"if [ ! -e "$DIR/seen-$WHAT" ]; then : > "$DIR/seen-$WHAT"; exit 75; fi; echo "end $MILLWORK_KEY $WHAT" >> "$DIR/ledger"; echo "$WHAT""#;

/// Counts how often it ran: `repeat` goes on until it is 3.
const COUNT: &str = r#"echo x >> "$DIR/count"; wc -l < "$DIR/count""#;

/// A pipeline of 5 to 12 steps beside those that each has. The same seed gives the same text.
pub fn generate(seed: u64) -> Generated {
    let mut build = Build::new(StdRng::seed_from_u64(seed));
    build.table();
    for _ in 0..build.rng.random_range(5..=12) {
        match build.rng.random_range(0..15) {
            0 => build.table(),
            1 | 2 => build.sql(),
            3 => build.check(),
            4 => build.write(),
            5 | 6 => build.effect(),
            7 => build.flaky(),
            8 => build.fan_out(),
            9 => build.fan_out_sql(),
            10 => build.body(),
            11 => build.wait(),
            12 => build.sub_pipeline(),
            13 => build.large(),
            _ => build.conditional(),
        }
    }
    build.repeat();
    build.finish(seed)
}

struct Build {
    rng: StdRng,
    steps: String,
    count: u32,
    tables: Vec<String>,
    outputs: String,
    forms: Vec<&'static str>,
}

impl Build {
    fn new(rng: StdRng) -> Self {
        Self { rng, steps: String::new(), count: 0, tables: Vec::new(), outputs: String::new(), forms: Vec::new() }
    }

    fn id(&mut self, form: &'static str) -> String {
        self.count += 1;
        self.forms.push(form);
        format!("{form}_{}", self.count)
    }

    fn step(&mut self, text: &str) {
        for line in text.lines() {
            let _ = writeln!(self.steps, "  {line}");
        }
    }

    fn output(&mut self, id: &str, expression: &str) {
        let _ = writeln!(self.outputs, "  {id}: \"${{{{ {expression} }}}}\"");
    }

    fn some_table(&mut self) -> String {
        let at = self.rng.random_range(0..self.tables.len());
        self.tables[at].clone()
    }

    fn table(&mut self) {
        let id = self.id("table");
        let rows = self.rng.random_range(0..40);
        let mut text = format!(
            "- id: {id}\n  uses: table.read\n  with:\n    format: csv\n    schema: {{k: int, v: int}}\n    inline: |\n      k,v\n"
        );
        for _ in 0..rows {
            let _ = writeln!(text, "      {},{}", self.rng.random_range(0..6), self.rng.random_range(-50..50));
        }
        self.step(&text);
        self.tables.push(id);
    }

    fn sql(&mut self) {
        let (a, b) = (self.some_table(), self.some_table());
        let id = self.id("sql");
        let query = if a == b || self.rng.random_bool(0.5) {
            format!("select k, sum(v) as v from {a} where v >= $low group by k order by k")
        } else {
            format!(
                "select a.k, a.v + b.v as v from {a} a join {b} b on a.k = b.k where a.v >= $low order by 1, 2 limit 50"
            )
        };
        let low = self.rng.random_range(-30..10);
        self.step(&format!("- id: {id}\n  uses: sql\n  with:\n    query: {query}\n    params: {{low: {low}}}"));
        self.output(&id, &format!("steps.{id}.outputs.table.rows"));
        self.tables.push(id);
    }

    fn check(&mut self) {
        let table = self.some_table();
        let id = self.id("check");
        self.step(&format!(
            "- id: {id}\n  uses: table.check\n  with:\n    table: \"${{{{ steps.{table}.outputs.table }}}}\"\n    expect: [{{not_null: k, severity: warn}}, {{unique: k, severity: warn}}]"
        ));
        self.output(&id, &format!("steps.{id}.outputs.warned"));
    }

    fn write(&mut self) {
        let table = self.some_table();
        let id = self.id("write");
        let (mode, path) = match self.rng.random_range(0..3) {
            0 => ("overwrite", format!("${{{{ inputs.dir }}}}/{id}.csv")),
            1 => ("append", format!("${{{{ inputs.dir }}}}/{id}")),
            _ => ("partitions\n    partition_by: [k]", format!("${{{{ inputs.dir }}}}/{id}")),
        };
        self.step(&format!(
            "- id: {id}\n  uses: table.write\n  with:\n    table: \"${{{{ steps.{table}.outputs.table }}}}\"\n    format: csv\n    path: \"{path}\"\n    mode: {mode}"
        ));
        self.output(&id, &format!("steps.{id}.outputs.rows"));
    }

    fn shell(id: &str, script: &str, what: &str, pause: u32) -> String {
        format!(
            "- id: {id}\n  uses: shell\n  env: {{DIR: \"${{{{ inputs.dir }}}}\", WHAT: \"{what}\", PAUSE: \"{pause}\"}}\n  with:\n    command: [sh, -c, '{script}']"
        )
    }

    fn effect(&mut self) {
        let id = self.id("effect");
        let pause = self.rng.random_range(0..6);
        let mut text = Self::shell(&id, EFFECT, &id, pause);
        if self.rng.random_bool(0.5) {
            let _ = write!(text, "\n  needs: {}", self.some_table());
        }
        self.step(&text);
        self.output(&id, &format!("trim(steps.{id}.outputs.stdout)"));
    }

    fn flaky(&mut self) {
        let id = self.id("flaky");
        let retry = "\n  retry: {max_attempts: 4, delay: 20ms, on_exit_codes: [75]}";
        self.step(&(Self::shell(&id, FLAKY, &id, 0) + retry));
        self.output(&id, &format!("trim(steps.{id}.outputs.stdout)"));
    }

    fn fan_out(&mut self) {
        let id = self.id("each");
        let items: Vec<String> = (0..self.rng.random_range(1..12)).map(|i| i.to_string()).collect();
        let parallel = self.rng.random_range(1..5);
        let text = Self::shell(&id, EFFECT, &format!("{id}-${{{{ item }}}}"), 1);
        self.step(&format!("{text}\n  for_each: \"${{{{ [{}] }}}}\"\n  max_parallel: {parallel}", items.join(", ")));
        self.output(&id, &format!("length(steps.{id}.outputs.stdout)"));
    }

    fn fan_out_sql(&mut self) {
        let table = self.some_table();
        let id = self.id("each_sql");
        self.step(&format!(
            "- id: {id}\n  for_each: \"${{{{ [0, 1, 2, 3, 4, 5] }}}}\"\n  uses: sql\n  with:\n    query: select k, v from {table} where k = $k order by v\n    params: {{k: \"${{{{ item }}}}\"}}"
        ));
        self.output(&id, &format!("steps.{id}.outputs.table.rows"));
    }

    fn body(&mut self) {
        let id = self.id("body");
        let (one, two) = (format!("first_{id}"), format!("second_{id}"));
        let first = Self::shell(&one, EFFECT, &format!("{id}-first-${{{{ item }}}}"), 1).replace('\n', "\n    ");
        let what = format!("${{{{ trim(steps.{one}.outputs.stdout) }}}}-second");
        let second = Self::shell(&two, EFFECT, &what, 1).replace('\n', "\n    ");
        self.step(&format!(
            "- id: {id}\n  for_each: \"${{{{ ['a', 'b', 'c'] }}}}\"\n  steps:\n    {first}\n    {second}"
        ));
        self.output(&id, &format!("steps.{id}.outputs.stdout"));
    }

    /// Outputs of a row, or of an artifact.
    fn large(&mut self) {
        let id = self.id("large");
        let bytes = if self.rng.random_bool(0.5) { 20_000 } else { 300_000 };
        let script =
            format!(r#"head -c {bytes} /dev/zero | tr "\0" z; echo "end $MILLWORK_KEY $WHAT" >> "$DIR/ledger""#);
        self.step(&Self::shell(&id, &script, &id, 0));
        self.output(&id, &format!("length(steps.{id}.outputs.stdout)"));
    }

    fn wait(&mut self) {
        let id = self.id("wait");
        let table = self.some_table();
        let millis = self.rng.random_range(10..80);
        self.step(&format!("- id: {id}\n  needs: {table}\n  uses: wait\n  with: {{for: {millis}ms}}"));
    }

    fn sub_pipeline(&mut self) {
        let id = self.id("child");
        let n = self.rng.random_range(0..100);
        self.step(&format!(
            "- id: {id}\n  uses: pipeline\n  with:\n    path: child.yaml\n    inputs: {{dir: \"${{{{ inputs.dir }}}}\", n: {n}}}"
        ));
        self.output(&id, &format!("steps.{id}.outputs.twice"));
    }

    fn conditional(&mut self) {
        let table = self.some_table();
        let id = self.id("maybe");
        let text = Self::shell(&id, EFFECT, &id, 0);
        let limit = self.rng.random_range(0..40);
        self.step(&format!("{text}\n  if: steps.{table}.outputs.table.rows > {limit}"));
        self.output(&id, &format!("steps.{id}.status"));
    }

    fn repeat(&mut self) {
        let id = self.id("repeat");
        let text = Self::shell(&id, COUNT, &id, 0);
        self.step(&format!("{text}\n  repeat: {{until: \"int(trim(outputs.stdout)) >= 3\", every: 20ms, max: 50}}"));
    }

    fn finish(self, seed: u64) -> Generated {
        let yaml = format!(
            "version: 1\nname: selftest_{seed}\ninputs:\n  dir: {{type: string}}\nsteps:\n{}finally:\n  - id: last\n    uses: shell\n    env: {{DIR: \"${{{{ inputs.dir }}}}\"}}\n    with: {{command: [sh, -c, 'echo \"end $MILLWORK_KEY last\" >> \"$DIR/ledger\"']}}\noutputs:\n{}  n: \"${{{{ 1 }}}}\"\n",
            self.steps, self.outputs
        );
        Generated { yaml, child: ("child.yaml", CHILD), forms: self.forms }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_always_gives_the_same_pipeline() {
        assert_eq!(generate(7).yaml, generate(7).yaml);
        assert_ne!(generate(7).yaml, generate(8).yaml);
    }

    #[test]
    fn forty_seeds_use_every_form() {
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..40 {
            seen.extend(generate(seed).forms);
        }
        assert_eq!(seen.len(), 14, "{seen:?}");
    }
}
