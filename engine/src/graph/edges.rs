use super::{
    Edge, Section,
    draft::{Draft, Need},
    names::{Ids, Place, Viewer},
    walk::find_word,
};
use crate::{
    diag::{Code, Diagnostic, Span},
    expr::{Root, StatusCall},
    spec::Order,
    step::{Names, Read},
};

/// Asks kinds what they read, and finds what each step needs.
pub(super) fn connect(drafts: &mut [Draft], ids: &Ids, order: Order, problems: &mut Vec<Diagnostic>) {
    let sections = [Section::Main, Section::OnFailure, Section::Finally];
    let names = sections.map(|section| ids.names(Viewer { section, within: None }));
    for at in 0..drafts.len() {
        let section = drafts[at].section;
        let seen = &names[sections.iter().position(|s| *s == section).unwrap_or(0)];
        connect_one(&mut drafts[at], ids, Viewer { section, within: None }, seen, problems);
        if !drafts[at].body.is_empty() {
            connect_body(drafts, at, ids, seen, problems);
        }
        if order == Order::Sequence && at > 0 && drafts[at - 1].section == section {
            let span = drafts[at].spec.id.span;
            drafts[at].needs.entry(at - 1).or_insert(Need { edge: Edge::Order, span });
        }
    }
    for at in 0..drafts.len() {
        // Other sections end before this one begins: no edge is needed, and none is made.
        let section = drafts[at].section;
        let others: Vec<usize> = drafts[at].needs.keys().copied().filter(|n| drafts[*n].section != section).collect();
        drafts[at].needs.retain(|needed, _| !others.contains(needed));
    }
}

fn connect_body(drafts: &mut [Draft], at: usize, ids: &Ids, outside: &Names, problems: &mut Vec<Diagnostic>) {
    let viewer = Viewer { section: drafts[at].section, within: Some(at) };
    let inner = drafts[at].body.iter().map(|step| step.spec.id.value.clone());
    let seen = Names::new(outside.steps.iter().cloned().chain(inner).collect());
    let mut body = std::mem::take(&mut drafts[at].body);
    for step in &mut body {
        connect_one(step, ids, viewer, &seen, problems);
        for (needed, need) in &step.outer {
            drafts[at].needs.entry(*needed).or_insert(*need);
        }
    }
    drafts[at].body = body;
}

fn connect_one(draft: &mut Draft, ids: &Ids, viewer: Viewer, names: &Names, problems: &mut Vec<Diagnostic>) {
    if let (Some(kind), Some(config)) = (&draft.kind, &draft.config) {
        match kind.reads(config, names) {
            Ok(reads) => draft.reads = reads,
            Err(found) => problems.extend(found),
        }
    }
    let mut found: Vec<(Place, Need)> = Vec::new();
    for needed in &draft.spec.needs {
        match ids.find(viewer, needed.value.as_str()) {
            Ok(place) => found.push((place, Need { edge: Edge::Order, span: needed.span })),
            Err(why) => {
                let known = names.steps.iter().map(|name| name.as_str());
                let problem = Diagnostic::new(Code::UnknownStep, needed.span, why.why);
                problems.push(problem.did_you_mean(needed.value.as_str(), known).help(why.help));
            }
        }
    }
    draft.each_expr(&mut |expr| {
        for reference in expr.references() {
            if let Root::Step { step, .. } = &reference.root
                && let Ok(place) = ids.find(viewer, step.as_str())
            {
                found.push((place, Need { edge: Edge::Data, span: reference.span }));
            }
        }
        for call in expr.status_calls() {
            if let StatusCall::Failed(step) = call
                && let Ok(place) = ids.find(viewer, step.as_str())
            {
                found.push((place, Need { edge: Edge::Order, span: expr.span() }));
            }
        }
    });
    for read in &draft.reads {
        let step = match read {
            Read::TableOf(step) | Read::Root(Root::Step { step, .. }) => step,
            Read::Root(_) => continue,
        };
        let span = place_of(draft, step.as_str());
        match ids.find(viewer, step.as_str()) {
            Ok(place) => found.push((place, Need { edge: Edge::Data, span })),
            Err(why) => problems.push(Diagnostic::new(Code::UnknownStep, span, why.why).help(why.help)),
        }
    }
    for (place, need) in found {
        let needs = match (place, viewer.within) {
            (Place::Top(at), Some(_)) => draft.outer.entry(at),
            (Place::Top(at) | Place::Body(_, at), _) => draft.needs.entry(at),
        };
        // Data says more than order.
        needs
            .and_modify(|n| {
                if need.edge == Edge::Data {
                    *n = need;
                }
            })
            .or_insert(need);
    }
}

/// Where a step that a kind reads is named.
pub(super) fn place_of(draft: &Draft, step: &str) -> Span {
    draft.spec.with.as_ref().and_then(|with| find_word(with, step)).unwrap_or_else(|| draft.with_span())
}
