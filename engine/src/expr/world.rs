//! What the tests' expressions refer to.

use std::{collections::BTreeMap, sync::Arc};

use super::*;
use crate::{
    data::{Table, Type, Value},
    model::{Fault, Labels, Timestamp},
};

/// Names with a type and a value, by the text of their root.
pub(super) struct World {
    pub(super) types: BTreeMap<String, Type>,
    pub(super) values: BTreeMap<String, Labelled>,
    pub(super) status: bool,
}

impl World {
    pub(super) fn new() -> Self {
        let mut world = Self { types: BTreeMap::new(), values: BTreeMap::new(), status: true };
        let schema = arrow::datatypes::Schema::new(vec![arrow::datatypes::Field::new(
            "carrier",
            arrow::datatypes::DataType::Utf8,
            true,
        )]);
        let table = Table::empty(Arc::new(schema));
        world.set("inputs.n", "int", Value::Int(5));
        world.set("inputs.f", "float", Value::Float(2.5));
        world.set("inputs.s", "string", Value::from("Héllo"));
        world.set("inputs.b", "bool", Value::Bool(true));
        world.set("inputs.day", "date", Value::Date(chrono::NaiveDate::from_ymd_opt(2024, 2, 29).expect("a day")));
        world.set("inputs.maybe", "int?", Value::Null);
        world.set("inputs.text", "string?", Value::from("x"));
        world.set("inputs.list", "list<int>", Value::list([Value::Int(3), Value::Int(1), Value::Int(2)]));
        world.set("inputs.map", "map<int>", Value::map([("a", Value::Int(1))]));
        world.set("inputs.open", "any", Value::map([("k", Value::list([Value::Int(1), Value::from("two")]))]));
        world.set("inputs.wrong", "any", Value::from("text"));
        world.set("item", "object{id: int, name: string?}", Value::map([("id", Value::Int(7))]));
        world.set("steps.load.outputs.table", "table<carrier: string>", Value::Table(table));
        world.set("steps.load.status", "string", Value::from("succeeded"));
        world.set("steps.load.error", "object{code: string, message: string}?", Value::Null);
        world.set("inputs.table", "table?", Value::Null);
        world.set("run.id", "string", Value::from("run_1"));
        world.set("secrets.KEY", "string", Value::from("hush"));
        if let Some(secret) = world.values.get_mut("secrets.KEY") {
            secret.labels = Labels { secrets: ["KEY".to_owned()].into(), ..Labels::none() };
        }
        world
    }

    pub(super) fn set(&mut self, name: &str, ty: &str, value: Value) {
        self.types.insert(name.into(), Type::parse(ty).expect(ty));
        self.values.insert(name.into(), Labelled::plain(value));
    }
}

impl Scope for World {
    fn type_of(&self, root: &Root) -> Result<Type, Unknown> {
        let text = root.to_string();
        self.types.get(&text).cloned().ok_or_else(|| Unknown {
            message: format!("there is no `{text}`"),
            wrong: text.rsplit('.').next().unwrap_or_default().to_owned(),
            candidates: self.types.keys().filter_map(|key| Some(key.rsplit_once('.')?.1.to_owned())).collect(),
            help: None,
        })
    }
    fn allows_status(&self) -> bool {
        self.status
    }
    fn has_step(&self, step: &str) -> bool {
        step == "load"
    }
}

impl Env for World {
    fn value(&self, root: &Root) -> Result<Labelled, Fault> {
        self.values.get(&root.to_string()).cloned().ok_or_else(|| Fault::internal("test.missing", root.to_string()))
    }
    fn status(&self, call: &StatusCall) -> Result<bool, Fault> {
        Ok(!matches!(call, StatusCall::Failure | StatusCall::Failed(_)))
    }
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(1_709_251_200_000_000)
    }
}
