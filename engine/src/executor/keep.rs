//! Makes outputs durable before the event that names them: tables in memory as Arrow IPC artifacts,
//! small objects inline, middle ones as rows of the transaction, the rest as artifacts.

use std::sync::Arc;

use futures::future::BoxFuture;
use indexmap::IndexMap;
use serde_json::{Map as JsonMap, Value as Json};

use crate::{
    crash::crash_point,
    data::{ArtifactStore, Table, TableForm, Value, encode, write_kept},
    model::{Digest, Fault, Name, event::StoredOutputs},
    store::OutputRow,
};

/// Values by the names of ports.
pub type Outputs = IndexMap<Name, Value>;

const INLINE: usize = 8 << 10;
pub(crate) const ROW: usize = 256 << 10;

/// Outputs that are durable, or become so with the row.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    /// What the event says.
    pub stored: StoredOutputs,
    /// A row for the same transaction.
    pub row: Option<OutputRow>,
}

/// Makes outputs durable.
pub async fn keep(artifacts: &Arc<dyn ArtifactStore>, outputs: &Outputs) -> Result<Kept, Fault> {
    let object = durable_object(artifacts, outputs).await?;
    keep_object(artifacts, Json::Object(object)).await
}

/// Makes an encoded object of outputs durable.
pub(crate) async fn keep_object(artifacts: &Arc<dyn ArtifactStore>, object: Json) -> Result<Kept, Fault> {
    let text = object.to_string();
    if text.len() <= INLINE {
        return Ok(Kept { stored: StoredOutputs::Inline(object), row: None });
    }
    keep_text(artifacts, text).await
}

/// Makes the text of an object of outputs durable.
pub(crate) async fn keep_text(artifacts: &Arc<dyn ArtifactStore>, text: String) -> Result<Kept, Fault> {
    if text.len() <= ROW {
        let digest = Digest::of(text.as_bytes());
        let row = OutputRow { digest, json: text };
        return Ok(Kept { stored: StoredOutputs::Row { digest }, row: Some(row) });
    }
    let info = artifacts.put(text.into_bytes()).await?;
    crash_point("keep.artifact");
    Ok(Kept { stored: StoredOutputs::Artifact { artifact: info.id }, row: None })
}

/// The outputs encoded, every table in memory kept first.
pub(crate) async fn durable_object(
    artifacts: &Arc<dyn ArtifactStore>,
    outputs: &Outputs,
) -> Result<JsonMap<String, Json>, Fault> {
    let mut object = JsonMap::new();
    for (name, value) in outputs {
        let json = if in_memory(value) { encode(&durable(artifacts, value).await?)? } else { encode(value)? };
        object.insert(name.to_string(), json);
    }
    crash_point("keep.tables");
    Ok(object)
}

/// Whether a table somewhere inside is only in memory.
fn in_memory(value: &Value) -> bool {
    match value {
        Value::Table(Table { form: TableForm::Batches(batches), .. }) => batches.iter().any(|b| b.num_rows() > 0),
        Value::List(items) => items.iter().any(in_memory),
        Value::Map(entries) => entries.values().any(in_memory),
        _ => false,
    }
}

/// The value with its tables in the artifact store.
fn durable<'a>(artifacts: &'a Arc<dyn ArtifactStore>, value: &'a Value) -> BoxFuture<'a, Result<Value, Fault>> {
    Box::pin(async move {
        Ok(match value {
            Value::Table(Table { schema, rows, form: TableForm::Batches(batches) }) if in_memory(value) => {
                let info = write_kept(artifacts, schema, batches.clone()).await?;
                Value::Table(Table { schema: schema.clone(), rows: *rows, form: TableForm::Kept(info.id) })
            }
            Value::List(items) => {
                let mut kept = Vec::with_capacity(items.len());
                for item in items.iter() {
                    kept.push(durable(artifacts, item).await?);
                }
                Value::list(kept)
            }
            Value::Map(entries) => {
                let mut kept = Vec::with_capacity(entries.len());
                for (key, entry) in entries.iter() {
                    kept.push((key.clone(), durable(artifacts, entry).await?));
                }
                Value::map(kept)
            }
            other => other.clone(),
        })
    })
}

/// Decodes an object of outputs. A member whose name is not one is the fault `value.unreadable`.
pub(crate) fn decode_outputs(object: &Json) -> Result<Outputs, Fault> {
    let unreadable = || Fault::internal("value.unreadable", "recorded outputs are not an object of outputs");
    let object = object.as_object().ok_or_else(unreadable)?;
    object
        .iter()
        .map(|(name, json)| Ok((Name::new(name).ok_or_else(unreadable)?, crate::data::decode(json)?)))
        .collect()
}
