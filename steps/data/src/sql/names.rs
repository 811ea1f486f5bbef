//! The names in a query: tables, parameters, functions that do not always give the same.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::{ControlFlow, Range},
};

use datafusion::{
    common::Span,
    execution::SessionState,
    logical_expr::Volatility,
    sql::{
        parser::{DFParserBuilder, Statement as DfStatement},
        resolve::resolve_table_references,
        sqlparser::{
            ast::{Expr, ObjectName, Spanned, Statement, Value, visit_expressions, visit_relations},
            dialect::GenericDialect,
        },
    },
};
use millwork_engine::diag::Code;

use super::{
    depth::refuse_deep,
    place,
    problem::{Problem, problems},
};

/// A parsed query.
#[derive(Debug, Clone)]
pub(crate) struct Query {
    pub(super) text: String,
    pub(super) statement: DfStatement,
}

/// Parses one query. `${{ }}` inside, several statements and statements that are not queries are refused.
pub(crate) fn parse(text: &str) -> Result<Query, Vec<Problem>> {
    if let Some(start) = text.find("${{") {
        let end = text[start..].find("}}").map_or(text.len(), |end| start + end + 2);
        let problem = Problem::new(Code::SqlTemplate, start..end, "an expression cannot stand inside a query");
        return Err(vec![problem.help(
            "values go in as parameters: write `$name` here and `params: {name: \"${{ ... }}\"}`; a table is named in `tables:`",
        )]);
    }
    refuse_deep(text).map_err(|problem| vec![problem])?;
    let parsed =
        DFParserBuilder::new(text).with_dialect(&GenericDialect {}).build().and_then(|mut p| p.parse_statements());
    let mut statements = parsed.map_err(|e| problems(text, &e))?;
    let only = statements.pop_front();
    match only {
        Some(statement) if statements.is_empty() && is_query(&statement) => {
            Ok(Query { text: text.to_owned(), statement })
        }
        None => {
            Err(vec![Problem::new(Code::SqlStatement, place::whole(text), "the query is empty").help("write a SELECT")])
        }
        Some(_) => {
            let what = if statements.is_empty() { "this is not a query" } else { "there is more than one statement" };
            Err(vec![
                Problem::new(Code::SqlStatement, place::whole(text), what)
                    .help("a `sql` step holds one `select` (or `with ... select`); what writes is `table.write`"),
            ])
        }
    }
}

fn is_query(statement: &DfStatement) -> bool {
    matches!(statement, DfStatement::Statement(inner) if matches!(**inner, Statement::Query(_)))
}

/// The tables a query needs from outside of it, each with the first place that names it.
pub(crate) fn relations(query: &Query) -> Result<BTreeMap<String, Range<usize>>, Vec<Problem>> {
    let (outside, _) = resolve_table_references(&query.statement, false).map_err(|e| problems(&query.text, &e))?;
    let mut places: BTreeMap<String, Range<usize>> = BTreeMap::new();
    if let DfStatement::Statement(statement) = &query.statement {
        let _ = visit_relations(&**statement, |name: &ObjectName| {
            let written = name.0.iter().filter_map(|p| p.as_ident()).map(|i| i.value.clone()).collect::<Vec<_>>();
            let span = Span::try_from_sqlparser_span(name.span());
            let at = span.map_or_else(|| place::whole(&query.text), |span| place::bytes_of(&query.text, &span));
            places.entry(written.join(".")).or_insert(at);
            ControlFlow::<()>::Continue(())
        });
    }
    let names = outside.iter().map(ToString::to_string);
    Ok(names
        .map(|name| {
            let at = places.get(&name).cloned().unwrap_or_else(|| place::whole(&query.text));
            (name, at)
        })
        .collect())
}

/// The parameters `$name` of a query, without their `$`, each with the first place.
pub(crate) fn parameters(query: &Query) -> BTreeMap<String, Range<usize>> {
    let mut found = BTreeMap::new();
    each_expression(query, |expr| {
        if let Expr::Value(value) = expr
            && let Value::Placeholder(written) = &value.value
        {
            let span = Span::try_from_sqlparser_span(value.span);
            let at = span.map_or_else(|| place::whole(&query.text), |span| place::bytes_of(&query.text, &span));
            found.entry(written.trim_start_matches('$').to_owned()).or_insert(at);
        }
    });
    found
}

/// Functions in a query whose result is not settled by its arguments, such as `now()` and `random()`.
pub(crate) fn volatile(query: &Query, state: &SessionState) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    each_expression(query, |expr| {
        if let Expr::Function(function) = expr {
            let name = function.name.to_string().to_lowercase();
            let known = state.scalar_functions().get(&name);
            if known.is_some_and(|udf| udf.signature().volatility != Volatility::Immutable) {
                found.insert(name);
            }
        }
    });
    found
}

fn each_expression(query: &Query, mut look: impl FnMut(&Expr)) {
    if let DfStatement::Statement(statement) = &query.statement {
        let _ = visit_expressions(&**statement, |expr: &Expr| {
            look(expr);
            ControlFlow::<()>::Continue(())
        });
    }
}
