//! The step families in one registry.

use std::sync::Arc;

use millwork_engine::{data::ScanReader, step::Registry};

pub use millwork_data as data;
pub use millwork_flow as flow;

/// A registry with every kind.
pub fn registry() -> Registry {
    let mut registry = Registry::new();
    flow::register(&mut registry);
    data::register(&mut registry);
    registry
}

/// Reads the files of tables.
pub fn scans() -> Arc<dyn ScanReader> {
    data::scans()
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_kind_describes_itself() {
        let registry = super::registry();
        assert!(registry.kinds().count() >= 8);
        for kind in registry.kinds() {
            assert!(!kind.summary().is_empty() && kind.example().contains(kind.name()), "{}", kind.name());
        }
    }
}
