use std::collections::{BTreeMap, BTreeSet};

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use indexmap::IndexMap;
use millwork_engine::{
    data::{Table, Type, Value},
    diag::{Code, Diagnostic},
    model::{Fault, Name},
    step::{
        CheckContext, Effect, InputTypes, Located, Names, Ports, Read, Resolved, Services, Step, StepContext, StepEnd,
        StepKind, StepOutput, Templated,
    },
};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    depth::with_room,
    engine::{Engine, SqlTable, planned_schema, planning_state, run_query},
    names::{Query, parameters, parse, relations, volatile},
    problem::Problem,
};

/// The kind `sql`.
#[derive(Debug)]
pub struct Sql;

/// What `sql` is told.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SqlConfig {
    /// One query. It reads steps by their ids, or tables by the names in `tables`. Whole numbers have 64 bits and wrap
    /// beyond: where a sum may be larger, cast to `decimal(38, 0)` first.
    pub query: Located<String>,
    /// Tables by the names that the query uses.
    #[serde(default)]
    pub tables: IndexMap<String, Templated<Table>>,
    /// Values of the parameters `$name` in the query.
    #[serde(default)]
    pub params: IndexMap<String, Templated<Value>>,
}

impl SqlConfig {
    /// Names that stand neither for a CTE nor in `tables`: steps.
    fn outside(&self, query: &Query) -> Result<BTreeMap<String, std::ops::Range<usize>>, Vec<Problem>> {
        let mut names = relations(query)?;
        names.retain(|name, _| !self.tables.contains_key(name));
        Ok(names)
    }

    fn shown(&self, problems: &[Problem]) -> Vec<Diagnostic> {
        problems.iter().map(|problem| problem.diagnostic(&self.query)).collect()
    }

    fn reads(&self, names: &Names) -> Result<Vec<Read>, Vec<Diagnostic>> {
        let query = parse(&self.query).map_err(|p| self.shown(&p))?;
        let mut reads = Vec::new();
        let mut problems = Vec::new();
        for (name, at) in self.outside(&query).map_err(|p| self.shown(&p))? {
            match Name::new(&name) {
                Some(step) if names.has_step(&name) => reads.push(Read::TableOf(step)),
                _ => {
                    let known = names.steps.iter().map(ToString::to_string).chain(self.tables.keys().cloned());
                    problems.push(
                        Problem::new(Code::SqlTable, at, format!("there is no table `{name}`"))
                            .help("a name in a query is a CTE, a name in `tables:`, or the id of a step with one table")
                            .near(&name, known),
                    );
                }
            }
        }
        if problems.is_empty() { Ok(reads) } else { Err(self.shown(&problems)) }
    }

    fn ports(&self, inputs: &InputTypes) -> Result<Ports, Vec<Diagnostic>> {
        let query = parse(&self.query).map_err(|p| self.shown(&p))?;
        let mut types: BTreeMap<String, Option<SchemaRef>> = BTreeMap::new();
        for (name, table) in &self.tables {
            types.insert(name.clone(), schema_in(inputs.fields.get(&table.span().start)));
        }
        for name in self.outside(&query).map_err(|p| self.shown(&p))?.into_keys() {
            let read = Name::new(&name).map(Read::TableOf);
            let ty = read.and_then(|read| inputs.reads.get(&read));
            types.insert(name, schema_in(ty));
        }
        let params = self.params.iter().map(|(name, field)| {
            let ty = inputs.fields.get(&field.span().start).cloned();
            let ty = ty.or_else(|| field.literal().map(|value| Type::of(&value)));
            (name.clone(), ty.unwrap_or(Type::Any))
        });
        let params: BTreeMap<String, Type> = params.collect();
        let unbound = unbound(&query, &params);
        if !unbound.is_empty() {
            return Err(self.shown(&unbound));
        }
        let known: Option<BTreeMap<String, SchemaRef>> =
            types.into_iter().map(|(name, schema)| Some((name, schema?))).collect();
        let ty = match known {
            Some(tables) => Type::table(planned_schema(&query, &tables, &params).map_err(|p| self.shown(&p))?),
            None => Type::any_table(),
        };
        Ok(Ports::none().output("table", ty, "the rows of the result"))
    }

    fn unused_params(&self) -> Vec<Diagnostic> {
        let Ok(query) = parse(&self.query) else { return Vec::new() };
        let used = parameters(&query);
        let unused = self.params.iter().filter(|(name, _)| !used.contains_key(*name));
        unused
            .map(|(name, field)| {
                Diagnostic::new(Code::SqlParam, field.span(), format!("the query has no parameter `${name}`"))
                    .help("remove it, or use it in the query")
            })
            .collect()
    }
}

impl StepKind for Sql {
    type Config = SqlConfig;
    const NAME: &'static str = "sql";
    const VERSION: u32 = 1;
    const EFFECT: Effect = Effect::Pure;
    const SUMMARY: &'static str = "Queries tables with SQL, planned against their columns before the run.";
    const EXAMPLE: &'static str = r"version: 1
name: sql_example
steps:
  - id: flights
    uses: table.read
    with:
      inline: |
        carrier,origin,arr_delay
        UA,EWR,11
        B6,JFK,-4
        B6,JFK,20
  - id: late
    uses: sql
    with:
      query: |
        select carrier, avg(arr_delay) as delay, count(*) as flights
        from flights
        where origin = $origin
        group by carrier
      params: {origin: JFK}
";

    /// A query that asks for the time or for chance gives another result each time.
    fn effect(config: &SqlConfig) -> Effect {
        with_room(|| match parse(&config.query) {
            Ok(query) if !volatile(&query, planning_state()).is_empty() => Effect::Idempotent,
            _ => Effect::Pure,
        })
    }

    fn reads(config: &SqlConfig, names: &Names) -> Result<Vec<Read>, Vec<Diagnostic>> {
        with_room(|| config.reads(names))
    }

    fn ports(config: &SqlConfig, inputs: &InputTypes, _: &CheckContext<'_>) -> Result<Ports, Vec<Diagnostic>> {
        with_room(|| config.ports(inputs))
    }

    fn check(config: &SqlConfig, _: &CheckContext<'_>) -> Vec<Diagnostic> {
        with_room(|| config.unused_params())
    }

    fn build(config: Resolved<'_, SqlConfig>, _: &Services) -> Result<Box<dyn Step>, Fault> {
        let tables =
            config.tables.iter().map(|(name, field)| Ok(SqlTable { name: name.clone(), table: config.get(field)? }));
        let params = config.params.iter().map(|(name, field)| Ok((name.clone(), config.get(field)?)));
        Ok(Box::new(SqlStep {
            query: config.query.value.clone(),
            tables: tables.collect::<Result<_, Fault>>()?,
            params: params.collect::<Result<_, Fault>>()?,
        }))
    }
}

fn schema_in(ty: Option<&Type>) -> Option<SchemaRef> {
    match ty.map(Type::required) {
        Some(Type::Table(table)) => table.schema.clone(),
        _ => None,
    }
}

fn unbound(query: &Query, params: &BTreeMap<String, Type>) -> Vec<Problem> {
    let used = parameters(query);
    let missing = used.iter().filter(|(name, _)| !params.contains_key(*name));
    missing
        .map(|(name, at)| {
            Problem::new(Code::SqlParam, at.clone(), format!("the parameter `${name}` has no value"))
                .help(format!("give it one: `params: {{{name}: ...}}`"))
        })
        .collect()
}

struct SqlStep {
    query: String,
    tables: Vec<SqlTable>,
    params: BTreeMap<String, Value>,
}

#[async_trait]
impl Step for SqlStep {
    async fn run(mut self: Box<Self>, cx: StepContext) -> Result<StepEnd, Fault> {
        let query = parse(&self.query).map_err(|p| p.first().map_or_else(Fault::cancelled, Problem::fault))?;
        let given: BTreeSet<String> = self.tables.iter().map(|t| t.name.clone()).collect();
        let names = relations(&query).map_err(|p| p.first().map_or_else(Fault::cancelled, Problem::fault))?;
        for name in names.into_keys().filter(|name| !given.contains(name)) {
            if let Some(step) = Name::new(&name) {
                self.tables.push(SqlTable { table: cx.inputs.table(&step)?.clone(), name });
            }
        }
        let access = cx.tables.clone();
        let engine = Engine { memory: cx.memory, scratch: cx.scratch.clone(), access: &access, cx: Some(&cx) };
        let table = Box::pin(run_query(&self.query, &self.tables, &self.params, &engine)).await?;
        let rows = table.rows.unwrap_or(0);
        Ok(StepOutput::none().value("table", table).rows(rows).into())
    }
}
