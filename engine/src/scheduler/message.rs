use crate::{
    executor::{Gathered, Report},
    model::{Digest, Fault, NodeIx},
    run::Input,
    store::CacheEntry,
};

/// Something that reaches the driver of a run.
#[derive(Debug)]
pub(crate) enum Message {
    /// From the executor.
    Report(Report),
    /// An input for the machine as it is.
    Input(Input),
    /// A fan-out was gathered.
    Gathered { node: NodeIx, result: Result<Gathered, Fault> },
    /// The cache was asked about a step.
    Cached { node: NodeIx, attempt: u32, fingerprint: Option<Digest>, hit: Option<CacheEntry> },
    /// Somebody asks for the end; a second time, for an end at once.
    Cancel { by: String },
    /// Stop now; a resume goes on.
    Interrupt { reason: String },
    /// The child that a step waits for begins or ceases to wait for a person.
    ChildAsks { node: NodeIx, asks: bool },
    /// Look for requests of other processes.
    Poll,
    /// Vanish without a trace, as a crash would have it.
    Abandon,
}
