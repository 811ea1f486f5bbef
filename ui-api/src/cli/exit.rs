use std::process::ExitCode;

use millwork_engine::model::{Blame, Fault, RunStatus};

/// What the process's exit code says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Ok = 0,
    /// The pipeline, its tests or its formatting have problems.
    Problems = 1,
    /// The command line was wrong.
    Usage = 2,
    /// The run failed, or the command could not do what it was asked.
    Failed = 3,
    /// The run was cancelled.
    Cancelled = 4,
    /// The run was interrupted; `runs resume` goes on.
    Interrupted = 5,
    /// The run waits for a person; `runs approve` answers.
    Waiting = 6,
    /// A bug in Millwork.
    Bug = 70,
}

/// What `--help` ends with: the exit codes, and the environment.
pub(super) const AFTER: &str = "Exit codes:
  0   done
  1   the pipeline, its tests or its formatting have problems
  2   the command line was wrong
  3   the run failed, or the command could not be done
  4   the run was cancelled
  5   the run was interrupted; `millwork runs resume` goes on
  6   the run waits for a person; `millwork runs approve` answers
  70  a bug in Millwork

Environment:
  MILLWORK_HOME        the folder of the state
  MILLWORK_LOG         what the engine logs on standard error: `info`, or `millwork_engine=debug`
  MILLWORK_LOG_FORMAT  `json` for one object a line
  NO_COLOR             no colours";

impl Exit {
    /// For a command that could not be done.
    pub fn of(fault: &Fault) -> Self {
        match (fault.blame, fault.code.as_str()) {
            (_, "cli.usage") => Self::Usage,
            (Blame::User, code) if code.starts_with("input.") => Self::Usage,
            (_, "pipeline.problems") => Self::Problems,
            (Blame::Internal, _) => Self::Bug,
            (Blame::User | Blame::External, _) => Self::Failed,
        }
    }

    /// For a run that ended or stopped so.
    pub fn of_run(status: RunStatus) -> Self {
        match status {
            RunStatus::Succeeded => Self::Ok,
            RunStatus::Failed => Self::Failed,
            RunStatus::Cancelled => Self::Cancelled,
            RunStatus::Waiting => Self::Waiting,
            RunStatus::Interrupted | RunStatus::Running | RunStatus::Queued => Self::Interrupted,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_names_every_code() {
        let all = [
            Exit::Ok,
            Exit::Problems,
            Exit::Usage,
            Exit::Failed,
            Exit::Cancelled,
            Exit::Interrupted,
            Exit::Waiting,
            Exit::Bug,
        ];
        for exit in all {
            let line = format!("  {:<4}", exit as u8);
            assert!(AFTER.lines().any(|found| found.starts_with(&line)), "{exit:?}");
        }
        assert_eq!(AFTER.lines().take_while(|line| !line.is_empty()).count(), all.len() + 1);
    }
}
