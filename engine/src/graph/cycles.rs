use std::{cmp::Reverse, collections::BinaryHeap};

use super::draft::Draft;
use crate::diag::{Code, Diagnostic};

/// An order in which each step comes after those it needs, the order of the file where it does not
/// matter. Steps in a circle are reported, and come last.
pub(super) fn order(group: &[Draft], problems: &mut Vec<Diagnostic>) -> Vec<usize> {
    let mut waiting: Vec<usize> = group.iter().map(|draft| draft.needs.len()).collect();
    let mut dependents: Vec<Vec<usize>> = vec![Vec::new(); group.len()];
    for (at, draft) in group.iter().enumerate() {
        draft.needs.keys().for_each(|needed| dependents[*needed].push(at));
    }
    let mut ready: BinaryHeap<_> = (0..group.len()).filter(|at| waiting[*at] == 0).map(Reverse).collect();
    let mut order = Vec::with_capacity(group.len());
    while let Some(Reverse(at)) = ready.pop() {
        order.push(at);
        for dependent in &dependents[at] {
            waiting[*dependent] -= 1;
            if waiting[*dependent] == 0 {
                ready.push(Reverse(*dependent));
            }
        }
    }
    if order.len() < group.len() {
        report(group, &waiting, problems);
        order.extend((0..group.len()).filter(|at| waiting[*at] > 0));
    }
    order
}

fn report(group: &[Draft], waiting: &[usize], problems: &mut Vec<Diagnostic>) {
    let mut walked = vec![0_usize; group.len()];
    for start in (0..group.len()).filter(|at| waiting[*at] > 0) {
        // Each walk goes back along needs that wait themselves; meeting itself, it has gone in a circle.
        let (mut at, mut path) = (start, Vec::new());
        while walked[at] == 0 {
            walked[at] = start + 1;
            path.push(at);
            match group[at].needs.keys().find(|needed| waiting[**needed] > 0) {
                Some(next) => at = *next,
                None => break,
            }
        }
        if walked[at] != start + 1 {
            continue;
        }
        let Some(begin) = path.iter().position(|step| *step == at) else { continue };
        if path.len() > 1 || group[at].needs.contains_key(&at) {
            problems.push(describe(group, &path[begin..]));
        }
    }
}

/// `path`: each needs the next, the last needs the first.
fn describe(group: &[Draft], path: &[usize]) -> Diagnostic {
    let id = |at: usize| group[at].spec.id.value.as_str();
    let first = path.iter().enumerate().min_by_key(|(_, at)| **at).map_or(0, |(i, _)| i);
    let path: Vec<usize> = path[first..].iter().chain(&path[..first]).copied().collect();
    let around = path.iter().chain(path.first()).map(|at| id(*at));
    let shown = if path.len() > 20 {
        let begin = around.take(10).collect::<Vec<_>>().join(" -> ");
        format!("{begin} -> .. ({} more) -> {}", path.len() - 10, id(path[0]))
    } else {
        around.collect::<Vec<_>>().join(" -> ")
    };
    let links = path.iter().enumerate().filter_map(|(i, at)| {
        let next = path[(i + 1) % path.len()];
        group[*at].needs.get(&next).map(|need| (need.span, format!("`{}` needs `{}` here", id(*at), id(next))))
    });
    let mut links = links.collect::<Vec<_>>().into_iter();
    let (span, text) = links.next().unwrap_or((group[path[0]].spec.id.span, String::new()));
    let mut problem =
        Diagnostic::new(Code::Cycle, span, format!("steps need each other in a circle: {shown}")).label(text);
    for (span, text) in links.take(20) {
        problem = problem.also(span, text);
    }
    problem.help(match path.as_slice() {
        [one] if group[*one].spec.repeat.is_some() => "in `until` and `state` a step's own outputs are `outputs.NAME`",
        _ => "remove one of these references or `needs`; to do something again and again, use `repeat`",
    })
}
