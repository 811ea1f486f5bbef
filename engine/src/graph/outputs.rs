use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};
use indexmap::IndexMap;

use super::{
    draft::{Draft, Outputs},
    scope::ItemTypes,
};
use crate::{data::Type, model::Name, spec::ForEachSpec};

/// The name of the table of items that failed.
pub(super) const FAILED_ITEMS: &str = "failed_items";
/// The column that names the item a row came from.
pub(super) const ITEM_COLUMN: &str = "_item";

/// The types of an item, given that of what is iterated over; `None`: it cannot be iterated over.
pub(super) fn item_types(over: &Type, each: &ForEachSpec) -> Option<ItemTypes> {
    let (item, natural_key) = match over {
        Type::Any => (Type::Any, Some(Type::String)),
        Type::List(element) => ((**element).clone(), None),
        Type::Map(value) => ((**value).clone(), Some(Type::String)),
        Type::Object(object) => {
            let joined = object.fields.values().cloned().reduce(|a, b| a.join(&b)).unwrap_or(Type::Any);
            (joined, Some(Type::String))
        }
        Type::Table(table) if each.batch.is_some() => (Type::Table(table.clone()), None),
        Type::Table(table) => match &table.schema {
            None => (Type::Any, None),
            Some(schema) => {
                let columns = schema.fields().iter().map(|field| {
                    let ty = Type::from_arrow(field.data_type());
                    (field.name().as_str(), if field.is_nullable() { ty.optional() } else { ty })
                });
                (Type::object(columns), None)
            }
        },
        _ => return None,
    };
    let key = if each.key.is_some() { Some(Type::String) } else { natural_key };
    Some(ItemTypes { item, key })
}

/// What a step gives to others: of a fan-out lists and tables of all items, else the ports themselves.
pub(super) fn seen_outside(draft: &Draft, ports: &IndexMap<Name, Type>, item: Option<&ItemTypes>) -> Outputs {
    let Some(each) = &draft.spec.for_each else { return Outputs::Known(ports.clone()) };
    // Every item that counts succeeded, or the step did not: then no element is missing.
    let complete = each.min_success >= 1.0 && !draft.per_item;
    let keyed = item.is_some_and(|item| item.key.is_some());
    let mut outputs: IndexMap<Name, Type> = IndexMap::with_capacity(ports.len() + 1);
    for (name, ty) in ports {
        let ty = match ty.required() {
            Type::Table(table) => match &table.schema {
                None => Type::any_table(),
                Some(schema) => with_item(schema, keyed),
            },
            _ if complete => Type::list(ty.clone()),
            _ => Type::list(ty.clone().optional()),
        };
        outputs.insert(name.clone(), ty);
    }
    if let Some(name) = Name::new(FAILED_ITEMS) {
        outputs.entry(name).or_insert_with(failed_items);
    }
    Outputs::Known(outputs)
}

fn with_item(schema: &Schema, keyed: bool) -> Type {
    let key = if keyed { DataType::Utf8 } else { DataType::Int64 };
    let item = Arc::new(Field::new(ITEM_COLUMN, key, false));
    // Columns of a union by name may be missing from a part of it.
    let columns = schema.fields().iter().filter(|field| field.name() != ITEM_COLUMN);
    let columns = columns.map(|field| Arc::new(field.as_ref().clone().with_nullable(true)));
    Type::table(Arc::new(Schema::new(std::iter::once(item).chain(columns).collect::<Vec<_>>())))
}

fn failed_items() -> Type {
    Type::table(Arc::new(Schema::new(vec![
        Field::new("item", DataType::Int64, false),
        Field::new("key", DataType::Utf8, true),
        Field::new("code", DataType::Utf8, false),
        Field::new("message", DataType::Utf8, false),
    ])))
}

/// The only output that is a table; `failed_items` does not count.
pub(super) fn only_table(outputs: &IndexMap<Name, Type>) -> Option<(&Name, &Type)> {
    let mut tables = outputs
        .iter()
        .filter(|(name, ty)| name.as_str() != FAILED_ITEMS && matches!(ty.required(), Type::Table(_) | Type::Any));
    let typed = tables.clone().filter(|(_, ty)| matches!(ty.required(), Type::Table(_))).collect::<Vec<_>>();
    match typed.as_slice() {
        [only] => Some(*only),
        [] => {
            let only = tables.next()?;
            tables.next().is_none().then_some(only)
        }
        _ => None,
    }
}
