use std::path::PathBuf;

use millwork_engine::model::Fault;
use millwork_service::audit::{Unverified, verify};

use super::token::home_of;
use crate::cli::{Exit, open, output::Output, words};

/// Checks that nothing in the audit log was changed, left out or put in.
pub(super) fn check(output: &Output, asked: Option<PathBuf>) -> Result<Exit, Fault> {
    let home = home_of(asked);
    open::block_on(async {
        let engine = open::to_look(home).await?;
        let verified = verify(engine.reader().as_ref()).await;
        let exit = match verified {
            Ok(verified) => {
                output.result(format!(
                    "{} in order; the last hash is {}",
                    words::some(verified.entries, "entry").replace("entrys", "entries"),
                    verified.head
                ));
                Exit::Ok
            }
            Err(Unverified::Broken(broken)) => {
                output.result(format!("the audit log was changed: {broken}"));
                Exit::Failed
            }
            Err(Unverified::Store(error)) => return Err(error.into()),
        };
        engine.close().await?;
        Ok(exit)
    })
}
