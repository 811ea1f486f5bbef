//! A big table from a step to the next.

use std::{
    fs::File,
    io::BufWriter,
    path::Path,
    time::{Duration, Instant},
};

use arrow::{ipc::writer::FileWriter, record_batch::RecordBatch};
use millwork_engine::{
    Durability, RunRequest, Update,
    model::{Event, Fault, NodeIx},
};

use super::{
    figure::{Figure, median, middle, ms},
    kinds::{Probe, numbers},
    world::{Bench, open, plan, succeeded},
};
use crate::cli::open::block_on;

/// What one hand-over showed.
struct Handed {
    /// From the maker's return to the reader's begin.
    over: Duration,
    /// Whether the reader saw the very buffers.
    same: bool,
    /// From the maker's return to its success, which waits for the artifact.
    durable: Duration,
}

pub(super) fn table(bench: &Bench<'_>) -> Result<Vec<Figure>, Fault> {
    let batches = if bench.quick { 16 } else { 128 };
    let (mut over, mut ratios, mut ours, mut theirs, mut same) = (Vec::new(), Vec::new(), Vec::new(), Vec::new(), true);
    let batches_beside = numbers(batches)?;
    for round in 0..6 {
        let (file, home) = (bench.folder.join("plain.arrow"), bench.folder.join(format!("table-{round}")));
        // Each is as often the first as the second: disks are slower after a gigabyte.
        let (plain, handed) = if round % 2 == 0 {
            let plain = plain(&file, &batches_beside)?;
            (plain, hand_over(&home, batches)?)
        } else {
            let handed = hand_over(&home, batches)?;
            (plain(&file, &batches_beside)?, handed)
        };
        over.push(handed.over);
        same &= handed.same;
        ratios.push(handed.durable.as_secs_f64() / plain.as_secs_f64());
        ours.push(handed.durable);
        theirs.push(plain);
    }
    let (over, ratio) = (median(over), middle(ratios));
    let size = format!("{} MB table", u64::from(batches) * 8 * (1 << 20) / 1_000_000);
    let buffers = if same { "same buffers" } else { "copied" };
    Ok(vec![
        Figure::new(
            &format!("{size} to the next step"),
            "<= 5 ms, same buffers",
            format!("{}, {buffers}", ms(over)),
            over.as_millis() < 5 && same,
        ),
        Figure::new(&format!("{size}: write-behind"), "<= 1.2 x plain", format!("{ratio:.2} x"), ratio <= 1.2)
            .beside(format!("{} against {} for Arrow IPC and fsync", ms(median(ours)), ms(median(theirs)))),
    ])
}

fn plain(path: &Path, batches: &[RecordBatch]) -> Result<Duration, Fault> {
    let failed = |e: String| Fault::external("bench.table", e);
    let begin = Instant::now();
    let file = File::create(path).map_err(|e| failed(e.to_string()))?;
    let schema = batches.first().map(RecordBatch::schema).ok_or_else(|| failed("no rows".to_owned()))?;
    let mut writer =
        FileWriter::try_new(BufWriter::with_capacity(1 << 20, file), &schema).map_err(|e| failed(e.to_string()))?;
    for batch in batches {
        writer.write(batch).map_err(|e| failed(e.to_string()))?;
    }
    let file = writer.into_inner().map_err(|e| failed(e.to_string()))?;
    let file = file.into_inner().map_err(|e| failed(e.to_string()))?;
    file.sync_all().map_err(|e| failed(e.to_string()))?;
    let took = begin.elapsed();
    std::fs::remove_file(path).map_err(|e| failed(e.to_string()))?;
    Ok(took)
}

fn hand_over(home: &Path, batches: u32) -> Result<Handed, Fault> {
    let text = format!(
        "version: 1\nname: table\nsteps:\n  - {{id: make, uses: bench.make, with: {{batches: {batches}}}}}\n  \
         - {{id: look, uses: bench.look, with: {{table: '${{{{ steps.make.outputs.table }}}}'}}}}\n"
    );
    let handed = block_on(async {
        let (engine, probe) = open(home, Durability::Power, Probe::default()).await?;
        let mut handle = engine.start(plan(&text)?, RunRequest::default()).await?;
        let mut updates = handle.updates();
        let tell = async {
            let mut durable = None;
            while let Some(update) = updates.recv().await {
                if let Update::Event(recorded) = update
                    && matches!(recorded.event, Event::StepSucceeded { node, .. } if node == NodeIx(0))
                {
                    durable = Some(Instant::now());
                }
            }
            durable
        };
        let (ended, durable) = tokio::join!(handle.ended(false), tell);
        succeeded(ended?)?;
        engine.close().await?;
        let marks = probe.marks();
        let (Some(made), Some(read), Some(durable)) = (marks.made, marks.read, durable) else {
            return Err(Fault::internal("bench.table", "the table was not handed over"));
        };
        Ok(Handed {
            over: read.0.saturating_duration_since(made.0),
            same: made.1 == read.1 && made.1 != 0,
            durable: durable.saturating_duration_since(made.0),
        })
    });
    let _ = std::fs::remove_dir_all(home);
    handed
}
