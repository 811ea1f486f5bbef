//! `millwork bench service`: the built-in service from outside, over real HTTP on loopback, while a query in that same
//! service keeps the processors busy.

mod calls;
mod followers;
mod history;
mod http;
mod idle;
mod lists;
mod load;
mod peer;
mod serving;
mod texts;
mod ticks;
mod writers;

use super::command::Group;

/// Groups of measures; `service` names them all.
pub(super) const GROUPS: &[Group] = &[
    ("service-idle", idle::idle),
    ("service-lists", lists::lists),
    ("service-ticks", ticks::ticks),
    ("service-calls", calls::calls),
    ("service-followers", followers::followers),
    ("service-writers", writers::writers),
];
