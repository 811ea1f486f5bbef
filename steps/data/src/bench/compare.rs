use std::{collections::BTreeMap, path::Path, sync::Arc};

use datafusion::{datasource::MemTable, prelude::SessionContext};
use millwork_engine::{data::Table, model::Fault, step::TableAccess};

use crate::sql::{Engine, SqlTable, run_query};

/// The 22 queries of TPC-H with its validation parameters, query 1 first.
pub const QUERIES: [&str; 22] = [
    include_str!("queries/q01.sql"),
    include_str!("queries/q02.sql"),
    include_str!("queries/q03.sql"),
    include_str!("queries/q04.sql"),
    include_str!("queries/q05.sql"),
    include_str!("queries/q06.sql"),
    include_str!("queries/q07.sql"),
    include_str!("queries/q08.sql"),
    include_str!("queries/q09.sql"),
    include_str!("queries/q10.sql"),
    include_str!("queries/q11.sql"),
    include_str!("queries/q12.sql"),
    include_str!("queries/q13.sql"),
    include_str!("queries/q14.sql"),
    include_str!("queries/q15.sql"),
    include_str!("queries/q16.sql"),
    include_str!("queries/q17.sql"),
    include_str!("queries/q18.sql"),
    include_str!("queries/q19.sql"),
    include_str!("queries/q20.sql"),
    include_str!("queries/q21.sql"),
    include_str!("queries/q22.sql"),
];

/// Runs a query as a `sql` step does; gives the rows of the result.
pub async fn ours(
    query: &str,
    tables: &[(String, Table)],
    access: &TableAccess,
    scratch: &Path,
    memory: Option<u64>,
) -> Result<u64, Fault> {
    let tables: Vec<_> =
        tables.iter().map(|(name, table)| SqlTable { name: name.clone(), table: table.clone() }).collect();
    let engine = Engine { memory, scratch: scratch.to_owned(), access, cx: None };
    let result = Box::pin(run_query(query, &tables, &BTreeMap::new(), &engine)).await?;
    Ok(result.rows.unwrap_or(0))
}

/// Runs a query on the same tables with nothing of ours around it; gives the rows of the result.
pub async fn bare(query: &str, tables: &[(String, Table)]) -> Result<u64, Fault> {
    let failed = |e: datafusion::common::DataFusionError| Fault::internal("bench.bare", e.strip_backtrace());
    let context = SessionContext::new();
    for (name, table) in tables {
        let batches = table.batches().map(|batches| batches.to_vec()).unwrap_or_default();
        let memory = MemTable::try_new(table.schema.clone(), vec![batches]).map_err(failed)?;
        context.register_table(name.as_str(), Arc::new(memory)).map_err(failed)?;
    }
    let batches = context.sql(query).await.map_err(failed)?.collect().await.map_err(failed)?;
    Ok(batches.iter().map(|batch| batch.num_rows() as u64).sum())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::tests::access;

    #[tokio::test(flavor = "multi_thread")]
    async fn both_give_the_same_rows_for_all_queries() {
        let tables = crate::bench::tables(0.002).expect("generated");
        let rows: BTreeMap<&str, u64> =
            tables.iter().map(|(name, table)| (name.as_str(), table.rows.unwrap_or(0))).collect();
        assert_eq!((rows["nation"], rows["region"], rows["orders"]), (25, 5, 3000));
        let access = access();
        for (index, query) in QUERIES.iter().enumerate() {
            let bare = bare(query, &tables).await;
            let bare = bare.unwrap_or_else(|e| panic!("query {}: {e}", index + 1));
            let ours = ours(query, &tables, &access, &std::env::temp_dir(), None).await;
            assert_eq!(ours.unwrap_or_else(|e| panic!("query {}: {e}", index + 1)), bare, "query {}", index + 1);
        }
    }
}
