//! Small CSV texts as tables: what commands print and what tests write down. Files of data are read by
//! the family that knows file formats.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, BooleanArray, Date32Array, Float64Array, Int64Array, StringArray, new_null_array},
    compute::cast,
    datatypes::{DataType, Field, Schema, SchemaRef},
    record_batch::RecordBatch,
};
use chrono::NaiveDate;
use millwork_engine::data::Table;

/// Reads a text with a line of column names. With a schema, its columns are looked up by name and cast;
/// without one, each column gets the narrowest of int, float, bool, date and string. An empty field is
/// null, a quoted empty field is an empty string.
pub fn parse(text: &str, schema: Option<&SchemaRef>) -> Result<Table, String> {
    let records = records(text)?;
    let Some((header, rows)) = records.split_first() else { return Err("there is no line of column names".to_owned()) };
    let names: Vec<&str> = header.iter().map(|field| field.text.trim()).collect();
    for (i, row) in rows.iter().enumerate() {
        if row.len() != names.len() {
            return Err(format!("row {} has {} fields, the header {}", i + 1, row.len(), names.len()));
        }
    }
    let column = |i: usize| rows.iter().map(|row| row[i].value()).collect::<Vec<_>>();
    let (fields, arrays): (Vec<Field>, Vec<ArrayRef>) = match schema {
        None => names.iter().enumerate().map(|(i, name)| infer(name, &column(i))).unzip(),
        Some(schema) => {
            let fields = schema.fields().iter().map(|field| {
                let Some(at) = names.iter().position(|name| name == field.name()) else {
                    return Ok((
                        field.as_ref().clone().with_nullable(true),
                        new_null_array(field.data_type(), rows.len()),
                    ));
                };
                Ok((field.as_ref().clone().with_nullable(true), typed(field, &column(at))?))
            });
            fields.collect::<Result<Vec<_>, String>>()?.into_iter().unzip()
        }
    };
    if let Some(unknown) =
        names.iter().find(|name| schema.is_some_and(|schema| schema.column_with_name(name).is_none()))
    {
        return Err(format!("the table has no column `{unknown}`"));
    }
    let schema = Arc::new(Schema::new(fields));
    let batch = RecordBatch::try_new(schema.clone(), arrays).map_err(|e| e.to_string())?;
    Ok(Table::with_schema(schema, vec![batch]))
}

fn typed(field: &Field, values: &[Option<&str>]) -> Result<ArrayRef, String> {
    let texts: ArrayRef = Arc::new(StringArray::from(values.to_vec()));
    let array = cast(&texts, field.data_type()).map_err(|e| format!("column `{}`: {e}", field.name()))?;
    // A cast makes null of what it cannot read.
    match values.iter().enumerate().find(|(i, value)| value.is_some() && array.is_null(*i)) {
        Some((i, value)) => Err(format!(
            "column `{}`, row {}: `{}` is not {}",
            field.name(),
            i + 1,
            value.unwrap_or_default(),
            field.data_type()
        )),
        None => Ok(array),
    }
}

fn infer(name: &str, values: &[Option<&str>]) -> (Field, ArrayRef) {
    let present = || values.iter().flatten();
    let all = |test: fn(&str) -> bool| present().next().is_some() && present().all(|text| test(text));
    let (ty, array): (DataType, ArrayRef) = if all(|t| t.parse::<i64>().is_ok()) {
        let parsed = values.iter().map(|v| v.and_then(|t| t.parse().ok()));
        (DataType::Int64, Arc::new(parsed.collect::<Int64Array>()))
    } else if all(|t| t.parse::<f64>().is_ok()) {
        let parsed = values.iter().map(|v| v.and_then(|t| t.parse().ok()));
        (DataType::Float64, Arc::new(parsed.collect::<Float64Array>()))
    } else if all(|t| matches!(t, "true" | "false")) {
        let parsed = values.iter().map(|v| v.map(|t| t == "true"));
        (DataType::Boolean, Arc::new(parsed.collect::<BooleanArray>()))
    } else if all(|t| t.parse::<NaiveDate>().is_ok()) {
        let parsed = values.iter().map(|v| v.and_then(|t| t.parse().ok()).map(days));
        (DataType::Date32, Arc::new(parsed.collect::<Date32Array>()))
    } else {
        (DataType::Utf8, Arc::new(StringArray::from(values.to_vec())))
    };
    (Field::new(name, ty, true), array)
}

fn days(date: NaiveDate) -> i32 {
    i32::try_from(date.signed_duration_since(NaiveDate::default()).num_days()).unwrap_or(0)
}

struct Cell {
    text: String,
    quoted: bool,
}

impl Cell {
    fn value(&self) -> Option<&str> {
        (self.quoted || !self.text.is_empty()).then_some(self.text.as_str())
    }
}

/// RFC 4180, with LF or CRLF; empty lines are left out.
fn records(text: &str) -> Result<Vec<Vec<Cell>>, String> {
    let (mut rows, mut row) = (Vec::new(), Vec::new());
    let (mut cell, mut quoted) = (String::new(), false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if cell.is_empty() && !quoted => {
                quoted = true;
                loop {
                    match chars.next() {
                        Some('"') if chars.peek() == Some(&'"') => {
                            chars.next();
                            cell.push('"');
                        }
                        Some('"') => break,
                        Some(inner) => cell.push(inner),
                        None => return Err("a quoted field does not end".to_owned()),
                    }
                }
            }
            ',' => row.push(Cell { text: std::mem::take(&mut cell), quoted: std::mem::take(&mut quoted) }),
            '\r' if chars.peek() == Some(&'\n') => {}
            '\n' => {
                if !row.is_empty() || !cell.is_empty() || quoted {
                    row.push(Cell { text: std::mem::take(&mut cell), quoted: std::mem::take(&mut quoted) });
                    rows.push(std::mem::take(&mut row));
                }
            }
            _ if quoted => return Err("text follows a quoted field".to_owned()),
            other => cell.push(other),
        }
    }
    if !row.is_empty() || !cell.is_empty() || quoted {
        row.push(Cell { text: cell, quoted });
        rows.push(row);
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn types(text: &str) -> String {
        let table = parse(text, None).expect(text);
        table.schema.fields().iter().map(|f| f.data_type().to_string()).collect::<Vec<_>>().join(",")
    }

    #[test]
    fn columns_get_the_narrowest_type() {
        assert_eq!(types("a,b,c,d,e\n1,1.5,true,2013-01-09,x\n,2,false,,\n"), "Int64,Float64,Boolean,Date32,Utf8");
        assert_eq!(types("a\n"), "Utf8");
        assert_eq!(types("a\r\n1\r\nNaN"), "Float64");
    }

    #[test]
    fn quotes_commas_and_line_breaks() {
        let table = parse("a,b\n\"x, \"\"y\"\"\n\",\"\"\n,2\n", None).expect("a table");
        let batch = &table.batches().expect("in memory")[0];
        let column = batch.column(0).as_any().downcast_ref::<StringArray>().expect("text");
        assert_eq!(column.iter().collect::<Vec<_>>(), [Some("x, \"y\"\n"), None]);
    }

    #[test]
    fn mistakes_are_named() {
        let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, true)]));
        for (text, schema, expected) in [
            ("", None, "no line of column names"),
            ("a,b\n1\n", None, "row 1 has 1 fields"),
            ("a\n\"x", None, "does not end"),
            ("a\n\"x\"y", None, "text follows"),
            ("n\nx\n", Some(&schema), "`x` is not Int64"),
            ("m\n1\n", Some(&schema), "no column `m`"),
        ] {
            let error = parse(text, schema).expect_err(text);
            assert!(error.contains(expected), "{text}: {error}");
        }
        assert_eq!(parse("n\n1\n\n2\n", Some(&schema)).expect("typed").rows, Some(2));
    }
}
