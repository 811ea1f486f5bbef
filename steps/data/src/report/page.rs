use arrow::array::RecordBatch;
use millwork_engine::{data::plain, model::Fault};
use minijinja::{Environment, UndefinedBehavior, value::Value as Jinja};
use serde_json::{Map, Value as Json, json};

use super::{
    columns::{Kind, cells, kind_of},
    number::shown,
    svg::escape,
};

/// Steps that a template may take: far more than a page needs, far less than forever.
const FUEL: u64 = 20_000_000;
/// The built-in template.
pub(super) const DEFAULT: &str = include_str!("default.html");

/// Renders a template. Everything is escaped unless it is a picture made here.
pub(super) fn render(template: &str, context: &Json) -> Result<String, Fault> {
    let mut environment = environment();
    let failed = |e: minijinja::Error| {
        let line = e.line().map(|line| format!(" in line {line}")).unwrap_or_default();
        let what = e.detail().map_or_else(|| e.kind().to_string(), str::to_owned);
        Fault::user("report.template", format!("the template cannot be rendered{line}: {what}"))
            .help("names in a template are title, subtitle, sections, charts, data and generated")
    };
    environment.add_template("report.html", template).map_err(failed)?;
    let template = environment.get_template("report.html").map_err(failed)?;
    template.render(Jinja::from(minijinja::value::Serde(context))).map_err(failed)
}

/// The line and the message of what is wrong with a template's grammar.
pub(super) fn flaw(template: &str) -> Option<(Option<usize>, String)> {
    let mut environment = environment();
    let error = environment.add_template("report.html", template).err()?;
    Some((error.line(), error.detail().map_or_else(|| error.kind().to_string(), str::to_owned)))
}

fn environment<'a>() -> Environment<'a> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    environment.add_filter("number", |value: f64| shown(value));
    environment
}

/// Rows as the templates see them: names, whether a column is numbers, cells as words.
pub(super) fn table_json(batches: &[RecordBatch], total: Option<u64>) -> Result<Json, Fault> {
    let Some(first) = batches.first() else { return Ok(json!({"columns": [], "rows": [], "html": ""})) };
    let schema = first.schema();
    let columns =
        schema.fields().iter().map(|f| json!({"name": f.name(), "numeric": kind_of(f.data_type()) == Kind::Number}));
    let columns: Vec<Json> = columns.collect();
    let mut rows = Vec::new();
    for batch in batches {
        let cells = batch.columns().iter().map(cells).collect::<Result<Vec<_>, Fault>>()?;
        for row in 0..batch.num_rows() {
            rows.push(Json::Array(cells.iter().map(|column| json!(column[row])).collect()));
        }
    }
    let more = total.map_or(0, |total| total.saturating_sub(rows.len() as u64));
    let html = table_html(&columns, &rows, more);
    Ok(json!({"columns": columns, "rows": rows, "html": html}))
}

/// The table as the built-in page shows it; every word is escaped here.
fn table_html(columns: &[Json], rows: &[Json], more: u64) -> String {
    let class = |at: usize| if columns[at]["numeric"] == true { " class=\"n\"" } else { "" };
    let mut html = String::from("<div class=\"scroll\"><table><thead><tr>");
    for (at, column) in columns.iter().enumerate() {
        let name = escape(column["name"].as_str().unwrap_or_default());
        html.push_str(&format!("<th scope=\"col\"{}>{name}</th>", class(at)));
    }
    html.push_str("</tr></thead><tbody>\n");
    for row in rows {
        html.push_str("<tr>");
        for (at, cell) in row.as_array().into_iter().flatten().enumerate() {
            html.push_str(&format!("<td{}>{}</td>", class(at), escape(cell.as_str().unwrap_or_default())));
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</tbody></table></div>");
    if more > 0 {
        html.push_str(&format!("<p class=\"more\">and {} more rows</p>", shown(more as f64)));
    }
    html
}

/// Rows as objects, for templates of one's own.
pub(super) fn records(table: &Json) -> Json {
    let names: Vec<&str> =
        table["columns"].as_array().into_iter().flatten().filter_map(|c| c["name"].as_str()).collect();
    let rows = table["rows"].as_array().into_iter().flatten().map(|row| {
        let cells = row.as_array().into_iter().flatten().cloned();
        Json::Object(names.iter().map(|n| (*n).to_owned()).zip(cells).collect::<Map<_, _>>())
    });
    Json::Array(rows.collect())
}

/// A single value as words.
pub(super) fn figure(value: &millwork_engine::data::Value) -> String {
    match plain(value) {
        Json::Number(n) => n.as_f64().map_or_else(|| n.to_string(), shown),
        Json::String(text) => text,
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_escaped_and_unknown_names_are_faults() {
        let page = render("<p>{{ title }}</p>", &json!({"title": "<script>&"})).expect("rendered");
        assert_eq!(page, "<p>&lt;script&gt;&amp;</p>");
        for (template, wanted) in [
            ("{{ nope }}", "undefined"),
            ("{% for i in range(9999999) %}{% for j in range(9999) %}x{% endfor %}{% endfor %}", ""),
            ("{{", ""),
        ] {
            let fault = render(template, &json!({})).expect_err(template);
            assert_eq!(fault.code.as_str(), "report.template");
            assert!(fault.message.contains(wanted), "{fault}");
        }
        assert_eq!(flaw("a\n{% if %}").map(|f| f.0), Some(Some(2)));
        assert!(flaw(DEFAULT).is_none());
    }
}
