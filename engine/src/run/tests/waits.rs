use super::bench::play;

#[test]
fn waits() {
    for (rule, plan, script) in [
        (
            "a step that parks holds no slot and goes on as the same attempt",
            "a\nb\nrun: max=1",
            "taken -> owner; started; start a1
             parked a1 approval -> wait a1; start b1
             is running
             ok b1 -> ok b1
             is waiting
             answer a -> answer a mai; start a1
             ok a1 -> ok a1; ended succeeded",
        ),
        (
            "a time ends its wait itself",
            "a",
            "taken -> owner; started; start a1
             parked a1 until 9s -> wait a1
             ? wake +9s
             @9s tick -> answer a time; start a1",
        ),
        (
            "an approval that nobody gives in time is for its step to judge",
            "a",
            "taken -> owner; started; start a1
             parked a1 approval 4s -> wait a1
             @4s tick -> answer a time; start a1",
        ),
        (
            "an answer to a step that does not wait is nothing",
            "a",
            "taken -> owner; started; start a1
             answer a -> nothing",
        ),
        (
            "more budget lets a parked step go on",
            "a",
            "taken -> owner; started; start a1
             parked a1 budget -> wait a1
             ? nothing
             answer a -> answer a mai; start a1",
        ),
        (
            "an answer that comes while the run is interrupted is kept",
            "a",
            "taken -> owner; started; start a1
             parked a1 approval -> wait a1
             interrupt -> interrupted
             answer a -> answer a mai
             resume -> resumed; start a1",
        ),
        (
            "a wait outlives its process",
            "a",
            "taken -> owner; started; start a1
             parked a1 approval -> wait a1
             taken -> owner
             is waiting
             answer a -> answer a mai; start a1",
        ),
    ] {
        play(rule, plan, script);
    }
}

#[test]
fn deadlines() {
    for (rule, plan, script) in [
        (
            "a step over its deadline is stopped, then fails",
            "a: deadline=3s",
            "taken -> owner; started; start a1
             ? a1, wake +3s
             @3s tick -> nothing
             ? stop a
             stopped a1 -> fail a deadline; ended failed deadline",
        ),
        (
            "an attempt that succeeds while it is stopped has succeeded",
            "a: deadline=3s",
            "taken -> owner; started; start a1
             @4s ok a1 -> ok a1; ended succeeded",
        ),
        (
            "a deadline goes over all attempts",
            "a: deadline=3s retry=9",
            "taken -> owner; started; start a1
             fail a1 -> again a1 +2s
             @2s tick -> start a2
             fail a2 -> again a2 +4s
             ? wake +1s
             @3s tick -> fail a deadline; ended failed deadline",
        ),
        (
            "a deadline ends a wait",
            "a: deadline=3s",
            "taken -> owner; started; start a1
             parked a1 approval -> wait a1
             @3s tick -> fail a deadline; ended failed deadline",
        ),
        (
            "the run's deadline ends it as a cancel does, and it fails",
            "a\nb: a\nz: finally\nrun: deadline=5s",
            "taken -> owner; started; start a1
             ? a1, wake +5s
             @5s tick -> late; skip b runending
             ? stop a
             stopped a1 -> cancel a; closing failed; start z1
             ok z1 -> ok z1; ended failed run.deadline",
        ),
        (
            "a fan-out over its deadline starts no items and fails when none is under way",
            "a: each each_max=1 deadline=3s",
            "taken -> owner; started; start a1
             items a 3 -> plan a 3
             @3s item a 0 ok -> items a 0-0 succeeded; fail a deadline; ended failed deadline",
        ),
    ] {
        play(rule, plan, script);
    }
}
