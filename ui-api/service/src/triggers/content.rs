use std::collections::BTreeMap;

use millwork_engine::{
    Engine,
    data::{Value, decode},
    model::{Digest, Fault, Name, RunId},
    spec::{ContentForm, ContentTrigger},
    step::content_of,
    store::{RecordKind, When},
};
use serde_json::{Value as Json, json};

/// Digests of outputs of one run, by their names: several triggers may be about one.
pub(super) type Digests = BTreeMap<Name, Digest>;

/// An output whose content is other than the one that its trigger acted on last.
#[derive(Debug)]
pub(super) struct Changed {
    pub digest: Digest,
    pub value: Value,
    /// Where the digest is remembered.
    key: String,
    /// The place of the end among all commits.
    pos: u64,
}

impl Changed {
    /// Compares the output of a run that succeeded, whose end is at `pos` among all commits; `None` where its content
    /// is what it was, or where a later end was compared before. `owner` says whose trigger it is.
    pub(super) async fn find(
        engine: &Engine,
        owner: &str,
        spec: &ContentTrigger,
        outputs: &Json,
        pos: u64,
        digests: &mut Digests,
    ) -> Result<Option<Self>, Fault> {
        let known = engine.reader().record(RecordKind::Content, owner).await?;
        // Ends are read again after a crash.
        if known.as_ref().is_some_and(|known| known.value["pos"].as_u64().is_some_and(|known| pos <= known)) {
            return Ok(None);
        }
        let Some(output) = outputs.get(spec.output.as_str()) else {
            let message = format!("the pipeline `{}` gave no output `{}`", spec.pipeline, spec.output);
            return Err(Fault::user("content.none", message).help("name one of its `outputs:`"));
        };
        let value = decode(output)?;
        if spec.form == ContentForm::Table && !matches!(value, Value::Table(_)) {
            let message = format!("the output `{}` of `{}` is no table", spec.output, spec.pipeline);
            return Err(Fault::user("content.form", message).help("for other outputs there is `on.artifact`"));
        }
        let digest = match digests.get(&spec.output) {
            Some(known) => Ok(*known),
            None => content_of(&value, engine.tables()).await,
        };
        let digest = match digest {
            Ok(digest) => *digests.entry(spec.output.clone()).or_insert(digest),
            // What cannot be read has gone since, and will not be there the next time either.
            Err(fault) => {
                tracing::error!(trigger = owner, output = %spec, %fault, "a content cannot be compared, and starts nothing");
                return Ok(None);
            }
        };
        let same = known.is_some_and(|record| record.value["digest"] == json!(digest));
        Ok((!same).then_some(Self { digest, value, key: owner.to_owned(), pos }))
    }

    /// Remembers it, so that the same content starts nothing again.
    pub(super) async fn remember(&self, engine: &Engine, run: RunId) -> Result<(), Fault> {
        let value = json!({"digest": self.digest, "run": run, "pos": self.pos});
        engine.reader().put_record(RecordKind::Content, &self.key, Some(value), When::Always).await?;
        Ok(())
    }
}
