use std::{collections::BTreeMap, path::Path, time::Duration};

use millwork_flow::process::{Child, Ended, GuardCommand, Identity, Launch, end_survivors, entry, with_environment};
use tokio::io::AsyncReadExt;

fn guard() -> GuardCommand {
    GuardCommand { program: env!("CARGO_BIN_EXE_millwork-guard").into(), arguments: Vec::new() }
}

fn launch<'a>(script: &str, cwd: &'a Path, mark: &str) -> Launch<'a> {
    let path = std::env::var("PATH").expect("PATH");
    Launch {
        argv: ["sh", "-c", script].map(str::to_owned).to_vec(),
        cwd,
        env: BTreeMap::from([("PATH".to_owned(), path), ("MILLWORK_KEY".to_owned(), mark.to_owned())]),
        stdin: Vec::new(),
    }
}

async fn start(launch: Launch<'_>) -> Child {
    let mut child = Child::prepare(&guard(), &launch).expect("a guard");
    child.begin(launch).await.expect("an order");
    child
}

async fn run(launch: Launch<'_>) -> (Ended, String, String) {
    let mut child = start(launch).await;
    let (stdout, stderr) = child.output();
    let (mut stdout, mut stderr) = (stdout.expect("stdout"), stderr.expect("stderr"));
    let (mut out, mut err) = (String::new(), String::new());
    let (ended, _stop) = child.wait();
    let (ended, _, _) = tokio::join!(ended, stdout.read_to_string(&mut out), stderr.read_to_string(&mut err));
    (ended.expect("a report"), out, err)
}

/// Waits for something that another process does.
async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..2_000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("never: {what}");
}

fn marked(mark: &str) -> usize {
    with_environment(&format!("MILLWORK_KEY={mark}")).len()
}

#[tokio::test]
async fn output_exit_code_and_signal_come_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let (ended, out, err) = run(launch("echo out; echo err >&2; exit 7", folder.path(), "t1")).await;
    assert_eq!((ended, out.as_str(), err.as_str()), (Ended::Exited(7), "out\n", "err\n"));
    let (ended, _, _) = run(launch("kill -SEGV $$", folder.path(), "t1")).await;
    assert_eq!(ended, Ended::Signalled(11));
}

#[tokio::test]
async fn stdin_is_given_and_may_be_left_unread() {
    let folder = tempfile::tempdir().expect("a folder");
    let with_input = |script, bytes: usize| Launch { stdin: vec![b'x'; bytes], ..launch(script, folder.path(), "t2") };
    let (_, out, _) = run(with_input("wc -c", 1 << 20)).await;
    assert_eq!(out.trim(), (1 << 20).to_string());
    let (ended, _, _) = run(with_input("exit 0", 1 << 20)).await;
    assert_eq!(ended, Ended::Exited(0));
}

#[tokio::test]
async fn the_environment_is_clean() {
    let folder = tempfile::tempdir().expect("a folder");
    let launch = Launch { argv: vec!["env".to_owned()], ..launch("", folder.path(), "t3") };
    let (_, out, _) = run(launch).await;
    let names: Vec<&str> = out.lines().filter_map(|line| line.split('=').next()).collect();
    assert_eq!(names, ["MILLWORK_KEY", "PATH"]);
}

#[tokio::test]
async fn a_missing_program_is_a_fault() {
    let folder = tempfile::tempdir().expect("a folder");
    let launch = Launch { argv: vec!["no-such-program".to_owned()], ..launch("", folder.path(), "t4") };
    let (ended, _stop) = start(launch).await.wait();
    assert_eq!(ended.await.expect_err("a fault").code.as_str(), "shell.not_found");
}

#[tokio::test]
async fn nothing_runs_before_the_order() {
    let folder = tempfile::tempdir().expect("a folder");
    let launch = launch("touch ran", folder.path(), "t5");
    let child = Child::prepare(&guard(), &launch).expect("a guard");
    let pid = child.identity().expect("an identity").pid;
    drop(child);
    until("the guard ends", || entry(pid).is_none_or(|entry| entry.zombie)).await;
    assert!(!folder.path().join("ran").exists());
}

/// Grandchildren too, those that left the group among them.
const TREE: &str = "(setsid sleep 300 &) ; sleep 300 & sh -c 'sleep 300; touch effect' & echo ready; wait";

#[tokio::test]
async fn dropping_the_engines_end_kills_the_whole_tree() {
    let folder = tempfile::tempdir().expect("a folder");
    let child = start(launch(TREE, folder.path(), "t6-tree")).await;
    until("the tree stands", || marked("t6-tree") >= 5).await;
    drop(child);
    until("nothing is left", || marked("t6-tree") == 0).await;
}

#[tokio::test]
async fn what_a_command_leaves_in_the_background_ends_with_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let (ended, _, _) = run(launch("(setsid sleep 300 &); sleep 300 & exit 0", folder.path(), "t7-left")).await;
    assert_eq!((ended, marked("t7-left")), (Ended::Exited(0), 0));
}

#[tokio::test]
async fn terminate_is_passed_on_and_kill_ends_the_stubborn() {
    let folder = tempfile::tempdir().expect("a folder");
    let gentle = "trap 'touch said; exit 3' TERM; touch ready; while :; do sleep 0.01; done";
    let (ended, mut stop) = start(launch(gentle, folder.path(), "t8-gentle")).await.wait();
    let ended = tokio::spawn(ended);
    until("it is ready", || folder.path().join("ready").exists()).await;
    stop.terminate().await;
    assert_eq!(ended.await.expect("joined").expect("a report"), Ended::Exited(3));
    assert!(folder.path().join("said").exists());

    let stubborn = "trap '' TERM; touch stubborn; while :; do sleep 0.01; done";
    let (ended, mut stop) = start(launch(stubborn, folder.path(), "t8-stubborn")).await.wait();
    let ended = tokio::spawn(ended);
    until("it is ready", || folder.path().join("stubborn").exists()).await;
    stop.terminate().await;
    stop.kill().await;
    assert_eq!(ended.await.expect("joined").expect("a report"), Ended::Signalled(9));
}

#[tokio::test]
async fn survivors_of_a_dead_guard_are_found_and_ended() {
    let folder = tempfile::tempdir().expect("a folder");
    let child = start(launch(TREE, folder.path(), "t9-survivors")).await;
    let identity: Identity = child.identity().expect("an identity").clone();
    until("the tree stands", || marked("t9-survivors") >= 5).await;
    // Nobody cleans up: the guard itself is killed.
    let killed = std::process::Command::new("kill").args(["-9", &identity.pid.to_string()]).status();
    assert!(killed.expect("kill").success());
    let (ended, _stop) = child.wait();
    assert_eq!(ended.await.expect_err("a fault").code.as_str(), "shell.guard");
    assert!(marked("t9-survivors") >= 4);
    let ended = end_survivors(Some(&identity), "MILLWORK_KEY=t9-survivors").await.expect("ended");
    assert!(ended >= 4 && marked("t9-survivors") == 0, "{ended}");
    assert_eq!(end_survivors(Some(&identity), "MILLWORK_KEY=t9-survivors").await, Ok(0));
}
