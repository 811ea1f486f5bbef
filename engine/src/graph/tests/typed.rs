use super::lines::check_with;
use crate::graph::{Form, Work};

fn outputs(text: &str, step: &str) -> Vec<String> {
    let checked = check_with(text, &[]);
    let plan = checked.plan.unwrap_or_else(|| panic!("{:#?}", checked.diagnostics));
    plan.node(step).expect("the step").outputs.iter().map(|(name, ty)| format!("{name}: {ty}")).collect()
}

#[test]
fn others_see_the_outputs_of_a_fan_out_as_lists_and_tables() {
    let failed = "failed_items: table<item: int, key: string, code: string, message: string>";
    assert_eq!(outputs("a rows for=`[1, 2]`", "a"), ["table: table<_item: int, a: int, b: string>", failed],);
    assert_eq!(outputs("a rows for=`[1, 2]` key=`item`", "a")[0], "table: table<_item: string, a: int, b: string>",);
    assert_eq!(outputs("a pure for=`[1, 2]`", "a")[0], "n: list<int>");
    assert_eq!(outputs("a pure for=`[1, 2]` min=0.5", "a")[0], "n: list<int?>");
    assert_eq!(outputs("a pure for=`[1, 2]` if=`item > 1`", "a")[0], "n: list<int?>");
    let body = "a for=`[1, 2]`\n  i pure\n  j rows needs=i";
    assert_eq!(outputs(body, "a")[0], "table: table<_item: int, a: int, b: string>");
}

#[test]
fn conditional_steps_give_what_may_be_missing() {
    assert_eq!(outputs("input x bool\na pure if=`inputs.x`", "a")[0], "n: int?");
    assert_eq!(outputs("a pure continue", "a")[0], "n: int?");
}

#[test]
fn the_shape_tells_the_machine_what_it_needs() {
    let text = "input x bool\na pure\nb pure if=`always()` needs=a\nc pure for=`[1]` if=`item > 0`\nd pure until=`outputs.flag`";
    let plan = check_with(text, &[]).plan;
    // The input is unused, which is a warning only.
    let plan = plan.expect("a plan");
    let nodes = &plan.shape.nodes;
    assert!(nodes[1].handles_failure && nodes[1].has_condition && !nodes[2].has_condition);
    assert!(matches!(nodes[2].form, Form::ForEach { .. }) && matches!(nodes[3].form, Form::Repeat { max: 3, .. }));
}

#[test]
fn a_body_is_a_plan_of_its_own() {
    let text = "a pure\nb for=`[1]`\n  i pure needs=j n=`${{ steps.a.outputs.n }}`\n  j effect";
    let plan = check_with(text, &[]).plan.expect("a plan");
    let Work::Body { nodes, order } = &plan.nodes[1].work else { panic!("a body") };
    assert_eq!((nodes.len(), order.as_slice()), (2, &[1, 0][..]));
    assert_eq!(plan.shape.nodes[1].needs.len(), 1);
    assert_eq!(plan.nodes[1].effect, crate::step::Effect::External);
}

#[test]
fn an_included_pipeline_gives_its_types_and_belongs_to_the_bundle() {
    let yaml = |step: &str| format!("version: 1\nname: x\nsteps: [{step}]\n");
    let texts = [
        (
            "sub/x.yaml",
            yaml("{id: a, uses: nested, with: {file: y.yaml}}") + "outputs: {n: '${{ steps.a.outputs.m }}'}\n",
        ),
        ("sub/y.yaml", yaml("{id: b, uses: pure}") + "outputs: {m: '${{ steps.b.outputs.n }}'}\n"),
        ("bad.yaml", yaml("{id: a, uses: pure, with: {n: '${{ inputs.x }}'}}")),
        ("sub/circle.yaml", yaml("{id: a, uses: nested, with: {file: ../p.yaml}}")),
    ];
    let files = texts.each_ref().map(|(name, text)| (*name, text.as_str()));
    let checked = check_with("c nested file=sub/x.yaml\nd pure n=`${{ steps.c.outputs.n }}`", &files);
    let plan = checked.plan.unwrap_or_else(|| panic!("{:#?}", checked.diagnostics));
    assert_eq!(plan.bundle.files.keys().collect::<Vec<_>>(), ["sub/x.yaml", "sub/y.yaml"]);
    assert!(plan.bundle.kinds.contains_key("pure"));
    let child = plan.bundle.child("sub/x.yaml").expect("the child's bundle");
    assert!(child.file("y.yaml").is_some());

    let message = |text: &str| check_with(text, &files).diagnostics[0].message.clone();
    assert_eq!(message("c nested file=bad.yaml"), "bad.yaml:3:51: error[E0020]: there is no input `x`");
    let circle = message("c nested file=sub/circle.yaml");
    assert!(circle.contains("a pipeline includes itself: p.yaml -> sub/circle.yaml -> p.yaml"), "{circle}");
}

#[test]
fn strict_lists_what_is_not_typed() {
    let checked = check_with("input x any\na pure n=`${{ inputs.x }}`", &[]);
    let places: Vec<_> =
        checked.untyped.iter().map(|(span, what)| (checked.source.slice(*span), what.as_str())).collect();
    assert!(places.contains(&("${{ inputs.x }}", "`n` needs int and is not known before the run")), "{places:?}");
}

#[test]
fn a_missing_value_is_explained() {
    let checked = check_with("a pure continue\nb pure n=`${{ steps.a.outputs.n }}`", &[]);
    let problem = &checked.diagnostics[0];
    assert_eq!(problem.message, "the value may be missing (int?) where int is needed");
    assert!(problem.help.as_deref().is_some_and(|help| help.contains("??")));
}
