use std::{collections::BTreeMap, sync::Arc, time::Duration};

use millwork_engine::{
    graph::{Form, NodeShape, Section, Shape},
    model::{
        Backoff, Digest, Name, NodeIx, RetryPolicy, Ticket, Timestamp,
        event::{Cause, RunOrigin, StoredOutputs},
    },
    step::Effect,
};
use serde_json::json;

use super::chance::{Chance, hash};

/// What a seed stands for: a plan, what each attempt at anything in it comes to, and which faults strike.
#[derive(Debug, Clone)]
pub(super) struct Scenario {
    pub(super) seed: u64,
    pub(super) shape: Arc<Shape>,
    pub(super) origin: RunOrigin,
    /// Whether requests, deadlines and `fail_fast` play a part: then how it ends is a matter of time, and
    /// only the rules hold, not the comparison with the reference.
    pub(super) unruly: bool,
    /// In percent of commits.
    pub(super) crashes: u64,
}

/// What an attempt comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Succeeds,
    /// A retry may help.
    Fails,
    /// No retry helps.
    FailsForGood,
    /// It goes on until it is stopped.
    Hangs,
    /// An item's `if` is false.
    Skips,
}

/// What an `if` comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Holds,
    HoldsNot,
    HoldsAfterFailure,
    Faults,
}

impl Scenario {
    pub(super) fn new(seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let unruly = chance.percent(50);
        let mut nodes = Vec::new();
        let main = 1 + chance.below(8);
        let on_failure = if chance.percent(40) { 1 + chance.below(2) } else { 0 };
        let finally = if chance.percent(50) { 1 + chance.below(2) } else { 0 };
        for (section, count) in [(Section::Main, main), (Section::OnFailure, on_failure), (Section::Finally, finally)] {
            let first = nodes.len() as u64;
            for _ in 0..count {
                nodes.push(node(&mut chance, section, first, nodes.len() as u64, unruly));
            }
        }
        for ix in (0..nodes.len()).rev() {
            let above = nodes[ix].priority + 1;
            for need in nodes[ix].needs.clone() {
                let need: &mut NodeShape = &mut nodes[need.index()];
                need.priority = need.priority.max(above);
            }
        }
        let only = if chance.percent(10) { vec![NodeIx(chance.below(main) as u32)] } else { Vec::new() };
        let mut reused = BTreeMap::new();
        if chance.percent(10) {
            reused.insert(NodeIx(0), StoredOutputs::Inline(json!({})));
        }
        let deadline =
            (unruly && chance.percent(15)).then(|| Timestamp::from_micros(1 + chance.below(60_000_000) as i64));
        let shape = Shape {
            nodes,
            max_parallel: 1 + chance.below(4) as u32,
            fail_fast: unruly && chance.percent(25),
            has_outputs: chance.percent(50),
        };
        let origin = RunOrigin {
            pipeline: "simulated".to_owned(),
            revision: Digest::from_bytes([0; 32]),
            inputs: json!({}),
            labels: BTreeMap::new(),
            cause: Cause::Manual,
            only,
            reused_labels: BTreeMap::new(),
            reused,
            deadline,
            interval: None,
            event: None,
            ticket: Ticket::default(),
            asked: None,
        };
        let crashes = if chance.percent(30) { 0 } else { chance.below(20) };
        Self { seed, shape: Arc::new(shape), origin, unruly, crashes }
    }

    fn draw(&self, topic: u64, node: NodeIx, more: [u64; 2]) -> u64 {
        hash(&[self.seed, topic, u64::from(node.0), more[0], more[1]])
    }

    pub(super) fn fate(&self, node: NodeIx, item: Option<u32>, attempt: u32) -> Fate {
        let place = item.map_or(0, |item| u64::from(item) + 1);
        if item.is_some() && self.draw(1, node, [place, 0]) % 100 < 8 {
            return Fate::Skips;
        }
        let luck = self.draw(2, node, [0, 0]) % 100;
        let failing = if luck < 55 { 0 } else { luck - 45 };
        let roll = self.draw(3, node, [place, u64::from(attempt)]) % 100;
        let shape = &self.shape.nodes[node.index()];
        if self.unruly && shape.deadline.is_some() && roll >= 70 {
            return Fate::Hangs;
        }
        match roll {
            roll if roll >= failing => Fate::Succeeds,
            roll if roll % 5 == 0 => Fate::FailsForGood,
            _ => Fate::Fails,
        }
    }

    pub(super) fn verdict(&self, node: NodeIx) -> Verdict {
        let roll = self.draw(4, node, [0, 0]) % 100;
        match (self.shape.nodes[node.index()].handles_failure, roll) {
            (_, 0..4) => Verdict::Faults,
            (true, 4..60) => Verdict::HoldsAfterFailure,
            (_, 60..80) => Verdict::HoldsNot,
            _ => Verdict::Holds,
        }
    }

    pub(super) fn item_count(&self, node: NodeIx) -> Option<u32> {
        let roll = self.draw(5, node, [0, 0]);
        if roll % 100 < 3 { None } else { Some((roll / 100 % 14) as u32) }
    }

    /// The iteration after which `until` is true.
    pub(super) fn last_iteration(&self, node: NodeIx) -> u32 {
        1 + (self.draw(6, node, [0, 0]) % 5) as u32
    }

    /// What an attempt parks for before it goes on: 0 a time, 1 an answer.
    pub(super) fn parks(&self, node: NodeIx, attempt: u32) -> Option<u64> {
        let roll = self.draw(7, node, [u64::from(attempt), 0]) % 100;
        (roll < 12).then_some(roll % 2)
    }
}

fn node(chance: &mut Chance, section: Section, first: u64, ix: u64, unruly: bool) -> NodeShape {
    let mut needs: Vec<NodeIx> = (first..ix).filter(|_| chance.percent(30)).map(|need| NodeIx(need as u32)).collect();
    needs.dedup();
    let form = match chance.below(10) {
        0..6 => Form::Single,
        6..8 => Form::ForEach {
            max_parallel: chance.percent(50).then(|| 1 + chance.below(3) as u32),
            min_success: [1.0, 1.0, 0.5, 0.0][chance.below(4) as usize],
        },
        _ => Form::Repeat { every: Duration::from_secs(chance.below(4)), max: 1 + chance.below(5) as u32 },
    };
    let has_condition = chance.percent(30);
    NodeShape {
        // A letter and digits make a name.
        id: Name::new(&format!("s{ix}")).unwrap_or_else(|| unreachable!("`s` and digits are a name")),
        section,
        needs,
        has_condition,
        handles_failure: has_condition && chance.percent(40),
        form,
        effect: Effect::External,
        retry: RetryPolicy {
            max_attempts: 1 + chance.below(3) as u32,
            delay: Duration::from_millis(chance.below(2000)),
            backoff: Backoff::Exponential,
            max_delay: Duration::from_secs(3),
            jitter: chance.percent(50),
            on_codes: Vec::new(),
            on_exit_codes: Vec::new(),
        },
        timeout: None,
        deadline: (unruly && chance.percent(25)).then(|| Duration::from_millis(500 + chance.below(10_000))),
        continue_on_error: chance.percent(15),
        recomputable: false,
        priority: 1,
    }
}
