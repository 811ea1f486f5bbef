//! The items of a fan-out: the elements of a list, the entries of a map, the records or batches of a table.

use std::sync::Arc;

use arrow::{
    array::{Array, AsArray, BooleanArray},
    compute::cast,
    datatypes::{
        DataType, Date32Type, DurationMicrosecondType, Float64Type, Int64Type, SchemaRef, TimestampMicrosecondType,
    },
    record_batch::RecordBatch,
};
use chrono::{DateTime, Days, NaiveDate, TimeDelta};

use super::env::ItemValue;
use crate::{
    data::{Map, Table, Type, Value, plain},
    expr::Labelled,
    model::{Digest, Fault, Labels},
};

/// The items of a fan-out. Values are shared, never copied.
#[derive(Debug)]
pub(crate) struct Items {
    over: Over,
    keys: Option<Vec<Arc<str>>>,
    labels: Labels,
    /// How many.
    pub count: u32,
    /// Digest of the list: the same after a resume.
    pub digest: Digest,
}

#[derive(Debug)]
enum Over {
    List(Arc<Vec<Value>>),
    Map(Arc<Map>),
    Records(Rows),
    Batches(Rows, u32),
}

#[derive(Debug)]
struct Rows {
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
    starts: Vec<u64>,
    total: u64,
}

impl Items {
    /// Items of a value. Batches of a table come with it, already read.
    pub(crate) fn new(over: &Labelled, read: Option<Vec<RecordBatch>>, batch: Option<u32>) -> Result<Self, Fault> {
        let (count, over_what) = match (&over.value, read) {
            (Value::List(items), _) => (items.len() as u64, Over::List(items.clone())),
            (Value::Map(entries), _) => (entries.len() as u64, Over::Map(entries.clone())),
            (Value::Table(table), Some(batches)) => {
                let rows = Rows::new(table.schema.clone(), batches);
                match batch {
                    Some(size) => {
                        let size = size.max(1);
                        (rows.total.div_ceil(u64::from(size)), Over::Batches(rows, size))
                    }
                    None => (rows.total, Over::Records(rows)),
                }
            }
            (Value::Null, _) => (0, Over::List(Arc::default())),
            (other, _) => {
                let found = Type::of(other);
                return Err(Fault::user(
                    "items.type",
                    format!("`for_each` takes a list, a map or a table, found {found}"),
                ));
            }
        };
        let count = u32::try_from(count)
            .map_err(|_| Fault::user("items.many", format!("{count} items are more than a fan-out may have")))?;
        let digest = over_what.digest(count);
        Ok(Self { over: over_what, keys: None, labels: over.labels.clone(), count, digest })
    }

    /// Names the items. Two equal keys are a fault of the user.
    pub(crate) fn named(mut self, keys: Vec<Arc<str>>) -> Result<Self, Fault> {
        let mut seen = std::collections::HashSet::with_capacity(keys.len());
        if let Some(twice) = keys.iter().find(|key| !seen.insert((*key).clone())) {
            return Err(Fault::user("items.key", format!("two items have the key `{twice}`"))
                .help("`key:` must be different for each item"));
        }
        self.keys = Some(keys);
        Ok(self)
    }

    /// Whether items have names.
    pub(crate) fn has_keys(&self) -> bool {
        self.keys.is_some() || matches!(self.over, Over::Map(_))
    }

    /// An item.
    pub(crate) fn get(&self, index: u32) -> Result<ItemValue, Fault> {
        let missing = || Fault::internal("items.missing", format!("there is no item {index}"));
        let at = index as usize;
        let value = match &self.over {
            Over::List(items) => items.get(at).cloned().ok_or_else(missing)?,
            Over::Map(entries) => entries.get_index(at).map(|(_, value)| value.clone()).ok_or_else(missing)?,
            Over::Records(rows) => rows.record(u64::from(index))?.ok_or_else(missing)?,
            Over::Batches(rows, size) => rows.slice(u64::from(index) * u64::from(*size), u64::from(*size)),
        };
        let key = match (&self.keys, &self.over) {
            (Some(keys), _) => keys.get(at).map_or(Value::Null, |key| Value::String(key.clone())),
            (None, Over::Map(entries)) => {
                entries.get_index(at).map_or(Value::Null, |(key, _)| Value::String(key.clone()))
            }
            (None, _) => Value::Null,
        };
        Ok(ItemValue { index, value: Labelled { value, labels: self.labels.clone() }, key })
    }
}

impl Over {
    /// Tables count by their columns and rows: their content is fixed by the durable outputs they are from.
    fn digest(&self, count: u32) -> Digest {
        let text = |value: &Value| plain(value).to_string();
        match self {
            Self::List(items) => {
                let texts: Vec<String> = items.iter().map(text).collect();
                Digest::of_parts(texts.iter().map(String::as_bytes))
            }
            Self::Map(entries) => {
                let texts: Vec<String> = entries.iter().flat_map(|(k, v)| [k.to_string(), text(v)]).collect();
                Digest::of_parts(texts.iter().map(String::as_bytes))
            }
            Self::Records(rows) | Self::Batches(rows, _) => {
                let names: Vec<String> = rows.schema.fields().iter().map(|field| field.to_string()).collect();
                let numbers = [rows.total.to_le_bytes().to_vec(), count.to_le_bytes().to_vec()];
                Digest::of_parts(names.iter().map(String::as_bytes).chain(numbers.iter().map(Vec::as_slice)))
            }
        }
    }
}

impl Rows {
    fn new(schema: SchemaRef, batches: Vec<RecordBatch>) -> Self {
        let mut total = 0;
        let mut starts = Vec::with_capacity(batches.len());
        for batch in &batches {
            starts.push(total);
            total += batch.num_rows() as u64;
        }
        Self { schema, batches, starts, total }
    }

    fn slice(&self, from: u64, size: u64) -> Value {
        let end = (from + size).min(self.total);
        let first = self.starts.partition_point(|start| *start <= from).saturating_sub(1);
        let mut parts = Vec::new();
        for (batch, start) in self.batches.iter().zip(&self.starts).skip(first) {
            let (low, high) = (from.max(*start), end.min(start + batch.num_rows() as u64));
            if *start >= end {
                break;
            }
            if low < high {
                parts.push(batch.slice((low - start) as usize, (high - low) as usize));
            }
        }
        Value::Table(Table::with_schema(self.schema.clone(), parts))
    }

    fn record(&self, row: u64) -> Result<Option<Value>, Fault> {
        if row >= self.total {
            return Ok(None);
        }
        let at = self.starts.partition_point(|start| *start <= row).saturating_sub(1);
        let batch = &self.batches[at];
        let row = (row - self.starts[at]) as usize;
        let cells = batch.schema_ref().fields().iter().zip(batch.columns());
        let cells = cells.map(|(field, column)| Ok((Arc::<str>::from(field.name().as_str()), cell(column, row)?)));
        Ok(Some(Value::Map(Arc::new(cells.collect::<Result<Map, Fault>>()?))))
    }
}

/// One cell as a value. Nested columns are given as text.
fn cell(column: &Arc<dyn Array>, row: usize) -> Result<Value, Fault> {
    if column.is_null(row) {
        return Ok(Value::Null);
    }
    let target = Type::from_arrow(column.data_type()).to_arrow().unwrap_or(DataType::Utf8);
    let one = cast(&column.slice(row, 1), &target)
        .map_err(|e| Fault::user("items.column", format!("a column cannot be read as an item: {e}")))?;
    if one.is_null(0) {
        return Ok(Value::Null);
    }
    Ok(match target {
        DataType::Boolean => Value::Bool(one.as_any().downcast_ref::<BooleanArray>().is_some_and(|b| b.value(0))),
        DataType::Int64 => Value::Int(one.as_primitive::<Int64Type>().value(0)),
        DataType::Float64 => Value::Float(one.as_primitive::<Float64Type>().value(0)),
        DataType::Utf8 => Value::from(one.as_string::<i32>().value(0)),
        DataType::Binary => Value::Bytes(one.as_binary::<i32>().value(0).into()),
        DataType::Date32 => date(one.as_primitive::<Date32Type>().value(0)).map_or(Value::Null, Value::Date),
        DataType::Timestamp(..) => {
            let micros = one.as_primitive::<TimestampMicrosecondType>().value(0);
            DateTime::from_timestamp_micros(micros).map_or(Value::Null, Value::Timestamp)
        }
        DataType::Duration(_) => {
            Value::Duration(TimeDelta::microseconds(one.as_primitive::<DurationMicrosecondType>().value(0)))
        }
        _ => Value::Null,
    })
}

fn date(days: i32) -> Option<NaiveDate> {
    let epoch = NaiveDate::from_ymd_opt(1970, 1, 1)?;
    let distance = Days::new(u64::from(days.unsigned_abs()));
    if days >= 0 { epoch.checked_add_days(distance) } else { epoch.checked_sub_days(distance) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::{
        array::{Int32Array, StringArray},
        datatypes::{Field, Schema},
    };

    fn table() -> (Labelled, Vec<RecordBatch>) {
        let schema =
            Arc::new(Schema::new(vec![Field::new("n", DataType::Int32, true), Field::new("s", DataType::Utf8, true)]));
        let batch = |numbers: Vec<Option<i32>>| {
            let texts: StringArray = numbers.iter().map(|n| n.map(|n| format!("t{n}"))).collect();
            RecordBatch::try_new(schema.clone(), vec![Arc::new(Int32Array::from(numbers)), Arc::new(texts)])
                .expect("a batch")
        };
        let batches = vec![batch(vec![Some(1), None]), batch(vec![Some(3), Some(4), Some(5)])];
        let value = Value::Table(Table::with_schema(schema.clone(), batches.clone()));
        (Labelled::plain(value), batches)
    }

    #[test]
    fn records_and_batches_of_a_table() {
        let (over, batches) = table();
        let records = Items::new(&over, Some(batches.clone()), None).expect("items");
        assert_eq!(records.count, 5);
        assert_eq!(plain(&records.get(1).expect("item").value.value).to_string(), r#"{"n":null,"s":null}"#);
        assert_eq!(plain(&records.get(4).expect("item").value.value).to_string(), r#"{"n":5,"s":"t5"}"#);
        assert_eq!(records.get(5).expect_err("none").code.as_str(), "items.missing");
        let pairs = Items::new(&over, Some(batches), Some(2)).expect("items");
        let rows: Vec<_> =
            (0..pairs.count).map(|i| pairs.get(i).expect("item").value.value.as_table().and_then(|t| t.rows)).collect();
        assert_eq!(rows, [Some(2), Some(2), Some(1)]);
    }

    #[test]
    fn keys_are_unique_and_digests_tell_lists_apart() {
        let list = |values: [&str; 2]| Labelled::plain(Value::list(values.map(Value::from)));
        let items = |values| Items::new(&list(values), None, None).expect("items");
        assert_eq!(items(["a", "b"]).digest, items(["a", "b"]).digest);
        assert_ne!(items(["a", "b"]).digest, items(["ab", ""]).digest);
        let named = items(["a", "b"]).named(vec!["x".into(), "x".into()]);
        assert_eq!(named.expect_err("a fault").code.as_str(), "items.key");
        let map = Labelled::plain(Value::map([("k", Value::Int(1))]));
        let item = Items::new(&map, None, None).expect("items").get(0).expect("item");
        assert_eq!(item.key.as_str(), Some("k"));
        let wrong = Items::new(&Labelled::plain(7), None, None).expect_err("a fault");
        assert_eq!(wrong.message, "`for_each` takes a list, a map or a table, found int");
    }
}
