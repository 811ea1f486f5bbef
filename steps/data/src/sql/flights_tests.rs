//! The queries of the shipped pipeline, on the shipped data, as its text holds them.

use std::collections::BTreeMap;

use millwork_engine::data::{Table, Value};

use super::{
    engine::{Engine, SqlTable, run_query},
    names::{parse, relations},
    tests::{access, nyc},
};

/// Ids and queries of the pipeline, in its order: enough YAML for this one file.
fn queries() -> Vec<(String, String)> {
    let text = include_str!("../../../../pipelines/flights_etl.yaml");
    let mut found = Vec::new();
    let (mut id, mut query) = (String::new(), None::<String>);
    for line in text.lines() {
        if let Some(body) = &mut query {
            if line.is_empty() || line.starts_with("        ") {
                body.push_str(line);
                body.push('\n');
                continue;
            }
            found.push((id.clone(), query.take().unwrap_or_default()));
        }
        if let Some(rest) = line.strip_prefix("  - id: ") {
            rest.clone_into(&mut id);
        }
        match line.strip_prefix("      query: ") {
            Some("|") => query = Some(String::new()),
            Some(inline) => found.push((id.clone(), inline.to_owned())),
            None => {}
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn the_queries_of_flights_etl_run_on_the_flights() {
    let mut tables: BTreeMap<String, Table> =
        ["flights", "planes", "airports", "airlines", "weather"].map(|name| (name.to_owned(), nyc(name))).into();
    let access = access();
    let mut seen = Vec::new();
    for (id, text) in queries() {
        let names = relations(&parse(&text).expect(&id)).expect(&id);
        let used: Vec<_> =
            names.keys().map(|name| SqlTable { name: name.clone(), table: tables[name].clone() }).collect();
        let mut params = BTreeMap::new();
        if text.contains("$origin") {
            params.insert("origin".to_owned(), Value::from("JFK"));
        }
        let engine = Engine { memory: None, scratch: std::env::temp_dir(), access: &access, cx: None };
        let table = run_query(&text, &used, &params, &engine).await.unwrap_or_else(|e| panic!("{id}: {e}"));
        seen.push((id.clone(), table.rows.expect("known")));
        tables.insert(id, table);
    }
    let rows = |id: &str| seen.iter().find(|(step, _)| step == id).map(|(_, rows)| *rows);
    assert_eq!(rows("enriched"), Some(336_776), "no join drops or doubles a flight");
    assert_eq!((rows("by_carrier"), rows("routes"), rows("figures")), (Some(16), Some(5), Some(3)));
    assert_eq!(rows("by_day"), Some(3 * 365));
}
