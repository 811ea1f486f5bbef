use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use millwork_engine::model::{Group, Name, RunId, Ticket};

use super::{Blocked, Place};

/// What all runs of a process share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Runs under way at once.
    pub runs: usize,
    /// Slots of the named pools. A pool that is not named here has as many as anybody asks for.
    pub pools: BTreeMap<Name, u32>,
}

/// A run that wants to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Which.
    pub run: RunId,
    /// Of which pipeline.
    pub pipeline: String,
    /// What it needs.
    pub ticket: Ticket,
}

/// Candidates that differ in nothing that matters, oldest first.
#[derive(Debug)]
struct Line {
    pipeline: String,
    ticket: Ticket,
    waiting: VecDeque<(u64, RunId)>,
}

/// A run under way, and what it holds.
#[derive(Debug)]
struct Held {
    pipeline: String,
    ticket: Ticket,
    /// It waits for somebody: it keeps its groups, and nothing else.
    parked: bool,
}

/// Decides which runs may start. Pure: it is told what came, what ended, and says who is next.
///
/// Greater priorities first; among equals the pipeline with the fewest runs under way, then the oldest. Who waits for a
/// pool is not overtaken there by those after it, so that one that needs many slots gets them.
#[derive(Debug)]
pub struct Admission {
    limits: Limits,
    lines: HashMap<(String, Ticket), Line>,
    held: HashMap<RunId, Held>,
    waiting: HashSet<RunId>,
    arrivals: u64,
}

impl Admission {
    /// Nobody waits, nobody runs.
    pub fn new(limits: Limits) -> Self {
        Self { limits, lines: HashMap::new(), held: HashMap::new(), waiting: HashSet::new(), arrivals: 0 }
    }

    /// Somebody waits. A run that is known already changes nothing.
    pub fn push(&mut self, candidate: Candidate) {
        let Candidate { run, pipeline, ticket } = candidate;
        if self.held.contains_key(&run) || !self.waiting.insert(run) {
            return;
        }
        self.arrivals += 1;
        let line = self.lines.entry((pipeline.clone(), ticket.clone())).or_insert_with(|| Line {
            pipeline,
            ticket,
            waiting: VecDeque::new(),
        });
        line.waiting.push_back((self.arrivals, run));
    }

    /// Starts a run at once, if nothing is in its way and nobody who waits would be overtaken. It holds its slots then.
    pub fn enter(&mut self, candidate: &Candidate) -> bool {
        let Candidate { run, pipeline, ticket } = candidate;
        let overtakes = |line: &Line| {
            let first = line.ticket.priority >= ticket.priority;
            first
                && match self.block(&line.ticket, &HashSet::new()) {
                    // Who waits for its own group loses nothing.
                    Some(Blocked::Group(_)) => false,
                    Some(Blocked::Pool(_)) => line.ticket.pools.keys().any(|pool| ticket.pools.contains_key(pool)),
                    Some(Blocked::Slots) | None => true,
                }
        };
        if self.lines.values().any(overtakes) || self.block(ticket, &HashSet::new()).is_some() {
            return false;
        }
        self.hold(*run, pipeline.clone(), ticket.clone());
        true
    }

    /// Whether a run has its place, or waits for one.
    pub fn knows(&self, run: RunId) -> bool {
        self.held.contains_key(&run) || self.waiting.contains(&run)
    }

    /// A run is under way whatever the limits say: it was before a restart.
    pub fn hold(&mut self, run: RunId, pipeline: String, ticket: Ticket) {
        self.held.insert(run, Held { pipeline, ticket, parked: false });
    }

    /// Who may start now; it holds its slots from here on. `None`: nobody.
    pub fn admit_next(&mut self) -> Option<RunId> {
        let mut jammed = HashSet::new();
        for key in self.order() {
            let Some(line) = self.lines.get_mut(&key) else { continue };
            let ticket = line.ticket.clone();
            match self.block(&ticket, &jammed) {
                None => {
                    let line = self.lines.get_mut(&key)?;
                    let (_, run) = line.waiting.pop_front()?;
                    if line.waiting.is_empty() {
                        self.lines.remove(&key);
                    }
                    self.waiting.remove(&run);
                    self.hold(run, key.0, ticket);
                    return Some(run);
                }
                Some(Blocked::Slots) => return None,
                // Whoever needs the same pool and comes later waits as well.
                Some(Blocked::Pool(_)) => jammed.extend(ticket.pools.into_keys()),
                Some(Blocked::Group(_)) => {}
            }
        }
        None
    }

    /// A run has ended, or goes on elsewhere: what it held is free. Also one that waits is taken out.
    pub fn ended(&mut self, run: RunId) {
        if self.held.remove(&run).is_none() && self.waiting.remove(&run) {
            for line in self.lines.values_mut() {
                line.waiting.retain(|(_, waiting)| *waiting != run);
            }
            self.lines.retain(|_, line| !line.waiting.is_empty());
        }
    }

    /// A run that is under way waits for a person or a time (or does so no longer): meanwhile it holds no slot.
    pub fn park(&mut self, run: RunId, parked: bool) {
        if let Some(held) = self.held.get_mut(&run) {
            held.parked = parked;
        }
    }

    /// Runs of a group that are under way, and those that wait.
    pub fn group(&self, name: &str) -> (Vec<RunId>, Vec<RunId>) {
        let inside = |ticket: &Ticket| ticket.groups.iter().any(|group| group.name == name);
        let held = self.held.iter().filter(|(_, held)| inside(&held.ticket)).map(|(run, _)| *run);
        let waiting = self.lines.values().filter(|line| inside(&line.ticket));
        let waiting = waiting.flat_map(|line| line.waiting.iter().map(|(_, run)| *run));
        let (mut held, mut waiting): (Vec<_>, Vec<_>) = (held.collect(), waiting.collect());
        held.sort_unstable();
        waiting.sort_unstable();
        (held, waiting)
    }

    /// Runs under way and runs that wait.
    pub fn counts(&self) -> (usize, usize) {
        (self.held.len(), self.waiting.len())
    }

    /// Runs under way.
    pub fn held(&self) -> Vec<RunId> {
        self.held.keys().copied().collect()
    }

    /// How many of them hold a slot.
    pub fn busy(&self) -> usize {
        self.active().count()
    }

    /// Slots of pools that are taken.
    pub fn pools(&self) -> BTreeMap<Name, (u32, Option<u32>)> {
        let mut pools: BTreeMap<Name, (u32, Option<u32>)> =
            self.limits.pools.iter().map(|(name, slots)| (name.clone(), (0, Some(*slots)))).collect();
        for (name, slots) in self.active().flat_map(|held| &held.ticket.pools) {
            pools.entry(name.clone()).or_default().0 += slots;
        }
        pools
    }

    /// Where a run stands that waits.
    pub fn place(&self, run: RunId) -> Option<Place> {
        let (mut position, mut jammed) = (0, HashSet::new());
        for key in self.order() {
            let line = self.lines.get(&key)?;
            let blocked = self.block(&line.ticket, &jammed);
            if let Some(inside) = line.waiting.iter().position(|(_, waiting)| *waiting == run) {
                let blocked = blocked.unwrap_or(Blocked::Slots);
                return Some(Place { position: position + inside + 1, holders: self.holders(&blocked), blocked });
            }
            if let Some(Blocked::Pool(_)) = blocked {
                jammed.extend(line.ticket.pools.keys().cloned());
            }
            position += line.waiting.len();
        }
        None
    }

    fn active(&self) -> impl Iterator<Item = &Held> {
        self.held.values().filter(|held| !held.parked)
    }

    /// The lines in the order in which they are served.
    fn order(&self) -> Vec<(String, Ticket)> {
        let mut running: HashMap<&str, usize> = HashMap::new();
        for held in self.active() {
            *running.entry(held.pipeline.as_str()).or_default() += 1;
        }
        let mut order: Vec<_> = self.lines.iter().collect();
        order.sort_by_key(|(_, line)| {
            let under_way = running.get(line.pipeline.as_str()).copied().unwrap_or(0);
            let oldest = line.waiting.front().map_or(u64::MAX, |(arrival, _)| *arrival);
            (std::cmp::Reverse(line.ticket.priority), under_way, oldest)
        });
        order.into_iter().map(|(key, _)| key.clone()).collect()
    }

    /// What is in the way of a ticket. In `jammed` pools others wait who come first.
    fn block(&self, ticket: &Ticket, jammed: &HashSet<Name>) -> Option<Blocked> {
        if self.active().count() >= self.limits.runs {
            return Some(Blocked::Slots);
        }
        let full = |group: &&Group| {
            let inside = |held: &&Held| held.ticket.groups.iter().any(|other| other.name == group.name);
            self.held.values().filter(inside).count() >= group.limit as usize
        };
        if let Some(group) = ticket.groups.iter().find(full) {
            return Some(Blocked::Group(group.name.clone()));
        }
        let taken = self.pools();
        let lacks = |(name, wanted): &(&Name, &u32)| {
            let (used, limit) = taken.get(*name).copied().unwrap_or_default();
            // One that wants more than there is gets the pool to itself.
            let fits = limit.is_none_or(|limit| used == 0 || used + **wanted <= limit);
            jammed.contains(*name) || !fits
        };
        ticket.pools.iter().find(lacks).map(|(name, _)| Blocked::Pool(name.clone()))
    }

    fn holders(&self, blocked: &Blocked) -> Vec<RunId> {
        let holds = |held: &Held| match blocked {
            Blocked::Slots => !held.parked,
            Blocked::Group(name) => held.ticket.groups.iter().any(|group| group.name == *name),
            Blocked::Pool(name) => !held.parked && held.ticket.pools.contains_key(name),
        };
        let mut holders: Vec<RunId> = self.held.iter().filter(|(_, held)| holds(held)).map(|(run, _)| *run).collect();
        holders.sort_unstable();
        holders
    }
}
