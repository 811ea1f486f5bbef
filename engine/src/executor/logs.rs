//! Log lines of attempts: one file an attempt, one JSON object a line, appended and never changed.

use std::{
    fs::{File, OpenOptions},
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use serde::{Deserialize, Serialize};

use super::{Scrubber, Update, Updates, guard::lock};
use crate::{
    model::{Clock, Fault, Name, NodeIx, RunId, Timestamp},
    step::{LogSink, LogStream},
};

#[derive(Serialize, Deserialize)]
struct Line<'a> {
    at: Timestamp,
    #[serde(rename = "s")]
    stream: char,
    #[serde(rename = "l", borrow)]
    text: std::borrow::Cow<'a, str>,
}

/// A stored log line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// When.
    pub at: Timestamp,
    /// Which step.
    pub step: Name,
    /// Which item.
    pub item: Option<u32>,
    /// Which attempt.
    pub attempt: u32,
    /// From where.
    pub stream: LogStream,
    /// The text.
    pub text: String,
}

/// What a log sink belongs to.
#[derive(Debug, Clone)]
pub(crate) struct LogOf {
    pub node: NodeIx,
    pub step: Name,
    pub item: Option<u32>,
    pub attempt: u32,
}

/// The folder with the logs of a run.
pub(crate) fn folder(home: &Path, run: RunId) -> PathBuf {
    home.join("logs").join(run.to_string())
}

/// A sink that scrubs each line, shows it to watchers and appends it to the attempt's file, which is
/// made with the first line.
pub(crate) fn sink(
    folder: PathBuf,
    of: LogOf,
    clock: Arc<dyn Clock>,
    scrubber: Arc<Scrubber>,
    updates: Arc<Updates>,
) -> LogSink {
    let file: Mutex<Option<File>> = Mutex::new(None);
    LogSink::new(move |stream, text| {
        let text = scrubber.scrub(text);
        let line = Line { at: clock.now(), stream: letter(stream), text };
        let mut slot = lock(&file);
        if slot.is_none() {
            *slot = create(&folder, &of);
        }
        // A log that cannot be written (full disk) must not fail the work; watchers see the line still.
        if let (Some(file), Ok(mut bytes)) = (slot.as_mut(), serde_json::to_vec(&line)) {
            bytes.push(b'\n');
            let _ = file.write_all(&bytes);
        }
        drop(slot);
        updates.send(Update::Log { node: of.node, item: of.item, stream, line: line.text.into_owned() });
    })
}

fn create(folder: &Path, of: &LogOf) -> Option<File> {
    std::fs::create_dir_all(folder).ok()?;
    let name = match of.item {
        Some(item) => format!("{}.{item}.{}.log", of.step, of.attempt),
        None => format!("{}.{}.log", of.step, of.attempt),
    };
    OpenOptions::new().create(true).append(true).open(folder.join(name)).ok()
}

fn letter(stream: LogStream) -> char {
    match stream {
        LogStream::Step => 's',
        LogStream::Stdout => 'o',
        LogStream::Stderr => 'e',
    }
}

/// Lines of a run, oldest first; of one step and one item where given. A line cut off by a crash is left out.
pub fn read_logs(home: &Path, run: RunId, step: Option<&str>, item: Option<u32>) -> Result<Vec<LogLine>, Fault> {
    let folder = folder(home, run);
    let entries = match std::fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(Fault::external("log.read", format!("{} cannot be read: {e}", folder.display()))),
    };
    let mut lines = Vec::new();
    for path in entries.filter_map(|entry| entry.ok().map(|entry| entry.path())) {
        let Some((of_step, of_item, attempt)) = path.file_name().and_then(|n| n.to_str()).and_then(parse_name) else {
            continue;
        };
        if step.is_some_and(|step| step != of_step.as_str()) || (item.is_some() && item != of_item) {
            continue;
        }
        let file = File::open(&path)
            .map_err(|e| Fault::external("log.read", format!("{} cannot be read: {e}", path.display())))?;
        for line in BufReader::new(file).lines().map_while(Result::ok) {
            let Ok(line) = serde_json::from_str::<Line<'_>>(&line) else { continue };
            let stream = match line.stream {
                'o' => LogStream::Stdout,
                'e' => LogStream::Stderr,
                _ => LogStream::Step,
            };
            let text = line.text.into_owned();
            lines.push(LogLine { at: line.at, step: of_step.clone(), item: of_item, attempt, stream, text });
        }
    }
    lines.sort_by_key(|line| (line.at, line.item, line.attempt));
    Ok(lines)
}

fn parse_name(name: &str) -> Option<(Name, Option<u32>, u32)> {
    let mut parts = name.strip_suffix(".log")?.split('.');
    let step = Name::new(parts.next()?)?;
    let numbers: Vec<u32> = parts.map(str::parse).collect::<Result<_, _>>().ok()?;
    match numbers[..] {
        [attempt] => Some((step, None, attempt)),
        [item, attempt] => Some((step, Some(item), attempt)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ManualClock;

    #[test]
    fn lines_come_back_scrubbed_and_in_order() {
        let home = std::env::temp_dir().join(format!("millwork-logs-{:032x}", rand::random::<u128>()));
        let run = RunId::from_parts(Timestamp::from_micros(0), 1);
        let clock = Arc::new(ManualClock::default());
        let scrubber = Arc::new(Scrubber::default());
        scrubber.remember("hunter22");
        let sink = |item, attempt| {
            let of = LogOf { node: NodeIx(0), step: Name::new("load").expect("a name"), item, attempt };
            super::sink(folder(&home, run), of, clock.clone(), scrubber.clone(), Arc::default())
        };
        sink(None, 1).line("password hunter22");
        clock.advance(std::time::Duration::from_secs(1));
        sink(Some(3), 2).child(LogStream::Stderr, "é \"quoted\"");
        let lines = read_logs(&home, run, None, None).expect("readable");
        let texts: Vec<_> = lines.iter().map(|l| (l.text.as_str(), l.item, l.attempt)).collect();
        assert_eq!(texts, [("password ***", None, 1), ("é \"quoted\"", Some(3), 2)]);
        assert_eq!(read_logs(&home, run, Some("load"), Some(3)).expect("readable").len(), 1);
        assert_eq!(read_logs(&home, run, Some("other"), None).expect("readable").len(), 0);
        std::fs::remove_dir_all(home).expect("removable");
    }
}
