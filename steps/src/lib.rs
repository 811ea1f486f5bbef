//! The step families in one registry.

use std::sync::Arc;

use millwork_engine::{data::ScanReader, step::Registry};

pub use millwork_data as data;
pub use millwork_flow as flow;
pub use millwork_notify as notify;

/// A registry with every kind.
pub fn registry() -> Registry {
    let mut registry = Registry::new();
    flow::register(&mut registry);
    data::register(&mut registry);
    notify::register(&mut registry);
    registry
}

/// Reads the files of tables.
pub fn scans() -> Arc<dyn ScanReader> {
    data::scans()
}
