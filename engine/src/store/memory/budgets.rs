//! Budgets, in memory.

use async_trait::async_trait;

use super::{
    super::{Balance, Ledger, Scope, StoreError, Unsettled},
    MemoryStore, place,
};
use crate::{
    model::RunId,
    step::{JournalKey, Resource, Settlement},
};

#[async_trait]
impl Ledger for MemoryStore {
    async fn set_limit(&self, scope: &Scope, resource: Resource, limit: Option<u64>) -> Result<(), StoreError> {
        self.lock().ledger.entry((scope.key(), resource)).or_default().limit = limit;
        Ok(())
    }

    async fn nest(&self, scope: &Scope, within: &Scope) -> Result<(), StoreError> {
        self.lock().scopes.extend(scope.links(within));
        Ok(())
    }

    async fn balance(&self, scope: &Scope) -> Result<Vec<Balance>, StoreError> {
        let key = scope.key();
        let inner = self.lock();
        let lines = inner.ledger.iter().filter(|((of, _), _)| *of == key);
        Ok(lines
            .map(|((_, resource), line)| Balance {
                resource: *resource,
                limit: line.limit,
                reserved: line.reserved,
                settled: line.settled,
            })
            .collect())
    }

    async fn release(&self, key: &JournalKey) -> Result<(), StoreError> {
        let mut inner = self.lock();
        if inner.journal.get(&place(key)).is_some_and(|part| part.result.is_none()) {
            let part = inner.journal.remove(&place(key));
            let reserved = part.map(|part| part.reserved).unwrap_or_default();
            inner.settle(key, &reserved, &Settlement::default());
        }
        Ok(())
    }

    async fn unsettled(&self, run: RunId) -> Result<Vec<Unsettled>, StoreError> {
        let inner = self.lock();
        let open = inner.journal.iter().filter(|((of, _), part)| *of == run && part.result.is_none());
        Ok(open
            .map(|((_, (node, item, key)), part)| Unsettled {
                key: JournalKey { run, node: *node, item: *item, key: key.clone() },
                request: part.request,
                reserved: part.reserved.clone(),
            })
            .collect())
    }
}
