use std::collections::{BTreeMap, HashMap};

use millwork_engine::model::{Group, Name, RunId, Ticket, Timestamp};
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IndexedRandom};

use super::*;

fn run(n: u64) -> RunId {
    RunId::from_parts(Timestamp::from_micros(1_000_000 + n as i64), u128::from(n))
}

fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

fn limits(runs: usize) -> Limits {
    Limits { runs, pools: BTreeMap::from([(name("gpu"), 4)]) }
}

fn plain(n: u64, pipeline: &str) -> Candidate {
    Candidate { run: run(n), pipeline: pipeline.into(), ticket: Ticket::default() }
}

fn grouped(n: u64, group: &str, limit: u32) -> Candidate {
    let groups = vec![Group { name: group.into(), limit }];
    Candidate { ticket: Ticket { groups, ..Ticket::default() }, ..plain(n, "p") }
}

fn pooled(n: u64, slots: u32) -> Candidate {
    let pools = BTreeMap::from([(name("gpu"), slots)]);
    Candidate { ticket: Ticket { pools, ..Ticket::default() }, ..plain(n, "p") }
}

fn all(admission: &mut Admission) -> Vec<RunId> {
    std::iter::from_fn(|| admission.admit_next()).collect()
}

#[test]
fn the_oldest_starts_first_as_long_as_there_is_room() {
    let mut admission = Admission::new(limits(2));
    for n in 1..=4 {
        admission.push(plain(n, "p"));
        admission.push(plain(n, "p"));
    }
    assert_eq!(all(&mut admission), [run(1), run(2)]);
    assert_eq!(admission.counts(), (2, 2), "what came twice is there once");
    let place = admission.place(run(4)).expect("it waits");
    assert_eq!((place.position, place.blocked, place.holders), (2, Blocked::Slots, vec![run(1), run(2)]));
    admission.ended(run(1));
    assert_eq!(all(&mut admission), [run(3)]);
    admission.ended(run(4));
    admission.ended(run(2));
    assert_eq!(all(&mut admission), [], "who gave up is not started");
}

#[test]
fn nobody_enters_before_those_who_wait() {
    let mut admission = Admission::new(limits(1));
    assert!(admission.enter(&plain(1, "p")));
    assert!(!admission.enter(&plain(2, "p")));
    admission.push(plain(2, "p"));
    admission.ended(run(1));
    assert!(!admission.enter(&plain(3, "p")), "2 came first");
    assert_eq!(admission.admit_next(), Some(run(2)));
    let mut admission = Admission::new(limits(9));
    assert!(admission.enter(&grouped(1, "a", 1)));
    admission.push(grouped(2, "a", 1));
    assert!(admission.enter(&plain(3, "p")), "2 waits for its group, not for a place");
    assert!(admission.enter(&pooled(4, 4)));
    admission.push(pooled(5, 4));
    assert!(!admission.enter(&pooled(6, 1)), "5 came first");
    assert!(admission.enter(&plain(7, "p")), "and wants slots that this one does not need");
}

#[test]
fn pipelines_take_turns() {
    let mut admission = Admission::new(limits(2));
    (1..=10).for_each(|n| admission.push(plain(n, "greedy")));
    admission.push(plain(11, "modest"));
    assert_eq!(all(&mut admission), [run(1), run(11)], "the one with nothing under way is next");
}

#[test]
fn greater_priorities_come_first() {
    let mut admission = Admission::new(limits(1));
    admission.push(plain(1, "p"));
    let urgent = Candidate { ticket: Ticket { priority: 5, ..Ticket::default() }, ..plain(2, "p") };
    admission.push(urgent);
    assert_eq!(admission.admit_next(), Some(run(2)));
}

#[test]
fn a_full_group_stops_nobody_else() {
    let mut admission = Admission::new(limits(10));
    for candidate in [grouped(1, "a", 1), grouped(2, "a", 1), grouped(3, "b", 1), plain(4, "p")] {
        admission.push(candidate);
    }
    assert_eq!(all(&mut admission), [run(1), run(3), run(4)]);
    assert_eq!(admission.group("a"), (vec![run(1)], vec![run(2)]));
    let place = admission.place(run(2)).expect("it waits");
    assert_eq!((place.blocked, place.holders), (Blocked::Group("a".into()), vec![run(1)]));
    admission.park(run(1), true);
    assert_eq!(all(&mut admission), [], "who waits for a person keeps its group");
    admission.ended(run(1));
    assert_eq!(all(&mut admission), [run(2)]);
}

#[test]
fn one_that_needs_many_slots_is_not_overtaken() {
    let mut admission = Admission::new(limits(10));
    for candidate in [pooled(1, 2), pooled(2, 3), pooled(3, 1), plain(4, "other")] {
        admission.push(candidate);
    }
    assert_eq!(all(&mut admission), [run(1), run(4)], "3 would fit, but 2 came first");
    admission.ended(run(1));
    assert_eq!(all(&mut admission), [run(2), run(3)]);
    admission.park(run(2), true);
    admission.push(pooled(5, 3));
    assert_eq!(all(&mut admission), [run(5)], "who waits holds no slot");
    for n in [2, 3, 5] {
        admission.ended(run(n));
    }
    admission.push(pooled(6, 9));
    assert_eq!(all(&mut admission), [run(6)], "more than there is: the pool to itself");
}

/// Whatever comes and goes: no limit is exceeded, and everybody starts once.
#[test]
fn limits_hold_and_nobody_is_forgotten() {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let mut admission = Admission::new(limits(5));
    let (mut running, mut started): (Vec<Candidate>, Vec<RunId>) = (Vec::new(), Vec::new());
    let mut known: HashMap<RunId, Candidate> = HashMap::new();
    let check = |running: &[Candidate]| {
        assert!(running.len() <= 5);
        let of = |group: &str| running.iter().filter(|c| c.ticket.groups.iter().any(|g| g.name == group)).count();
        assert!(of("a") <= 1 && of("b") <= 2);
        let slots: Vec<u32> = running.iter().filter_map(|c| c.ticket.pools.get("gpu").copied()).collect();
        assert!(slots.iter().sum::<u32>() <= 4 || slots.len() == 1, "{slots:?}");
    };
    for n in 0..3000 {
        let mut candidate = match rng.random_range(0..4) {
            0 => grouped(n, "a", 1),
            1 => grouped(n, "b", 2),
            2 => pooled(n, rng.random_range(1..6)),
            _ => plain(n, ["p", "q", "r"].choose(&mut rng).copied().unwrap_or("p")),
        };
        candidate.ticket.priority = rng.random_range(0..2);
        known.insert(candidate.run, candidate.clone());
        if rng.random_bool(0.5) && admission.enter(&candidate) {
            started.push(candidate.run);
            running.push(candidate);
        } else {
            admission.push(candidate);
        }
        while rng.random_bool(0.8) && !running.is_empty() {
            let ended = running.swap_remove(rng.random_range(0..running.len()));
            admission.ended(ended.run);
        }
        for run in all(&mut admission) {
            started.push(run);
            running.push(known[&run].clone());
        }
        check(&running);
    }
    while let Some(ended) = running.pop() {
        admission.ended(ended.run);
        for run in all(&mut admission) {
            started.push(run);
            running.push(known[&run].clone());
        }
        check(&running);
    }
    started.sort_unstable();
    let mut expected: Vec<RunId> = known.into_keys().collect();
    expected.sort_unstable();
    assert_eq!(started, expected);
}
