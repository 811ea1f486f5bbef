//! Tests of the engine from outside.

mod fault_codes;
mod tidy;
