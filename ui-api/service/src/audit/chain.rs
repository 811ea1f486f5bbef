//! Whether the audit log is as it was written.
//!
//! Each entry's hash covers its text, its number and the hash before, so whoever changes one must write all that
//! follow anew. That too shows to whoever has kept a [`Verified::head`] of earlier; without one, nothing can tell a
//! log that was written anew as a whole, or that lost its end.

use millwork_engine::{
    model::Digest,
    store::{AuditEntry, AuditLog, AuditRow, StoreError},
};

/// How many entries are read at once.
const PAGE: u32 = 1000;

/// Where a log is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("entry {seq} of the audit log: {why}")]
pub struct Broken {
    /// The first entry that is wrong or missing.
    pub seq: u64,
    /// What is wrong with it.
    pub why: Why,
}

/// What is wrong with an entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// Another stands where it should be.
    #[error("it is missing; entry {found} stands in its place")]
    Gap {
        /// The number of the one that does.
        found: u64,
    },
    /// Its text, its hash, or the hash before was changed.
    #[error("its text does not have its hash: one of them was changed")]
    Changed,
    /// What is shown of it is not what was hashed.
    #[error("what it says is not what its text says")]
    Shown,
    /// The store cannot read it.
    #[error("it cannot be read: {0}")]
    Unreadable(String),
}

/// A log that is as it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// How many entries it has.
    pub entries: u64,
    /// The hash of the last one, which covers all: kept elsewhere, it tells whether they stay.
    pub head: Digest,
}

/// Why a log could not be found whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unverified {
    /// It was changed.
    #[error(transparent)]
    Broken(#[from] Broken),
    /// It could not be read, and that is not an entry's fault.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Takes entries in order, and says where the chain breaks.
#[derive(Debug, Clone)]
pub struct Verifier {
    entries: u64,
    head: Digest,
}

impl Default for Verifier {
    fn default() -> Self {
        Self { entries: 0, head: AuditRow::GENESIS }
    }
}

impl Verifier {
    /// Before the first entry.
    pub fn new() -> Self {
        Self::default()
    }

    /// The next entry.
    pub fn push(&mut self, row: &AuditRow) -> Result<(), Broken> {
        let seq = self.entries + 1;
        let broken = |why| Err(Broken { seq, why });
        if row.seq != seq {
            return broken(Why::Gap { found: row.seq });
        }
        if AuditRow::chained(self.head, seq, &row.text) != row.hash {
            return broken(Why::Changed);
        }
        if !says(&row.text, &row.entry) {
            return broken(Why::Shown);
        }
        (self.entries, self.head) = (seq, row.hash);
        Ok(())
    }

    /// What is verified so far.
    pub fn verified(&self) -> Verified {
        Verified { entries: self.entries, head: self.head }
    }
}

/// Whether an entry is that of a text: read from it, or the one that it was written from (a number may change a
/// little between the two).
fn says(text: &str, entry: &AuditEntry) -> bool {
    serde_json::from_str::<AuditEntry>(text).is_ok_and(|read| read == *entry)
        || serde_json::to_string(entry).is_ok_and(|written| written == text)
}

/// Reads a log from its first entry to its last, page after page, and verifies it.
pub async fn verify<S: AuditLog + ?Sized>(store: &S) -> Result<Verified, Unverified> {
    let mut verifier = Verifier::new();
    let mut limit = PAGE;
    loop {
        let after = verifier.entries;
        match store.audited(after, limit).await {
            Ok(page) => {
                page.iter().try_for_each(|row| verifier.push(row))?;
                if page.len() < limit as usize {
                    return Ok(verifier.verified());
                }
            }
            // One entry spoils its page: alone, it shows which.
            Err(StoreError::Broken(_)) if limit > 1 => limit = 1,
            Err(StoreError::Broken(why)) => {
                return Err(Broken { seq: after + 1, why: Why::Unreadable(why) }.into());
            }
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
#[path = "chain_tests.rs"]
mod tests;
