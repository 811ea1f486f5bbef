//! Mistakes planted on purpose, so that the simulation can be shown to find them. Without the feature
//! `planted-bugs` every question is answered `false` at compile time.

/// A mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Bug {
    /// A step whose need failed runs.
    RunsAfterFailedNeed,
    /// One attempt more than the policy allows.
    OneRetryTooMany,
    /// The run's `max_parallel` is not looked at for steps.
    IgnoresRunLimit,
    /// A fan-out's `max_parallel` is not looked at.
    IgnoresItemLimit,
    /// After a takeover a running step begins another attempt beside the one re-issued.
    StartsTwiceAfterTakeover,
    /// The last item of a settled range is forgotten.
    LosesItemAtRangeEdge,
    /// `finally` does not run when the run is cancelled.
    SkipsFinallyOnCancel,
    /// A step's deadline is not looked at.
    IgnoresDeadline,
    /// A failing `finally` leaves the run's status alone.
    ForgivesFinally,
    /// `continue_on_error` does not count for those who need the step.
    ForgetsContinueOnError,
    /// A resume runs succeeded steps again.
    ResumesSucceeded,
    /// A late answer of an attempt before the current one counts.
    TakesStaleAttempts,
}

impl Bug {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::RunsAfterFailedNeed,
        Self::OneRetryTooMany,
        Self::IgnoresRunLimit,
        Self::IgnoresItemLimit,
        Self::StartsTwiceAfterTakeover,
        Self::LosesItemAtRangeEdge,
        Self::SkipsFinallyOnCancel,
        Self::IgnoresDeadline,
        Self::ForgivesFinally,
        Self::ForgetsContinueOnError,
        Self::ResumesSucceeded,
        Self::TakesStaleAttempts,
    ];
}

#[cfg(feature = "planted-bugs")]
thread_local! {
    static PLANTED: std::cell::Cell<Option<Bug>> = const { std::cell::Cell::new(None) };
}

/// Plants a bug in the machines of this thread, or takes it out.
#[cfg(feature = "planted-bugs")]
pub fn plant(bug: Option<Bug>) {
    PLANTED.with(|planted| planted.set(bug));
}

#[cfg(feature = "planted-bugs")]
pub(super) fn has(bug: Bug) -> bool {
    PLANTED.with(|planted| planted.get() == Some(bug))
}

#[cfg(not(feature = "planted-bugs"))]
pub(super) const fn has(_: Bug) -> bool {
    false
}
