use std::{fmt::Display, sync::Arc};

use arrow::{
    datatypes::{DataType, Field, Schema, SchemaRef},
    record_batch::RecordBatch,
};
use datafusion::arrow::csv;
use millwork_engine::{data::Table, model::Fault};
use tpchgen::{
    csv::{CustomerCsv, LineItemCsv, NationCsv, OrderCsv, PartCsv, PartSuppCsv, RegionCsv, SupplierCsv},
    generators::{
        CustomerGenerator, LineItemGenerator, NationGenerator, OrderGenerator, PartGenerator, PartSuppGenerator,
        RegionGenerator, SupplierGenerator,
    },
};

const BATCH_ROWS: usize = 8192;

/// The eight tables at a scale (1 is about 1 GB), in memory, by name. Takes seconds of one core.
pub fn tables(scale: f64) -> Result<Vec<(String, Table)>, Fault> {
    // A part at a time goes through text, so that the text of the whole is never in memory.
    let parts = (scale * 16.0).ceil().clamp(1.0, 1000.0) as i32;
    let mut all = Vec::new();
    macro_rules! table {
        ($name:literal, $columns:expr, $generator:ident, $row:ident, $parts:expr) => {{
            let schema = schema($columns);
            let mut batches = Vec::new();
            for part in 1..=$parts {
                let rows = $generator::new(scale, part, $parts).iter().map($row::new);
                read(&schema, rows, &mut batches)?;
            }
            all.push(($name.to_owned(), Table::with_schema(schema, batches)));
        }};
    }
    table!("nation", "n_nationkey:i n_name:s n_regionkey:i n_comment:s", NationGenerator, NationCsv, 1);
    table!("region", "r_regionkey:i r_name:s r_comment:s", RegionGenerator, RegionCsv, 1);
    table!(
        "part",
        "p_partkey:i p_name:s p_mfgr:s p_brand:s p_type:s p_size:n p_container:s p_retailprice:m p_comment:s",
        PartGenerator,
        PartCsv,
        parts
    );
    table!(
        "supplier",
        "s_suppkey:i s_name:s s_address:s s_nationkey:i s_phone:s s_acctbal:m s_comment:s",
        SupplierGenerator,
        SupplierCsv,
        parts
    );
    table!(
        "partsupp",
        "ps_partkey:i ps_suppkey:i ps_availqty:n ps_supplycost:m ps_comment:s",
        PartSuppGenerator,
        PartSuppCsv,
        parts
    );
    table!(
        "customer",
        "c_custkey:i c_name:s c_address:s c_nationkey:i c_phone:s c_acctbal:m c_mktsegment:s c_comment:s",
        CustomerGenerator,
        CustomerCsv,
        parts
    );
    table!(
        "orders",
        "o_orderkey:i o_custkey:i o_orderstatus:s o_totalprice:m o_orderdate:d o_orderpriority:s o_clerk:s \
         o_shippriority:n o_comment:s",
        OrderGenerator,
        OrderCsv,
        parts
    );
    table!(
        "lineitem",
        "l_orderkey:i l_partkey:i l_suppkey:i l_linenumber:n l_quantity:m l_extendedprice:m l_discount:m l_tax:m \
         l_returnflag:s l_linestatus:s l_shipdate:d l_commitdate:d l_receiptdate:d l_shipinstruct:s l_shipmode:s \
         l_comment:s",
        LineItemGenerator,
        LineItemCsv,
        parts
    );
    Ok(all)
}

/// Columns as `name:type` with i for keys, n for small numbers, m for money, d for dates, s for text.
fn schema(columns: &str) -> SchemaRef {
    let fields = columns.split_whitespace().filter_map(|column| {
        let (name, ty) = column.split_once(':')?;
        let ty = match ty {
            "i" => DataType::Int64,
            "n" => DataType::Int32,
            "m" => DataType::Decimal128(15, 2),
            "d" => DataType::Date32,
            _ => DataType::Utf8,
        };
        Some(Field::new(name, ty, false))
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

fn read<R: Display>(
    schema: &SchemaRef,
    rows: impl Iterator<Item = R>,
    batches: &mut Vec<RecordBatch>,
) -> Result<(), Fault> {
    use std::fmt::Write as _;
    let failed = |why: String| Fault::internal("bench.tpch", format!("TPC-H rows: {why}"));
    let mut text = String::new();
    for row in rows {
        writeln!(text, "{row}").map_err(|e| failed(e.to_string()))?;
    }
    let reader = csv::ReaderBuilder::new(schema.clone()).with_header(false).with_batch_size(BATCH_ROWS);
    for batch in reader.build_buffered(text.as_bytes()).map_err(|e| failed(e.to_string()))? {
        batches.push(batch.map_err(|e| failed(e.to_string()))?);
    }
    Ok(())
}
