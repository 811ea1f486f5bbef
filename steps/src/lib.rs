//! The step families in one registry.

use millwork_engine::step::Registry;

pub use millwork_data as data;
pub use millwork_flow as flow;

/// A registry with every kind.
pub fn registry() -> Registry {
    let mut registry = Registry::new();
    flow::register(&mut registry);
    registry
}
