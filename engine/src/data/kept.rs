//! Tables kept as Arrow IPC files in the artifact store.

use std::{
    fs::File,
    io::BufWriter,
    sync::{Arc, mpsc::SyncSender},
};

use arrow::{
    datatypes::SchemaRef,
    error::ArrowError,
    ipc::{reader::FileReader, writer::FileWriter},
    record_batch::RecordBatch,
};

use super::{ArtifactInfo, ArtifactStore, damaged_artifact, unopened_artifact};
use crate::model::{ArtifactId, Fault};

/// Writes batches as one Arrow IPC file and gives it to the store. Blocking work runs on tokio's
/// blocking threads.
pub async fn write_kept(
    store: &Arc<dyn ArtifactStore>,
    schema: &SchemaRef,
    batches: Arc<Vec<RecordBatch>>,
) -> Result<ArtifactInfo, Fault> {
    let path = store.scratch().join(format!("keep-{:032x}.arrow", rand::random::<u128>()));
    let (schema, target) = (schema.clone(), path.clone());
    let written = tokio::task::spawn_blocking(move || write_file(&target, &schema, &batches)).await;
    match written {
        Ok(Ok(())) => store.adopt(path).await,
        Ok(Err(fault)) => {
            let _ = tokio::fs::remove_file(&path).await;
            Err(fault)
        }
        Err(e) => Err(Fault::internal("artifact.write", format!("writing a table was stopped: {e}"))),
    }
}

fn write_file(path: &std::path::Path, schema: &SchemaRef, batches: &[RecordBatch]) -> Result<(), Fault> {
    let failed = |e: String| Fault::external("artifact.write", format!("a table cannot be kept: {e}"));
    let file = File::create(path).map_err(|e| failed(e.to_string()))?;
    let buffered = BufWriter::with_capacity(1 << 20, file);
    let mut writer = FileWriter::try_new(buffered, schema).map_err(|e| failed(e.to_string()))?;
    for batch in batches {
        writer.write(batch).map_err(|e| failed(e.to_string()))?;
    }
    writer.finish().map_err(|e| failed(e.to_string()))
}

/// Sends the batches of a kept table, as long as somebody takes them.
pub async fn send_kept(
    store: &Arc<dyn ArtifactStore>,
    id: ArtifactId,
    to: SyncSender<RecordBatch>,
) -> Result<(), Fault> {
    let damaged = move |e: ArrowError| damaged_artifact(id, e);
    let Some(path) = store.local_path(id) else {
        return send_all(read_kept(store, id).await?, to).await;
    };
    let sent = tokio::task::spawn_blocking(move || {
        let file = File::open(path).map_err(|e| unopened_artifact(id, &e))?;
        for batch in FileReader::try_new(file, None).map_err(damaged)? {
            if to.send(batch.map_err(damaged)?).is_err() {
                break;
            }
        }
        Ok(())
    });
    sent.await.map_err(|e| Fault::internal("artifact.read", format!("reading was stopped: {e}")))?
}

/// Sends batches that are at hand.
pub async fn send_all(batches: Vec<RecordBatch>, to: SyncSender<RecordBatch>) -> Result<(), Fault> {
    let sent = tokio::task::spawn_blocking(move || batches.into_iter().try_for_each(|batch| to.send(batch)));
    // Where nobody takes them any more, that is no mistake.
    sent.await.map(drop).map_err(|e| Fault::internal("table.read", format!("reading was stopped: {e}")))
}

/// Reads a kept table back.
pub async fn read_kept(store: &Arc<dyn ArtifactStore>, id: ArtifactId) -> Result<Vec<RecordBatch>, Fault> {
    let damaged = move |e: ArrowError| damaged_artifact(id, e);
    if let Some(path) = store.local_path(id) {
        let read = tokio::task::spawn_blocking(move || {
            let file = File::open(path).map_err(|e| unopened_artifact(id, &e))?;
            let reader = FileReader::try_new(file, None).map_err(damaged)?;
            reader.collect::<Result<Vec<_>, _>>().map_err(damaged)
        });
        return read.await.map_err(|e| Fault::internal("artifact.read", format!("reading was stopped: {e}")))?;
    }
    let bytes = store.get(id).await?;
    let reader = FileReader::try_new(std::io::Cursor::new(bytes), None).map_err(damaged)?;
    reader.collect::<Result<Vec<_>, _>>().map_err(damaged)
}
