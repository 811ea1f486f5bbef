use super::bench::{Bench, play};

#[test]
fn steps_in_a_row_and_side_by_side() {
    for (rule, plan, script) in [
        (
            "what follows at once is in the same commit",
            "a\nb: a\nc: b",
            "taken -> owner; started; start a1
             ? a1
             ok a1 -> ok a1; start b1
             ok b1 -> ok b1; start c1
             ok c1 -> ok c1; ended succeeded
             ? nothing",
        ),
        ("an empty plan ends at once", "run: max=1", "taken -> owner; started; ended succeeded"),
        (
            "a step waits for all it needs",
            "a\nb\nc: a b",
            "taken -> owner; started; start a1; start b1
             ok a1 -> ok a1
             ok b1 -> ok b1; start c1",
        ),
        (
            "max_parallel holds",
            "a\nb\nc\nrun: max=2",
            "taken -> owner; started; start a1; start b1
             ok b1 -> ok b1; start c1",
        ),
        (
            "the longest path goes first",
            "a\nb: prio=3\nc: prio=2\nrun: max=1",
            "taken -> owner; started; start b1
             ok b1 -> ok b1; start c1
             ok c1 -> ok c1; start a1",
        ),
        (
            "outputs are evaluated only if there are any",
            "a\nrun: outputs",
            "taken -> owner; started; start a1
             ok a1 -> ok a1
             ? finish
             outputs -> ended succeeded",
        ),
        (
            "outputs that cannot be evaluated fail the run",
            "a\nrun: outputs",
            "taken -> owner; started; start a1
             ok a1 -> ok a1
             outputs fault -> ended failed no
             resume -> resumed
             ? finish",
        ),
        (
            "a late or repeated end is nothing",
            "a: retry=2\nb: a",
            "taken -> owner; started; start a1
             fail a1 -> again a1 +2s
             fail a1 -> nothing
             @2s tick -> start a2
             fail a1 -> nothing
             ok a2 + ok a2 -> ok a2; start b1",
        ),
        (
            "outputs of an earlier run are taken over at once",
            "a\nb: a\nrun: reused=a",
            "taken -> owner; started; reused a; start b1",
        ),
        (
            "a cached result takes the place of an attempt",
            "a\nb: a",
            "taken -> owner; started; start a1
             reuse a -> reused a; start b1
             ok a1 -> nothing",
        ),
        (
            "only what is selected runs, and what it needs",
            "a\nb: a\nc\nd: b c\nrun: only=b",
            "taken -> owner; started; skip c notselected; skip d notselected; start a1
             ok a1 -> ok a1; start b1
             ok b1 -> ok b1; ended succeeded",
        ),
    ] {
        play(rule, plan, script);
    }
}

#[test]
fn skips_and_joins() {
    for (rule, plan, script) in [
        (
            "a false condition skips, and satisfies who needs the step",
            "a: if\nb: a",
            "taken -> owner; started
             ? if a
             if a no -> skip a condition; start b1",
        ),
        (
            "a true condition is recorded, so that it is evaluated once",
            "a: if\nb\nrun: max=1",
            "taken -> owner; started; start b1
             if a yes -> holds a
             ? b1
             taken -> owner
             ok b1 -> ok b1; start a1",
        ),
        (
            "a condition that cannot be evaluated fails the step",
            "a: if\nb: a",
            "taken -> owner; started
             if a fault -> fail a no; skip b upstream; ended failed no",
        ),
        (
            "a failed need skips, through any number of steps",
            "a\nb: a\nc: b\nd",
            "taken -> owner; started; start a1; start d1
             fatal a1 -> fail a no; skip b upstream; skip c upstream
             ok d1 -> ok d1; ended failed no",
        ),
        (
            "a condition that asks for failure decides itself",
            "a\nb: a handles\nc: b",
            "taken -> owner; started; start a1
             fatal a1 -> fail a no
             ? if b
             if b yes -> holds b; start b1
             ok b1 -> ok b1; start c1
             ok c1 -> ok c1; ended failed no",
        ),
        (
            "continue_on_error counts as success",
            "a: continue\nb: a",
            "taken -> owner; started; start a1
             fatal a1 -> fail a no; start b1
             ok b1 -> ok b1; ended succeeded",
        ),
        (
            "a step cancelled by itself fails the run",
            "a\nb: a",
            "taken -> owner; started; start a1
             stopped a1 -> cancel a; skip b upstream; ended failed cancelled",
        ),
    ] {
        play(rule, plan, script);
    }
}

#[test]
fn retries_and_repetitions() {
    for (rule, plan, script) in [
        (
            "a fault that may pass is tried again after a delay that grows",
            "a: retry=3",
            "taken -> owner; started; start a1
             fail a1 -> again a1 +2s
             ? wake +2s
             @1s tick -> nothing
             @2s tick -> start a2
             fail a2 -> again a2 +4s
             @6s tick -> start a3
             fail a3 -> fail a down; ended failed down",
        ),
        (
            "jitter is drawn, and recorded",
            "a: retry=2 jitter",
            "taken -> owner; started; start a1
             fail a1 -> again a1 +1s",
        ),
        (
            "a fault that stays is not tried again",
            "a: retry=3",
            "taken -> owner; started; start a1
             fatal a1 -> fail a no; ended failed no",
        ),
        (
            "a step between two attempts holds no slot",
            "a: retry=2\nb\nrun: max=1",
            "taken -> owner; started; start a1
             fail a1 -> again a1 +2s; start b1
             @3s tick -> nothing
             ? b1
             ok b1 -> ok b1; start a2",
        ),
        (
            "a step is repeated until it is enough",
            "a: repeat=3\nb: a",
            "taken -> owner; started; start a1
             ok a1 -> iteration a1
             ? until a
             until a no -> repeat a 1 +5s
             ? wake +5s
             @5s tick -> start a2
             ok a2 -> iteration a2
             until a yes -> ok a2; start b1",
        ),
        (
            "the last repetition is a named failure",
            "a: repeat=1",
            "taken -> owner; started; start a1
             ok a1 -> iteration a1
             until a no -> fail a repeat.exhausted partial; ended failed repeat.exhausted",
        ),
        (
            "each repetition has the attempts of the policy",
            "a: repeat=2 retry=2",
            "taken -> owner; started; start a1
             fail a1 -> again a1 +2s
             @2s tick -> start a2
             ok a2 -> iteration a2
             until a no -> repeat a 1 +5s
             @7s tick -> start a3
             fail a3 -> again a3 +2s",
        ),
        (
            "an iteration that ended is not made again after a crash",
            "a: repeat=2",
            "taken -> owner; started; start a1
             ok a1 -> iteration a1
             taken -> owner
             ? until a
             until a fault -> fail a no partial; ended failed no",
        ),
    ] {
        play(rule, plan, script);
    }
}

#[test]
fn a_wide_plan_costs_little_a_step() {
    let plan: String = (0..2_000).map(|ix| format!("s{}: \n", letters(ix))).collect();
    let mut bench = Bench::new(&format!("{plan}run: max=16"));
    let began = std::time::Instant::now();
    bench.give("taken");
    for ix in 0..2_000 {
        bench.give(&format!("ok s{}1", letters(ix)));
    }
    assert_eq!(bench.commands(), "nothing");
    // Generous: what is guarded against is a cost that grows with the square of the plan, or worse.
    assert!(began.elapsed().as_secs() < 20, "{:?}", began.elapsed());
}

/// A name without digits, which the words of the bench end with.
fn letters(ix: u32) -> String {
    let digit = |place: u32| char::from(b'a' + (ix / 26_u32.pow(place) % 26) as u8);
    [digit(2), digit(1), digit(0)].into_iter().collect()
}
