//! What every kind must do, whatever it is.

use std::fs;

use millwork_engine::model::Name;

use crate::checking::{check, listing};

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    // The only file that an example names and does not bring along.
    let child = "version: 1\nname: child\ninputs:\n  who: {type: string}\nsteps:\n  - id: greet\n    uses: assert\n    \
                 with: {that: {condition: \"${{ inputs.who != '' }}\"}}\noutputs: {text: \"hello ${{ inputs.who }}\"}\n";
    fs::write(folder.path().join("child.yaml"), child).expect("a file");
    folder
}

#[test]
fn every_kind_describes_itself() {
    for kind in millwork_steps::registry().kinds() {
        let name = kind.name();
        assert!(name.split('.').all(|part| Name::new(part).is_some()), "{name}");
        assert!(kind.version() >= 1, "{name}");
        let summary = kind.summary();
        assert!(summary.ends_with('.') && summary.len() < 120 && !summary.contains('\n'), "{name}: {summary}");
        let schema = kind.schema();
        let schema = schema.as_value();
        assert_eq!(schema["type"], "object", "{name}");
        let fields = schema["properties"].as_object().unwrap_or_else(|| panic!("{name} has no fields"));
        for (field, about) in fields {
            assert!(about["description"].as_str().is_some_and(|text| !text.is_empty()), "{name}: {field}");
            assert!(kind.example().contains(name), "{name}");
        }
    }
}

#[test]
fn every_example_checks_clean_and_has_ports() {
    let (registry, folder) = (millwork_steps::registry(), folder());
    for kind in registry.kinds() {
        let checked = check("example.yaml", kind.example().as_bytes(), folder.path(), &registry);
        assert!(checked.diagnostics.is_empty(), "{}:\n{}", kind.name(), listing(&checked));
        let plan = checked.plan.expect("a plan");
        assert!(plan.nodes.iter().any(|node| node.spec.uses.as_ref().is_some_and(|uses| uses.value == kind.name())));
    }
}

/// A mistake in `with:` is found by each kind, where it stands.
#[test]
fn every_kind_names_an_unknown_key_where_it_stands() {
    let (registry, folder) = (millwork_steps::registry(), folder());
    for kind in registry.kinds() {
        for with in ["{zzz_nothing: 1}", "[1]", "text"] {
            let text = format!("version: 1\nname: p\nsteps:\n  - id: a\n    uses: {}\n    with: {with}\n", kind.name());
            let checked = check("p.yaml", text.as_bytes(), folder.path(), &registry);
            let found = listing(&checked);
            let wanted = if with.starts_with('{') { "6:12 P0004 " } else { "6:11 P0006 " };
            assert!(found.lines().any(|line| line.starts_with(wanted)), "{} with {with}:\n{found}", kind.name());
        }
        let text = format!("version: 1\nname: p\nsteps:\n  - id: a\n    uses: {}\n", kind.name());
        let checked = check("p.yaml", text.as_bytes(), folder.path(), &registry);
        for problem in &checked.diagnostics {
            let line = checked.source.position(problem.primary.span.start).line;
            assert!((4..=5).contains(&line), "{}: {}", kind.name(), problem.message);
        }
    }
}
