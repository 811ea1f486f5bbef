use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap},
    sync::Arc,
    time::Duration,
};

use millwork_engine::{
    model::{Event, NodeIx, OwnerId, Recorded, RunStatus, StepStatus, Timestamp, Wait, event::VERSION},
    run::{AttemptEnd, Command, Input, RunState, decide_many, evolve},
};
use serde_json::json;

use super::{
    chance::Chance,
    reference,
    rules::{Broken, Rule, Watch, broken},
    scenario::{Fate, Scenario},
};

/// A driver with a virtual clock and a log in memory, on which faults strike.
pub(super) struct World<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) chance: Chance,
    pub(super) now: Timestamp,
    log: Vec<Recorded>,
    pub(super) state: RunState,
    epoch: u64,
    /// What is under way in this process, and its number.
    pub(super) tasks: BTreeMap<Command, u64>,
    agenda: BinaryHeap<Reverse<(Timestamp, u64)>>,
    pub(super) due: BTreeMap<u64, Due>,
    pub(super) counter: u64,
    pub(super) watch: Watch,
    snapshot: Option<(usize, Vec<u8>)>,
    asked: BTreeSet<NodeIx>,
    pub(super) stopping: BTreeSet<NodeIx>,
    /// Items that this commit is to record as succeeded.
    heard: Vec<(NodeIx, u32)>,
    pub(super) next_tick: Option<Timestamp>,
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
pub(super) enum Due {
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

    pub(super) fn say(&mut self, what: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            trace.push(format!("{:>10} {}", self.now.as_micros(), what()));
        }
    }

    pub(super) fn into_trace(self) -> Vec<String> {
        self.trace.unwrap_or_default()
    }

    pub(super) fn plan(&mut self, after: Duration, due: Due) -> u64 {
        self.counter += 1;
        self.agenda.push(Reverse((self.now.after(after), self.counter)));
        self.due.insert(self.counter, due);
        self.counter
    }

    pub(super) fn some_time(&mut self, millis: u64) -> Duration {
        Duration::from_micros(self.chance.below(millis * 1000))
    }

    pub(super) fn run(&mut self) -> Result<Report, Broken> {
        let created = Event::RunCreated { origin: Box::new(self.scenario.origin.clone()) };
        self.append(vec![created])?;
        self.plan_requests();
        self.take_over()?;
        self.run_on()
    }

    fn run_on(&mut self) -> Result<Report, Broken> {
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
        self.state.status().is_final()
            && !self.due.values().any(|due| matches!(due, Due::Outside(Input::Resume { .. })))
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
        if self.chance.percent(3) {
            self.read_again()?;
        }
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
            let goes_on =
                self.state.status() == RunStatus::Running && self.state.step_status(node) == StepStatus::Running;
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
            let bytes = self.state.to_snapshot();
            self.check_snapshot(&bytes)?;
            self.snapshot = Some((self.log.len(), bytes));
        }
        self.plan_outside();
        Ok(())
    }

    /// The append was done and reported as unknown: the driver reads what the store has and goes on from
    /// there; what it had under way goes on too.
    fn read_again(&mut self) -> Result<(), Broken> {
        self.say(|| "  (reported as unknown)".to_owned());
        self.check_replay()?;
        let mut state = RunState::new(Arc::clone(&self.scenario.shape));
        for recorded in &self.log {
            evolve(&mut state, recorded).or_else(|error| broken(Rule::Replay, error.to_string()))?;
        }
        self.state = state;
        Ok(())
    }

    /// A run that another process left with the first events of this one's log: any cut, also in the
    /// middle of a commit.
    pub(super) fn cut(&self, events: usize) -> Result<World<'a>, Broken> {
        let mut world = World::new(self.scenario, self.trace.is_some());
        world.epoch = self.epoch;
        world.watch.came_to.clone_from(&self.watch.came_to);
        world.watch.items_came_to.clone_from(&self.watch.items_came_to);
        world.chance = Chance::new(self.scenario.seed ^ events as u64);
        for recorded in &self.log[..events] {
            world.now = recorded.at;
            world.watch.see(self.scenario, recorded)?;
            evolve(&mut world.state, recorded).or_else(|error| broken(Rule::Replay, error.to_string()))?;
            world.log.push(recorded.clone());
        }
        Ok(world)
    }

    /// Goes on from a cut to the end.
    pub(super) fn go_on(&mut self) -> Result<Report, Broken> {
        self.take_over()?;
        self.run_on()
    }

    pub(super) fn events(&self) -> usize {
        self.log.len()
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

    /// A snapshot is the state that it was taken of.
    fn check_snapshot(&self, bytes: &[u8]) -> Result<(), Broken> {
        let read = RunState::from_snapshot(bytes, Arc::clone(&self.scenario.shape));
        let read = read.or_else(|error| broken(Rule::Replay, error.to_string()))?;
        if read != self.state {
            return broken(Rule::Replay, format!("a snapshot: {read:?} is not {:?}", self.state));
        }
        Ok(())
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
