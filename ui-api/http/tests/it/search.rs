//! Runs found by parts of names, and by the beginnings of ids.

use serde_json::json;

use crate::place::{ECHO, Place, each, text};

#[tokio::test(flavor = "multi_thread")]
async fn runs_are_found_by_names_and_ids() {
    let named = |name: &str| ECHO.replace("name: echo", &format!("name: {name}"));
    let place = Place::open(&[&named("daily_report"), &named("weekly_report"), &named("import")]).await;
    let mut ids = Vec::new();
    for name in ["daily_report", "import", "weekly_report", "daily_report"] {
        ids.push(text(&place.ran(name, json!({})).await["id"]));
    }
    let find = async |query: &str| each(&place.good(&format!("/runs?{query}")).await["items"], "id");
    let of = |some: &[usize]| some.iter().map(|n| ids[*n].clone()).collect::<Vec<_>>();
    let table: [(String, &[usize]); 10] = [
        ("q=report".to_owned(), &[3, 2, 0]),
        ("q=REPORT".to_owned(), &[3, 2, 0]),
        ("q=imp".to_owned(), &[1]),
        ("q=nothing".to_owned(), &[]),
        ("q=".to_owned(), &[3, 2, 1, 0]),
        ("q=report&pipeline=import".to_owned(), &[]),
        ("q=report&pipeline=daily_report".to_owned(), &[3, 0]),
        ("q=report&status=failed".to_owned(), &[]),
        ("q=run_".to_owned(), &[3, 2, 1, 0]),
        (format!("q={}", ids[1]), &[1]),
    ];
    for (query, expected) in table {
        assert_eq!(find(&query).await, of(expected), "{query}");
    }
    // Ids made in the same second begin alike.
    assert!(find(&format!("q={}", &ids[2][..12])).await.contains(&ids[2]));
    assert_eq!(find(&format!("q={}&status=failed", ids[1])).await, of(&[]));
    assert_eq!(find("q=run_!!").await, of(&[]));
    // In pages.
    let first = place.good("/runs?q=report&limit=2").await;
    assert_eq!(each(&first["items"], "id"), of(&[3, 2]));
    let rest = place.good(&format!("/runs?q=report&limit=2&cursor={}", text(&first["next"]))).await;
    assert_eq!((each(&rest["items"], "id"), &rest["next"]), (of(&[0]), &json!(null)));
}
