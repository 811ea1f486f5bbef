use indexmap::IndexMap;
use millwork_engine::{
    data::{Table, Value},
    step::{Located, Templated},
};
use schemars::JsonSchema;
use serde::Deserialize;

/// What `report` is told.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReportConfig {
    /// The HTML file to write.
    pub path: Templated<String>,
    /// The title of the page.
    #[serde(default)]
    pub title: Option<Templated<String>>,
    /// A line under the title.
    #[serde(default)]
    pub subtitle: Option<Templated<String>>,
    /// Parts of the page, in order.
    #[serde(default)]
    pub sections: Vec<Section>,
    /// Charts after the sections.
    #[serde(default)]
    pub charts: Vec<Chart>,
    /// Values by name: single ones are shown large at the top, tables at the end; templates see both.
    #[serde(default)]
    pub data: IndexMap<String, Templated<Value>>,
    /// A template in place of the built-in one.
    #[serde(default)]
    pub template: Option<Located<String>>,
    /// A file with the template.
    #[serde(default)]
    pub template_file: Option<Templated<String>>,
}

/// A part of a page.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Section {
    /// Its heading.
    #[serde(default)]
    pub title: Option<Templated<String>>,
    /// Its text; an empty line begins a paragraph.
    #[serde(default)]
    pub text: Option<Templated<String>>,
    /// A table to show.
    #[serde(default)]
    pub table: Option<Templated<Table>>,
    /// How many of its rows; 20 by default.
    #[serde(default)]
    pub rows: Option<u32>,
    /// A chart.
    #[serde(default)]
    pub chart: Option<Chart>,
}

/// A chart of a table.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Chart {
    /// Which one.
    pub kind: ChartKind,
    /// The rows.
    pub table: Templated<Table>,
    /// The column along it: the categories of bars, the values of a histogram.
    pub x: Located<String>,
    /// The column of values; for a heat map the column of its rows.
    #[serde(default)]
    pub y: Option<Located<String>>,
    /// The column of a heat map's values.
    #[serde(default)]
    pub value: Option<Located<String>>,
    /// The column that tells lines apart.
    #[serde(default)]
    pub series: Option<Located<String>>,
    /// What stands over it.
    #[serde(default)]
    pub title: Option<Templated<String>>,
    /// The unit of the values, such as `min`.
    #[serde(default)]
    pub unit: Option<String>,
}

/// The charts there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ChartKind {
    /// A bar for each row, its value beside it.
    Bar,
    /// Values over a time or a number.
    Line,
    /// How often values occur.
    Histogram,
    /// A field for each pair of values.
    Heatmap,
}

impl Chart {
    /// Every column that it names.
    pub(super) fn columns(&self) -> Vec<&Located<String>> {
        [Some(&self.x), self.y.as_ref(), self.value.as_ref(), self.series.as_ref()].into_iter().flatten().collect()
    }
}
