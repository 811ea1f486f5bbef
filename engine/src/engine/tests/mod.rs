//! Whole runs against scripted kinds, over the memory store.

mod budgets;
mod early;
mod harness;
mod homes;
mod kinds;
mod limits;
mod looks;
mod reuse;
mod runs;
mod secrets;
mod speed;
mod ticks;
mod times;
