use std::{
    io::{BufRead, IsTerminal},
    path::Path,
};

use millwork_engine::{RerunPlan, model::Fault};

use super::run;
use crate::cli::{
    Exit,
    args::OpenArgs,
    home, load, open,
    output::{Output, Tone},
    run_id,
    workspace::Workspace,
};

/// A new run that takes over what came before a step. What it will do is shown first.
pub(super) fn rerun(
    output: &Output,
    run: &str,
    from: &str,
    file: Option<&Path>,
    yes: bool,
    as_json: bool,
    args: &OpenArgs,
) -> Result<Exit, Fault> {
    let registry = millwork_steps::registry();
    let edited = match file {
        Some(path) => {
            let file = load::file_of(path)?;
            Some(load::plan(output, &file, &registry, &Workspace::of_file(output, &file)?)?)
        }
        None => None,
    };
    let home = home::existing(args.home.as_deref())?;
    let workspace = Workspace::above(output, &home)?;
    open::block_on(async {
        let engine = open::engine(home, registry, args, &workspace).await?;
        let id = run_id::find(&engine, run).await?;
        show(output, &engine.rerun_plan(id, from, edited.clone()).await?);
        if !yes && !confirmed(output)? {
            engine.close().await?;
            return Ok(Exit::Cancelled);
        }
        let plan = match &edited {
            Some(plan) => plan.clone(),
            None => engine.plan_of(id).await?,
        };
        let handle = engine.rerun(id, from, edited).await?;
        run::follow(output, engine, handle, plan, as_json).await
    })
}

fn show(output: &Output, plan: &RerunPlan) {
    for step in &plan.reused {
        output.say(format!("{} {step}", output.paint(Tone::Dim, "reuse")));
    }
    for (step, why) in &plan.again {
        output.say(format!("{}   {step}: {why}", output.paint(Tone::Strong, "run")));
    }
}

fn confirmed(output: &Output) -> Result<bool, Fault> {
    if !std::io::stdin().is_terminal() {
        return Err(Fault::user("cli.usage", "nobody is there to confirm").help("give `--yes`"));
    }
    output.say("Go on? [y/N]");
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line);
    Ok(read.is_ok() && matches!(line.trim(), "y" | "Y" | "yes"))
}
