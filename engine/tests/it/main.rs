//! Tests of the engine from outside.

mod broken;
mod tidy;
