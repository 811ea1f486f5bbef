//! The run machine under a deterministic simulation: a seed makes a plan, a script of what every
//! attempt comes to, and faults (crashes at any point, lost, late and repeated inputs, requests to
//! cancel, interrupt and resume). A model driver with a virtual clock runs it; numbered [`Rule`]s are
//! checked at every step, and where only crashes and delays struck, the end is compared with a
//! reference interpreter that knows nothing of time, limits or logs.

mod chance;
mod reference;
mod rules;
mod scenario;
mod tasks;
mod world;

pub use rules::{Broken, Rule};
pub use world::Report;

/// A rule that a seed broke, with what led to it.
#[derive(Debug, Clone)]
pub struct Violation {
    /// Which seed: it always breaks the same rule.
    pub seed: u64,
    /// Which rule and how.
    pub broken: Broken,
    /// Inputs, events and commands up to then, one a line.
    pub trace: Vec<String>,
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let rule = self.broken.rule;
        writeln!(f, "seed {} breaks rule {} ({rule:?}): {}", self.seed, rule as u32, self.broken.what)?;
        self.trace.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

/// Runs a seed to its end, then again from every cut of its log by a new owner: each ends as the rules
/// say, and as the reference does. For seeds where only crashes and delays strike; others give `None`.
pub fn simulate_cuts(seed: u64) -> Result<Option<usize>, Box<Violation>> {
    let scenario = scenario::Scenario::new(seed);
    if scenario.unruly {
        return Ok(None);
    }
    let told = |broken, trace| Box::new(Violation { seed, broken, trace });
    let mut whole = world::World::new(&scenario, true);
    if let Err(broken) = whole.run() {
        return Err(told(broken, whole.into_trace()));
    }
    for events in 1..whole.events() {
        let mut cut = whole.cut(events).map_err(|broken| told(broken, Vec::new()))?;
        if let Err(broken) = cut.go_on() {
            return Err(told(broken, cut.into_trace()));
        }
    }
    Ok(Some(whole.events()))
}

/// Runs a seed to its end.
pub fn simulate(seed: u64) -> Result<Report, Box<Violation>> {
    let scenario = scenario::Scenario::new(seed);
    world::World::new(&scenario, false).run().map_err(|broken| {
        let mut world = world::World::new(&scenario, true);
        // The same seed breaks the same rule; this time it tells.
        let _ = world.run();
        let mut trace: Vec<String> = scenario.shape.nodes.iter().map(|node| format!("{node:?}")).collect();
        trace.push(format!("max_parallel {}, fail_fast {}", scenario.shape.max_parallel, scenario.shape.fail_fast));
        trace.extend(world.into_trace());
        Box::new(Violation { seed, broken, trace })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_hundred_seeds_break_no_rule() {
        let (mut events, mut crashes, mut compared) = (0, 0, 0);
        for seed in 0..500 {
            match simulate(seed) {
                Ok(report) => {
                    events += report.events;
                    crashes += report.crashes;
                    compared += u32::from(report.compared);
                }
                Err(violation) => panic!("{violation}"),
            }
        }
        assert!(events > 5_000 && crashes > 200 && compared > 100, "{events} {crashes} {compared}");
    }

    #[test]
    fn a_seed_always_gives_the_same_run() {
        for seed in 0..20 {
            let runs: Vec<_> = (0..2).map(|_| simulate(seed).map(|report| format!("{report:?}"))).collect();
            assert_eq!(runs[0].as_ref().ok(), runs[1].as_ref().ok());
        }
    }

    #[test]
    fn every_cut_of_a_log_ends_the_same() {
        let mut cuts = 0;
        for seed in 0..60 {
            match simulate_cuts(seed) {
                Ok(events) => cuts += events.unwrap_or(0),
                Err(violation) => panic!("{violation}"),
            }
        }
        assert!(cuts > 500, "{cuts}");
    }

    #[cfg(feature = "planted-bugs")]
    #[test]
    fn every_planted_bug_is_found() {
        use millwork_engine::run::planted::{Bug, plant};
        for bug in Bug::ALL {
            plant(Some(bug));
            let found = (0..2_000).find_map(|seed| simulate(seed).err());
            plant(None);
            assert!(found.is_some(), "{bug:?} was not found");
        }
    }
}
