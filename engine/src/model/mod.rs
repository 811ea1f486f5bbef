//! Layer 0: plain data that every layer above shares.

pub mod units;
