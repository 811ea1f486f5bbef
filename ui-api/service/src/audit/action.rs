//! What is written to the audit log: a closed list, so that whoever reads the log knows all that can stand there.

use std::fmt;

macro_rules! actions {
    ($($(#[$doc:meta])* $action:ident $name:literal;)*) => {
        /// Something that is worth an entry. Names never change: logs are kept for years.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Action {
            $($(#[$doc])* $action,)*
        }

        impl Action {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$action,)*];

            /// The name, as it stands in the log.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$action => $name,)*
                }
            }

            /// The action of a name.
            pub fn of(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|action| action.as_str() == name)
            }
        }
    };
}

actions! {
    /// A run was started.
    RunStart "run.start";
    /// A run was cancelled.
    RunCancel "run.cancel";
    /// A run was taken up again.
    RunResume "run.resume";
    /// A run was repeated from a step on.
    RunRerun "run.rerun";
    /// A pipeline was run and its end waited for.
    RunCall "run.call";
    /// A question of a run was answered.
    ApprovalAnswer "approval.answer";
    /// A schedule was paused.
    SchedulePause "schedule.pause";
    /// A paused schedule goes on.
    ScheduleResume "schedule.resume";
    /// Times of a schedule that lie back are run.
    ScheduleBackfill "schedule.backfill";
    /// A backfill was cancelled.
    BackfillCancel "backfill.cancel";
    /// A token was made.
    TokenCreate "token.create";
    /// A token was taken back.
    TokenRevoke "token.revoke";
    /// Somebody logged in.
    SessionBegin "session.begin";
    /// Somebody logged out.
    SessionEnd "session.end";
    /// Somebody was not let in.
    SessionRefused "session.refused";
    /// A pipeline was read anew.
    PipelineReload "pipeline.reload";
    /// A call of a hook was refused.
    HookRefused "hook.refused";
    /// A call of a hook was accepted.
    HookAccepted "hook.accepted";
    /// The service began.
    ServiceStart "service.start";
    /// The service ended.
    ServiceStop "service.stop";
    /// A text was checked that is in no file.
    CheckText "check.text";
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_dotted_different_and_read_back() {
        let names: BTreeSet<_> = Action::ALL.iter().map(|action| action.as_str()).collect();
        assert_eq!(names.len(), Action::ALL.len());
        for action in Action::ALL {
            let name = action.to_string();
            let (what, done) = name.split_once('.').unwrap();
            assert!([what, done].iter().all(|part| part.bytes().all(|b| b.is_ascii_lowercase())), "{name}");
            assert_eq!(Action::of(&name), Some(*action));
        }
        assert_eq!(Action::of("run"), None);
    }

    #[test]
    fn names_never_change() {
        let all: Vec<_> = Action::ALL.iter().map(|action| action.as_str()).collect();
        let expected = "run.start run.cancel run.resume run.rerun run.call approval.answer schedule.pause \
                        schedule.resume schedule.backfill backfill.cancel token.create token.revoke session.begin \
                        session.end session.refused pipeline.reload hook.refused hook.accepted service.start \
                        service.stop check.text";
        assert_eq!(all.join(" "), expected);
    }
}
