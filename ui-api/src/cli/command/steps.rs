use std::path::Path;

use millwork_engine::{
    graph::Work,
    model::Fault,
    step::{Effect, ErasedKind, Ports, Registry},
};
use serde_json::{Value as Json, json};

use super::fields::Fields;
use crate::cli::{
    Exit, link,
    output::{Output, Tone},
    words::near_or_all,
    workspace::Workspace,
};

/// The catalogue, or the page of one kind.
pub(super) fn steps(output: &Output, name: Option<&str>, as_json: bool) -> Result<Exit, Fault> {
    let registry = millwork_steps::registry();
    match name {
        None if as_json => registry.kinds().for_each(|kind| output.json(&entry(kind.as_ref(), &registry))),
        None => {
            let row = |kind: &dyn ErasedKind| {
                vec![kind.name().to_owned(), effect(kind.default_effect()).to_owned(), kind.summary().to_owned()]
            };
            let rows: Vec<_> = registry.kinds().map(|kind| row(kind.as_ref())).collect();
            output.table(&["KIND", "EFFECT", ""], &rows);
        }
        Some(name) => {
            let kind = registry.get(name).ok_or_else(|| unknown(name, &registry))?;
            if as_json {
                output.json(&entry(kind.as_ref(), &registry));
            } else {
                page(output, kind.as_ref(), &registry);
            }
        }
    }
    Ok(Exit::Ok)
}

fn unknown(name: &str, registry: &Registry) -> Fault {
    let names: Vec<&str> = registry.kinds().map(|kind| kind.name()).collect();
    Fault::user("cli.usage", format!("there is no kind `{name}`")).help(near_or_all(name, &names))
}

/// The outputs of a kind. They follow from a configuration: that of the example, where it can be planned
/// without other files.
fn ports_of(kind: &dyn ErasedKind, registry: &Registry) -> Ports {
    let alone = Workspace::default();
    let checked =
        link::check("example.yaml", kind.example().as_bytes(), Path::new("/"), registry, false, false, &alone);
    let nodes = checked.plan.iter().flat_map(|plan| &plan.nodes);
    let of_kind = nodes.filter_map(|node| match &node.work {
        Work::Kind { kind: found, ports, .. } if found.name() == kind.name() => Some(ports.clone()),
        _ => None,
    });
    of_kind.last().unwrap_or_else(Ports::none)
}

fn entry(kind: &dyn ErasedKind, registry: &Registry) -> Json {
    let outputs = ports_of(kind, registry).outputs;
    let outputs: serde_json::Map<String, Json> = outputs
        .into_iter()
        .map(|(name, port)| (name.to_string(), json!({"type": port.ty.to_string(), "description": port.doc})))
        .collect();
    json!({
        "name": kind.name(),
        "version": kind.version(),
        "effect": kind.default_effect(),
        "summary": kind.summary(),
        "config": kind.schema(),
        "outputs": outputs,
        "example": kind.example(),
    })
}

fn effect(effect: Effect) -> &'static str {
    match effect {
        Effect::Pure => "pure",
        Effect::Idempotent => "idempotent",
        Effect::External => "external",
    }
}

fn page(output: &Output, kind: &dyn ErasedKind, registry: &Registry) {
    let head = output.paint(Tone::Strong, kind.name());
    output.result(format!("{head} (version {}, {})", kind.version(), effect(kind.default_effect())));
    output.result(kind.summary());
    let schema = serde_json::to_value(kind.schema()).unwrap_or(Json::Null);
    output.result("\nwith:");
    for line in Fields::lines(&schema, output.width().min(100), &|name| output.paint(Tone::Strong, name)) {
        output.result(line);
    }
    let ports = ports_of(kind, registry);
    if !ports.outputs.is_empty() {
        output.result("\noutputs, in the example:");
    }
    for (name, port) in &ports.outputs {
        output.result(format!("  {} ({})", output.paint(Tone::Strong, name.as_str()), port.ty));
        output.result(format!("      {}", port.doc));
    }
    output.result(format!("\nexample:\n{}", kind.example().trim_end()));
}
