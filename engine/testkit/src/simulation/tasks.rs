use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use millwork_engine::{
    graph::Form,
    model::{
        Digest, Fault, NodeIx, StepStatus, Timestamp, Wait,
        event::{ItemOutcome, StoredOutputs},
    },
    run::{AttemptEnd, Command, Input, ItemEnd, Planned, outstanding},
};
use serde_json::{Value as Json, json};

use super::{
    reference::bad_need,
    rules::{Broken, Rule, broken},
    scenario::{Fate, Verdict},
    world::{Due, World},
};

/// What a process has under way: begun because it is outstanding, stopped, or dropped.
impl World<'_> {
    /// Begins what is outstanding and not under way, drops what is not outstanding any more.
    pub(super) fn issue(&mut self) -> Result<(), Broken> {
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
            if let Form::ForEach { max_parallel: Some(most), .. } = self.scenario.shape.nodes[node.index()].form
                && count > most
            {
                return broken(Rule::Limits, format!("{count} items of step {} are under way", node.0));
            }
        }
        Ok(())
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
