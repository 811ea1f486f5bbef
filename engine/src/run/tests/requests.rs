use super::bench::play;

#[test]
fn cancel_and_interrupt() {
    for (rule, plan, script) in [
        (
            "a cancel stops what runs, skips what has not begun, and runs finally",
            "a\nb: a\nc: retry=2\nz: finally",
            "taken -> owner; started; start a1; start c1
             fail c1 -> again c1 +2s
             cancel -> cancel requested; skip b runending; cancel c
             ? stop a
             stopped a1 -> cancel a; closing cancelled; start z1
             ok z1 -> ok z1; ended cancelled",
        ),
        (
            "a second cancel is nothing, an interrupt ends at once",
            "a\nz: finally",
            "taken -> owner; started; start a1
             cancel -> cancel requested
             cancel -> nothing
             interrupt -> interrupted
             ? nothing
             stopped a1 -> nothing
             is interrupted",
        ),
        (
            "a waiting step is cancelled at once",
            "a",
            "taken -> owner; started; start a1
             parked a1 approval -> wait a1
             cancel -> cancel requested; cancel a; ended cancelled",
        ),
        (
            "what was being stopped when the process died is over",
            "a\nz: finally",
            "taken -> owner; started; start a1
             cancel -> cancel requested
             taken -> owner; cancel a; closing cancelled; start z1",
        ),
        (
            "a cancel while closing changes nothing",
            "a\nz: finally",
            "taken -> owner; started; start a1
             ok a1 -> ok a1; closing succeeded; start z1
             cancel -> nothing",
        ),
        (
            "a cancel after the end is nothing",
            "a",
            "taken -> owner; started; start a1
             ok a1 -> ok a1; ended succeeded
             cancel + interrupt + tick -> nothing",
        ),
    ] {
        play(rule, plan, script);
    }
}

#[test]
fn takeover_and_resume() {
    for (rule, plan, script) in [
        (
            "a new owner makes the attempt again under its number: a crash eats no retry",
            "a: retry=2",
            "taken -> owner; started; start a1
             taken -> owner
             ? a1
             fail a1 -> again a1 +2s
             taken -> owner
             ? wake +2s",
        ),
        (
            "an interrupted run goes on where it was",
            "a\nb: a",
            "taken -> owner; started; start a1
             interrupt -> interrupted
             taken -> owner
             ? nothing
             resume -> resumed
             ? a1
             ok a1 -> ok a1; start b1",
        ),
        (
            "an interrupted run asks for nothing, a condition to be evaluated comes again with the resume",
            "a\nb: if",
            "taken -> owner; started; start a1
             ? if b, a1
             interrupt -> interrupted
             ? nothing
             resume -> resumed
             ? if b, a1
             interrupt -> interrupted",
        ),
        (
            "a resume runs what failed and what it held up, and nothing else",
            "a\nb: a retry=2\nc: b\nd: if",
            "taken -> owner; started; start a1
             if d no -> skip d condition
             ok a1 -> ok a1; start b1
             fatal b1 -> fail b no; skip c upstream; ended failed no
             taken -> owner
             resume -> resumed; start b2
             fail b2 -> again b2 +2s
             @2s tick -> start b3
             ok b3 -> ok b3; start c1
             ok c1 -> ok c1; ended succeeded",
        ),
        (
            "a condition that read what runs again is evaluated again",
            "a\nb: a handles\n",
            "taken -> owner; started; start a1
             fatal a1 -> fail a no
             if b no -> skip b condition; ended failed no
             resume -> resumed; start a2
             ok a2 -> ok a2
             ? if b",
        ),
        (
            "a cancelled run can be resumed, finally that succeeded does not run again",
            "a\nz: finally",
            "taken -> owner; started; start a1
             cancel -> cancel requested
             stopped a1 -> cancel a; closing cancelled; start z1
             ok z1 -> ok z1; ended cancelled
             resume -> resumed; start a2
             ok a2 -> ok a2; closing succeeded; ended succeeded",
        ),
        (
            "a resume of a run under way is nothing",
            "a",
            "taken -> owner; started; start a1
             resume -> nothing",
        ),
        (
            "a deadline that has passed does not hold for a resume",
            "a\nrun: deadline=5s",
            "taken -> owner; started; start a1
             @5s tick -> late
             stopped a1 -> cancel a; ended failed run.deadline
             @9s resume -> resumed; start a2
             ? a2",
        ),
    ] {
        play(rule, plan, script);
    }
}
