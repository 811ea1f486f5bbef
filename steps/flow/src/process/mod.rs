//! Child processes that cannot outlive their engine.
//!
//! A child is started through a guard: a small process whose standard input is a socket to the
//! engine. The guard starts the command in a group of its own, passes signals on, reports how it
//! ended, and ends the whole tree when the command ends or the socket closes. The kernel closes the
//! socket when the engine dies, `kill -9` included.

mod child;
mod guard;
mod protocol;
mod survivors;
mod table;

pub use child::{Child, Ended, GuardCommand, Launch, Stop};
pub use guard::guard_main;
pub use survivors::{Identity, end_survivors};
pub use table::{Entry, descendants, entry, with_environment};
