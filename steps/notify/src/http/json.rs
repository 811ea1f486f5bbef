use millwork_engine::{
    data::{Value, plain},
    model::Fault,
};
use serde_json::Value as Json;

/// A value as JSON. A table is not sent row by row without being asked, and bytes of a file not at all.
pub(crate) fn json_of(field: &str, value: &Value) -> Result<Json, Fault> {
    match holds(value) {
        None => Ok(plain(value)),
        Some((what, help)) => Err(Fault::user("notify.body", format!("`{field}` holds {what}")).help(help)),
    }
}

fn holds(value: &Value) -> Option<(&'static str, &'static str)> {
    match value {
        Value::Table(_) => Some(("a table", "send its `rows`, or write it with `table.write` and send where it is")),
        Value::File(_) => Some(("a file", "send its `path`, or use `notify.email`, which has attachments")),
        Value::List(items) => items.iter().find_map(holds),
        Value::Map(entries) => entries.values().find_map(holds),
        _ => None,
    }
}
