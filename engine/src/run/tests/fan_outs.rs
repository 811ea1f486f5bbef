use super::bench::{Bench, play};

#[test]
fn fan_outs() {
    for (rule, plan, script) in [
        (
            "items run, are settled in ranges, and are gathered",
            "a: each\nb: a",
            "taken -> owner; started; start a1
             ? list a
             items a 3 -> plan a 3
             ? a[0]1, a[1]1, a[2]1
             item a 0 ok + item a 2 skip + item a 1 ok -> items a 0-1 succeeded, 2-2 skipped
             ? gather a
             gathered a -> ok a1; start b1",
        ),
        (
            "no items: gathered at once",
            "a: each",
            "taken -> owner; started; start a1
             items a 0 -> plan a 0
             ? gather a
             gathered a -> ok a1; ended succeeded",
        ),
        (
            "as many items run as the limits allow",
            "a: each each_max=2\nrun: max=3\nb",
            "taken -> owner; started; start a1; start b1
             items a 5 -> plan a 5
             ? a[0]1, a[1]1, b1
             item a 1 ok -> items a 1-1 succeeded
             ? a[0]1, a[2]1, b1",
        ),
        (
            "a slot that an item leaves goes to the step whose turn it is",
            "a: each\nc: prio=10\nb: c prio=9\nrun: max=2",
            "taken -> owner; started; start a1; start c1
             items a 5 -> plan a 5
             ? a[0]1, c1
             ok c1 -> ok c1; start b1
             item a 0 ok -> items a 0-0 succeeded
             ? a[1]1, b1
             item a 1 ok + ok b1 -> items a 1-1 succeeded; ok b1
             ? a[2]1, a[3]1",
        ),
        (
            "an item is tried again in its slot",
            "a: each each_max=1 retry=2",
            "taken -> owner; started; start a1
             items a 2 -> plan a 2
             item a 0 fail 1 -> again a 0.1 +2s
             ? wake +2s
             @2s tick -> nothing
             ? a[0]2
             item a 0 fail 1 -> nothing
             item a 0 fail 2 -> items a 0-0 failed
             ? a[1]1",
        ),
        (
            "enough items that succeed are enough, skipped ones do not count",
            "a: each min=0.5",
            "taken -> owner; started; start a1
             items a 3 -> plan a 3
             item a 0 ok + item a 1 fatal 1 + item a 2 skip -> items a 0-0 succeeded, 1-1 failed, 2-2 skipped
             gathered a -> ok a1; ended succeeded",
        ),
        (
            "too few fail the step, what there is is kept",
            "a: each",
            "taken -> owner; started; start a1
             items a 2 -> plan a 2
             item a 0 fatal 1 -> items a 0-0 failed
             item a 1 ok -> items a 1-1 succeeded
             gathered a -> fail a items.failed partial; ended failed items.failed",
        ),
        (
            "with fail_fast a fan-out that cannot reach its share starts no more items",
            "a: each each_max=1\nrun: fail_fast",
            "taken -> owner; started; start a1
             items a 9 -> plan a 9
             item a 0 fatal 1 -> items a 0-0 failed
             ? gather a
             gathered a -> fail a items.failed partial; ended failed items.failed",
        ),
        (
            "a list that cannot be made fails the step",
            "a: each",
            "taken -> owner; started; start a1
             items a fault -> fail a no; ended failed no",
        ),
        (
            "gathering that fails fails the step",
            "a: each",
            "taken -> owner; started; start a1
             items a 0 -> plan a 0
             gathered a fault -> fail a no; ended failed no",
        ),
        (
            "a new owner goes on with the items that have not ended",
            "a: each each_max=2",
            "taken -> owner; started; start a1
             items a 4 -> plan a 4
             item a 0 ok -> items a 0-0 succeeded
             taken -> owner
             ? a[1]1, a[2]1
             items a 4 -> nothing
             item a 0 ok -> nothing",
        ),
        (
            "another list after a crash is a named fault",
            "a: each",
            "taken -> owner; started; start a1
             items a 4 -> plan a 4
             taken -> owner
             items a 4 other -> fail a items.changed; ended failed items.changed",
        ),
        (
            "a resume runs the items that failed, their attempts count on",
            "a: each",
            "taken -> owner; started; start a1
             items a 2 -> plan a 2
             item a 0 ok + item a 1 fatal 1 -> items a 0-0 succeeded, 1-1 failed
             gathered a -> fail a items.failed partial; ended failed items.failed
             resume -> resumed; start a2
             ? a[1]2
             item a 1 ok -> items a 1-1 succeeded
             gathered a -> ok a2; ended succeeded",
        ),
        (
            "a cancelled fan-out ends when none of its items is under way",
            "a: each each_max=2",
            "taken -> owner; started; start a1
             items a 9 -> plan a 9
             cancel -> cancel requested
             ? stop a
             item a 0 stopped -> items a 0-0 cancelled
             item a 1 ok -> items a 1-1 succeeded; cancel a; ended cancelled
             ? nothing",
        ),
    ] {
        play(rule, plan, script);
    }
}

#[test]
fn a_hundred_thousand_items_cost_the_same_each() {
    let mut bench = Bench::new("a: each\nrun: max=64");
    bench.give("taken");
    bench.give("items a 100000");
    let began = std::time::Instant::now();
    for item in 0..100_000 {
        assert!(bench.state.items_left(bench.node("a")) == 100_000 - item);
        bench.give(&format!("item a {item} ok"));
        if item % 1000 == 0 {
            assert_eq!(bench.commands().matches("a[").count(), 64.min(99_999 - item as usize));
        }
    }
    assert_eq!(bench.commands(), "gather a");
    // Generous: what is guarded against is a cost that grows with the number of items.
    assert!(began.elapsed().as_secs() < 30, "{:?}", began.elapsed());
    assert!(bench.state.to_snapshot().len() < 100_000);
}
