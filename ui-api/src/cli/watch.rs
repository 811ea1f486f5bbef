//! What people see of a run under way: a line a step, with spinners on a terminal; or JSON lines.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use millwork_engine::{
    Update,
    graph::Plan,
    model::{Event, NodeIx, StepStatus, Timestamp},
    step::LogStream,
};
use serde_json::json;

use super::{
    load,
    output::{Output, Tone, cut},
    words,
};

/// Shows updates of one run.
pub(super) struct Watch<'a> {
    output: &'a Output,
    plan: Arc<Plan>,
    json: bool,
    bars: Option<MultiProgress>,
    steps: BTreeMap<NodeIx, Shown>,
}

/// What is known of a step that has begun.
#[derive(Default)]
struct Shown {
    began: Option<Timestamp>,
    bar: Option<ProgressBar>,
    items: u64,
    settled: u64,
    reported: u64,
}

impl<'a> Watch<'a> {
    pub(super) fn new(output: &'a Output, plan: Arc<Plan>, json: bool) -> Self {
        let bars = (output.terminal() && !json)
            .then(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(12)));
        Self { output, plan, json, bars, steps: BTreeMap::new() }
    }

    pub(super) fn update(&mut self, update: &Update) {
        if self.json {
            self.update_json(update);
            return;
        }
        match update {
            Update::Event(recorded) => self.event(recorded.at, &recorded.event),
            Update::Log { node, item, stream, line } => self.log(*node, *item, *stream, line),
            Update::Progress { node, done, total } => self.progress(*node, *done, *total),
        }
    }

    /// Takes bars off the screen.
    pub(super) fn end(&mut self) {
        for shown in self.steps.values_mut() {
            if let Some(bar) = shown.bar.take() {
                bar.finish_and_clear();
            }
        }
        if let Some(bars) = &self.bars {
            let _ = bars.clear();
        }
    }

    fn update_json(&self, update: &Update) {
        match update {
            Update::Event(recorded) => self.output.json(&json!({
                "type": "event", "seq": recorded.seq, "at": recorded.at.to_string(),
                "step": self.step_of(&recorded.event), "event": recorded.event,
            })),
            Update::Log { node, item, stream, line } => self.output.json(&json!({
                "type": "log", "step": self.id(*node), "item": item, "stream": stream_name(*stream), "line": line,
            })),
            Update::Progress { node, done, total } => {
                self.output.json(&json!({"type": "progress", "step": self.id(*node), "done": done, "total": total}));
            }
        }
    }

    fn id(&self, node: NodeIx) -> &str {
        self.plan.nodes.get(node.index()).map_or("?", |node| node.id.as_str())
    }

    fn step_of(&self, event: &Event) -> Option<&str> {
        event.node().map(|node| self.id(node))
    }

    fn event(&mut self, at: Timestamp, event: &Event) {
        match event {
            Event::AttemptStarted { node, .. } => self.begin(*node, at),
            Event::AttemptFailed { node, attempt, fault, retry_at } => {
                let patience = words::duration(retry_at.since(at));
                let text = format!("attempt {attempt} failed, next in {patience}: {}", fault.message);
                self.line(*node, ("↻", Tone::Warn), &text);
            }
            Event::ItemsPlanned { node, count, .. } => {
                self.begin(*node, at);
                let shown = self.steps.entry(*node).or_default();
                shown.items = u64::from(*count);
                if let Some(bar) = &shown.bar {
                    bar.set_length(shown.items);
                    bar.set_style(bar_style());
                }
            }
            Event::ItemsSettled { node, ranges } => {
                let shown = self.steps.entry(*node).or_default();
                shown.settled += ranges.iter().map(|range| u64::from(range.to - range.from) + 1).sum::<u64>();
                if let Some(bar) = &shown.bar {
                    bar.set_position(shown.settled);
                } else if shown.settled * 10 / shown.items.max(1) > shown.reported && shown.items >= 1_000 {
                    shown.reported = shown.settled * 10 / shown.items.max(1);
                    let text = format!("{} of {} items", words::count(shown.settled), words::count(shown.items));
                    self.line(*node, ("▸", Tone::Dim), &text);
                }
            }
            Event::StepSucceeded { node, rows, reused, .. } => {
                let mut parts = Vec::new();
                if *reused {
                    parts.push("taken over".to_owned());
                }
                if let Some(shown) = self.steps.get(node).filter(|shown| shown.items > 0) {
                    parts.push(format!("{} items", words::count(shown.items)));
                }
                if let Some(rows) = rows {
                    parts.push(format!("{} {}", words::count(*rows), if *rows == 1 { "row" } else { "rows" }));
                }
                self.finish(*node, at, StepStatus::Succeeded, &parts.join(", "));
            }
            Event::StepFailed { node, fault, .. } => {
                self.finish(*node, at, StepStatus::Failed, &fault.message);
            }
            Event::StepSkipped { node, reason } => {
                self.finish(*node, at, StepStatus::Skipped, &format!("skipped: {}", words::skipped(*reason)));
            }
            Event::StepCancelled { node } => self.finish(*node, at, StepStatus::Cancelled, "cancelled"),
            Event::StepWaiting { node, wait, .. } => {
                self.finish(*node, at, StepStatus::Waiting, &format!("waits {}", words::wait(wait)));
            }
            Event::CancelRequested { by } => self.note(&format!("cancelled by {by}; finishing up")),
            Event::RunInterrupted { reason } => self.note(&format!("interrupted: {reason}")),
            Event::RunResumed { by } => self.note(&format!("resumed by {by}")),
            Event::DeadlineReached => self.note("the deadline of the run is over; finishing up"),
            Event::RunCreated { .. }
            | Event::ConditionHeld { .. }
            | Event::ItemsRetried { .. }
            | Event::IterationEnded { .. }
            | Event::OwnerTaken { .. }
            | Event::RunStarted
            | Event::WaitEnded { .. }
            | Event::RepeatScheduled { .. }
            | Event::ClosingStarted { .. }
            | Event::RunEnded { .. } => {}
        }
    }

    fn begin(&mut self, node: NodeIx, at: Timestamp) {
        let id = self.id(node).to_owned();
        let shown = self.steps.entry(node).or_default();
        shown.began.get_or_insert(at);
        if let (Some(bars), None) = (&self.bars, &shown.bar) {
            let bar = bars.add(ProgressBar::new_spinner().with_message(id).with_style(spinner_style()));
            bar.enable_steady_tick(Duration::from_millis(100));
            shown.bar = Some(bar);
        }
    }

    fn finish(&mut self, node: NodeIx, at: Timestamp, status: StepStatus, text: &str) {
        let shown = self.steps.entry(node).or_default();
        if let Some(bar) = shown.bar.take() {
            bar.finish_and_clear();
        }
        let (_, mark, tone) = words::step_status(status);
        let took = shown.began.take().map(|began| words::duration(at.since(began))).unwrap_or_default();
        let text = if took.is_empty() { text.to_owned() } else { format!("{took:>8}  {text}") };
        self.line(node, (mark, tone), text.trim_end());
    }

    fn line(&self, node: NodeIx, (mark, tone): (&str, Tone), text: &str) {
        let widest = self.plan.nodes.iter().map(|node| node.id.as_str().len()).max().unwrap_or(0);
        let room = self.output.terminal().then_some(self.output.width());
        self.print(&format!("{} {}", self.output.paint(tone, mark), columns(self.id(node), widest, text, room)));
    }

    fn note(&self, text: &str) {
        self.print(&self.output.paint(Tone::Warn, self.fitted(text)));
    }

    /// A line that is no longer than the terminal is wide; whole where there is none.
    fn fitted(&self, line: &str) -> String {
        if self.output.terminal() { cut(line, self.output.width()) } else { line.to_owned() }
    }

    fn log(&self, node: NodeIx, item: Option<u32>, stream: LogStream, line: &str) {
        // What a command prints is its output; what it complains about and what a step says is news.
        if stream == LogStream::Stdout {
            return;
        }
        let item = item.map(|item| format!("[{item}]")).unwrap_or_default();
        let line = self.fitted(&format!("  {}{item}: {line}", self.id(node)));
        self.print(&self.output.paint(Tone::Dim, line));
    }

    fn progress(&mut self, node: NodeIx, done: u64, total: u64) {
        let shown = self.steps.entry(node).or_default();
        if let Some(bar) = &shown.bar
            && shown.items == 0
            && total > 0
        {
            bar.set_style(bar_style());
            bar.set_length(total);
            bar.set_position(done);
        }
    }

    fn print(&self, line: &str) {
        match &self.bars {
            // Above the bars, which stay at the bottom.
            Some(bars) => bars.suspend(|| self.output.say(line)),
            None => self.output.say(line),
        }
    }
}

/// A step's name and what is said of it, behind a mark: cut to what is left of the terminal's columns.
fn columns(id: &str, widest: usize, text: &str, room: Option<usize>) -> String {
    let widest = widest.min(32);
    let Some(room) = room else { return format!("{id:<widest$}  {text}") };
    let room = room.saturating_sub(2);
    let widest = widest.min(room / 2);
    cut(format!("{:<widest$}  {text}", cut(id, widest)).trim_end(), room)
}

fn spinner_style() -> ProgressStyle {
    ProgressStyle::with_template("{spinner} {msg} {elapsed}").unwrap_or_else(|_| ProgressStyle::default_spinner())
}

fn bar_style() -> ProgressStyle {
    let template = "{spinner} {msg} {bar:24} {human_pos} of {human_len} {elapsed}";
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

fn stream_name(stream: LogStream) -> &'static str {
    match stream {
        LogStream::Step => "step",
        LogStream::Stdout => "stdout",
        LogStream::Stderr => "stderr",
    }
}

/// `3 succeeded, 1 failed`.
pub(super) fn tally(statuses: impl Iterator<Item = StepStatus>) -> String {
    let mut counts: Vec<(&'static str, usize)> = Vec::new();
    for status in statuses {
        let (word, _, _) = words::step_status(status);
        match counts.iter_mut().find(|(found, _)| *found == word) {
            Some((_, count)) => *count += 1,
            None => counts.push((word, 1)),
        }
    }
    let parts: Vec<String> = counts.iter().map(|(word, count)| format!("{count} {word}")).collect();
    if parts.is_empty() { load::plural(0, "step") } else { parts.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::columns;

    #[test]
    fn lines_of_a_run_fit_the_terminal() {
        for (id, text, room, expected) in [
            ("fetch", "12.3s  5 rows", None, "fetch     12.3s  5 rows"),
            ("fetch", "12.3s  5 rows", Some(80), "fetch     12.3s  5 rows"),
            ("fetch", "12.3s  5 rows", Some(20), "fetch     12.3s  …"),
            ("a_long_name", "0.1s", Some(14), "a_lon…  0.1s"),
            ("é", "", Some(20), "é"),
        ] {
            assert_eq!(columns(id, 8, text, room), expected);
        }
    }
}
