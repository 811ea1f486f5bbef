use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
    sync::{Arc, LazyLock},
};

use arrow::datatypes::SchemaRef;
use datafusion::{
    catalog::TableProvider,
    common::{DataFusionError, ParamValues},
    datasource::empty::EmptyTable,
    execution::{SessionState, SessionStateBuilder, memory_pool::FairSpillPool, runtime_env::RuntimeEnvBuilder},
    logical_expr::LogicalPlan,
    physical_plan::{displayable, execute_stream_partitioned},
    prelude::{SessionConfig, SessionContext},
    scalar::ScalarValue,
};
use futures::FutureExt;
use millwork_engine::{
    data::{Table, Type, Value},
    diag::Code,
    model::Fault,
    step::{StepContext, TableAccess},
};

use super::{
    fault::{classify, is_memory},
    in_order::InOrder,
    names::{Query, parse},
    param, place,
    problem::{Problem, problems},
    rows::Rows,
    source,
};

/// A table under the name by which a query knows it.
#[derive(Debug, Clone)]
pub(crate) struct SqlTable {
    pub(crate) name: String,
    pub(crate) table: Table,
}

/// What a query may use, and who may stop it.
#[derive(Debug)]
pub(crate) struct Engine<'a> {
    /// Bytes it may hold.
    pub(crate) memory: Option<u64>,
    /// Where it may spill.
    pub(crate) scratch: PathBuf,
    /// Reads tables.
    pub(crate) access: &'a TableAccess,
    /// The attempt, if there is one: for its progress and its end.
    pub(crate) cx: Option<&'a StepContext>,
}

/// How sessions of ours differ from the library's defaults.
fn config() -> SessionConfig {
    let mut config = SessionConfig::new().with_information_schema(false);
    let options = config.options_mut();
    // Names keep the spelling of the data.
    options.sql_parser.enable_ident_normalization = false;
    options.sql_parser.collect_spans = true;
    // The types promised at check are those that come.
    options.sql_parser.map_string_types_to_utf8view = false;
    options.execution.parquet.schema_force_view_types = false;
    options.optimizer.expand_views_at_output = true;
    // Sources have parts enough; dealing batches out to others would lose the order of the rows.
    options.optimizer.enable_round_robin_repartition = false;
    config
}

/// A state without tables, for planning.
pub(super) fn planning_state() -> &'static SessionState {
    static STATE: LazyLock<SessionState> =
        LazyLock::new(|| SessionStateBuilder::new().with_config(config()).with_default_features().build());
    &STATE
}

fn context_over(
    tables: Vec<(String, Arc<dyn TableProvider>)>,
    state: SessionState,
) -> Result<SessionContext, DataFusionError> {
    let context = SessionContext::new_with_state(state);
    for (name, provider) in tables {
        context.register_table(datafusion::common::TableReference::bare(name), provider)?;
    }
    Ok(context)
}

/// The columns a query gives, planned against the columns of what it reads and the types of its
/// parameters; or everything that is wrong with it.
pub(super) fn planned_schema(
    query: &Query,
    tables: &BTreeMap<String, SchemaRef>,
    params: &BTreeMap<String, Type>,
) -> Result<SchemaRef, Vec<Problem>> {
    let failed = |e: DataFusionError| problems(&query.text, &e);
    let state = SessionStateBuilder::new().with_config(config()).with_default_features().build();
    let empty = |schema: &SchemaRef| Arc::new(EmptyTable::new(schema.clone())) as Arc<dyn TableProvider>;
    let tables = tables.iter().map(|(name, schema)| (name.clone(), empty(schema))).collect();
    let context = context_over(tables, state).map_err(failed)?;
    let params = params.iter().map(|(name, ty)| (name.clone(), param::stand_in(ty))).collect();
    let state = context.state();
    // Tables in memory are found without waiting, so the plan is there at once.
    let plan = plan(query, &state, params).now_or_never();
    let plan = plan.unwrap_or_else(|| Err(DataFusionError::Internal("planning waited".to_owned()))).map_err(failed)?;
    let plan = state.analyzer().execute_and_check(plan, state.config_options(), |_, _| {}).map_err(failed)?;
    output_schema(query, &plan)
}

async fn plan(
    query: &Query,
    state: &SessionState,
    params: HashMap<String, ScalarValue>,
) -> Result<LogicalPlan, DataFusionError> {
    let plan = state.statement_to_plan(query.statement.clone()).await?;
    if params.is_empty() {
        return Ok(plan);
    }
    let params = params.into_iter().map(|(name, value)| (name, value.into())).collect();
    plan.with_param_values(ParamValues::Map(params))
}

/// Two columns of one name could not be told apart by what reads the table.
fn output_schema(query: &Query, plan: &LogicalPlan) -> Result<SchemaRef, Vec<Problem>> {
    let schema: SchemaRef = Arc::new(plan.schema().as_arrow().clone());
    let mut seen = std::collections::BTreeSet::new();
    for field in schema.fields() {
        if !seen.insert(field.name()) {
            let at = place::find_word(&query.text, field.name()).unwrap_or_else(|| place::whole(&query.text));
            let problem =
                Problem::new(Code::SqlColumn, at, format!("two columns of the result are called `{}`", field.name()));
            return Err(vec![problem.help("give one of them another name with `as`")]);
        }
    }
    Ok(schema)
}

/// The part of the memory that a result may hold: a quarter. The query has the rest.
const RESULT: u64 = 4;
/// Rows of a batch in the frugal way: a merge of spilled runs holds one batch of each.
const FRUGAL_BATCH: usize = 1024;

/// How a query is executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// In parallel, joins by hash tables.
    Fast,
    /// One part at a time in small batches, joins by sorting and merging: all of it spills.
    Frugal,
}

/// Runs a query over tables and gives its rows. One that runs out of memory runs once more in the frugal way.
pub(crate) async fn run_query(
    text: &str,
    tables: &[SqlTable],
    params: &BTreeMap<String, Value>,
    engine: &Engine<'_>,
) -> Result<Table, Fault> {
    let query = parse(text).map_err(first)?;
    match run_once(&query, tables, params, engine, Way::Fast).await {
        Err(fault) if is_memory(&fault) => {
            if let Some(cx) = engine.cx {
                cx.log.line("out of memory: once more, one part at a time, joining by sorts");
            }
            run_once(&query, tables, params, engine, Way::Frugal).await
        }
        other => other,
    }
}

async fn run_once(
    query: &Query,
    tables: &[SqlTable],
    params: &BTreeMap<String, Value>,
    engine: &Engine<'_>,
    way: Way,
) -> Result<Table, Fault> {
    let failed = |e: DataFusionError| classify(&query.text, &e);
    let mut providers = Vec::with_capacity(tables.len());
    for table in tables {
        providers.push((table.name.clone(), source::provider(&table.table, engine.access).await?));
    }
    let context = context_over(providers, engine.state(way).map_err(failed)?).map_err(failed)?;
    let bound = params.iter().map(|(name, value)| Ok((name.clone(), param::scalar(name, value)?)));
    let bound = bound.collect::<Result<HashMap<_, _>, Fault>>()?;
    let state = context.state();
    let logical = plan(query, &state, bound).await.map_err(failed)?;
    output_schema(query, &logical).map_err(first)?;
    let physical = state.create_physical_plan(&logical).await.map_err(failed)?;
    tracing::debug!(?way, "the plan:\n{}", displayable(physical.as_ref()).indent(false));
    let schema = physical.schema();
    let streams = execute_stream_partitioned(physical, context.task_ctx()).map_err(failed)?;
    let most = engine.memory.map(|limit| limit / RESULT);
    let mut stream = InOrder::new(streams, most.map(|most| most / 2));
    let mut rows = Rows::new(schema, engine.access.artifacts().clone(), most);
    loop {
        let next = match engine.cx {
            Some(cx) => tokio::select! {
                biased;
                () = cx.cancel.cancelled() => return Err(Fault::cancelled()),
                next = stream.next() => next,
            },
            None => stream.next().await,
        };
        let Some(batch) = next else { break };
        let spilled = rows.push(batch.map_err(failed)?).await?;
        if let Some(cx) = engine.cx {
            cx.progress.set_done(rows.count());
            if spilled {
                cx.log.line("the result is too big for memory: it goes to a file");
            }
        }
    }
    rows.finish().await
}

impl Engine<'_> {
    fn state(&self, way: Way) -> Result<SessionState, DataFusionError> {
        let mut config = config();
        if way == Way::Frugal {
            config = config.with_target_partitions(1).with_batch_size(FRUGAL_BATCH);
            config.options_mut().optimizer.prefer_hash_join = false;
        }
        let mut runtime = RuntimeEnvBuilder::new();
        if let Some(limit) = self.memory {
            let limit = usize::try_from(limit).unwrap_or(usize::MAX);
            // A small limit cannot set aside for each sort what the default does.
            let parts = config.target_partitions().max(1);
            let execution = &mut config.options_mut().execution;
            execution.sort_spill_reservation_bytes = execution.sort_spill_reservation_bytes.min(limit / (8 * parts));
            runtime = runtime
                .with_memory_pool(Arc::new(FairSpillPool::new(limit - limit / RESULT as usize)))
                .with_temp_file_path(self.scratch.clone());
        }
        let builder = SessionStateBuilder::new().with_config(config).with_runtime_env(runtime.build_arc()?);
        Ok(builder.with_default_features().build())
    }
}

fn first(problems: Vec<Problem>) -> Fault {
    match problems.first() {
        Some(problem) => problem.fault(),
        None => Fault::internal("sql.plan", "the query could not be planned"),
    }
}
