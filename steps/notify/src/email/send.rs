use std::time::Duration;

use async_trait::async_trait;
use lettre::AsyncTransport as _;
use millwork_engine::{
    model::Fault,
    step::{Step, StepContext, StepEnd, StepOutput},
};
use serde::{Deserialize, Serialize};

use super::{
    attach::{self, File},
    fault,
    message::{Letter, id_of},
    server::Server,
};
use crate::{hosts::permit, once::sent};

/// A mail that is ready but for its attachments and its id.
pub(super) struct Mailing {
    pub server: Server,
    pub letter: Letter,
    pub attach: Vec<File>,
    pub timeout: Duration,
}

/// What the journal keeps.
#[derive(Serialize, Deserialize)]
struct Accepted {
    message_id: String,
    accepted: i64,
}

#[async_trait]
impl Step for Mailing {
    async fn run(self: Box<Self>, cx: StepContext) -> Result<StepEnd, Fault> {
        let Self { server, letter, attach, timeout } = *self;
        permit(&server.host, server.port, &cx)?;
        let shown = server.shown();
        let attachments = attach::read(&attach, &cx).await?;
        let request = letter.request(&shown, &attachments);
        let id = id_of(&cx.key, &letter.from);
        let send = async {
            let message = letter.message(id.clone(), cx.started_at.to_datetime(), attachments)?;
            let accepted = message.envelope().to().len() as i64;
            let transport = server.transport(timeout)?;
            // Boxed, for a connection that is being encrypted is large.
            let send = Box::pin(transport.send(message));
            match tokio::time::timeout(timeout, send).await {
                Err(_) => Err(fault::too_slow(&shown, timeout)),
                Ok(Err(e)) => Err(fault::of(&e, &shown, &server.masks)),
                Ok(Ok(_)) => Ok(Accepted { message_id: id, accepted }),
            }
        };
        let done: Accepted = sent(&cx, request, send).await?;
        let note = format!("{shown} took it for {}", done.accepted);
        let output = StepOutput::none().value("message_id", done.message_id).value("accepted", done.accepted);
        Ok(output.note(note).into())
    }
}
