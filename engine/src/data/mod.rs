//! Layer 1: values, their types, tables and artifacts.
