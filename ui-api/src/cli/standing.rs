//! How a run stands. What is recorded of a run that a process drove says nothing of that process's death.

use millwork_engine::{
    Engine,
    model::{Fault, RunId, RunStatus, Wait},
    store::RunView,
};

/// How a run stands, and who drives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Standing {
    /// As recorded, but `interrupted` where the process is gone.
    pub(super) status: RunStatus,
    /// The living process that drives it, in words.
    pub(super) owner: Option<String>,
    /// Whether it was under way when its process went.
    pub(super) left: bool,
}

impl Standing {
    /// How the run of a list stands.
    pub(super) async fn of(engine: &Engine, run: &RunView) -> Result<Self, Fault> {
        let stands = |status| Self { status, owner: None, left: false };
        if !UNDER_WAY.contains(&run.status) {
            return Ok(stands(run.status));
        }
        if let Some(owner) = engine.owner_of(run.id).await? {
            return Ok(Self { status: run.status, owner: Some(owner), left: false });
        }
        // It may have ended since it was read, and its process with it.
        let status = engine.reader().run(run.id).await?.status;
        let asks = status == RunStatus::Waiting && asks_a_person(engine, run.id).await;
        Ok(match status {
            RunStatus::Waiting if asks => Self { status, owner: None, left: true },
            RunStatus::Queued | RunStatus::Running | RunStatus::Waiting => {
                Self { status: RunStatus::Interrupted, owner: None, left: true }
            }
            _ => stands(status),
        })
    }

    /// What to say of a run that goes on only if somebody asks for it.
    pub(super) fn note(&self, run: RunId) -> Option<String> {
        match self.status {
            RunStatus::Waiting if self.left => Some(format!(
                "no process drives it; answer with: millwork runs approve {run}\n\
                 then go on with: millwork runs resume {run}"
            )),
            _ if self.left => Some(format!("its process is gone; go on with: millwork runs resume {run}")),
            RunStatus::Interrupted => Some(format!("go on with: millwork runs resume {run}")),
            _ => None,
        }
    }
}

/// How a run stands that a process must drive.
pub(super) const UNDER_WAY: [RunStatus; 3] = [RunStatus::Queued, RunStatus::Running, RunStatus::Waiting];

/// Whether a step of the run, or of a sub-pipeline's, waits for a person. What cannot be looked at is left as it is
/// recorded.
async fn asks_a_person(engine: &Engine, run: RunId) -> bool {
    let mut open = vec![run];
    while let Some(run) = open.pop() {
        let Ok(summary) = engine.summary(run).await else { return true };
        for wait in summary.steps.iter().filter_map(|step| step.wait.as_ref()) {
            match wait {
                Wait::Approval { .. } | Wait::Budget { .. } => return true,
                Wait::Run { run } => open.push(*run),
                Wait::Until { .. } => {}
            }
        }
    }
    false
}
