//! Layer 3: the contract for authors of steps, and what a step may use.

mod access;
mod config;
mod content;
mod context;
mod effect;
mod erased;
mod journal;
mod kind;
mod output;
mod ports;
mod registry;
mod services;

pub use access::TableAccess;
pub use config::{
    Count, Field, Located, Mismatch, OneOrMany, Period, Resolved, SecretText, Size, Templated, conform, convert,
    template_of,
};
pub use content::content_of;
pub use context::{Inputs, LogSink, LogStream, Progress, StepContext};
pub use effect::Effect;
pub use journal::{Entry, Journal, JournalKey, JournalStore, Reservation, Resource, Settlement};
pub use kind::{CheckContext, ChildLookup, Step, StepKind};
pub use output::{StepEnd, StepOutput};
pub use ports::{ChildInput, ChildPorts, InputTypes, Names, Port, Ports, Read};
pub use registry::{ErasedKind, ParsedConfig, Registry};
pub use services::{ChildRequest, ChildRuns, Extensions, SecretProvider, Services};
