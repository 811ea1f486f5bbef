use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde_json::{Value as Json, json};

use crate::{
    graph::{Form, NodeShape, Section, Shape},
    model::{
        Backoff, Digest, Event, Fault, Name, NodeIx, OwnerId, Recorded, RetryPolicy, Ticket, Timestamp, Wait,
        event::{Cause, RunOrigin, StoredOutputs, VERSION},
    },
    run::*,
    step::Effect,
};

/// A run in a test. Plans are lines of `id: needs, words` (`a`, `b: a retry=3`); a line `run` has words
/// for the whole run. Time begins at 0; `@5s` before an input moves the clock there.
pub(super) struct Bench {
    pub(super) state: RunState,
    pub(super) log: Vec<Recorded>,
    now: Timestamp,
    epoch: u64,
}

/// Plays a script of `input -> event; event` lines, and of `? command, command` lines, on a plan.
pub(super) fn play(rule: &str, plan: &str, script: &str) {
    let mut bench = Bench::new(plan);
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if let Some(expected) = line.strip_prefix('?') {
            assert_eq!(bench.commands(), expected.trim(), "{rule}: commands at `{line}`");
        } else if let Some(expected) = line.strip_prefix("is ") {
            let status = format!("{:?}", bench.state.status()).to_lowercase();
            assert_eq!(status, expected, "{rule}: status at `{line}`");
        } else if let Some((input, expected)) = line.split_once("->") {
            assert_eq!(bench.give(input.trim()), expected.trim(), "{rule}: events at `{line}`");
        } else {
            panic!("{rule}: `{line}` has no arrow");
        }
    }
    bench.check_replay(rule);
}

fn seconds(text: &str) -> Timestamp {
    Timestamp::default().after(crate::model::units::parse_duration(text).expect("a duration"))
}

impl Bench {
    pub(super) fn new(plan: &str) -> Self {
        let (shape, origin) = parse_plan(plan);
        let mut bench =
            Self { state: RunState::new(Arc::new(shape)), log: Vec::new(), now: Timestamp::default(), epoch: 0 };
        bench.commit(vec![Event::RunCreated { origin: Box::new(origin) }]);
        bench
    }

    pub(super) fn node(&self, id: &str) -> NodeIx {
        let place = self.state.shape().nodes.iter().position(|node| node.id.as_str() == id);
        NodeIx(place.unwrap_or_else(|| panic!("no step {id}")) as u32)
    }

    fn commit(&mut self, events: Vec<Event>) {
        for event in events {
            let recorded = Recorded { seq: self.log.len() as u64 + 1, at: self.now, version: VERSION, event };
            evolve(&mut self.state, &recorded).expect("decided events fit");
            self.log.push(recorded);
        }
    }

    /// Gives inputs (joined by ` + `: one commit) and tells the events.
    pub(super) fn give(&mut self, text: &str) -> String {
        let text = match text.strip_prefix('@').and_then(|rest| rest.split_once(' ')) {
            Some((at, rest)) => {
                self.now = seconds(at);
                rest.trim()
            }
            None => text,
        };
        let inputs = text.split(" + ").map(|input| self.input(input.trim())).collect();
        let events = decide_many(&self.state, inputs, self.now, &mut || 0.0).expect("a legal input");
        let told: Vec<String> = events.iter().map(|event| self.tell(event)).collect();
        self.commit(events);
        if told.is_empty() { "nothing".to_owned() } else { told.join("; ") }
    }

    /// The log from the beginning, and a snapshot, come to the same state.
    fn check_replay(&self, rule: &str) {
        for cut in 0..=self.log.len() {
            let mut state = RunState::new(Arc::clone(self.state.shape()));
            for recorded in &self.log[..cut] {
                evolve(&mut state, recorded).expect("the log fits");
            }
            let bytes = state.to_snapshot();
            let mut state = RunState::from_snapshot(&bytes, Arc::clone(self.state.shape())).expect("a snapshot");
            for recorded in &self.log[cut..] {
                evolve(&mut state, recorded).expect("the log fits");
            }
            assert_eq!(state, self.state, "{rule}: from a snapshot at {cut}");
        }
    }

    fn numbered(&self, text: &str) -> (NodeIx, u32) {
        let cut = text.find(|c: char| c.is_ascii_digit()).expect("an attempt");
        (self.node(&text[..cut]), text[cut..].parse().expect("a number"))
    }

    fn input(&mut self, text: &str) -> Input {
        let words: Vec<&str> = text.split_whitespace().collect();
        let outputs = || StoredOutputs::Inline(json!({}));
        let done = || AttemptEnd::Succeeded { outputs: outputs(), labels: BTreeMap::new(), rows: None };
        let fault = || Fault::user("no", "no");
        let by = || "mai".to_owned();
        let end = |(node, attempt): (NodeIx, u32), end| Input::AttemptEnded { node, attempt, end };
        let digest = Digest::of(b"list");
        match words.as_slice() {
            ["taken"] => {
                self.epoch += 1;
                let owner = OwnerId::from_parts(self.now, u128::from(self.epoch));
                Input::Taken { owner, epoch: self.epoch }
            }
            ["resume"] => Input::Resume { by: by() },
            ["tick"] => Input::Tick,
            ["cancel"] => Input::Cancel { by: by() },
            ["interrupt"] => Input::Interrupt { reason: "signal".to_owned() },
            ["if", id, "fault"] => Input::Condition { node: self.node(id), holds: Err(fault()) },
            ["if", id, holds] => Input::Condition { node: self.node(id), holds: Ok(*holds == "yes") },
            ["items", id, "fault"] => Input::Items { node: self.node(id), planned: Err(fault()) },
            ["items", id, count, rest @ ..] => {
                let digest = if rest.is_empty() { digest } else { Digest::of(b"another list") };
                Input::Items {
                    node: self.node(id),
                    planned: Ok(Planned { count: count.parse().expect("a count"), digest }),
                }
            }
            ["ok", attempt] => end(self.numbered(attempt), done()),
            ["fail", attempt] => end(self.numbered(attempt), AttemptEnd::Failed(Fault::external("down", "down"))),
            ["fatal", attempt] => end(self.numbered(attempt), AttemptEnd::Failed(fault())),
            ["stopped", attempt] => end(self.numbered(attempt), AttemptEnd::Cancelled),
            ["parked", attempt, "until", at] => {
                end(self.numbered(attempt), AttemptEnd::Parked(Wait::Until { at: seconds(at) }))
            }
            ["parked", attempt, "approval", until @ ..] => {
                let until = until.first().map(|at| seconds(at));
                let wait = Wait::Approval { prompt: "?".to_owned(), shown: digest, until };
                end(self.numbered(attempt), AttemptEnd::Parked(wait))
            }
            ["parked", attempt, "budget"] => {
                let wait = Wait::Budget { resource: "usd".to_owned() };
                end(self.numbered(attempt), AttemptEnd::Parked(wait))
            }
            ["item", id, item, how @ ..] => {
                let end = match how {
                    ["ok"] => ItemEnd::Succeeded,
                    ["skip"] => ItemEnd::Skipped,
                    ["stopped"] => ItemEnd::Cancelled,
                    [kind, attempt] => ItemEnd::Failed {
                        attempt: attempt.parse().expect("an attempt"),
                        fault: if *kind == "fail" { Fault::external("down", "down") } else { fault() },
                    },
                    _ => panic!("how did the item end: {text}"),
                };
                Input::ItemEnded { node: self.node(id), item: item.parse().expect("an item"), end }
            }
            ["gathered", id, rest @ ..] => {
                let outputs = if rest.is_empty() { Ok(outputs()) } else { Err(fault()) };
                Input::Gathered { node: self.node(id), outputs, labels: BTreeMap::new(), rows: None }
            }
            ["until", id, "fault"] => Input::Until { node: self.node(id), met: Err(fault()) },
            ["until", id, met] => Input::Until { node: self.node(id), met: Ok(*met == "yes") },
            ["answer", id] => Input::Answer { node: self.node(id), answer: json!("yes"), by: by() },
            ["reuse", id] => {
                Input::Reuse { node: self.node(id), outputs: outputs(), labels: BTreeMap::new(), rows: None }
            }
            ["outputs"] => Input::Outputs { outputs: Ok(Json::Null) },
            ["outputs", _] => Input::Outputs { outputs: Err(fault()) },
            _ => panic!("no such input: {text}"),
        }
    }

    fn id(&self, node: NodeIx) -> String {
        self.state.shape().nodes[node.index()].id.to_string()
    }

    fn later(&self, at: Timestamp) -> String {
        format!("+{}s", at.since(self.now).as_secs_f64())
    }

    fn tell(&self, event: &Event) -> String {
        let id = event.node().map(|node| self.id(node)).unwrap_or_default();
        let lower = |what: &dyn std::fmt::Debug| format!("{what:?}").to_lowercase();
        match event {
            Event::RunCreated { .. } => "created".to_owned(),
            Event::OwnerTaken { .. } => "owner".to_owned(),
            Event::RunStarted => "started".to_owned(),
            Event::ConditionHeld { .. } => format!("holds {id}"),
            Event::AttemptStarted { attempt, .. } => format!("start {id}{attempt}"),
            Event::AttemptFailed { attempt, retry_at, .. } => format!("again {id}{attempt} {}", self.later(*retry_at)),
            Event::StepSucceeded { reused: true, .. } => format!("reused {id}"),
            Event::StepSucceeded { attempt, .. } => format!("ok {id}{attempt}"),
            Event::StepFailed { fault, partial, .. } => {
                format!("fail {id} {}{}", fault.code, if partial.is_some() { " partial" } else { "" })
            }
            Event::StepSkipped { reason, .. } => format!("skip {id} {}", lower(reason)),
            Event::StepCancelled { .. } => format!("cancel {id}"),
            Event::StepWaiting { attempt, .. } => format!("wait {id}{attempt}"),
            Event::WaitEnded { by, .. } => format!("answer {id} {by}"),
            Event::ItemsPlanned { count, .. } => format!("plan {id} {count}"),
            Event::ItemsSettled { ranges, .. } => {
                let ranges: Vec<String> =
                    ranges.iter().map(|r| format!("{}-{} {}", r.from, r.to, lower(&r.outcome))).collect();
                format!("items {id} {}", ranges.join(", "))
            }
            Event::ItemsRetried { retries, .. } => {
                let retries: Vec<String> =
                    retries.iter().map(|r| format!("{}.{} {}", r.item, r.attempt, self.later(r.retry_at))).collect();
                format!("again {id} {}", retries.join(", "))
            }
            Event::IterationEnded { attempt, .. } => format!("iteration {id}{attempt}"),
            Event::RepeatScheduled { iteration, at, .. } => format!("repeat {id} {iteration} {}", self.later(*at)),
            Event::CancelRequested { .. } => "cancel requested".to_owned(),
            Event::DeadlineReached => "late".to_owned(),
            Event::ClosingStarted { outcome } => format!("closing {}", lower(outcome)),
            Event::RunInterrupted { .. } => "interrupted".to_owned(),
            Event::RunResumed { .. } => "resumed".to_owned(),
            Event::RunEnded { status, fault, .. } => {
                let fault = fault.as_ref().map(|fault| format!(" {}", fault.code)).unwrap_or_default();
                format!("ended {}{fault}", lower(status))
            }
        }
    }

    pub(super) fn commands(&self) -> String {
        let told: Vec<String> = outstanding(&self.state, self.now)
            .into_iter()
            .map(|command| match command {
                Command::Evaluate { node } => format!("if {}", self.id(node)),
                Command::PlanItems { node } => format!("list {}", self.id(node)),
                Command::Attempt { node, attempt } => format!("{}{attempt}", self.id(node)),
                Command::Item { node, item, attempt } => format!("{}[{item}]{attempt}", self.id(node)),
                Command::Gather { node } => format!("gather {}", self.id(node)),
                Command::CheckUntil { node } => format!("until {}", self.id(node)),
                Command::Stop { node } => format!("stop {}", self.id(node)),
                Command::Wake { at } => format!("wake {}", self.later(at)),
                Command::Finish => "finish".to_owned(),
            })
            .collect();
        if told.is_empty() { "nothing".to_owned() } else { told.join(", ") }
    }
}

/// The value of `key=value` among words.
fn value<'a>(words: &[&'a str], key: &str) -> Option<&'a str> {
    words.iter().find_map(|word| word.strip_prefix(key)?.strip_prefix('='))
}

fn parse_plan(plan: &str) -> (Shape, RunOrigin) {
    let mut shape = Shape { nodes: Vec::new(), max_parallel: 8, fail_fast: false, has_outputs: false };
    let mut origin = RunOrigin {
        pipeline: "p".to_owned(),
        revision: Digest::of(b""),
        inputs: json!({}),
        labels: BTreeMap::new(),
        cause: Cause::Manual,
        only: Vec::new(),
        reused_labels: BTreeMap::new(),
        reused: BTreeMap::new(),
        deadline: None,
        interval: None,
        event: None,
        ticket: Ticket::default(),
        asked: None,
    };
    for line in plan.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (id, rest) = line.split_once(':').unwrap_or((line, ""));
        let words: Vec<&str> = rest.split_whitespace().collect();
        let find = |id: &str| {
            let place = shape.nodes.iter().position(|node: &NodeShape| node.id.as_str() == id);
            place.map(|place| NodeIx(place as u32))
        };
        if id == "run" {
            origin.only = value(&words, "only").and_then(find).into_iter().collect();
            origin.reused = value(&words, "reused")
                .and_then(find)
                .map(|node| (node, StoredOutputs::Inline(json!({}))))
                .into_iter()
                .collect();
            origin.deadline = value(&words, "deadline").map(seconds);
            shape.max_parallel = value(&words, "max").map_or(8, |max| max.parse().expect("a number"));
            shape.fail_fast = words.contains(&"fail_fast");
            shape.has_outputs = words.contains(&"outputs");
            continue;
        }
        let needs: Vec<NodeIx> = words.iter().filter_map(|word| find(word)).collect();
        let form = if let Some(max) = value(&words, "repeat") {
            Form::Repeat { every: Duration::from_secs(5), max: max.parse().expect("a number") }
        } else if words.contains(&"each") {
            Form::ForEach {
                max_parallel: value(&words, "each_max").map(|max| max.parse().expect("a number")),
                min_success: value(&words, "min").map_or(1.0, |min| min.parse().expect("a share")),
            }
        } else {
            Form::Single
        };
        let node = NodeShape {
            id: Name::new(id).expect("a name"),
            section: match () {
                () if words.contains(&"on_failure") => Section::OnFailure,
                () if words.contains(&"finally") => Section::Finally,
                () => Section::Main,
            },
            needs,
            has_condition: words.contains(&"if") || words.contains(&"handles"),
            handles_failure: words.contains(&"handles"),
            form,
            effect: Effect::External,
            retry: RetryPolicy {
                max_attempts: value(&words, "retry").map_or(1, |most| most.parse().expect("a number")),
                delay: Duration::from_secs(2),
                backoff: Backoff::Exponential,
                max_delay: Duration::from_mins(1),
                jitter: words.contains(&"jitter"),
                on_codes: Vec::new(),
                on_exit_codes: Vec::new(),
            },
            timeout: None,
            deadline: value(&words, "deadline")
                .map(|text| crate::model::units::parse_duration(text).expect("a duration")),
            continue_on_error: words.contains(&"continue"),
            recomputable: false,
            priority: value(&words, "prio").map_or(1, |prio| prio.parse().expect("a number")),
        };
        shape.nodes.push(node);
    }
    (shape, origin)
}
