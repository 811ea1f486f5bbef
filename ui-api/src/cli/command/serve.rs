use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use millwork_engine::{
    graph::{Bundle, CheckedPipeline, Plan},
    model::{Clock, Fault, SystemClock},
    step::Registry,
    store::{Holder, ServeLock},
    thaw,
};
use millwork_http::{App, AppOptions, Server};
use millwork_service::{Service, ServiceOptions, catalog::Checker, queue::Limits};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::cli::{Exit, args::ServeArgs, home, link, open, output::Output, words, workspace::Workspace};

/// The folder that is served where none is given, if it is there.
const FOLDER: &str = "pipelines";

/// Checks pipelines as `millwork check` does.
#[derive(Debug)]
struct Checks {
    registry: Registry,
    workspace: Workspace,
}

impl Checker for Checks {
    fn check(&self, name: &str, bytes: &[u8], base: &Path) -> CheckedPipeline {
        link::check(name, bytes, base, &self.registry, true, false, &self.workspace)
    }

    fn thaw(&self, bundle: &Bundle) -> Result<Arc<Plan>, Fault> {
        thaw(bundle, &self.registry)
    }
}

/// Serves a folder of pipelines until it is told to stop.
pub(super) fn serve(output: &Output, args: &ServeArgs) -> Result<Exit, Fault> {
    raise_limit_of_files();
    let folder = folder_of(args.folder.clone())?;
    let workspace = Workspace::above(output, &folder)?;
    let home = home::for_pipeline(args.open.home.as_deref(), &folder.join("pipeline.yaml"));
    // Before there is a runtime: it may wait for a moment.
    let _lock = ServeLock::acquire(&home, &Holder::this("millwork serve", SystemClock.now()))?;
    // Two threads: one answers while the other writes; steps have a runtime of their own.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(|e| Fault::external("cli.runtime", format!("no runtime can be started: {e}")))?;
    runtime.block_on(run(output, args, folder, workspace, home))
}

/// Each reader of events is an open file, and there may be more of them than most shells allow at first.
fn raise_limit_of_files() {
    let limit = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    if let Err(error) = raised {
        tracing::debug!(%error, "the limit of open files stays as it is");
    }
}

fn folder_of(asked: Option<PathBuf>) -> Result<PathBuf, Fault> {
    let folder = asked.unwrap_or_else(|| {
        let usual = PathBuf::from(FOLDER);
        if usual.is_dir() { usual } else { PathBuf::from(".") }
    });
    if folder.is_dir() {
        return Ok(folder);
    }
    Err(Fault::user("serve.folder", format!("{} is no folder", folder.display()))
        .help("name the folder with the pipelines; a file alone is run with `millwork run`"))
}

async fn run(
    output: &Output,
    args: &ServeArgs,
    folder: PathBuf,
    workspace: Workspace,
    home: PathBuf,
) -> Result<Exit, Fault> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let registry = millwork_steps::registry();
    let engine = open::for_service(home.clone(), registry.clone(), &args.open, &workspace).await?;
    let limits = Limits { runs: args.max_runs as usize, pools: workspace.pools() };
    let secrets = Arc::new(workspace.secrets());
    let keep = workspace.keeps().then(|| workspace.keep(None));
    let service = Service::new(ServiceOptions {
        engine: engine.clone(),
        clock,
        folder: folder.clone(),
        checker: Arc::new(Checks { registry, workspace }),
        secrets,
        limits,
        keep,
    });
    let server = Server::bind(&args.listen).await?;
    let addresses = server.addresses();
    let options = AppOptions { binds: addresses.clone(), hosts: args.host.clone(), body_limit: None };
    let app = App::new(service.clone(), options).await?;
    service.begin().await?;
    let stop = CancellationToken::new();
    let serving = tokio::spawn(server.serve(app, stop.clone()));
    for address in &addresses {
        output.say(format!("serving {} at http://{address}", folder.display()));
    }
    tell_who(output, &service, &addresses).await?;
    wait_for_signal().await?;
    output.say(format!("stopping: runs have {} to end; a second signal stops at once", words::duration(args.drain)));
    stop.cancel();
    let again = tokio::spawn(wait_for_signal());
    let patience = args.drain;
    let left = tokio::select! {
        left = service.end(patience) => left,
        _ = again => service.end(Duration::ZERO).await,
    };
    if left > 0 {
        output.say(format!(
            "{} not over: the next `millwork serve` goes on with what is left",
            words::some(left as u64, "run")
        ));
    }
    serving.abort();
    engine.close().await?;
    Ok(Exit::Ok)
}

async fn tell_who(output: &Output, service: &Service, addresses: &[SocketAddr]) -> Result<(), Fault> {
    let open = !service.tokens().configured().await?;
    if open && addresses.iter().all(|address| address.ip().is_loopback()) {
        // Named, because a token that is made for another home closes nothing here.
        let home = service.engine().home().display();
        output.say(format!(
            "open to everybody on this machine; `millwork token create NAME --role admin --home {home}` closes it"
        ));
    }
    Ok(())
}

async fn wait_for_signal() -> Result<(), Fault> {
    let cannot = |e: std::io::Error| Fault::external("cli.signals", format!("signals cannot be listened to: {e}"));
    let mut interrupt = signal(SignalKind::interrupt()).map_err(cannot)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(cannot)?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}
