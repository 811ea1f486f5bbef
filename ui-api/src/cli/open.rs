//! Opening the engine for a command.

use std::{future::Future, path::PathBuf, sync::Arc};

use millwork_engine::{
    Durability, Engine, EngineOptions,
    model::{Fault, SystemClock},
    step::{Extensions, Registry},
};
use millwork_steps::flow::GuardCommand;

use super::{
    GUARD,
    args::{DurabilityArg, OpenArgs},
    machine,
    workspace::Workspace,
};

/// Opens the engine on a home.
pub(super) async fn engine(
    home: PathBuf,
    registry: Registry,
    args: &OpenArgs,
    workspace: &Workspace,
) -> Result<Engine, Fault> {
    Engine::open(options(home, registry, args, workspace)?).await
}

/// Opens the engine on a home for a service: steps give way to those who ask it.
pub(super) async fn for_service(
    home: PathBuf,
    registry: Registry,
    args: &OpenArgs,
    workspace: &Workspace,
) -> Result<Engine, Fault> {
    Engine::open(EngineOptions { background: true, ..options(home, registry, args, workspace)? }).await
}

/// Opens the engine on a home to look at what is recorded, for which the right to read is enough.
pub(super) async fn to_look(home: PathBuf) -> Result<Engine, Fault> {
    let (args, workspace) = (OpenArgs::default(), Workspace::default());
    Engine::open_to_read(options(home, millwork_steps::registry(), &args, &workspace)?).await
}

fn options(home: PathBuf, registry: Registry, args: &OpenArgs, workspace: &Workspace) -> Result<EngineOptions, Fault> {
    let mut extensions = Extensions::default();
    let guard = GuardCommand::this_program(GUARD)
        .map_err(|e| Fault::external("cli.program", format!("the path of this program cannot be found: {e}")))?;
    extensions.insert(guard);
    Ok(EngineOptions {
        home,
        durability: match args.durability {
            Some(DurabilityArg::Power) => Durability::Power,
            Some(DurabilityArg::Process) => Durability::Process,
            None => workspace.durability(),
        },
        max_parallel: workspace.max_parallel(),
        background: false,
        memory: args.memory.or(workspace.memory()).or_else(machine::memory_share),
        clock: Arc::new(SystemClock),
        registry,
        secrets: Arc::new(workspace.secrets()),
        scans: millwork_steps::scans(),
        extensions,
    })
}

/// Runs a future on a runtime with one control thread; steps have a runtime of their own.
pub(super) fn block_on<T>(future: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|e| Fault::external("cli.runtime", format!("no runtime can be started: {e}")))?;
    runtime.block_on(future)
}
