use datafusion::{arrow::error::ArrowError, common::DataFusionError};
use millwork_engine::model::Fault;

use super::problem::{problems, tidy};

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
    fault.code.as_str() == "sql.out_of_memory"
}

fn out_of_memory(why: &str) -> Fault {
    Fault::user("sql.out_of_memory", format!("the query needs more memory than it may use: {}", tidy(why)))
        .help("raise the memory limit (`permissions: {limits: {memory: ..}}`), or filter and aggregate before joining")
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
