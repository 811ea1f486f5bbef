//! The step families in one registry.
