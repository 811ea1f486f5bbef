//! Triggers on what another pipeline gives: other content starts a run, equal content does not.

use millwork_engine::store::{RecordKind, When};
use millwork_service::triggers::Upstream;
use serde_json::{Value as Json, json};

use crate::place::{Place, each};

const MAKER: &str = r#"
version: 1
name: maker
inputs: {n: {type: int, default: 1}, word: {type: string, default: a}}
steps:
  - id: make
    uses: rows
    with: {value: "${{ inputs.n }}"}
  - id: say
    uses: scripted
    with: {value: "${{ inputs.word }}"}
outputs:
  rows: "${{ steps.make.outputs.table }}"
  word: "${{ steps.say.outputs.value }}"
"#;

/// A pipeline that is started by a trigger, and gives what one input of it was.
fn started(name: &str, on: &str, ty: &str) -> String {
    format!(
        "version: 1\nname: {name}\non: {on}\ninputs: {{of: {{type: {ty}}}}}\nsteps:\n  - id: say\n    uses: scripted\n    \
         with: {{value: 1}}\noutputs: {{of: \"${{{{ inputs.of }}}}\"}}\n"
    )
}

async fn runs_of(place: &Place, name: &str) -> Vec<Json> {
    let page = place.good(&format!("/runs?pipeline={name}&limit=100")).await;
    let mut runs = Vec::new();
    for run in each(&page["items"], "id").iter().rev() {
        runs.push(place.ended(run).await);
    }
    runs
}

#[tokio::test(flavor = "multi_thread")]
async fn only_other_content_starts_a_run() {
    let place = Place::open(&[
        MAKER,
        &started("of_table", r#"{table: {of: maker.rows, inputs: {of: "${{ event.value }}"}}}"#, "table"),
        &started(
            "of_word",
            r#"{artifact: {of: maker.word, inputs: {of: "${{ event.value }} of ${{ event.output }}"}}}"#,
            "string",
        ),
        // No table: said in the log of the service, and in nobody's way.
        &started("of_nothing", r#"[{table: {of: maker.word, inputs: {of: "${{ event.digest }}"}}}]"#, "string")
            .replace("[{", "{")
            .replace("}]", "}"),
        // Named last, so that its start says that the others were seen to.
        &started("then", r#"{pipeline: {name: maker, inputs: {of: "${{ event.run }}"}}}"#, "string"),
    ])
    .await;
    let mut stream = place.stream("/events?pipeline=then", None).await;
    let inputs = [(3, "a"), (3, "a"), (3, "b"), (20, "b"), (3, "a"), (3, "a")];
    let mut made = Vec::new();
    for (n, word) in inputs {
        made.push(place.ran("maker", json!({"n": n, "word": word})).await["id"].clone());
        while !stream.next().await.is_some_and(|event| event.name == "run" && event.data["status"] == "succeeded") {}
    }
    let tables = runs_of(&place, "of_table").await;
    let rows: Vec<&Json> = tables.iter().map(|run| &run["outputs"]["of"]["rows"]).collect();
    assert_eq!(rows, [&json!(3), &json!(20), &json!(3)]);
    let words = runs_of(&place, "of_word").await;
    let said: Vec<&Json> = words.iter().map(|run| &run["outputs"]["of"]).collect();
    assert_eq!(said, [&json!("a of word"), &json!("b of word"), &json!("a of word")]);
    assert_eq!(words[1]["cause"]["kind"], "content", "{}", words[1]["cause"]);
    assert_eq!(runs_of(&place, "of_nothing").await.len(), 0);
    assert_eq!(runs_of(&place, "then").await.len(), inputs.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_started_and_not_remembered_is_not_started_again() {
    let of_word = started("of_word", r#"{artifact: {of: maker.word, inputs: {of: "${{ event.value }}"}}}"#, "string");
    let then = started("then", r#"{pipeline: {name: maker, inputs: {of: "${{ event.run }}"}}}"#, "string");
    let place = Place::open(&[MAKER, &of_word, &then]).await;
    let mut stream = place.stream("/events?pipeline=then", None).await;
    place.ran("maker", json!({"word": "a"})).await;
    while !stream.next().await.is_some_and(|event| event.name == "run" && event.data["status"] == "succeeded") {}
    let before = runs_of(&place, "of_word").await;
    assert_eq!(before.len(), 1);
    // As if the process had died in between, and everything is read again by the next.
    let service = &place.service;
    let store = service.engine().reader();
    let content = || store.records(RecordKind::Content, "", None, 10);
    for record in content().await.expect("a state") {
        store.put_record(RecordKind::Content, &record.key, None, When::Always).await.expect("a state");
    }
    store.put_record(RecordKind::Cursor, "upstream", Some(json!(0)), When::Always).await.expect("a state");
    let mut next = Upstream::new(service.engine().clone(), service.catalog().clone(), service.desk().clone());
    while next.read().await.expect("a state") {}
    assert_eq!(content().await.expect("a state").len(), 1, "now it is remembered");
    let runs = |runs: Vec<Json>| runs.iter().map(|run| run["id"].clone()).collect::<Vec<_>>();
    assert_eq!(runs(runs_of(&place, "of_word").await), runs(before));
}
