//! Steps that steer a run: `shell`, `assert`, `wait`, `approval`, `pipeline`.

mod approval;
mod assert;
pub mod csv;
mod pipeline;
pub mod process;
mod shell;
mod wait;

use millwork_engine::step::Registry;

pub use approval::Approval;
pub use assert::Assert;
pub use pipeline::Pipeline;
pub use process::GuardCommand;
pub use shell::Shell;
pub use wait::Wait;

/// Adds every kind of this family.
pub fn register(registry: &mut Registry) {
    registry.register::<Shell>().register::<Assert>().register::<Wait>().register::<Approval>().register::<Pipeline>();
}
