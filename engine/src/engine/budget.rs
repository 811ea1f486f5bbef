//! Budgets of a run and its steps: set when the run is created, raised when somebody grants more.

use serde_json::Value as Json;

use super::inner::Inner;
use crate::{
    graph::Plan,
    model::{Fault, NodeIx, RunId},
    spec::Budget,
    step::Resource,
    store::Scope,
};

fn limits(budget: &Budget) -> impl Iterator<Item = (Resource, u64)> {
    let usd = budget.usd_micros.map(|micros| (Resource::NanoUsd, micros.saturating_mul(1000)));
    let tokens = budget.tokens.map(|tokens| (Resource::Tokens, tokens));
    usd.into_iter().chain(tokens)
}

impl Inner {
    /// Sets the limits of a run that is about to be created. A child is nested in its parent by the store.
    pub(super) async fn limit(&self, run: RunId, plan: &Plan) -> Result<(), Fault> {
        let of_steps = plan.nodes.iter().map(|node| (Scope::Step(run, node.ix), node.spec.budget.as_ref()));
        for (scope, budget) in of_steps.chain([(Scope::Run(run), plan.spec.budget.as_ref())]) {
            for (resource, limit) in budget.into_iter().flat_map(limits) {
                self.store.set_limit(&scope, resource, Some(limit)).await?;
            }
        }
        Ok(())
    }

    /// Adds what was granted to the limits that stand over a step: those of the step and of its run.
    pub(super) async fn raise(&self, run: RunId, node: NodeIx, granted: &[(Resource, u64)]) -> Result<(), Fault> {
        for scope in [Scope::Step(run, node), Scope::Run(run)] {
            for balance in self.store.balance(&scope).await? {
                let more: u64 = granted.iter().filter(|(of, _)| *of == balance.resource).map(|(_, more)| more).sum();
                if let Some(limit) = balance.limit
                    && more > 0
                {
                    let limit = Some(limit.saturating_add(more));
                    self.store.set_limit(&scope, balance.resource, limit).await?;
                }
            }
        }
        Ok(())
    }
}

/// What an answer grants: `values` with `usd` or `tokens`, as numbers or text.
pub(super) fn granted(answer: &Json) -> Result<Vec<(Resource, u64)>, Fault> {
    let wrong = |name: &str| {
        Fault::user("budget.answer", format!("`{name}` is not an amount of budget"))
            .help("give `usd=1.50`, `tokens=20000`, or both")
    };
    let mut granted = Vec::new();
    for (name, value) in answer["values"].as_object().into_iter().flatten() {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        granted.push(match name.as_str() {
            "usd" => (Resource::NanoUsd, nano_usd(&text).ok_or_else(|| wrong(name))?),
            "tokens" => (Resource::Tokens, text.parse().map_err(|_| wrong(name))?),
            _ => return Err(wrong(name)),
        });
    }
    if granted.iter().all(|(_, amount)| *amount == 0) {
        return Err(Fault::user("budget.answer", "the step waits for more budget, and the answer grants none")
            .help("give `usd=1.50`, `tokens=20000`, or both; to give up, cancel the run"));
    }
    Ok(granted)
}

fn nano_usd(text: &str) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    if part.len() > 9 || !part.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let nanos: u64 = format!("{part:0<9}").parse().ok()?;
    whole.parse::<u64>().ok()?.checked_mul(1_000_000_000)?.checked_add(nanos)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn answers_grant_amounts() {
        for (values, expected) in [
            (json!({"usd": "1.50"}), Some(vec![(Resource::NanoUsd, 1_500_000_000)])),
            (json!({"usd": 2, "tokens": "7"}), Some(vec![(Resource::Tokens, 7), (Resource::NanoUsd, 2_000_000_000)])),
            (json!({}), None),
            (json!({"tokens": 0}), None),
            (json!({"usd": "-1"}), None),
            (json!({"euro": 1}), None),
        ] {
            let found = granted(&json!({"values": values})).ok();
            let sorted = |list: Vec<(Resource, u64)>| list.into_iter().collect::<std::collections::BTreeSet<_>>();
            assert_eq!(found.map(sorted), expected.map(sorted), "{values}");
        }
    }
}
