use std::{
    any::{Any, TypeId},
    collections::HashMap,
    fmt,
    sync::Arc,
};

use async_trait::async_trait;
use serde_json::{Map as JsonMap, Value as Json};

use crate::{
    data::{ArtifactStore, ScanReader},
    model::{Clock, Fault, Labels, Name, NodeIx, RunId},
};

/// What every kind may use, made once per process.
#[derive(Clone, Debug)]
pub struct Services {
    /// Stored bytes.
    pub artifacts: Arc<dyn ArtifactStore>,
    /// Reads files of tables.
    pub scans: Arc<dyn ScanReader>,
    /// Starts and ends runs of sub-pipelines.
    pub runs: Arc<dyn ChildRuns>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// What families share among their own kinds, by type.
    pub extensions: Extensions,
}

/// Values of families, one a type.
#[derive(Clone, Default)]
pub struct Extensions(HashMap<TypeId, Arc<dyn Any + Send + Sync>>);

impl Extensions {
    /// Puts a value in, in place of an earlier one of its type.
    pub fn insert<T: Any + Send + Sync>(&mut self, value: T) {
        self.0.insert(TypeId::of::<T>(), Arc::new(value));
    }

    /// The value of a type.
    pub fn get<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        self.0.get(&TypeId::of::<T>()).cloned().and_then(|value| value.downcast().ok())
    }
}

impl fmt::Debug for Extensions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Extensions({})", self.0.len())
    }
}

/// A sub-pipeline to run.
#[derive(Debug, Clone)]
pub struct ChildRequest {
    /// The run that asks.
    pub parent: RunId,
    /// Its step.
    pub node: NodeIx,
    /// The name of that step.
    pub step: Name,
    /// The item, inside a fan-out.
    pub item: Option<u32>,
    /// The pipeline's file, as in the frozen bundle of the parent.
    pub path: String,
    /// Inputs, encoded.
    pub inputs: JsonMap<String, Json>,
    /// Labels of inputs.
    pub labels: HashMap<String, Labels>,
}

/// Runs of sub-pipelines.
#[async_trait]
pub trait ChildRuns: Send + Sync + fmt::Debug {
    /// Starts a child, or finds the one that an earlier attempt of the same step and item started.
    async fn start(&self, request: ChildRequest) -> Result<RunId, Fault>;
}

/// Opens secrets inside attempts.
pub trait SecretProvider: Send + Sync + fmt::Debug {
    /// The text of a secret, or the fault `secret.missing` that says where it was looked for.
    fn open(&self, name: &str) -> Result<Arc<str>, Fault>;

    /// The version of a secret, for fingerprints; never its text.
    fn version(&self, name: &str) -> Result<String, Fault>;
}
