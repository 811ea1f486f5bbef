//! Mistakes, each with its code and the text that is underlined.

use super::lines::check_with;

/// What each problem is and what it underlines.
fn found(text: &str) -> Vec<String> {
    let checked = check_with(text, &[]);
    assert_eq!(
        checked.plan.is_some(),
        checked.diagnostics.iter().all(|d| d.severity == crate::diag::Severity::Warning)
    );
    checked.diagnostics.iter().map(|d| format!("{} {}", d.code, checked.source.slice(d.primary.span))).collect()
}

#[test]
fn mistakes_have_a_code_and_a_place() {
    let cases: &[(&str, &[&str])] = &[
        // Names.
        ("a puer", &["G0001 puer"]),
        ("a pure needs=b", &["G0002 b"]),
        ("a pure n=`${{ steps.b.outputs.n }}`", &["E0020 b"]),
        ("a pure\nb pure n=`${{ steps.a.outputs.m }}`", &["E0020 m"]),
        ("a pure n=`${{ inputs.x }}`", &["E0020 x"]),
        ("a pure s=`${{ item }}`", &["E0020 item"]),
        ("a pure s=`${{ secrets.T }}`", &["T0006 secrets.T", "E0020 T"]),
        ("a pure s=`${{ state.last }}`", &["E0020 last"]),
        ("a pure s=`${{ run.nmae }}`", &["E0007 nmae"]),
        ("a pure s=`${{ run.error.message }}`", &["E0020 error.message"]),
        ("a pure s=`${{ outputs.s }}`", &["E0020 s"]),
        ("a pure if=`failed('b')`", &["E0020 failed('b')"]),
        ("a pure n=`${{ steps.a.outputs.n }}`", &["G0003 steps.a.outputs.n"]),
        ("a pure\nb pure n=`${{ steps.a.items.total }}`", &["E0020 items"]),
        // Circles.
        ("a pure needs=b\nb pure needs=a", &["G0003 b"]),
        ("a pure n=`${{ steps.b.outputs.n }}`\nb pure needs=a", &["G0003 steps.b.outputs.n"]),
        ("a pure needs=b\nb pure needs=a\nc pure needs=d\nd pure needs=c", &["G0003 b", "G0003 d"]),
        // Types on edges.
        ("a pure\nb pure n=`${{ steps.a.outputs.s }}`", &["T0001 ${{ steps.a.outputs.s }}"]),
        ("a pure\nb pure s=`${{ steps.a.outputs.n }}`", &["T0001 ${{ steps.a.outputs.n }}"]),
        ("a rows\nb pure names=`${{ steps.a.outputs.table }}`", &["T0001 ${{ steps.a.outputs.table }}"]),
        ("a pure n=many", &["T0004 many"]),
        ("a pure wait=10", &["T0004 10"]),
        ("a pure names=[x,7]", &["T0004 7"]),
        ("a pure m=1", &["P0004 m"]),
        ("a query", &["P0005 query"]),
        ("a query query=7", &["P0006 7"]),
        ("input x int?\na pure n=`${{ inputs.x }}`", &["T0002 ${{ inputs.x }}"]),
        ("input x int abc\na pure n=`${{ inputs.x }}`", &["T0004 abc"]),
        ("input x int `${{ today() }}`\na pure n=`${{ inputs.x }}`", &["T0001 ${{ today() }}"]),
        ("input x int\ninput y int `${{ inputs.x }}`\na pure n=`${{ inputs.x + inputs.y }}`", &["E0020 x"]),
        // What may be missing.
        (
            "input x bool\na pure if=`inputs.x`\nb pure n=`${{ steps.a.outputs.n }}`",
            &["T0002 ${{ steps.a.outputs.n }}"],
        ),
        ("a pure continue\nb pure n=`${{ steps.a.outputs.n }}`", &["T0002 ${{ steps.a.outputs.n }}"]),
        ("a pure\nfinally:\nb pure n=`${{ steps.a.outputs.n }}`", &["T0002 ${{ steps.a.outputs.n }}"]),
        ("a pure\nb pure if=`always()` n=`${{ steps.a.outputs.n }}`", &["T0002 ${{ steps.a.outputs.n }}"]),
        ("input x bool\na rows if=`inputs.x`\nb query query=`from a`", &["T0002 a"]),
        (
            "input x bool\na pure if=`inputs.x`\nb pure if=`steps.a.outputs.n > 0 && inputs.x`",
            &["E0013 steps.a.outputs.n"],
        ),
        // Conditions.
        ("a pure\nb pure if=`steps.a.outputs.n`", &["T0003 steps.a.outputs.n"]),
        ("a pure until=`outputs.s`", &["T0003 outputs.s"]),
        ("a pure until=`outputs.x`", &["E0020 x"]),
        ("a pure\nb pure if=`failure()`", &["L0001 failure()"]),
        ("a pure if=`1 > 2`", &["L0001 1 > 2"]),
        ("a pure if=`true`", &["L0002 true"]),
        ("input x bool\na pure if=`inputs.x && !inputs.x`", &["L0001 inputs.x && !inputs.x"]),
        // Fan-outs.
        ("a pure for=`5`", &["T0007 5"]),
        ("input l `list<int>`\na pure for=`inputs.l` s=`${{ item }}`", &["T0001 ${{ item }}"]),
        ("input l `list<int>`\na pure for=`inputs.l` s=`${{ item_key }}`", &["E0020 item_key"]),
        ("input l `list<int>?`\na pure for=`inputs.l`", &["T0002 inputs.l"]),
        (
            "input l `list<int>`\na pure for=`inputs.l`\nb pure n=`${{ steps.a.outputs.n }}`",
            &["T0001 ${{ steps.a.outputs.n }}"],
        ),
        ("input l `list<int>`\na for=`inputs.l`\n  i pure\nb pure n=`${{ steps.i.outputs.n }}`", &["E0020 i"]),
        ("input l `list<int>`\na for=`inputs.l`\n  i pure for=`inputs.l`", &["G0009 i"]),
        ("input l `list<int>`\na for=`inputs.l`\n  i pure needs=j\n  j pure needs=i", &["G0003 j"]),
        ("input l `list<int>`\na pure for=`inputs.l` key=`inputs.l`", &["T0001 inputs.l"]),
        // Sections.
        ("a pure needs=b\nfinally:\nb pure", &["G0002 b"]),
        ("a pure\non_failure:\nb pure\nfinally:\nc pure needs=b", &["G0002 b"]),
        // Effects, tables, secrets, the rest.
        ("a effect cache", &["G0008 a"]),
        ("a effect recompute", &["G0007 a"]),
        ("a effect\nb effect", &["L0003 b"]),
        ("a two\nb query query=`from a`", &["T0008 a"]),
        ("a pure value=1\nb query query=`from a`", &["T0008 a"]),
        ("secret T\na pure s=`${{ secrets.T }}`", &["T0006 secrets.T"]),
        ("secret T\na pure", &["L0005 T"]),
        ("input x int\na pure", &["L0004 x"]),
        ("a pure env=`${{ [1] }}`", &["T0001 ${{ [1] }}"]),
        ("a rows state=`t:${{ outputs.table }}`", &["T0001 ${{ outputs.table }}"]),
        ("group `${{ [1] }}`\na pure", &["T0001 ${{ [1] }}"]),
        ("group `${{ steps.a.outputs.s }}`\na pure", &["E0020 a"]),
        ("a pure\noutput x `${{ steps.a.outputs.x }}`", &["E0020 x"]),
        ("a pure\ntest given=b.n", &["G0002 b"]),
        ("a pure\ntest given=a.m", &["T0009 m"]),
        ("a pure\ntest expect=a.m", &["T0009 m"]),
        ("a pure\ntest input=x:1", &["T0009 1"]),
        ("a pure\ntest output=x", &["T0009 x"]),
        ("a pure\ntest status=done", &["T0004 done"]),
        ("input x int\na pure n=`${{ inputs.x }}`\ntest input=x:abc", &["T0004 abc"]),
        ("a nested file=b.yaml", &["G0005 b.yaml"]),
        ("a nested file=p.yaml", &["G0006 p.yaml"]),
        // Several at once, and no noise.
        ("a puer\nb pure n=`${{ steps.a.outputs.n }}` m=1", &["G0001 puer", "P0004 m"]),
        ("a pure m=1\nb pure n=`${{ steps.a.outputs.whatever }}`", &["P0004 m"]),
        ("a pure n=`${{ inputs.x }}` s=`${{ inputs.y }}`", &["E0020 x", "E0020 y"]),
    ];
    let mut failed = Vec::new();
    for (text, expected) in cases {
        let found = found(text);
        if found != *expected {
            failed.push(format!("{text}\n  found    {found:?}\n  expected {expected:?}"));
        }
    }
    assert!(failed.is_empty(), "{} of {}:\n{}", failed.len(), cases.len(), failed.join("\n"));
}

#[test]
fn good_pipelines_have_nothing_to_report() {
    for text in [
        "a pure\nb pure n=`${{ steps.a.outputs.n }}` s=`n is ${{ steps.a.outputs.n }}`",
        // Guards: the same condition, a part of it, a fallback.
        "input x bool\na pure if=`inputs.x`\nb pure if=`inputs.x` n=`${{ steps.a.outputs.n }}`",
        "input x bool\na pure if=`inputs.x`\nb pure if=`run.attempt > 1 && inputs.x` n=`${{ steps.a.outputs.n }}`",
        "input x bool\na pure if=`inputs.x`\nb pure n=`${{ steps.a.outputs.n ?? 0 }}`",
        "input x bool\na pure if=`inputs.x`\nb pure if=`inputs.x && steps.a.outputs.n > 0` n=`${{ steps.a.outputs.n }}`",
        "input x bool\na pure if=`inputs.x`\nb for=`[1]` if=`inputs.x`\n  i pure n=`${{ steps.a.outputs.n }}`",
        "input x bool\na rows if=`inputs.x`\nb query if=`inputs.x` query=`from a`",
        // Fan-outs.
        "input l `list<string>`\na pure for=`inputs.l` s=`${{ item }}` n=`${{ item_index }}`\nb pure names=`${{ steps.a.outputs.s }}`",
        "input l `list<string>`\na pure for=`inputs.l` key=`item` s=`${{ item_key }}` if=`item != 'x'`",
        "input l `list<int>`\na for=`inputs.l`\n  i pure n=`${{ item }}`\n  j pure n=`${{ steps.i.outputs.n }}`\nb pure value=`${{ steps.a.outputs.n }}`",
        "a rows\nb pure for=`steps.a.outputs.table` value=`${{ item.b }}`",
        "a rows\nb query for=`[1, 2]` query=`from a`\nc query query=`from b`",
        // Secrets, sections, state, defaults, tests.
        "secret T\na pure token=`${{ secrets.T }}`",
        "secret T\na pure env=`${{ secrets.T }}`",
        "a pure\non_failure:\nb pure s=`${{ run.error.message }}`\nc pure needs=b\nfinally:\nd pure s=`${{ steps.a.status }}`",
        "a pure state=`last:${{ outputs.n }}` value=`${{ state.last ?? 0 }}`",
        "input d date `2013-01-01`\ninput e date `${{ run.interval.start ?? today() }}`\na pure value=`${{ [inputs.d, inputs.e] }}`",
        "a effect\nb effect needs=a",
        "sequence\na effect\nb effect",
        "input x bool\na effect if=`inputs.x`\nb effect if=`!inputs.x`",
        "a pure\nb pure if=`failed('a')`",
        "a pure\noutput n `${{ steps.a.outputs.n }}`\ntest given=a.n expect=a.status output=n status=failed",
    ] {
        assert_eq!(found(text), Vec::<String>::new(), "{text}");
    }
}
