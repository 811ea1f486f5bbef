//! Whole runs against scripted kinds, over the memory store.

mod harness;
mod homes;
mod kinds;
mod runs;
mod speed;
