use std::collections::HashSet;

use super::{Section, draft::Draft, walk::each_expr};
use crate::{
    diag::{Code, Diagnostic},
    expr::{Expr, Root},
    spec::{Order, PipelineSpec, TriggerSpec},
    step::Effect,
};

/// Steps looked at in all to find paths, so that the lint stays linear.
const MOST_VISITS: usize = 2_000_000;
/// Reports in all: who has more of them has understood.
const MOST_REPORTS: usize = 20;

/// Pairs of steps with effects that follow each other in the file and have no path between them.
/// Idempotent effects do not count: running those in another order leaves the same behind, unless
/// they meet at one target, which the kinds know and this does not.
pub(super) fn unordered(drafts: &[Draft], order: &[usize], written: Order, problems: &mut Vec<Diagnostic>) {
    if written == Order::Sequence {
        return;
    }
    let mut rank = vec![0; drafts.len()];
    order.iter().enumerate().for_each(|(i, at)| rank[*at] = i);
    let effects: Vec<usize> = (0..drafts.len())
        .filter(|at| drafts[*at].effect == Effect::External && drafts[*at].section == Section::Main)
        .collect();
    let (mut visits, mut reports) = (0, 0);
    for pair in effects.windows(2) {
        let (early, late) = if rank[pair[0]] < rank[pair[1]] { (pair[0], pair[1]) } else { (pair[1], pair[0]) };
        let both: Vec<String> = drafts[early].guards.iter().chain(&drafts[late].guards).cloned().collect();
        if reports >= MOST_REPORTS || visits >= MOST_VISITS {
            return;
        }
        if reaches(drafts, &rank, late, early, &mut visits) || super::guard::contradicts(&both) {
            continue;
        }
        reports += 1;
        let (first, second) = (&drafts[pair[0]].spec.id, &drafts[pair[1]].spec.id);
        let message = format!("`{}` and `{}` both have effects and may run in either order", first.value, second.value);
        problems.push(Diagnostic::new(Code::Unordered, second.span, message).also(first.span, "the other step").help(
            format!("add `needs: {}` here, or `order: sequence` to the pipeline, if the order matters", first.value),
        ));
    }
}

/// Whether `from` needs `to`, at any distance.
fn reaches(drafts: &[Draft], rank: &[usize], from: usize, to: usize, visits: &mut usize) -> bool {
    let mut seen = HashSet::from([from]);
    let mut left = vec![from];
    while let Some(at) = left.pop() {
        *visits += 1;
        if at == to || *visits >= MOST_VISITS {
            return true;
        }
        left.extend(drafts[at].needs.keys().copied().filter(|n| rank[*n] >= rank[to] && seen.insert(*n)));
    }
    false
}

/// Inputs and secrets that nothing reads. Nothing is said while a step is broken: what it reads is
/// not known.
pub(super) fn unused(spec: &PipelineSpec, drafts: &[Draft], problems: &mut Vec<Diagnostic>) {
    let all = || drafts.iter().flat_map(|draft| std::iter::once(draft).chain(&draft.body));
    if all().any(|draft| draft.config.is_none() && draft.spec.uses.is_some()) {
        return;
    }
    let mut used: HashSet<&Root> = HashSet::new();
    for draft in all() {
        used.extend(&draft.all_reads);
    }
    let mut extra: Vec<&Expr> = Vec::new();
    let group = spec.concurrency.iter().map(|concurrency| &concurrency.group);
    for template in spec.outputs.values().chain(group) {
        each_expr(&template.value, &mut |expr| extra.push(expr));
    }
    used.extend(extra.iter().flat_map(|expr| expr.references().iter().map(|r| &r.root)));
    for (name, input) in &spec.inputs {
        if !used.contains(&Root::Input(name.clone())) {
            let message = format!("nothing reads the input `{name}`");
            problems.push(Diagnostic::new(Code::UnusedInput, input.span, message).help("remove it, or use it"));
        }
    }
    let signs = |secret: &str| {
        let hooks = spec.triggers.iter().filter_map(|trigger| match &trigger.value {
            TriggerSpec::Webhook(hook) => hook.secret.as_deref(),
            _ => None,
        });
        hooks.into_iter().any(|named| named == secret)
    };
    for secret in spec.secrets.iter().filter(|secret| !signs(&secret.value)) {
        if !used.contains(&Root::Secret(secret.value.clone())) {
            let message = format!("nothing reads the secret `{}`", secret.value);
            problems.push(Diagnostic::new(Code::UnusedSecret, secret.span, message).help("remove it, or use it"));
        }
    }
}
