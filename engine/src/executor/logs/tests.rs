use std::{io::Write, path::PathBuf, time::Instant};

use super::{index::LogIndex, *};
use crate::{
    model::{ManualClock, Timestamp},
    step::LogStream,
};

/// A home of its own, removed in the end.
struct Lab {
    home: PathBuf,
    run: RunId,
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.home);
    }
}

impl Lab {
    fn new() -> Self {
        let home = std::env::temp_dir().join(format!("millwork-logs-{:032x}", rand::random::<u128>()));
        std::fs::create_dir_all(&home).expect("a folder");
        let lab = Self { home, run: RunId::from_parts(Timestamp::from_micros(0), 1) };
        std::fs::create_dir_all(lab.folder()).expect("a folder");
        lab
    }

    fn folder(&self) -> PathBuf {
        folder(&self.home, self.run)
    }

    fn append(&self, name: &str, text: &str) {
        let file = OpenOptions::new().create(true).append(true).open(self.folder().join(name));
        file.and_then(|mut file| file.write_all(text.as_bytes())).expect("written");
    }

    fn index(&self, query: LogQuery) -> LogIndex {
        LogIndex::new(self.folder(), query)
    }
}

fn line(at: i64, text: &str) -> String {
    format!("{{\"at\":{at},\"s\":\"o\",\"l\":\"{text}\"}}\n")
}

fn texts(index: &LogIndex, from: u64, limit: u64) -> Vec<String> {
    index.read(from, limit).expect("readable").into_iter().map(|line| line.text).collect()
}

#[test]
fn a_log_that_is_full_says_so_and_grows_no_more() {
    let lab = Lab::new();
    let of = LogOf { node: NodeIx(0), step: Name::new("load").expect("a name"), item: None, attempt: 1 };
    let clock = Arc::new(ManualClock::default());
    let room = Room { attempt: 1000, ..Room::default() };
    let sink = || super::sink(lab.folder(), of.clone(), clock.clone(), Arc::default(), Arc::default(), room.clone());
    let full = "the log of this attempt is full: what follows is not kept";
    // The same attempt, made again after a crash, goes on in its file.
    for _ in 0..2 {
        let sink = sink();
        for n in 0..1000 {
            sink.child(LogStream::Stderr, &format!("line {n}"));
        }
    }
    let mut index = lab.index(LogQuery::default());
    index.look(false).expect("readable");
    let kept = texts(&index, 0, 5000);
    assert_eq!((kept[0].as_str(), kept[kept.len() - 1].as_str()), ("line 0", full));
    let bytes = std::fs::metadata(lab.folder().join("load.1.log")).expect("a file").len();
    assert!((1000..1300).contains(&bytes), "{bytes}");
}

#[test]
fn many_attempts_fill_no_disk_either() {
    let lab = Lab::new();
    let clock = Arc::new(ManualClock::default());
    let room = Room { run: 2000, ..Room::default() };
    for item in 0..20 {
        let of = LogOf { node: NodeIx(0), step: Name::new("load").expect("a name"), item: Some(item), attempt: 1 };
        let sink = super::sink(lab.folder(), of, clock.clone(), Arc::default(), Arc::default(), room.clone());
        for n in 0..50 {
            sink.child(LogStream::Stderr, &format!("line {n}"));
        }
    }
    let mut index = lab.index(LogQuery::default());
    index.look(false).expect("readable");
    let kept = texts(&index, 0, 5000);
    let lines = kept.iter().filter(|text| text.starts_with("line")).count();
    assert!((20..100).contains(&lines), "{lines}");
    let full = "the logs of this run are full: what follows is not kept";
    assert_eq!(kept.iter().filter(|text| *text == full).count(), 1, "it is said once");
    let files = std::fs::read_dir(lab.folder()).expect("a folder").count();
    assert_eq!(files, 2, "who comes after that has no file");
}

#[test]
fn lines_come_back_scrubbed_and_in_order() {
    let lab = Lab::new();
    let clock = Arc::new(ManualClock::default());
    let scrubber = Arc::new(Scrubber::default());
    scrubber.remember("hunter22");
    let sink = |item, attempt| {
        let of = LogOf { node: NodeIx(0), step: Name::new("load").expect("a name"), item, attempt };
        super::sink(lab.folder(), of, clock.clone(), scrubber.clone(), Arc::default(), Room::default())
    };
    sink(None, 1).line("password hunter22");
    clock.advance(std::time::Duration::from_secs(1));
    sink(Some(3), 2).child(LogStream::Stderr, "é \"quoted\"");
    let logs = Logs::new(lab.home.clone());
    let of = |step: Option<&str>, item| {
        let query = LogQuery { step: step.map(str::to_owned), item, text: None };
        logs.read(lab.run, query, LogPlace::From(0), 10).expect("readable").lines
    };
    let lines = of(None, None);
    let texts: Vec<_> = lines.iter().map(|l| (l.text.as_str(), l.item, l.attempt)).collect();
    assert_eq!(texts, [("password ***", None, 1), ("é \"quoted\"", Some(3), 2)]);
    assert_eq!(of(Some("load"), Some(3)).len(), 1);
    assert_eq!(of(Some("other"), None).len(), 0);
}

#[test]
fn a_line_cut_off_by_a_crash_is_left_out_and_the_next_attempt_begins_a_line() {
    let lab = Lab::new();
    lab.append("load.1.log", &line(1, "whole"));
    lab.append("load.1.log", "{\"at\":2,\"s\":\"o\",\"l\":\"cut \\\"}");
    let mut index = lab.index(LogQuery::default());
    index.look(false).expect("readable");
    assert_eq!(texts(&index, 0, 10), ["whole"]);
    let of = LogOf { node: NodeIx(0), step: Name::new("load").expect("a name"), item: None, attempt: 1 };
    let clock = Arc::new(ManualClock::default());
    super::sink(lab.folder(), of, clock, Arc::default(), Arc::default(), Room::default()).line("again");
    index.look(false).expect("readable");
    assert_eq!(texts(&index, 0, 10), ["whole", "again"]);
    assert_eq!(texts(&index, 1, 10), ["again"]);
}

#[test]
fn a_line_that_is_being_written_comes_when_it_is_whole() {
    let lab = Lab::new();
    let whole = line(5, "one");
    let (head, tail) = whole.split_at(12);
    let mut index = lab.index(LogQuery::default());
    lab.append("load.1.log", head);
    index.look(false).expect("readable");
    assert_eq!(index.total(), 0);
    lab.append("load.1.log", tail);
    index.look(false).expect("readable");
    assert_eq!(texts(&index, 0, 10), ["one"]);
}

#[test]
fn lines_of_several_attempts_and_items_are_by_time_and_keep_their_numbers() {
    let lab = Lab::new();
    for at in 0..1_000 {
        lab.append(&format!("load.{}.1.log", at % 3), &line(at, &format!("t{at}")));
    }
    lab.append("load.1.2.log", &line(500, "second try"));
    lab.append("other.1.log", &line(1, "other"));
    let of_step = LogQuery { step: Some("load".to_owned()), ..LogQuery::default() };
    let mut index = lab.index(of_step.clone());
    index.look(false).expect("readable");
    assert_eq!(index.total(), 1_001);
    assert_eq!(texts(&index, 499, 4), ["t499", "second try", "t500", "t501"]);
    // A line that is older than what has a number already, and one more.
    lab.append("load.7.1.log", &line(3, "late"));
    lab.append("load.0.1.log", &line(2_000, "new"));
    index.look(false).expect("readable");
    assert_eq!(texts(&index, 1_000, 10), ["t999", "late", "new"]);
    let mut one = lab.index(LogQuery { item: Some(1), ..of_step.clone() });
    one.look(false).expect("readable");
    assert_eq!(one.total(), 334);
    let mut some = lab.index(LogQuery { text: Some("t99".to_owned()), ..of_step });
    some.look(false).expect("readable");
    assert_eq!(some.total(), 11);
    assert_eq!(texts(&some, 9, 9), ["t998", "t999"]);
}

#[test]
fn what_was_replaced_or_removed_is_read_anew() {
    let lab = Lab::new();
    lab.append("load.1.log", &(line(1, "a") + &line(2, "b")));
    let mut index = lab.index(LogQuery::default());
    index.look(false).expect("readable");
    std::fs::write(lab.folder().join("load.1.log"), line(3, "c")).expect("written");
    index.look(false).expect("readable");
    assert_eq!(texts(&index, 0, 10), ["c"]);
    std::fs::remove_dir_all(lab.folder()).expect("removed");
    index.look(false).expect("readable");
    assert_eq!((index.total(), texts(&index, 0, 10).len()), (0, 0));
}

#[test]
fn a_million_lines_are_looked_at_once_and_windows_cost_windows() {
    const LINES: u64 = 1_000_000;
    let lab = Lab::new();
    let mut text = String::new();
    for n in 0..LINES {
        text += &line(n as i64, &format!("line {n} of a step that says a lot about what it does"));
    }
    lab.append("load.1.log", &text);
    let logs = Logs::new(lab.home.clone());
    let read = |place, limit| {
        let began = Instant::now();
        let page = logs.read(lab.run, LogQuery::default(), place, limit).expect("readable");
        (page, began.elapsed())
    };
    let (page, first_look) = read(LogPlace::From(0), 100);
    assert_eq!((page.first, page.total, page.lines.len()), (0, LINES, 100));
    let mut windows = Vec::new();
    for from in [0, 1, 255, 256, 499_999, 999_900, 999_999, LINES] {
        let (page, took) = read(LogPlace::From(from), 100);
        assert_eq!(page.lines.len() as u64, 100.min(LINES - from));
        for (n, line) in (from..).zip(&page.lines) {
            assert!(line.text.starts_with(&format!("line {n} ")), "{n}: {}", line.text);
        }
        windows.push(took);
    }
    let (tail, took) = read(LogPlace::Tail, 10);
    assert_eq!((tail.first, tail.lines.len()), (LINES - 10, 10));
    windows.push(took);
    lab.append("load.1.log", &line(LINES as i64, "more"));
    let (more, follow) = read(LogPlace::From(LINES), 100);
    assert_eq!((more.total, more.lines.len()), (LINES + 1, 1));
    let worst = windows.iter().max().expect("some");
    println!("first look {first_look:?}, worst window {worst:?}, following one line {follow:?}");
    let mut index = lab.index(LogQuery::default());
    index.look(false).expect("readable");
    let before = index.scanned;
    assert!(index.weight() < 1 << 20, "{} bytes of index", index.weight());
    lab.append("load.1.log", &line(0, "x"));
    index.look(false).expect("readable");
    assert_eq!(index.scanned - before, line(0, "x").len() as u64, "only what is new is looked at");
}

#[test]
fn what_was_not_used_for_long_is_let_go() {
    let lab = Lab::new();
    lab.append("load.1.log", &line(1, "a"));
    let logs = Logs::new(lab.home.clone());
    for n in 0..400 {
        let query = LogQuery { text: Some(format!("{n}")), ..LogQuery::default() };
        logs.read(lab.run, query, LogPlace::From(0), 1).expect("readable");
    }
    assert!(format!("{logs:?}").matches("Shelved").count() <= 256);
}
