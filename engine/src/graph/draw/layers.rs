use petgraph::Direction;

use crate::graph::Plan;

/// Where each step stands: its layer is one more than that of the last step it needs; within a layer
/// steps stand near what they need, so that few lines cross.
pub(super) fn layers(plan: &Plan) -> Vec<Vec<usize>> {
    let count = plan.nodes.len();
    let mut layer = vec![0_usize; count];
    let order = petgraph::algo::toposort(&plan.graph, None).unwrap_or_default();
    for node in &order {
        for next in plan.graph.neighbors_directed(*node, Direction::Outgoing) {
            layer[next.index()] = layer[next.index()].max(layer[node.index()] + 1);
        }
    }
    // Sections follow each other.
    let mut begin = 0;
    let mut last = None;
    for at in 0..count {
        if last.is_some_and(|section| section != plan.nodes[at].section) {
            begin = layer[..at].iter().copied().max().map_or(0, |deepest| deepest + 1);
        }
        last = Some(plan.nodes[at].section);
        layer[at] += begin;
    }
    let depth = layer.iter().copied().max().map_or(0, |deepest| deepest + 1);
    let mut rows: Vec<Vec<usize>> = vec![Vec::new(); depth];
    layer.iter().enumerate().for_each(|(at, l)| rows[*l].push(at));
    let mut place = vec![0.0_f64; count];
    for row in &mut rows {
        let wish = |at: &usize| {
            let needed: Vec<f64> = plan
                .graph
                .neighbors_directed((*at as u32).into(), Direction::Incoming)
                .map(|needed| place[needed.index()])
                .collect();
            if needed.is_empty() { f64::MAX } else { needed.iter().sum::<f64>() / needed.len() as f64 }
        };
        let mut wishes: Vec<(f64, usize)> = row.iter().map(|at| (wish(at), *at)).collect();
        wishes.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        *row = wishes.into_iter().map(|(_, at)| at).collect();
        let middle = row.len() as f64 / 2.0;
        row.iter().enumerate().for_each(|(i, at)| place[*at] = i as f64 - middle);
    }
    rows
}
