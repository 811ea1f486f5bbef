use serde_json::json;

use super::{
    chart::{Drawing, draw},
    config::ChartKind,
    page::{DEFAULT, render, table_json},
};
use crate::sql::tests::csv;

fn drawing(kind: ChartKind, x: &str, y: Option<&str>) -> Drawing {
    let y = y.map(str::to_owned);
    Drawing { kind, title: "T <&>".into(), x: x.into(), y, value: Some("v".into()), series: None, unit: "min".into() }
}

#[test]
fn every_chart_is_well_formed_and_says_its_values() {
    let table = csv("k,g,v,at\na,p,1.5,2013-01-01\n<b>,q,-2,2013-06-01\nc,p,,2013-12-31\n");
    let batches = table.batches().expect("in memory");
    for (kind, x, y, words) in [
        (ChartKind::Bar, "k", Some("v"), "&lt;b&gt;: −2 min"),
        (ChartKind::Line, "at", Some("v"), "Mar"),
        (ChartKind::Line, "k", Some("v"), ">a<"),
        (ChartKind::Histogram, "v", None, "to"),
        (ChartKind::Heatmap, "k", Some("g"), "a / p: 1.5 min"),
    ] {
        let mut drawing = drawing(kind, x, y);
        drawing.series = (kind == ChartKind::Line).then(|| "g".to_owned());
        let svg = draw(&drawing, batches).expect("drawn");
        assert!(svg.contains(words), "{kind:?}: {svg}");
        assert!(svg.contains("<title>T &lt;&amp;&gt;</title>"), "{svg}");
        assert!(!svg.contains("NaN") && !svg.contains("inf") && !svg.contains("<b>"), "{kind:?}: {svg}");
        // A page with a style of its own shows one of the two.
        assert_eq!((svg.matches("<svg").count(), svg.matches("display:none").count()), (2, 1), "{kind:?}");
        for tag in ["<text", "<rect", "<path"] {
            let close = tag.replace('<', "</") + ">";
            assert_eq!(svg.matches(tag).count(), svg.matches(&close).count(), "{kind:?} {tag}");
        }
    }
    let fault = draw(&drawing(ChartKind::Bar, "nope", Some("v")), batches).expect_err("no column");
    assert_eq!(fault.code.as_str(), "table.column");
    assert!(draw(&drawing(ChartKind::Bar, "nope", None), &[]).expect("drawn").contains("no rows"));
}

#[test]
fn odd_values_do_not_break_a_chart() {
    for text in ["x,v\na,0\n", "x,v\na,5\nb,5\n", "x,v\na,-1e300\nb,1e300\n", "x,v\na,\n", "x,v\na,1e-12\n"] {
        let table = csv(text);
        let batches = table.batches().expect("in memory");
        for (kind, x) in
            [(ChartKind::Bar, "x"), (ChartKind::Line, "x"), (ChartKind::Histogram, "v"), (ChartKind::Line, "v")]
        {
            let svg = draw(&drawing(kind, x, Some("v")), batches).expect("drawn");
            assert!(!svg.contains("NaN") && !svg.contains("inf\""), "{text} {kind:?}: {svg}");
            assert!(svg.len() < 100_000, "{text} {kind:?}");
        }
    }
}

#[test]
fn the_built_in_page_is_whole_and_asks_nothing_of_the_network() {
    let table = csv("name,delay\n<i>United</i>,3.456\nJetBlue,\n");
    let table = table_json(table.batches().expect("in memory"), Some(30)).expect("shown");
    let mut named = table.clone();
    named["name"] = json!("late");
    let chart = json!({"title": "Bars", "svg": "<svg></svg>"});
    let page = render(
        DEFAULT,
        &json!({
            "title": "A & B", "subtitle": null, "figures": [{"name": "flights", "value": "336,776"}],
            "sections": [{"title": "S", "paragraphs": ["one", "two"], "table": table, "chart": chart.clone()}],
            "charts": [chart], "tables": [named], "data": {}, "generated": "now",
        }),
    )
    .expect("rendered");
    for part in [
        "A &amp; B",
        "336,776",
        "&lt;i&gt;United",
        ">3.46<",
        "<td class=\"n\">–</td>",
        "and 28 more rows",
        "<svg></svg>",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    for outside in ["http:", "https:", "url(", "@import", "<script", "<link"] {
        assert!(!page.contains(outside), "{outside}");
    }
}
