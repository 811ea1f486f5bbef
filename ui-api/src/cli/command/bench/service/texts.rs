//! The pipelines that are served.

use std::{fs, path::Path};

use millwork_engine::model::Fault;

/// A query of a thousand billion rows: it is not done before it is killed, and needs next to no memory.
pub(super) const GRIND: &str = "version: 1
name: grind
steps:
  - id: digits
    uses: sql
    with: {query: 'select column1 as n from (values (0), (1), (2), (3), (4), (5), (6), (7), (8), (9))'}
  - id: wide
    uses: sql
    with: {query: 'select a.n + 10 * b.n + 100 * c.n + 1000 * d.n as n from digits a, digits b, digits c, digits d'}
  - id: grind
    uses: sql
    with: {query: 'select sum((a.n * b.n + c.n) % 7) as s from wide a cross join (wide b cross join wide c)'}
";

/// Three steps in a row that do next to nothing, of a pipeline of this name; `on` is a part of the text.
pub(super) fn three(name: &str, on: &str) -> String {
    format!(
        "version: 1
name: {name}
{on}inputs: {{n: {{type: int, default: 1}}}}
steps:
  - {{id: a, uses: assert, with: {{that: {{condition: '${{{{ inputs.n > 0 }}}}'}}}}}}
  - {{id: b, uses: assert, needs: a, with: {{that: {{condition: '${{{{ inputs.n > 0 }}}}'}}}}}}
  - {{id: c, uses: assert, needs: b, with: {{that: {{condition: '${{{{ inputs.n > 0 }}}}'}}}}}}
outputs: {{n: '${{{{ inputs.n }}}}'}}
"
    )
}

/// A pipeline as people have them, with a time every day.
pub(super) fn daily(name: &str, hour: u32, minute: u32) -> String {
    format!(
        "version: 1
name: {name}
on: {{schedule: [{{cron: '{minute} {hour} * * *', timezone: Europe/Berlin, catchup: latest, overlap: skip}}]}}
inputs: {{day: {{type: date, default: '2026-01-05', description: the day to count}}}}
steps:
  - id: orders
    uses: shell
    with: {{command: [sh, -c, 'echo 3'], output: json, type: int}}
  - id: totals
    uses: sql
    with:
      query: |
        select region, count(*) as orders, sum(amount) as amount
        from (values ('south', 3), ('north', 4)) as orders(region, amount)
        where amount <= $most group by region order by region
      params: {{most: '${{{{ steps.orders.outputs.value }}}}'}}
  - id: enough
    uses: assert
    with: {{that: {{condition: '${{{{ steps.totals.outputs.table.rows > 0 }}}}', message: there are no orders}}}}
outputs: {{day: '${{{{ inputs.day }}}}', orders: '${{{{ steps.orders.outputs.value }}}}'}}
"
    )
}

/// Writes pipelines into a folder, which is made; each file has its pipeline's name.
pub(super) fn write(folder: &Path, texts: impl IntoIterator<Item = (String, String)>) -> Result<(), Fault> {
    let failed = |e: std::io::Error| Fault::external("bench.folder", format!("{}: {e}", folder.display()));
    fs::create_dir_all(folder).map_err(failed)?;
    for (name, text) in texts {
        fs::write(folder.join(format!("{name}.yaml")), text).map_err(failed)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{link, workspace::Workspace};

    #[test]
    fn what_is_served_has_no_problems() {
        let texts = [
            GRIND.to_owned(),
            three("three", ""),
            three("often", "on: {schedule: [{cron: '* * * * *', jitter: 50s}]}\n"),
            daily("daily", 3, 7),
        ];
        for text in texts {
            let registry = millwork_steps::registry();
            let alone = Workspace::default();
            let checked = link::check("x.yaml", text.as_bytes(), Path::new("/"), &registry, true, false, &alone);
            let said: Vec<String> = checked.diagnostics.iter().map(|d| d.one_line(&checked.source)).collect();
            assert!(checked.plan.is_some(), "{text}\n{}", said.join("\n"));
        }
    }
}
