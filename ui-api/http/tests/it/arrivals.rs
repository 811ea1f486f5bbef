//! Files that arrive.

use std::{fs, sync::Arc};

use millwork_engine::model::SystemClock;
use millwork_service::triggers::Files;
use serde_json::json;

use crate::place::{Place, each, gated};

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_taken_once_and_not_lost_while_its_group_is_full() {
    let on = "on: {file: {path: 'in/*.csv', settle: 0s}}\nconcurrency: {group: one, limit: 1, on_conflict: skip}";
    let place = Place::open(&[]).await;
    // Signs of patterns in the name of a folder mean themselves.
    let folder = place.folder.path().join("q[1]*");
    fs::create_dir_all(folder.join("in")).expect("a folder");
    fs::write(folder.join("p.yaml"), gated("taken", on)).expect("a file");
    place.service.reload("test").await;
    let held = place.start("taken", json!({"gate": "held"})).await;
    fs::write(folder.join("in/a.csv"), "1").expect("a file");
    let service = &place.service;
    let (engine, catalog) = (service.engine().clone(), service.catalog().clone());
    let mut files = Files::new(engine, Arc::new(SystemClock), catalog, service.desk().clone());
    files.look().await.expect("looked");
    let runs = async || each(&place.good("/runs?pipeline=taken").await["items"], "id");
    assert_eq!(runs().await, std::slice::from_ref(&held), "its group is full");
    place.gates.open("held");
    place.gates.open("g");
    place.ended(&held).await;
    // The service looks as well; whoever is first, it is one run.
    while runs().await.len() < 2 {
        files.look().await.expect("looked");
    }
    let taken = runs().await[0].clone();
    assert_eq!(place.ended(&taken).await["cause"]["kind"], "file");
    for _ in 0..3 {
        files.look().await.expect("looked");
    }
    assert_eq!(runs().await.len(), 2);
}
