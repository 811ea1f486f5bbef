use std::{fs, path::Path, sync::Arc};

use arrow::{
    array::{ArrayRef, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray},
    datatypes::{DataType, Field, Schema, SchemaRef},
    util::display::array_value_to_string,
};
use millwork_engine::{
    data::{Table, TableForm},
    model::Fault,
};

use super::{columns::Trouble, inline_table, load::Reading};
use crate::{
    formats::{Compression, Format, ScanOptions, TableWriter},
    sql::{Engine, SqlTable, run_query, tests::access},
};

fn reading(paths: &[&str], promised: &[(&str, DataType)]) -> Reading {
    let fields: Vec<_> = promised.iter().map(|(name, ty)| Field::new(*name, ty.clone(), true)).collect();
    let promised = (!fields.is_empty()).then(|| Arc::new(Schema::new(fields)) as SchemaRef);
    let paths = paths.iter().map(|path| (*path).to_owned()).collect();
    Reading { paths, format: None, options: ScanOptions::default(), promised }
}

fn write(folder: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        fs::write(folder.join(name), text).expect("written");
    }
}

fn parquet(folder: &Path, name: &str, columns: &[(&str, ArrayRef)]) {
    let batch = RecordBatch::try_from_iter(columns.iter().map(|(name, column)| (*name, column.clone())));
    let batch = batch.expect("a batch");
    let writer = TableWriter::create(&folder.join(name), "t", &batch.schema(), Format::Parquet, Compression::None);
    let mut writer = writer.expect("a writer");
    writer.write(&batch).expect("written");
    writer.finish().expect("finished");
}

/// Every row as its values, null as nothing.
fn shown(batches: &[RecordBatch]) -> Vec<String> {
    let row = |batch: &RecordBatch, row: usize| {
        let values = batch.columns().iter().map(|column| array_value_to_string(column, row).expect("shown"));
        values.collect::<Vec<_>>().join(",")
    };
    batches.iter().flat_map(|batch| (0..batch.num_rows()).map(move |at| row(batch, at))).collect()
}

async fn rows(table: &Table) -> Result<Vec<String>, Fault> {
    Ok(shown(&access().read(table, None, None).await?))
}

async fn query(text: &str, table: &Table) -> Result<Vec<String>, Fault> {
    let scratch = tempfile::tempdir().expect("a folder");
    let access = access();
    let engine = Engine { memory: None, scratch: scratch.path().to_owned(), access: &access, cx: None };
    let tables = [SqlTable { name: "t".to_owned(), table: table.clone() }];
    let result = run_query(text, &tables, &std::collections::BTreeMap::new(), &engine).await?;
    Ok(shown(result.batches().expect("in memory")))
}

fn columns(table: &Table) -> Vec<String> {
    table.schema.fields().iter().map(|field| format!("{}: {}", field.name(), field.data_type())).collect()
}

fn is_checked(table: &Table) -> bool {
    let TableForm::Scan(scan) = &table.form else { panic!("no files") };
    scan.options["checked"] == true
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_come_together_by_the_names_of_their_columns() {
    let here = tempfile::tempdir().expect("a folder");
    write(
        here.path(),
        &[
            ("1.csv", "a,b,e\n1,x,\n"),
            ("2.csv", "b,a,c,e\ny,2.5,2013-01-09,\n"),
            ("3.csv", ""),
            ("1.ndjson", "{\"a\":1,\"o\":{\"x\":1}}\n"),
            ("2.ndjson", "{\"a\":3.5,\"o\":{\"y\":\"z\"}}\n{\"c\":true}\n"),
        ],
    );
    let table = reading(&["*.csv"], &[]).table(here.path()).expect("a table");
    assert_eq!(columns(&table), ["a: Float64", "b: Utf8", "e: Utf8", "c: Date32"]);
    let expected = ["1.0,x,,", "2.5,y,,2013-01-09"];
    assert_eq!(rows(&table).await.expect("read"), expected);
    assert_eq!(query("select * from t order by a", &table).await.expect("read"), expected);
    let lines = reading(&["*.ndjson"], &[]).table(here.path()).expect("a table");
    assert_eq!(query("select a, c from t order by a", &lines).await.expect("read"), ["1.0,", "3.5,", ",true"]);
    assert_eq!(rows(&lines).await.expect("read")[1], "3.5,{x: , y: z},");
}

#[tokio::test(flavor = "multi_thread")]
async fn parquet_files_come_together_and_no_value_is_cut() {
    let here = tempfile::tempdir().expect("a folder");
    let path = here.path();
    parquet(path, "1.parquet", &[("a", Arc::new(Int32Array::from(vec![1, 7])))]);
    parquet(
        path,
        "2.parquet",
        &[("z", Arc::new(StringArray::from(vec!["z"]))), ("a", Arc::new(Int64Array::from(vec![1_i64 << 40])))],
    );
    parquet(path, "3.parquet", &[("a", Arc::new(Float64Array::from(vec![3.5])))]);
    let whole = reading(&["1.parquet", "2.parquet"], &[]).table(path).expect("a table");
    assert_eq!(columns(&whole), ["a: Int64", "z: Utf8"]);
    assert_eq!((whole.rows, is_checked(&whole)), (Some(3), false));
    let expected = ["1,", "7,", "1099511627776,z"];
    assert_eq!(rows(&whole).await.expect("read"), expected);
    assert_eq!(query("select * from t order by a", &whole).await.expect("read"), expected);
    assert_eq!(
        query("select max(a) as m, min(z) as n, count(z) as c from t", &whole).await.expect("read"),
        ["1099511627776,z,1"]
    );
    let mixed = reading(&["[123].parquet"], &[]).table(path).expect("a table");
    assert_eq!((columns(&mixed)[0].as_str(), is_checked(&mixed)), ("a: Float64", true));
    let found = query("select a from t where a < 7 order by a", &mixed).await.expect("read");
    assert_eq!(found, ["1.0", "3.5"]);
    parquet(path, "4.parquet", &[("a", Arc::new(Int64Array::from(vec![0_i64, 9_007_199_254_740_993])))]);
    let lossy = reading(&["[34].parquet"], &[]).table(path).expect("a table");
    for found in [rows(&lossy).await, query("select a from t", &lossy).await] {
        let fault = found.expect_err("a value would be cut");
        assert_eq!(fault.code.as_str(), "table.schema");
        assert!(fault.message.contains("4.parquet`, row 2: the column `a` is float"), "{fault}");
    }
}

#[test]
fn types_that_do_not_fit_are_a_fault_with_both_files() {
    let here = tempfile::tempdir().expect("a folder");
    write(here.path(), &[("1.csv", "a\n1\n"), ("2.csv", "a\nx\n")]);
    parquet(here.path(), "1.parquet", &[("a", Arc::new(Int64Array::from(vec![1])))]);
    parquet(here.path(), "2.parquet", &[("a", Arc::new(StringArray::from(vec!["x"])))]);
    for format in ["csv", "parquet"] {
        let all = reading(&[&format!("*.{format}")], &[]);
        let fault = all.table(here.path()).expect_err("a conflict");
        assert_eq!(fault.code.as_str(), "table.schema");
        for part in ["`a` is int", "1.", "string in", "2."] {
            assert!(fault.message.contains(part), "{fault}");
        }
        assert!(fault.help.is_some());
        assert!(matches!(all.schema(here.path()), Err(Trouble::Columns(_))), "the check tells it too");
    }
    let promised = reading(&["*.csv"], &[("a", DataType::Utf8)]);
    assert!(promised.table(here.path()).is_ok() && promised.schema(here.path()).is_ok());
    let promised = reading(&["*.parquet"], &[("a", DataType::Int64)]);
    let fault = promised.table(here.path()).expect_err("the second file");
    assert!(fault.message.contains("2.parquet`: the column `a` is string, not int"), "{fault}");
    let promised = reading(&["*.csv"], &[("a", DataType::Utf8), ("z", DataType::Utf8)]);
    let fault = promised.table(here.path()).expect_err("no file has it");
    assert_eq!(fault.message, "the column `z` is missing; found are a");
}

#[tokio::test]
async fn a_promised_type_never_cuts_a_value() {
    let here = tempfile::tempdir().expect("a folder");
    write(
        here.path(),
        &[
            ("i.ndjson", "{\"v\":1}\n{\"v\":3.5}\n"),
            ("i.json", "[{\"v\":1},{\"v\":\"x\"}]"),
            ("f.ndjson", "{\"v\":0.5}\n{\"v\":9007199254740993}\n"),
            ("f.csv", "v\n0.5\n9007199254740993\n"),
            ("d.csv", "v\n2013-01-09\n2013-01-09 10:00:00\n"),
        ],
    );
    for (file, ty, value) in [
        ("i.ndjson", DataType::Int64, "3.5"),
        ("i.json", DataType::Int64, "x"),
        ("f.ndjson", DataType::Float64, "9007199254740993"),
        ("f.csv", DataType::Float64, "9007199254740993"),
        ("d.csv", DataType::Date32, "2013-01-09 10:00:00"),
    ] {
        let table = reading(&[file], &[("v", ty)]).table(here.path()).expect("a table");
        let fault = rows(&table).await.expect_err(file);
        assert_eq!(fault.code.as_str(), "table.schema");
        assert!(fault.message.contains(&format!("{file}`, row 2: the column `v`")), "{fault}");
        assert!(fault.message.ends_with(&format!("`{value}`")) && fault.help.is_some(), "{fault}");
        let text = reading(&[file], &[("v", DataType::Utf8)]).table(here.path()).expect("a table");
        assert_eq!(rows(&text).await.expect("read")[1], value);
    }
}

#[test]
fn an_open_quote_and_two_columns_of_one_name_are_faults() {
    let here = tempfile::tempdir().expect("a folder");
    write(here.path(), &[("q.csv", "a,b\n1,x\n2,\"y\n3,z\n"), ("d.csv", "a,b,a\n1,2,3\n")]);
    let fault = reading(&["q.csv"], &[]).table(here.path()).expect_err("an open quote");
    assert_eq!(fault.code.as_str(), "table.parse");
    assert!(fault.message.contains("opened in line 3") && fault.help.is_some(), "{fault}");
    let twice = reading(&["d.csv"], &[]);
    let fault = twice.table(here.path()).expect_err("twice");
    assert!(fault.message.ends_with("columns 1 and 3 are both called `a`"), "{fault}");
    assert!(matches!(twice.schema(here.path()), Err(Trouble::Columns(_))));
    assert!(reading(&["d.csv"], &[("b", DataType::Int64)]).table(here.path()).is_ok());
    assert!(reading(&["d.csv"], &[("a", DataType::Int64)]).table(here.path()).is_err());
    let inline = |text: &str| inline_table(text, Format::Csv, &ScanOptions::default(), None);
    assert_eq!(inline("a,a\n1,2\n").expect_err("twice").code.as_str(), "table.schema");
    assert!(inline("a\n\"x\n").expect_err("an open quote").message.contains("opened in line 2"));
}

#[test]
fn a_damaged_file_gets_the_remedy_of_its_format() {
    let here = tempfile::tempdir().expect("a folder");
    write(here.path(), &[("x.parquet", "not parquet at all"), ("x.arrow", "neither"), ("x.json", "{")]);
    for (file, help) in [("x.parquet", "not Parquet"), ("x.arrow", "not Arrow IPC"), ("x.json", "format:")] {
        let fault = reading(&[file], &[]).table(here.path()).expect_err(file);
        assert_eq!(fault.code.as_str(), "table.parse", "{fault}");
        assert!(fault.help.as_deref().is_some_and(|found| found.contains(help)), "{fault:?}");
        assert!(!fault.message.contains("Parquet error"), "{fault}");
    }
}
