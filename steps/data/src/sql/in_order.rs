//! The parts of a result one after the other, while all of them are computed at once: so rows that no operator
//! has mixed come in the order of their source, and equal queries over equal tables give equal tables.

use std::{collections::VecDeque, sync::Arc};

use arrow::record_batch::RecordBatch;
use datafusion::{common::DataFusionError, execution::SendableRecordBatchStream};
use futures::StreamExt;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    task::JoinSet,
};

/// A batch, and its share of what its part may hold until it is taken.
type Held = (Result<RecordBatch, DataFusionError>, Option<OwnedSemaphorePermit>);

/// The batches of several streams, those of the first before those of the second.
pub(super) struct InOrder {
    parts: VecDeque<mpsc::UnboundedReceiver<Held>>,
    /// Ends the parts that nobody waits for any more.
    _work: JoinSet<()>,
}

impl InOrder {
    /// `ahead`: bytes that wait for their turn at most, in all parts together; no end if not given.
    pub(super) fn new(streams: Vec<SendableRecordBatchStream>, ahead: Option<u64>) -> Self {
        let each = ahead.map(|bytes| kib(bytes / streams.len().max(1) as u64).max(1));
        let (mut parts, mut work) = (VecDeque::with_capacity(streams.len()), JoinSet::new());
        for mut stream in streams {
            let (sender, part) = mpsc::unbounded_channel();
            parts.push_back(part);
            let room = each.map(|most| (most, Arc::new(Semaphore::new(most as usize))));
            work.spawn(async move {
                while let Some(batch) = stream.next().await {
                    let share = match (&room, &batch) {
                        (Some((most, room)), Ok(batch)) => {
                            let wanted = kib(batch.get_array_memory_size() as u64).clamp(1, *most);
                            room.clone().acquire_many_owned(wanted).await.ok()
                        }
                        _ => None,
                    };
                    if sender.send((batch, share)).is_err() {
                        return;
                    }
                }
            });
        }
        Self { parts, _work: work }
    }

    /// The next batch; `None` at the end.
    pub(super) async fn next(&mut self) -> Option<Result<RecordBatch, DataFusionError>> {
        loop {
            if let Some((batch, _)) = self.parts.front_mut()?.recv().await {
                return Some(batch);
            }
            self.parts.pop_front();
        }
    }
}

fn kib(bytes: u64) -> u32 {
    u32::try_from(bytes >> 10).unwrap_or(u32::MAX >> 4).min(u32::MAX >> 4)
}

#[cfg(test)]
mod tests {
    use arrow::{
        array::{Array, AsArray, Int64Array},
        datatypes::{DataType, Field, Int64Type, Schema},
    };
    use datafusion::physical_plan::stream::RecordBatchStreamAdapter;

    use super::*;

    /// Parts whose batches hold what `rows` says; a part yields before each batch as often as it is far behind.
    fn streams(rows: &[&[i64]]) -> Vec<SendableRecordBatchStream> {
        let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, false)]));
        let parts = rows.len();
        let stream = |(part, rows): (usize, &&[i64])| {
            let (schema, rows) = (schema.clone(), rows.to_vec());
            let batches = futures::stream::iter(rows).then(move |n| {
                let batch = RecordBatch::try_new(schema.clone(), vec![Arc::new(Int64Array::from(vec![n; 4096]))]);
                async move {
                    for _ in 0..(parts - part) * 3 {
                        tokio::task::yield_now().await;
                    }
                    batch.map_err(Into::into)
                }
            });
            let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, false)]));
            Box::pin(RecordBatchStreamAdapter::new(schema, batches)) as SendableRecordBatchStream
        };
        rows.iter().enumerate().map(stream).collect()
    }

    #[tokio::test]
    async fn parts_come_one_after_the_other_whoever_is_first() {
        for ahead in [None, Some(1), Some(64 << 10), Some(10 << 20)] {
            let mut merged = InOrder::new(streams(&[&[1, 2, 3], &[], &[4, 5, 6, 7], &[8]]), ahead);
            let mut seen = Vec::new();
            while let Some(batch) = merged.next().await {
                let batch = batch.expect("a batch");
                assert_eq!(batch.column(0).len(), 4096);
                seen.push(batch.column(0).as_primitive::<Int64Type>().value(0));
            }
            assert_eq!(seen, [1, 2, 3, 4, 5, 6, 7, 8], "{ahead:?}");
        }
    }
}
