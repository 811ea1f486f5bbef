use super::bench::play;

#[test]
fn closing_sections() {
    for (rule, plan, script) in [
        (
            "on_failure, then finally, after a failure",
            "a\nf: on_failure\nz: finally",
            "taken -> owner; started; start a1
             fatal a1 -> fail a no; closing failed; start f1
             ok f1 -> ok f1; start z1
             ok z1 -> ok z1; ended failed no",
        ),
        (
            "after success on_failure is skipped and finally runs",
            "a\nf: on_failure\nz: finally",
            "taken -> owner; started; start a1
             ok a1 -> ok a1; closing succeeded; skip f condition; start z1
             ok z1 -> ok z1; ended succeeded",
        ),
        (
            "a failing finally fails the run",
            "a\nz: finally",
            "taken -> owner; started; start a1
             ok a1 -> ok a1; closing succeeded; start z1
             fatal z1 -> fail z no; ended failed no",
        ),
        (
            "a failing finally that may fail does not",
            "a\nz: finally continue",
            "taken -> owner; started; start a1
             ok a1 -> ok a1; closing succeeded; start z1
             fatal z1 -> fail z no; ended succeeded",
        ),
        (
            "needs hold within finally",
            "a\ny: finally\nz: y finally",
            "taken -> owner; started; start a1
             ok a1 -> ok a1; closing succeeded; start y1
             fatal y1 -> fail y no; skip z upstream; ended failed no",
        ),
        (
            "fail_fast: nothing further starts, what runs goes on",
            "a\nb: retry=2\nc: b\nd\nrun: fail_fast max=2",
            "taken -> owner; started; start a1; start b1
             fatal a1 -> fail a no; skip c runending; skip d runending
             ? b1
             fail b1 -> fail b down; ended failed no",
        ),
        (
            "without it, independent branches go on",
            "a\nb\nc: b",
            "taken -> owner; started; start a1; start b1
             fatal a1 -> fail a no
             ok b1 -> ok b1; start c1",
        ),
    ] {
        play(rule, plan, script);
    }
}
