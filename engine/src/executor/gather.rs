//! Makes the outputs of a fan-out from the rows of its items, page by page: lists in item order, tables
//! as one table with `_item`, and what failed as a table.

use std::{collections::BTreeMap, fs::File, io::BufWriter, sync::Arc};

use arrow::{
    array::{ArrayRef, Int64Array, RecordBatchOptions, StringArray, UInt32Array, new_null_array},
    compute::cast,
    datatypes::{DataType, Field, Schema, SchemaRef},
    ipc::writer::FileWriter,
    record_batch::RecordBatch,
};
use serde_json::Value as Json;

use super::{
    Deps, Frozen,
    items::Items,
    keep::{Kept, keep_text},
    load,
    runtime::{KEPT, LABELS},
};
use crate::{
    crash::crash_point,
    data::{Table, TableForm, Type, Value, decode, encode},
    graph::PlanNode,
    model::{Fault, Labels, Name, NodeIx, event::ItemOutcome},
    store::{ItemFilter, ItemRow},
};

const PAGE: u32 = 4096;
const FAILED: &str = "failed_items";

/// The outputs of a fan-out.
#[derive(Debug)]
pub struct Gathered {
    /// Where they are.
    pub kept: Kept,
    /// Their labels.
    pub labels: BTreeMap<String, Labels>,
    /// Rows, where there is one table.
    pub rows: Option<u64>,
}

/// Gathers the outputs of a fan-out whose items all ended.
pub async fn gather(deps: &Deps, run: &Frozen, node: NodeIx) -> Result<Gathered, Fault> {
    let node = run.node(node)?;
    let items = load::items(deps, run, node).await?;
    let mut lists: BTreeMap<&Name, String> = BTreeMap::new();
    let mut tables: BTreeMap<&Name, Parts> = BTreeMap::new();
    for (name, ty) in node.outputs.iter().filter(|(name, _)| name.as_str() != FAILED) {
        match ty.required() {
            Type::Table(_) => drop(tables.insert(name, Parts::default())),
            _ => drop(lists.insert(name, String::from("["))),
        }
    }
    let mut failed = Failed::default();
    let mut labels: BTreeMap<String, Labels> = BTreeMap::new();
    let mut next = 0;
    loop {
        let filter = ItemFilter { outcome: None, from: next, limit: PAGE };
        let page = deps.store.items(run.id, node.ix, &filter).await?;
        let Some(last) = page.last().map(|row| row.item) else { break };
        for row in page {
            // An item without a row was stopped: its place in the lists stays.
            (next..row.item).for_each(|_| push_all(&mut lists, None));
            next = row.item + 1;
            let object = item_object(deps, &row, &mut labels).await?;
            push_all(&mut lists, object.as_ref());
            for (name, parts) in &mut tables {
                if let Some(json) = object.as_ref().and_then(|o| o.get(name.as_str()))
                    && let Value::Table(table) = decode(json)?
                {
                    parts.add(row.item, table);
                }
            }
            failed.add(&row, &items)?;
        }
        if last + 1 >= items.count {
            break;
        }
    }
    (next..items.count).for_each(|_| push_all(&mut lists, None));
    crash_point("gather.read");
    finish(deps, node, &items, lists, tables, failed, labels).await
}

async fn finish(
    deps: &Deps,
    node: &PlanNode,
    items: &Items,
    lists: BTreeMap<&Name, String>,
    tables: BTreeMap<&Name, Parts>,
    failed: Failed,
    labels: BTreeMap<String, Labels>,
) -> Result<Gathered, Fault> {
    let mut text = String::from("{");
    let mut rows = None;
    for (name, ty) in &node.outputs {
        if text.len() > 1 {
            text.push(',');
        }
        text.push_str(&format!("\"{name}\":"));
        if name.as_str() == FAILED {
            let table = failed.table()?;
            let mut outputs = super::Outputs::new();
            outputs.insert(name.clone(), Value::Table(table));
            let object = super::keep::durable_object(&deps.services.artifacts, &outputs).await?;
            text.push_str(&object.get(FAILED).unwrap_or(&Json::Null).to_string());
        } else if let Some(list) = lists.get(name) {
            text.push_str(list);
            text.push(']');
        } else if let Some(parts) = tables.get(name) {
            let table = parts.unite(deps, items, ty).await?;
            rows = if tables.len() == 1 { table.rows } else { None };
            text.push_str(&encode(&Value::Table(table))?.to_string());
        } else {
            text.push_str("null");
        }
    }
    text.push('}');
    let kept = if text.len() <= 8 << 10 {
        let object = serde_json::from_str(&text)
            .map_err(|e| Fault::internal("value.unwritable", format!("gathered outputs: {e}")))?;
        super::keep::keep_object(&deps.services.artifacts, object).await?
    } else {
        keep_text(&deps.services.artifacts, text).await?
    };
    crash_point("gather.kept");
    let labels = labels.into_iter().filter(|(_, labels)| !labels.is_empty()).collect();
    Ok(Gathered { kept, labels, rows })
}

fn push_all(lists: &mut BTreeMap<&Name, String>, object: Option<&serde_json::Map<String, Json>>) {
    for (name, list) in lists {
        if list.len() > 1 {
            list.push(',');
        }
        match object.and_then(|object| object.get(name.as_str())) {
            Some(value) => list.push_str(&value.to_string()),
            None => list.push_str("null"),
        }
    }
}

/// The outputs of an item, read from their artifact where they are large; their labels are joined.
async fn item_object(
    deps: &Deps,
    row: &ItemRow,
    labels: &mut BTreeMap<String, Labels>,
) -> Result<Option<serde_json::Map<String, Json>>, Fault> {
    let Some(Json::Object(object)) = &row.outputs else { return Ok(None) };
    if row.outcome != ItemOutcome::Succeeded {
        return Ok(None);
    }
    if let Some(own) = object.get(LABELS) {
        let own: BTreeMap<String, Labels> = serde_json::from_value(own.clone()).unwrap_or_default();
        for (name, own) in own {
            labels.entry(name).or_default().join(&own);
        }
    }
    let Some(kept) = object.get(KEPT).and_then(Json::as_str) else { return Ok(Some(object.clone())) };
    let unreadable = || Fault::internal("value.unreadable", format!("the outputs of item {} cannot be read", row.item));
    let bytes = deps.services.artifacts.get(kept.parse().map_err(|_| unreadable())?).await?;
    serde_json::from_slice(&bytes).map(Some).map_err(|_| unreadable())
}

/// Tables of items, by name of column one table.
#[derive(Debug, Default)]
struct Parts {
    parts: Vec<(u32, Table)>,
}

impl Parts {
    fn add(&mut self, item: u32, table: Table) {
        self.parts.push((item, table));
    }

    /// UNION ALL BY NAME with `_item`: the item's key, or its place where items have no keys. Written
    /// batch by batch.
    async fn unite(&self, deps: &Deps, items: &Items, ty: &Type) -> Result<Table, Fault> {
        let schema = self.schema(items.has_keys(), ty)?;
        let artifacts = &deps.services.artifacts;
        let path = artifacts.scratch().join(format!("gather-{:032x}.arrow", rand::random::<u128>()));
        let failed = |e: String| Fault::external("artifact.write", format!("a fan-out's table cannot be kept: {e}"));
        let file = File::create(&path).map_err(|e| failed(e.to_string()))?;
        let mut writer =
            FileWriter::try_new(BufWriter::with_capacity(1 << 20, file), &schema).map_err(|e| failed(e.to_string()))?;
        let mut rows = 0;
        for (item, table) in &self.parts {
            let key = items.get(*item)?.key;
            for batch in deps.tables.read(table, None, None).await? {
                rows += batch.num_rows() as u64;
                let batch = conform(&batch, &schema, *item, key.as_str())?;
                writer.write(&batch).map_err(|e| failed(e.to_string()))?;
            }
        }
        writer.finish().map_err(|e| failed(e.to_string()))?;
        drop(writer);
        if rows == 0 {
            let _ = std::fs::remove_file(&path);
            return Ok(Table::empty(schema));
        }
        let info = artifacts.adopt(path).await?;
        Ok(Table { schema, rows: Some(rows), form: TableForm::Kept(info.id) })
    }

    fn schema(&self, keyed: bool, ty: &Type) -> Result<SchemaRef, Fault> {
        if let Type::Table(table) = ty.required()
            && let Some(schema) = &table.schema
        {
            return Ok(schema.clone());
        }
        let key = if keyed { DataType::Utf8 } else { DataType::Int64 };
        let mut fields = vec![Field::new("_item", key, false)];
        for (_, table) in &self.parts {
            for field in table.schema.fields() {
                match fields.iter_mut().find(|known| known.name() == field.name()) {
                    None => fields.push(field.as_ref().clone().with_nullable(true)),
                    Some(known) if known.data_type() == field.data_type() || field.data_type() == &DataType::Null => {}
                    Some(known) if known.data_type() == &DataType::Null => {
                        known.set_data_type(field.data_type().clone());
                    }
                    Some(known) => {
                        let (name, a, b) = (field.name(), known.data_type(), field.data_type());
                        return Err(Fault::user(
                            "items.columns",
                            format!("column `{name}` is {a} in one item and {b} in another"),
                        )
                        .help("cast it to one type in the step"));
                    }
                }
            }
        }
        Ok(Arc::new(Schema::new(fields)))
    }
}

fn conform(batch: &RecordBatch, schema: &SchemaRef, item: u32, key: Option<&str>) -> Result<RecordBatch, Fault> {
    let rows = batch.num_rows();
    let columns: Result<Vec<ArrayRef>, Fault> = schema
        .fields()
        .iter()
        .map(|field| {
            if field.name() == "_item" {
                return Ok(match (field.data_type(), key) {
                    (DataType::Utf8, key) => {
                        let text = key.map_or_else(|| item.to_string(), str::to_owned);
                        Arc::new(StringArray::from_iter_values(std::iter::repeat_n(text, rows))) as ArrayRef
                    }
                    (DataType::UInt32, _) => Arc::new(UInt32Array::from_value(item, rows)),
                    _ => Arc::new(Int64Array::from_value(i64::from(item), rows)),
                });
            }
            match batch.column_by_name(field.name()) {
                Some(column) if column.data_type() == field.data_type() => Ok(column.clone()),
                Some(column) => cast(column, field.data_type())
                    .map_err(|e| Fault::user("items.columns", format!("column `{}`: {e}", field.name()))),
                None => Ok(new_null_array(field.data_type(), rows)),
            }
        })
        .collect();
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(schema.clone(), columns?, &options)
        .map_err(|e| Fault::user("items.columns", format!("the tables of the items do not fit together: {e}")))
}

/// Items that failed: which and why.
#[derive(Debug, Default)]
struct Failed {
    items: Vec<i64>,
    keys: Vec<Option<String>>,
    codes: Vec<String>,
    messages: Vec<String>,
}

impl Failed {
    fn add(&mut self, row: &ItemRow, items: &Items) -> Result<(), Fault> {
        if row.outcome != ItemOutcome::Failed {
            return Ok(());
        }
        let key = items.get(row.item)?.key;
        self.items.push(i64::from(row.item));
        self.keys.push(key.as_str().map(str::to_owned));
        let fault = row.fault.as_ref();
        self.codes.push(fault.map(|fault| fault.code.to_string()).unwrap_or_default());
        self.messages.push(fault.map(|fault| fault.message.clone()).unwrap_or_default());
        Ok(())
    }

    fn table(&self) -> Result<Table, Fault> {
        let schema = failed_items_schema();
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from(self.items.clone())),
            Arc::new(StringArray::from(self.keys.clone())),
            Arc::new(StringArray::from(self.codes.clone())),
            Arc::new(StringArray::from(self.messages.clone())),
        ];
        let batch = RecordBatch::try_new(schema.clone(), columns)
            .map_err(|e| Fault::internal("items.failed", format!("the table of failed items: {e}")))?;
        Ok(Table::with_schema(schema, vec![batch]))
    }
}

/// Columns of `failed_items`.
pub(crate) fn failed_items_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("item", DataType::Int64, false),
        Field::new("key", DataType::Utf8, true),
        Field::new("code", DataType::Utf8, false),
        Field::new("message", DataType::Utf8, false),
    ]))
}
