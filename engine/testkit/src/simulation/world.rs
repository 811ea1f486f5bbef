use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap},
    sync::Arc,
    time::Duration,
};

use millwork_engine::{
    model::{
        Digest, Event, Fault, NodeIx, OwnerId, Recorded, RunStatus, StepStatus, Timestamp, Wait,
        event::{ItemOutcome, StoredOutputs, VERSION},
    },
    run::{AttemptEnd, Command, Input, ItemEnd, Planned, RunState, decide_many, evolve, outstanding},
};
use serde_json::{Value as Json, json};

use super::{
    chance::Chance,
    reference::{self, bad_need},
    rules::{Broken, Rule, Watch, broken},
    scenario::{Fate, Scenario, Verdict},
};

/// A driver with a virtual clock and a log in memory, on which faults strike.
pub(super) struct World<'a> {
    scenario: &'a Scenario,
    chance: Chance,
    now: Timestamp,
    log: Vec<Recorded>,
    state: RunState,
    epoch: u64,
    /// What is under way in this process, and its number.
    tasks: BTreeMap<Command, u64>,
    agenda: BinaryHeap<Reverse<(Timestamp, u64)>>,
    due: BTreeMap<u64, Due>,
    counter: u64,
    watch: Watch,
    snapshot: Option<(usize, Vec<u8>)>,
    asked: BTreeSet<NodeIx>,
    stopping: BTreeSet<NodeIx>,
    /// Items that this commit is to record as succeeded.
    heard: Vec<(NodeIx, u32)>,
    next_tick: Option<Timestamp>,
    strikes: Strikes,
    trace: Option<Vec<String>>,
}

/// What struck the run.
#[derive(Debug, Clone, Copy, Default)]
struct Strikes {
    crashes: u32,
    requests: u32,
    resumes: u32,
}

/// What comes at a time.
enum Due {
    /// A task of this process ends so.
    Ends(Command, Input, Option<Fate>),
    /// From this process, of no task: lost in a crash.
    Inside(Input),
    /// From outside: there until it is committed.
    Outside(Input),
}

/// How a simulated run went.
#[derive(Debug, Clone, Copy)]
pub struct Report {
    /// Events in the log.
    pub events: usize,
    /// Crashes that struck.
    pub crashes: u32,
    /// How the run ended.
    pub status: RunStatus,
    /// Whether it was compared with the reference.
    pub compared: bool,
}

impl<'a> World<'a> {
    pub(super) fn new(scenario: &'a Scenario, traced: bool) -> Self {
        Self {
            scenario,
            chance: Chance::new(scenario.seed ^ 0x00c0_ffee),
            now: Timestamp::from_micros(0),
            log: Vec::new(),
            state: RunState::new(Arc::clone(&scenario.shape)),
            epoch: 0,
            tasks: BTreeMap::new(),
            agenda: BinaryHeap::new(),
            due: BTreeMap::new(),
            counter: 0,
            watch: Watch::new(scenario),
            snapshot: None,
            asked: BTreeSet::new(),
            stopping: BTreeSet::new(),
            heard: Vec::new(),
            next_tick: None,
            strikes: Strikes::default(),
            trace: traced.then(Vec::new),
        }
    }

    fn say(&mut self, what: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            trace.push(format!("{:>10} {}", self.now.as_micros(), what()));
        }
    }

    pub(super) fn into_trace(self) -> Vec<String> {
        self.trace.unwrap_or_default()
    }

    fn plan(&mut self, after: Duration, due: Due) -> u64 {
        self.counter += 1;
        self.agenda.push(Reverse((self.now.after(after), self.counter)));
        self.due.insert(self.counter, due);
        self.counter
    }

    fn some_time(&mut self, millis: u64) -> Duration {
        Duration::from_micros(self.chance.below(millis * 1000))
    }

    pub(super) fn run(&mut self) -> Result<Report, Broken> {
        let created = Event::RunCreated { origin: Box::new(self.scenario.origin.clone()) };
        self.append(vec![created])?;
        self.plan_requests();
        self.take_over()?;
        let mut turns = 0;
        while !self.is_over() {
            turns += 1;
            if turns > 20_000 {
                return broken(Rule::Ends, "20,000 turns did not end the run");
            }
            let Some((inputs, outside)) = self.collect() else {
                return broken(Rule::Ends, format!("nothing is under way, and the run is {:?}", self.state.status()));
            };
            self.turn(inputs, outside)?;
        }
        self.check_replay()?;
        self.check_end()
    }

    fn plan_requests(&mut self) {
        if !self.scenario.unruly {
            return;
        }
        for _ in 0..self.chance.below(3) {
            let (after, cancel) = (self.some_time(12_000), self.chance.percent(50));
            let input = if cancel {
                Input::Cancel { by: "somebody".to_owned() }
            } else {
                Input::Interrupt { reason: "a signal".to_owned() }
            };
            self.strikes.requests += 1;
            self.plan(after, Due::Outside(input));
        }
    }

    fn is_over(&self) -> bool {
        self.state.status().is_final() && !self.due.values().any(|due| matches!(due, Due::Outside(Input::Resume { .. })))
    }

    /// The next inputs in time; several now and then.
    fn collect(&mut self) -> Option<(Vec<Input>, Vec<Input>)> {
        let (mut inputs, mut outside) = (Vec::new(), Vec::new());
        let most = if self.chance.percent(50) { 1 } else { 1 + self.chance.below(6) as usize };
        let patience = self.some_time(40);
        self.heard.clear();
        while inputs.len() < most {
            let Some(Reverse((at, number))) = self.agenda.peek().copied() else { break };
            if !inputs.is_empty() && at > self.now.after(patience) {
                break;
            }
            self.agenda.pop();
            let Some(due) = self.due.remove(&number) else { continue };
            if let Due::Ends(command, ..) = &due
                && self.tasks.get(command) != Some(&number)
            {
                continue;
            }
            self.now = self.now.max(at);
            match due {
                Due::Ends(command, input, fate) => {
                    self.tasks.remove(&command);
                    self.note(command, fate);
                    if let (Command::Item { node, item, .. }, Some(Fate::Succeeds)) = (command, fate) {
                        self.heard.push((node, item));
                    }
                    self.repeat_perhaps(&input);
                    inputs.push(input);
                }
                Due::Inside(input) => {
                    if input == Input::Tick {
                        self.next_tick = None;
                    }
                    inputs.push(input);
                }
                Due::Outside(input) => {
                    outside.push(input.clone());
                    inputs.push(input);
                }
            }
        }
        (!inputs.is_empty()).then_some((inputs, outside))
    }

    fn note(&mut self, command: Command, fate: Option<Fate>) {
        match (command, fate) {
            (Command::Attempt { node, attempt }, Some(fate)) => {
                self.watch.came_to.insert((node, attempt), fate);
            }
            (Command::Item { node, item, .. }, Some(fate)) => {
                self.watch.items_came_to.insert((node, item), fate);
            }
            _ => {}
        }
    }

    /// Some inputs come twice. A parking only at once: after the answer it would be another one.
    fn repeat_perhaps(&mut self, input: &Input) {
        if !self.chance.percent(8) {
            return;
        }
        let parked = matches!(input, Input::AttemptEnded { end: AttemptEnd::Parked(_), .. });
        let repeats = matches!(input, Input::AttemptEnded { .. } | Input::ItemEnded { .. });
        let after = if parked { Duration::ZERO } else { self.some_time(3_000) };
        if repeats {
            self.plan(after, Due::Inside(input.clone()));
        }
    }

    /// One commit, or a crash before or after it.
    fn turn(&mut self, inputs: Vec<Input>, outside: Vec<Input>) -> Result<(), Broken> {
        self.say(|| format!("inputs {inputs:?}"));
        let events = self.decide(inputs)?;
        let crash = self.chance.percent(self.scenario.crashes) && self.strikes.crashes < 30;
        if crash && self.chance.percent(50) {
            for input in outside {
                self.plan(Duration::ZERO, Due::Outside(input));
            }
            return self.crash();
        }
        self.append(events)?;
        self.check_heard()?;
        for input in outside {
            if let Input::Answer { node, .. } = input {
                self.asked.remove(&node);
            }
        }
        if crash {
            return self.crash();
        }
        self.issue()
    }

    /// What was heard and committed is recorded, unless the step or the run was over.
    fn check_heard(&mut self) -> Result<(), Broken> {
        for (node, item) in std::mem::take(&mut self.heard) {
            let goes_on = self.state.status() == RunStatus::Running && self.state.step_status(node) == StepStatus::Running;
            if goes_on && !self.watch.items.contains_key(&(node, item)) {
                return broken(Rule::Truth, format!("item {item} of step {} succeeded and is not recorded", node.0));
            }
        }
        Ok(())
    }

    fn decide(&mut self, inputs: Vec<Input>) -> Result<Vec<Event>, Broken> {
        let chance = &mut self.chance;
        decide_many(&self.state, inputs, self.now, &mut || chance.unit())
            .or_else(|error| broken(Rule::Accepts, error.to_string()))
    }

    fn append(&mut self, events: Vec<Event>) -> Result<(), Broken> {
        for event in events {
            let recorded = Recorded { seq: self.log.len() as u64 + 1, at: self.now, version: VERSION, event };
            self.say(|| format!("  {:?}", recorded.event));
            self.watch.see(self.scenario, &recorded)?;
            evolve(&mut self.state, &recorded).or_else(|error| broken(Rule::Accepts, error.to_string()))?;
            self.log.push(recorded);
        }
        if self.chance.percent(3) {
            self.snapshot = Some((self.log.len(), self.state.to_snapshot()));
        }
        self.plan_outside();
        Ok(())
    }

    /// What people and other runs do because of how the run stands.
    fn plan_outside(&mut self) {
        for ix in 0..self.scenario.shape.nodes.len() as u32 {
            let node = NodeIx(ix);
            let asks = matches!(self.state.step_wait(node), Some(Wait::Approval { .. } | Wait::Run { .. }));
            if asks && self.asked.insert(node) {
                let after = self.some_time(4_000);
                let answer = Input::Answer { node, answer: json!(true), by: "somebody".to_owned() };
                self.plan(after, Due::Outside(answer));
            }
        }
        let status = self.state.status();
        let ended_badly = matches!(status, RunStatus::Failed | RunStatus::Cancelled);
        let again = ended_badly && self.scenario.unruly && self.strikes.resumes < 2 && self.chance.percent(50);
        let asked = self.due.values().any(|due| matches!(due, Due::Outside(Input::Resume { .. })));
        if !asked && (status == RunStatus::Interrupted || again) {
            self.strikes.resumes += 1;
            let after = self.some_time(1_000);
            self.plan(after, Due::Outside(Input::Resume { by: "somebody".to_owned() }));
        }
    }

    /// The process dies: what it knew is lost, the log is not.
    fn crash(&mut self) -> Result<(), Broken> {
        self.strikes.crashes += 1;
        self.say(|| "crash".to_owned());
        self.check_replay()?;
        self.tasks.clear();
        self.stopping.clear();
        self.heard.clear();
        self.next_tick = None;
        self.due.retain(|_, due| matches!(due, Due::Outside(_)));
        self.now = self.now.after(Duration::from_millis(10));
        self.take_over()
    }

    fn take_over(&mut self) -> Result<(), Broken> {
        self.epoch += 1;
        let owner = OwnerId::from_parts(self.now, u128::from(self.epoch));
        self.turn(vec![Input::Taken { owner, epoch: self.epoch }], Vec::new())
    }

    /// The log from the beginning and from the snapshot comes to the state.
    fn check_replay(&mut self) -> Result<(), Broken> {
        let mut starts = vec![(0, RunState::new(Arc::clone(&self.scenario.shape)))];
        if let Some((at, bytes)) = &self.snapshot {
            let state = RunState::from_snapshot(bytes, Arc::clone(&self.scenario.shape));
            starts.push((*at, state.or_else(|error| broken(Rule::Replay, error.to_string()))?));
        }
        for (at, mut state) in starts {
            for recorded in &self.log[at..] {
                evolve(&mut state, recorded).or_else(|error| broken(Rule::Replay, error.to_string()))?;
            }
            if state != self.state {
                return broken(Rule::Replay, format!("from event {at}: {state:?} is not {:?}", self.state));
            }
        }
        Ok(())
    }

    /// Begins what is outstanding and not under way, drops what is not outstanding any more.
    fn issue(&mut self) -> Result<(), Broken> {
        let commands = outstanding(&self.state, self.now);
        let stopped: BTreeSet<NodeIx> =
            commands.iter().filter_map(|c| if let Command::Stop { node } = c { Some(*node) } else { None }).collect();
        self.stopping.retain(|node| stopped.contains(node));
        let wanted: BTreeSet<&Command> = commands.iter().collect();
        self.tasks.retain(|task, _| {
            wanted.contains(task) || place(task).is_some_and(|node| stopped.contains(&node) && is_work(task))
        });
        for command in commands {
            match command {
                Command::Wake { at } => self.wake(at),
                Command::Stop { node } => self.stop(node),
                _ if self.tasks.contains_key(&command) => {}
                _ => self.begin(command)?,
            }
        }
        self.check_limits()
    }

    fn wake(&mut self, at: Timestamp) {
        if self.next_tick.is_none_or(|tick| at < tick) {
            self.next_tick = Some(at);
            self.plan(at.since(self.now), Due::Inside(Input::Tick));
        }
    }

    /// Some attempts end by themselves after all, some are cancelled.
    fn stop(&mut self, node: NodeIx) {
        let tasks: Vec<Command> =
            self.tasks.keys().filter(|task| place(task) == Some(node) && is_work(task)).copied().collect();
        if tasks.is_empty() {
            if !self.tasks.contains_key(&Command::Stop { node }) {
                let input = Input::AttemptEnded { node, attempt: self.state.attempt(node), end: AttemptEnd::Cancelled };
                let number = self.plan(Duration::from_millis(1), Due::Ends(Command::Stop { node }, input, None));
                self.tasks.insert(Command::Stop { node }, number);
            }
            return;
        }
        if !self.stopping.insert(node) {
            return;
        }
        for task in tasks {
            let input = match task {
                Command::Item { node, item, .. } => Input::ItemEnded { node, item, end: ItemEnd::Cancelled },
                _ => Input::AttemptEnded { node, attempt: self.state.attempt(node), end: AttemptEnd::Cancelled },
            };
            let after = self.some_time(300);
            let hangs = !self.tasks.get(&task).is_some_and(|number| self.due.contains_key(number));
            if hangs || self.chance.percent(60) {
                let number = self.plan(after, Due::Ends(task, input, None));
                self.tasks.insert(task, number);
            }
        }
    }

    fn begin(&mut self, command: Command) -> Result<(), Broken> {
        self.say(|| format!("    begin {command:?}"));
        let scenario = self.scenario;
        let mut fate = None;
        let input = match command {
            Command::Evaluate { node } => {
                let holds = match scenario.verdict(node) {
                    Verdict::Holds => Ok(true),
                    Verdict::HoldsNot => Ok(false),
                    Verdict::HoldsAfterFailure => Ok(bad_need(scenario, node, &self.watch.steps)),
                    Verdict::Faults => Err(Fault::user("condition", "scripted")),
                };
                Input::Condition { node, holds }
            }
            Command::PlanItems { node } => {
                let planned = scenario.item_count(node).map(|count| Planned { count, digest: list_digest() });
                Input::Items { node, planned: planned.ok_or_else(|| Fault::user("items", "scripted")) }
            }
            Command::Attempt { node, attempt } => {
                if self.watch.steps[node.index()].0 == StepStatus::Succeeded {
                    return broken(Rule::NeverAgain, format!("step {} runs again", node.0));
                }
                if self.state.step_answer(node).is_none()
                    && let Some(wait) = self.parking(node, attempt)
                {
                    Input::AttemptEnded { node, attempt, end: AttemptEnd::Parked(wait) }
                } else if scenario.unruly && attempt == 1 && self.chance.percent(3) {
                    let outputs = StoredOutputs::Inline(json!({}));
                    Input::Reuse { node, outputs, labels: BTreeMap::new(), rows: None }
                } else {
                    let comes_to = scenario.fate(node, None, attempt);
                    fate = Some(comes_to);
                    let end = match comes_to {
                        Fate::Fails => AttemptEnd::Failed(Fault::external("scripted", "scripted")),
                        Fate::FailsForGood => AttemptEnd::Failed(Fault::user("scripted", "scripted")),
                        _ => AttemptEnd::Succeeded {
                            outputs: StoredOutputs::Inline(Json::Null),
                            labels: BTreeMap::new(),
                            rows: None,
                        },
                    };
                    Input::AttemptEnded { node, attempt, end }
                }
            }
            Command::Item { node, item, attempt } => {
                if self.watch.items.get(&(node, item)) == Some(&ItemOutcome::Succeeded) {
                    return broken(Rule::NeverAgain, format!("item {item} of step {} runs again", node.0));
                }
                let comes_to = scenario.fate(node, Some(item), attempt);
                fate = Some(comes_to);
                let end = match comes_to {
                    Fate::Skips => ItemEnd::Skipped,
                    Fate::Fails => ItemEnd::Failed { attempt, fault: Fault::external("scripted", "scripted") },
                    Fate::FailsForGood => ItemEnd::Failed { attempt, fault: Fault::user("scripted", "scripted") },
                    _ => ItemEnd::Succeeded,
                };
                Input::ItemEnded { node, item, end }
            }
            Command::Gather { node } => {
                let outputs = Ok(StoredOutputs::Inline(Json::Null));
                Input::Gathered { node, outputs, labels: BTreeMap::new(), rows: None }
            }
            Command::CheckUntil { node } => {
                Input::Until { node, met: Ok(self.state.iteration(node) >= scenario.last_iteration(node)) }
            }
            Command::Finish => Input::Outputs { outputs: Ok(Json::Null) },
            Command::Stop { .. } | Command::Wake { .. } => return Ok(()),
        };
        if fate == Some(Fate::Hangs) {
            self.counter += 1;
            self.tasks.insert(command, self.counter);
            return Ok(());
        }
        let after = if is_work(&command) { self.some_time(1_500) } else { self.some_time(20) };
        let number = self.plan(after, Due::Ends(command, input, fate));
        self.tasks.insert(command, number);
        Ok(())
    }

    fn parking(&self, node: NodeIx, attempt: u32) -> Option<Wait> {
        Some(match self.scenario.parks(node, attempt)? {
            0 => Wait::Until { at: self.now.after(Duration::from_secs(2)) },
            _ => Wait::Approval { prompt: String::new(), shown: list_digest(), until: None },
        })
    }

    fn check_limits(&self) -> Result<(), Broken> {
        let work = self.tasks.keys().filter(|task| is_work(task)).count();
        if work > self.scenario.shape.max_parallel as usize {
            return broken(Rule::Limits, format!("{work} attempts are under way: {:?}", self.tasks.keys()));
        }
        let mut items: BTreeMap<NodeIx, u32> = BTreeMap::new();
        for task in self.tasks.keys() {
            if let Command::Item { node, .. } = task {
                *items.entry(*node).or_default() += 1;
            }
        }
        for (node, count) in items {
            if let millwork_engine::graph::Form::ForEach { max_parallel: Some(most), .. } =
                self.scenario.shape.nodes[node.index()].form
                && count > most
            {
                return broken(Rule::Limits, format!("{count} items of step {} are under way", node.0));
            }
        }
        Ok(())
    }

    fn check_end(&self) -> Result<Report, Broken> {
        let report = Report {
            events: self.log.len(),
            crashes: self.strikes.crashes,
            status: self.state.status(),
            compared: !self.scenario.unruly && !self.watch.was_resumed(),
        };
        if self.log.len() > self.longest_log() {
            return broken(Rule::BoundedLog, format!("{} events", self.log.len()));
        }
        if !report.compared {
            return Ok(report);
        }
        let expected = reference::interpret(self.scenario);
        if expected.status != report.status {
            return broken(Rule::Outcome, format!("the run ended as {:?}, not {:?}", report.status, expected.status));
        }
        for (ix, expected_step) in expected.steps.iter().enumerate() {
            let node = NodeIx(ix as u32);
            let step = (self.state.step_status(node), self.state.skip_reason(node));
            if step != *expected_step {
                return broken(Rule::SameSteps, format!("step {ix} ended as {step:?}, not {expected_step:?}"));
            }
            if self.state.attempt(node) != expected.attempts[ix] {
                let (got, want) = (self.state.attempt(node), expected.attempts[ix]);
                return broken(Rule::SameSteps, format!("step {ix} took {got} attempts, not {want}"));
            }
        }
        if self.watch.items != expected.items {
            return broken(Rule::SameItems, format!("{:?} is not {:?}", self.watch.items, expected.items));
        }
        Ok(report)
    }

    /// What the plan and the faults explain.
    fn longest_log(&self) -> usize {
        use millwork_engine::graph::Form;
        let tries = |node: &millwork_engine::graph::NodeShape| 5 * node.retry.max_attempts as usize;
        let nodes = self.scenario.shape.nodes.iter();
        let plan: usize = nodes
            .map(|node| match node.form {
                Form::Single => 4 + tries(node),
                Form::Repeat { max, .. } => 4 + max as usize * (2 + tries(node)),
                Form::ForEach { .. } => 8 + 14 * (1 + node.retry.max_attempts as usize),
            })
            .sum();
        let strikes = self.strikes;
        (10 + plan) * (1 + strikes.resumes as usize) + 3 * (strikes.crashes + strikes.requests) as usize
    }
}

fn list_digest() -> Digest {
    Digest::from_bytes([7; 32])
}

fn place(command: &Command) -> Option<NodeIx> {
    match command {
        Command::Evaluate { node }
        | Command::PlanItems { node }
        | Command::Attempt { node, .. }
        | Command::Item { node, .. }
        | Command::Gather { node }
        | Command::CheckUntil { node }
        | Command::Stop { node } => Some(*node),
        Command::Wake { .. } | Command::Finish => None,
    }
}

/// Whether a command holds a slot.
fn is_work(command: &Command) -> bool {
    matches!(command, Command::Attempt { .. } | Command::Item { .. })
}
