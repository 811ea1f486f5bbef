//! After SIGKILL, what the dead program's children do is over too.

use std::{fs, thread, time::Duration};

use crate::program::{empty, until};

/// Each child would write after a sleep: in the foreground, in the background, and out of its group.
#[test]
fn no_effect_appears_after_sigkill() {
    let place = empty();
    let script = r#"(sleep 1; echo background >> late) & setsid sh -c "sleep 1; echo session >> late" & echo $$ > began; sleep 1; echo foreground >> late"#;
    let text = format!(
        "version: 1\nname: orphans\nsteps:\n  - id: a\n    uses: shell\n    with:\n      command: [sh, -c, '{script}']\n"
    );
    fs::write(place.path().join("pipeline.yaml"), text).expect("a file");
    let mut run = place.command(&["run", "pipeline.yaml", "--json"]).spawn().expect("the program starts");
    until("the child begins", || place.path().join("began").exists());
    run.kill().expect("a kill");
    run.wait().expect("an end");
    thread::sleep(Duration::from_millis(1500));
    assert!(!place.path().join("late").exists(), "{:?}", fs::read_to_string(place.path().join("late")));
    // The next owner does it once, whole.
    let resumed = place.do_it(&["runs", "resume", "last", "--json"], None);
    assert!(resumed.status.success(), "{resumed:?}");
    let late = fs::read_to_string(place.path().join("late")).expect("an effect");
    assert_eq!(late.lines().filter(|line| *line == "foreground").count(), 1, "{late}");
}
