//! What a result was made from, as a digest: for cached results and for outputs that are not kept.

use super::{Deps, Frozen, env::Loaded};
use crate::{
    data::{encode, plain},
    expr::{Part, Root},
    graph::{PlanNode, Work},
    model::{ArtifactId, Digest, Fault, event::StoredOutputs},
};

/// Digest of a step's work: kind and version, configuration as written, and the identity of everything
/// it reads. Secrets are in it by name and version, never by text. `None` where a value has no identity
/// yet, such as a table that is not kept.
pub(crate) fn identity(deps: &Deps, run: &Frozen, node: &PlanNode, loaded: &Loaded) -> Result<Option<Digest>, Fault> {
    let Work::Kind { kind, .. } = &node.work else { return Ok(None) };
    let mut parts: Vec<Vec<u8>> = vec![
        kind.name().as_bytes().to_vec(),
        kind.version().to_le_bytes().to_vec(),
        node.fingerprint.as_bytes().to_vec(),
        run.plan.base.to_string_lossy().into_owned().into_bytes(),
    ];
    let mut reads: Vec<&Root> = node.reads.iter().collect();
    reads.sort();
    reads.dedup();
    for root in reads {
        parts.push(root.to_string().into_bytes());
        match root {
            Root::Secret(name) => parts.push(deps.secrets.version(name)?.into_bytes()),
            Root::Step { step, part: Part::Output(output) } => {
                let stored = run.find(step.as_str()).and_then(|ix| run.board.with(ix, |f| f.stored.clone()).flatten());
                match stored {
                    // As recorded: a table still in memory is named there by its kept form.
                    Some(StoredOutputs::Inline(object)) => {
                        parts.push(
                            object.get(output.as_str()).map(ToString::to_string).unwrap_or_default().into_bytes(),
                        );
                    }
                    // Rows and artifacts are named by their content.
                    Some(StoredOutputs::Row { digest } | StoredOutputs::Artifact { artifact: ArtifactId(digest) }) => {
                        parts.push(digest.as_bytes().to_vec());
                    }
                    // What is not kept, by what it was made from.
                    Some(StoredOutputs::Recomputable { inputs }) => parts.push(inputs.as_bytes().to_vec()),
                    None => match loaded.get(root).map(|labelled| encode(&labelled.value)) {
                        Some(Ok(json)) => parts.push(json.to_string().into_bytes()),
                        Some(Err(_)) => return Ok(None),
                        None => {}
                    },
                }
            }
            _ => {
                if let Some(labelled) = loaded.get(root) {
                    let json = encode(&labelled.value).unwrap_or_else(|_| plain(&labelled.value));
                    parts.push(json.to_string().into_bytes());
                }
            }
        }
    }
    Ok(Some(Digest::of_parts(parts.iter().map(Vec::as_slice))))
}
