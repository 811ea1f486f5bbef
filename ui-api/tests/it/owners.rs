//! Three programs at once on one run: one that runs it, one that goes on with it, one that cancels it.
//! `MILLWORK_ROUNDS=1000` for a long test.

use std::{
    collections::BTreeMap,
    fs, thread,
    time::{Duration, Instant},
};

use millwork_engine::model::{Event, RunStatus};

use crate::program::{empty, until};

const PIPELINE: &str = r#"version: 1
name: contested
order: sequence
steps:
  - id: a
    uses: shell
    with: {command: [sh, -c, 'echo "begin a $MILLWORK_ATTEMPT $$" >> ledger; sleep 0.03; echo "end a" >> ledger']}
  - id: b
    uses: shell
    for_each: ${{ [1, 2, 3] }}
    max_parallel: 1
    with: {command: [sh, -c, 'echo "begin b/$MILLWORK_ITEM $MILLWORK_ATTEMPT" >> ledger; sleep 0.02; echo "end b/$MILLWORK_ITEM" >> ledger']}
  - id: c
    uses: shell
    with: {command: [sh, -c, 'echo "begin c $MILLWORK_ATTEMPT" >> ledger; sleep 0.03; echo "end c" >> ledger']}
"#;

/// Numbers from a seed, without a crate.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

struct Tally {
    kills: u32,
    taken: u64,
    refused: u32,
    cancelled: u32,
}

fn round(seed: u64, tally: &mut Tally) -> Result<(), String> {
    let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let place = empty();
    fs::write(place.path().join("pipeline.yaml"), PIPELINE).map_err(|e| e.to_string())?;
    let mut owner = place.command(&["run", "pipeline.yaml", "--json"]).spawn().map_err(|e| e.to_string())?;
    until("the run is recorded", || place.path().join("ledger").exists());
    thread::sleep(Duration::from_millis(dice.below(150)));
    // In most rounds the owner dies, and two programs are after its run at the same time.
    let dies = dice.below(4) != 0;
    let mut others = Vec::new();
    let cancels = dice.below(2) == 0;
    let early = dice.below(2) == 0;
    if dies && !early {
        let _ = owner.kill();
    }
    for words in [
        &["runs", "resume", "last", "--json"][..],
        if cancels { &["runs", "cancel", "last"] } else { &["runs", "resume", "last", "--json"] },
    ] {
        others.push(place.command(words).spawn().map_err(|e| e.to_string())?);
    }
    if dies && early {
        thread::sleep(Duration::from_millis(dice.below(60)));
        let _ = owner.kill();
    }
    tally.kills += u32::from(dies);
    let mut said = String::new();
    for child in [owner].into_iter().chain(others) {
        let began = Instant::now();
        let output = child.wait_with_output().map_err(|e| e.to_string())?;
        if began.elapsed() > Duration::from_secs(30) {
            return Err("a program hung".to_owned());
        }
        said.push_str(&String::from_utf8_lossy(&output.stderr));
        if output.status.code() == Some(70) || output.status.code() == Some(101) {
            return Err(format!("a program ended as a bug: {said}"));
        }
    }
    if said.contains("locked") || said.contains("busy") {
        return Err(format!("a lock was met: {said}"));
    }
    tally.refused += u32::from(said.contains("run.owned"));
    // Whatever happened: the run can be brought to its end.
    let record = place.record().ok_or("there is no run")?;
    if !record.status.is_final() {
        let last = place.do_it(&["runs", "resume", &record.run.to_string(), "--json"], None);
        // A cancel that the dead owner had recorded is carried out.
        if !matches!(last.status.code(), Some(0 | 4)) {
            return Err(format!("it cannot be resumed: {last:?}, others said {said}"));
        }
    }
    let record = place.record().ok_or("there is no run")?;
    if let Some(flaw) = record.flaw() {
        return Err(flaw);
    }
    // Owners follow each other, each with an epoch of its own.
    let epochs: Vec<u64> = record
        .events
        .iter()
        .filter_map(|recorded| if let Event::OwnerTaken { epoch, .. } = recorded.event { Some(epoch) } else { None })
        .collect();
    if epochs.iter().zip(1..).any(|(epoch, n)| *epoch != n) {
        return Err(format!("somebody took the run and lost it before it could act: epochs {epochs:?}"));
    }
    // A run is taken from its one dead owner once; after that only if it has ended and is resumed.
    let resumed = record.events.iter().filter(|recorded| matches!(recorded.event, Event::RunResumed { .. })).count();
    if epochs.len() - 1 > resumed + usize::from(dies) {
        return Err(format!("epochs {epochs:?} with {resumed} resumes: a living owner lost its run"));
    }
    tally.taken += epochs.len() as u64 - 1;
    let ledger = fs::read_to_string(place.path().join("ledger")).unwrap_or_default();
    two_at_once(&ledger)?;
    let mut ends = BTreeMap::<&str, usize>::new();
    for line in ledger.lines().filter_map(|line| line.strip_prefix("end ")) {
        *ends.entry(line).or_default() += 1;
    }
    let most = epochs.len();
    if let Some((step, n)) = ends.iter().find(|(_, n)| **n > most) {
        return Err(format!("`{step}` was done {n} times by {most} owners"));
    }
    let cancelled = record.events.iter().any(|recorded| matches!(recorded.event, Event::CancelRequested { .. }));
    tally.cancelled += u32::from(cancelled);
    match record.status {
        RunStatus::Succeeded if ends.len() != 5 => Err(format!("it succeeded with {ends:?}")),
        RunStatus::Succeeded => Ok(()),
        RunStatus::Cancelled if cancelled => Ok(()),
        other => Err(format!("it ended as {other:?}; said {said}")),
    }
}

/// One at a time in this pipeline: an effect that begins while another owner's is under way, and both
/// end, shows two owners.
fn two_at_once(ledger: &str) -> Result<(), String> {
    let mut open: Option<&str> = None;
    for line in ledger.lines() {
        let step = line.split_whitespace().nth(1).unwrap_or_default();
        if line.starts_with("begin") {
            open = Some(step);
        } else if open.take() != Some(step) {
            return Err(format!("two owners were at work at once:\n{ledger}"));
        }
    }
    Ok(())
}

#[test]
fn three_programs_at_once_share_a_run() {
    let rounds = std::env::var("MILLWORK_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(25);
    let mut tally = Tally { kills: 0, taken: 0, refused: 0, cancelled: 0 };
    for seed in 1..=rounds {
        if let Err(why) = round(seed, &mut tally) {
            panic!("round {seed}: {why}");
        }
    }
    let Tally { kills, taken, refused, cancelled } = tally;
    eprintln!(
        "{rounds} rounds: {kills} owners killed, {taken} runs taken over, {refused} refusals, {cancelled} cancelled"
    );
}
