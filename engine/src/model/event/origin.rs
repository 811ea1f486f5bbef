//! What a run is created from.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::{
    super::{Digest, Labels, Name, NodeIx, RunId, Ticket, Timestamp},
    StoredOutputs,
};

/// Why a run was started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum Cause {
    /// A person or a program asked for it.
    Manual,
    /// A step of another run.
    Parent {
        /// The parent run.
        run: RunId,
        /// The `pipeline` step.
        step: Name,
        /// The item, inside a fan-out.
        item: Option<u32>,
        /// The run that nobody started so, and that all of this is a part of.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        root: Option<RunId>,
    },
    /// A time of a schedule.
    Schedule {
        /// Which schedule of the pipeline, from 0.
        schedule: u32,
        /// The time.
        at: Timestamp,
        /// Whether it was run afterwards, by `schedule backfill`.
        #[serde(default)]
        backfill: bool,
    },
    /// A call of the API.
    Api {
        /// Whose: the name of a token, or `local`.
        who: String,
    },
    /// A call of the API that waits for the outputs, and whose end is the run's.
    Call {
        /// Whose.
        who: String,
    },
    /// A request to a webhook.
    Webhook {
        /// Which trigger of the pipeline, from 0.
        trigger: u32,
        /// What the sender calls the delivery.
        delivery: String,
    },
    /// A file that arrived.
    File {
        /// Which trigger.
        trigger: u32,
        /// The file.
        path: String,
    },
    /// The end of another pipeline's run.
    Upstream {
        /// Which trigger.
        trigger: u32,
        /// The run that ended.
        run: RunId,
        /// Its pipeline.
        pipeline: String,
    },
    /// A run of another pipeline that had not succeeded by the time its schedule names.
    Late {
        /// Which trigger.
        trigger: u32,
        /// The pipeline that is late.
        pipeline: String,
        /// The number of its schedule.
        schedule: u32,
        /// The time of the schedule.
        at: Timestamp,
        /// The run of that time, if there is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        run: Option<RunId>,
    },
    /// A table or an artifact whose content changed.
    Content {
        /// Which trigger.
        trigger: u32,
        /// What changed.
        what: String,
        /// Its content now.
        digest: Digest,
        /// The run that gave it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        run: Option<RunId>,
    },
    /// `runs rerun` of an earlier run.
    Rerun {
        /// The run it repeats.
        of: RunId,
        /// The first step that was run again.
        from: Name,
    },
}

/// What a run is created from: frozen, so that an edit of the file changes nothing under way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunOrigin {
    /// The pipeline's name.
    pub pipeline: String,
    /// Digest of the frozen bundle (text, included files, kind versions), stored once.
    pub revision: Digest,
    /// The checked inputs, encoded.
    pub inputs: Json,
    /// Labels of inputs that have any.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, Labels>,
    /// Why it was started.
    pub cause: Cause,
    /// Steps that alone may run (`--only`); empty means all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub only: Vec<NodeIx>,
    /// Outputs taken over from the run that this one repeats.
    #[serde(default, with = "pairs", skip_serializing_if = "BTreeMap::is_empty")]
    pub reused: BTreeMap<NodeIx, StoredOutputs>,
    /// Labels of those outputs, by step and output.
    #[serde(default, with = "pairs", skip_serializing_if = "BTreeMap::is_empty")]
    pub reused_labels: BTreeMap<NodeIx, BTreeMap<String, Labels>>,
    /// When the run must have ended, if it has a deadline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timestamp>,
    /// The time that the run is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<Interval>,
    /// What its trigger brought: `event`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<Json>,
    /// What it needs before it may start.
    #[serde(default, skip_serializing_if = "Ticket::is_free")]
    pub ticket: Ticket,
    /// Digest of what was asked for, where asking twice with one key must mean the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Digest>,
}

/// The time that a run is about, `run.interval`: that between two times of a schedule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interval {
    /// Its first moment.
    pub start: Timestamp,
    /// The moment after its last.
    pub end: Timestamp,
    /// The IANA zone whose days count where a date is asked for.
    pub zone: String,
}

/// A map as a list of pairs: a key that is a number does not survive as text inside a tagged enum.
mod pairs {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};

    pub(super) fn serialize<S, K, V>(map: &BTreeMap<K, V>, serializer: S) -> Result<S::Ok, S::Error>
    where
        S: Serializer,
        K: Serialize,
        V: Serialize,
    {
        serializer.collect_seq(map)
    }

    pub(super) fn deserialize<'de, D, K, V>(deserializer: D) -> Result<BTreeMap<K, V>, D::Error>
    where
        D: Deserializer<'de>,
        K: DeserializeOwned + Ord,
        V: DeserializeOwned,
    {
        Ok(Vec::<(K, V)>::deserialize(deserializer)?.into_iter().collect())
    }
}
