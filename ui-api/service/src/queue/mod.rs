//! Who may start: groups, pools, priorities, and a fair order.

mod admission;
mod place;

#[cfg(test)]
mod tests;

pub use admission::{Admission, Candidate, Limits};
pub use place::{Blocked, Place};
