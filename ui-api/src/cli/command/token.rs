use std::{path::PathBuf, sync::Arc};

use millwork_engine::model::{Fault, SystemClock};
use millwork_service::{
    audit::{Action, Audit},
    auth::{NewToken, PipelineScope, Role, Tokens},
};
use serde_json::json;

use crate::cli::{
    Exit,
    args::{OpenArgs, RoleArg, TokenCommand},
    home, open,
    output::Output,
    workspace::Workspace,
};

/// Makes, lists and takes back tokens; a service that runs takes notice at once.
pub(super) fn token(output: &Output, command: TokenCommand) -> Result<Exit, Fault> {
    let asked = match &command {
        TokenCommand::Create { home, .. } | TokenCommand::List { home } | TokenCommand::Revoke { home, .. } => {
            home.clone()
        }
    };
    let home = home_of(asked);
    open::block_on(async {
        let engine =
            open::engine(home, millwork_steps::registry(), &OpenArgs::default(), &Workspace::default()).await?;
        let clock = Arc::new(SystemClock);
        let tokens = Tokens::new(engine.reader(), clock.clone());
        let audit = Audit::new(engine.reader(), clock);
        match command {
            TokenCommand::Create { name, role, pipelines, expires, per_minute, runs_per_day, .. } => {
                let scope = PipelineScope::parse(&pipelines)?;
                let new = NewToken {
                    scope,
                    expires_in: expires,
                    per_minute,
                    runs_per_day,
                    ..NewToken::new(name, role_of(role))
                };
                create(output, &tokens, &audit, new).await?;
            }
            TokenCommand::List { .. } => {
                for token in tokens.list().await? {
                    let pipelines = match token.scope.patterns() {
                        [] => "all pipelines".to_owned(),
                        patterns => patterns.join(", "),
                    };
                    let end = token.expires_at.map(|at| format!(", until {at}")).unwrap_or_default();
                    let rate = token.per_minute.map(|n| format!(", {n} requests a minute")).unwrap_or_default();
                    let quota = token.runs_per_day.map(|n| format!(", {n} runs a day")).unwrap_or_default();
                    let limits = format!("{pipelines}{rate}{quota}{end}");
                    output.result(format!("{}  {}  {}, {limits}", token.id, token.name, token.role));
                }
            }
            TokenCommand::Revoke { token, .. } => {
                let found = tokens.find(&token).await?;
                let id = found.map_or(token, |found| found.id);
                let gone = tokens.revoke(&id).await?;
                audit.record("cli", Action::TokenRevoke, &gone.id, json!({"name": gone.name})).await?;
                output.say(format!("{} is revoked", gone.name));
            }
        }
        engine.close().await
    })?;
    Ok(Exit::Ok)
}

/// The home of the service here: that of the nearest workspace, or of the folder that `serve` takes.
pub(super) fn home_of(asked: Option<PathBuf>) -> PathBuf {
    let here = PathBuf::from(".");
    let usual = PathBuf::from("pipelines");
    let folder = if asked.is_none() && !here.join(".millwork").is_dir() && usual.is_dir() { usual } else { here };
    home::for_pipeline(asked.as_deref(), &folder.join("pipeline.yaml"))
}

const fn role_of(role: RoleArg) -> Role {
    match role {
        RoleArg::Viewer => Role::Viewer,
        RoleArg::Operator => Role::Operator,
        RoleArg::Admin => Role::Admin,
    }
}

async fn create(output: &Output, tokens: &Tokens, audit: &Audit, new: NewToken) -> Result<(), Fault> {
    let role = new.role;
    let (view, secret) = tokens.create(new).await?;
    audit.record("cli", Action::TokenCreate, &view.id, json!({"name": view.name, "role": view.role})).await?;
    output.say(format!("the token of {} ({role}); it is not shown again:", view.name));
    output.result(secret.expose());
    Ok(())
}
