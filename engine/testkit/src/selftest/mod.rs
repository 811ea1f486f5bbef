//! Random pipelines of every kind of step, run by the real program, killed with SIGKILL again and
//! again, resumed, and compared with an unkilled run: outputs, files and the ledger of effects.

mod generate;
mod ledger;
mod runner;

pub use generate::{Generated, generate};
pub use ledger::{Ledger, Line};
pub use runner::{Options, Outcome, SelftestError, run};
