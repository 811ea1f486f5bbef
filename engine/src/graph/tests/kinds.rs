//! Kinds of steps that exist only to be checked.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    data::{Table, Type, Value},
    diag::Diagnostic,
    model::Fault,
    step::{
        CheckContext, Effect, InputTypes, Located, Names, Ports, Read, Registry, Resolved, SecretText, Services, Step,
        StepKind, Templated,
    },
};

#[derive(Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct Plain {
    value: Option<Templated<Value>>,
    #[expect(dead_code, reason = "checked, never run")]
    n: Option<Templated<i64>>,
    #[expect(dead_code, reason = "checked, never run")]
    s: Option<Templated<String>>,
    #[expect(dead_code, reason = "checked, never run")]
    names: Option<Templated<Vec<String>>>,
    #[expect(dead_code, reason = "checked, never run")]
    wait: Option<Templated<std::time::Duration>>,
    #[expect(dead_code, reason = "checked, never run")]
    token: Option<Templated<SecretText>>,
    #[expect(dead_code, reason = "checked, never run")]
    table: Option<Templated<Table>>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Query {
    query: Located<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Child {
    file: Located<String>,
}

macro_rules! kind {
    ($kind:ident, $name:literal, $config:ty, $effect:ident, $($body:tt)*) => {
        pub(super) struct $kind;
        impl StepKind for $kind {
            type Config = $config;
            const NAME: &'static str = $name;
            const VERSION: u32 = 1;
            const EFFECT: Effect = Effect::$effect;
            const SUMMARY: &'static str = "a kind for tests";
            const EXAMPLE: &'static str = "";
            fn build(_: Resolved<'_, $config>, _: &Services) -> Result<Box<dyn Step>, Fault> {
                Err(Fault::internal("test", "never run"))
            }
            $($body)*
        }
    };
}

type Answer = Result<Ports, Vec<Diagnostic>>;

fn ports(config: &Plain, inputs: &InputTypes) -> Ports {
    let value = config.value.as_ref().and_then(|value| inputs.fields.get(&value.span().start)).cloned();
    Ports::none()
        .output("n", Type::Int, "a number")
        .output("s", Type::String, "a text")
        .output("names", Type::list(Type::String), "texts")
        .output("flag", Type::Bool, "a flag")
        .output("value", value.unwrap_or(Type::Any), "what it was given")
}

kind! {
    Pure,
    "pure",
    Plain,
    Pure,
    fn ports(config: &Plain, inputs: &InputTypes, _: &CheckContext<'_>) -> Answer {
        Ok(ports(config, inputs))
    }
}
kind! {
    External,
    "effect",
    Plain,
    External,
    fn ports(config: &Plain, inputs: &InputTypes, _: &CheckContext<'_>) -> Answer {
        Ok(ports(config, inputs))
    }
}
kind! {
    Rows,
    "rows",
    Plain,
    Pure,
    fn ports(_: &Plain, _: &InputTypes, _: &CheckContext<'_>) -> Answer {
        let table = Type::parse("table<a: int, b: string>").expect("a type");
        Ok(Ports::none().output("table", table, "rows"))
    }
}
kind! {
    Two,
    "two",
    Plain,
    Pure,
    fn ports(_: &Plain, _: &InputTypes, _: &CheckContext<'_>) -> Answer {
        Ok(Ports::none().output("left", Type::any_table(), "rows").output("right", Type::any_table(), "rows"))
    }
}
kind! {
    Sql,
    "query",
    Query,
    Pure,
    fn reads(config: &Query, names: &Names) -> Result<Vec<Read>, Vec<Diagnostic>> {
        let words = config.query.split_whitespace().filter(|word| names.has_step(word));
        Ok(words.filter_map(|word| crate::model::Name::new(word).map(Read::TableOf)).collect())
    }
    fn ports(_: &Query, inputs: &InputTypes, _: &CheckContext<'_>) -> Answer {
        let table = inputs.reads.values().next().cloned().unwrap_or_else(Type::any_table);
        Ok(Ports::none().output("table", table, "rows"))
    }
}
kind! {
    Nested,
    "nested",
    Child,
    Pure,
    fn includes(config: &Child) -> Vec<String> {
        vec![config.file.value.clone()]
    }
    fn ports(config: &Child, _: &InputTypes, cx: &CheckContext<'_>) -> Answer {
        let child = cx.child(&config.file);
        let child =
            child.map_err(|why| vec![Diagnostic::new(crate::diag::Code::IncludeFailed, config.file.span, why)])?;
        Ok(child.outputs.iter().fold(Ports::none(), |ports, (name, ty)| ports.output(name.as_str(), ty.clone(), "")))
    }
}

pub(super) fn registry() -> Registry {
    let mut registry = Registry::new();
    registry.register::<Pure>().register::<External>().register::<Rows>().register::<Two>().register::<Sql>();
    registry.register::<Nested>();
    registry
}
