use datafusion::{arrow::error::ArrowError, common::DataFusionError};
use millwork_engine::model::{Fault, FaultCode};

use super::problem::{problems, tidy};

/// The query wanted more memory than there was.
const OUT_OF_MEMORY: FaultCode = FaultCode::new("sql.out_of_memory");

/// Every error of a query that runs becomes a fault here and nowhere else.
pub(super) fn classify(text: &str, error: &DataFusionError) -> Fault {
    if let Some(fault) = carried(error) {
        return fault;
    }
    let root = error.find_root();
    match root {
        DataFusionError::ResourcesExhausted(why) => out_of_memory(why),
        DataFusionError::IoError(e) => Fault::external("sql.io", format!("the query could not read or spill: {e}")),
        DataFusionError::ObjectStore(e) => {
            Fault::external("table.unreadable", format!("a file of a table cannot be read: {e}"))
        }
        DataFusionError::ParquetError(e) => {
            Fault::user("table.parse", format!("a Parquet file cannot be read: {}", tidy(&e.to_string())))
        }
        DataFusionError::ArrowError(e, _) => match e.as_ref() {
            ArrowError::DivideByZero => Fault::user("sql.value", "the query divides by zero")
                .help("guard the divisor, such as `a / nullif(b, 0)`"),
            ArrowError::ExternalError(inner) if inner.to_string().contains("Resources exhausted") => {
                out_of_memory(&inner.to_string())
            }
            other => Fault::user("sql.value", format!("a value in the query: {}", tidy(&other.to_string())))
                .help("where a conversion may fail, `try_cast(x as type)` gives null instead"),
        },
        DataFusionError::Execution(why) => Fault::user("sql.value", tidy(why)),
        DataFusionError::ExecutionJoin(e) => {
            Fault::internal("sql.stopped", format!("a part of the query stopped: {e}"))
        }
        DataFusionError::Internal(why) => Fault::internal("sql.internal", tidy(why)),
        DataFusionError::NotImplemented(why) => Fault::user("sql.unsupported", tidy(why)),
        DataFusionError::Plan(_) | DataFusionError::SchemaError(..) | DataFusionError::SQL(..) => {
            match problems(text, error).first() {
                Some(problem) => problem.fault(),
                None => Fault::user("sql.plan", tidy(&root.strip_backtrace())),
            }
        }
        other => Fault::internal("sql.internal", tidy(&other.strip_backtrace())),
    }
}

/// Whether more memory was wanted than there was.
pub(super) fn is_memory(fault: &Fault) -> bool {
    fault.code == OUT_OF_MEMORY
}

fn out_of_memory(why: &str) -> Fault {
    /// Parts of a plan by the names that the library has for them.
    const PARTS: &[(&str, &str)] = &[
        ("Sort", "a sort"),
        ("Join", "a join"),
        ("Aggregate", "an aggregation"),
        ("Window", "a window"),
        ("Repartition", "the exchange between threads"),
    ];
    tracing::debug!("out of memory: {why}");
    let part = PARTS.iter().find(|(name, _)| why.contains(name)).map_or("a part", |(_, words)| words);
    Fault::user("sql.out_of_memory", format!("{part} of the query needs more memory than it may use")).help(
        "raise the limit where it is set (`--memory`, `memory:` of the step or of `millwork.yaml`, or `permissions: \
             {limits: {memory: ..}}`), or filter and aggregate before joining",
    )
}

/// A fault of our own that passed through the query engine.
fn carried(error: &DataFusionError) -> Option<Fault> {
    match error {
        DataFusionError::External(inner) => match inner.downcast_ref::<Fault>() {
            Some(fault) => Some(fault.clone()),
            None => inner.downcast_ref::<DataFusionError>().and_then(carried),
        },
        DataFusionError::ArrowError(inner, _) => match inner.as_ref() {
            ArrowError::ExternalError(inner) => match inner.downcast_ref::<Fault>() {
                Some(fault) => Some(fault.clone()),
                None => inner.downcast_ref::<DataFusionError>().and_then(carried),
            },
            _ => None,
        },
        DataFusionError::Context(_, inner) => carried(inner),
        DataFusionError::Shared(inner) => carried(inner),
        DataFusionError::Diagnostic(_, inner) => carried(inner),
        _ => None,
    }
}
