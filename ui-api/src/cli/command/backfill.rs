use std::{collections::VecDeque, path::Path, sync::Arc};

use chrono::{NaiveDate, TimeZone};
use millwork_engine::{
    Engine, RunHandle, Started, Tick,
    graph::Plan,
    model::{Fault, RunId, RunStatus, Timestamp},
    schedule::Calendar,
    schedules,
};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    task::JoinSet,
};

use crate::cli::{
    Exit,
    args::BackfillArgs,
    home, load, open,
    output::{Output, Tone},
    words,
    workspace::Workspace,
};

/// Runs the times of a schedule that lie in a range and have no run yet. The same command goes on where it was
/// stopped.
pub(super) fn backfill(output: &Output, args: &BackfillArgs) -> Result<Exit, Fault> {
    let file = load::file_of(&args.path)?;
    let registry = millwork_steps::registry();
    let workspace = Workspace::of_file(output, &file)?;
    let plan = load::plan(output, &file, &registry, &workspace)?;
    let calendar = calendar(&plan, &file, args.schedule)?;
    let ticks = ticks(&calendar, &args.from, &args.to)?;
    let home = home::for_pipeline(args.open.home.as_deref(), &file);
    open::block_on(async {
        let engine = open::engine(home, registry, &args.open, &workspace).await?;
        let ticks = ticks.into_iter().map(|at| Tick { schedule: args.schedule, at, again: args.again.clone() });
        let mut backfill = Backfill { output, engine: engine.clone(), plan, calendar, tally: Tally::default() };
        let done = if args.dry_run {
            backfill.tell(ticks.collect()).await
        } else {
            backfill.run(ticks.collect(), args.concurrency as usize).await
        };
        engine.close().await?;
        done?;
        Ok(backfill.conclude(args.dry_run))
    })
}

fn calendar(plan: &Plan, file: &Path, schedule: u32) -> Result<Calendar, Fault> {
    let several = schedules(&plan.spec).count();
    let found = schedules(&plan.spec).nth(schedule as usize).map(|schedule| schedule.calendar.clone());
    found.ok_or_else(|| {
        let message = format!("{} has no schedule with the number {schedule}", file.display());
        let fault = Fault::user("schedule.none", message);
        match several {
            0 => fault.help("write one: `on: {schedule: [{cron: \"0 2 * * *\", timezone: Europe/Berlin}]}`"),
            some => fault.help(format!("it has {}, which count from 0", load::plural(some, "schedule"))),
        }
    })
}

/// Times from `from` on and before `to`: days in the schedule's zone, or moments.
fn ticks(calendar: &Calendar, from: &str, to: &str) -> Result<Vec<Timestamp>, Fault> {
    let (from, to) = (moment(calendar, from)?, moment(calendar, to)?);
    if from >= to {
        return Err(Fault::user("cli.usage", "`--to` is not after `--from`").help("`--to` is the first day left out"));
    }
    let before = Timestamp::from_micros(from.as_micros() - 1);
    Ok(calendar.ticks(before).take_while(|at| *at < to).collect())
}

fn moment(calendar: &Calendar, text: &str) -> Result<Timestamp, Fault> {
    if let Ok(at) = chrono::DateTime::parse_from_rfc3339(text) {
        return Ok(at.to_utc().into());
    }
    let midnight = text.parse::<NaiveDate>().ok().and_then(|day| day.and_hms_opt(0, 0, 0));
    // Where midnight does not exist, the day begins an hour later, and nothing is in between.
    let at = midnight.and_then(|midnight| {
        let local = |hours| calendar.zone.from_local_datetime(&(midnight + chrono::Duration::hours(hours))).earliest();
        local(0).or_else(|| local(1))
    });
    at.map(|at| at.to_utc().into()).ok_or_else(|| {
        Fault::user("cli.usage", format!("`{text}` is no day and no moment"))
            .help("write 2027-01-31, or 2027-01-31T02:00:00+01:00")
    })
}

#[derive(Debug, Default)]
struct Tally {
    succeeded: u64,
    failed: u64,
    stopped: u64,
    before: u64,
    left: u64,
}

struct Backfill<'a> {
    output: &'a Output,
    engine: Engine,
    plan: Arc<Plan>,
    calendar: Calendar,
    tally: Tally,
}

impl Backfill<'_> {
    /// Says what would run.
    async fn tell(&mut self, ticks: VecDeque<Tick>) -> Result<(), Fault> {
        for tick in ticks {
            let run = self.engine.reader().run_of_key(&tick.key(&self.plan.spec.name.value)).await?;
            match run {
                Some(run) => {
                    let status = self.engine.reader().run(run).await?.status;
                    self.tally.before += 1;
                    self.line(&tick, Tone::Dim, &format!("{} already, {run}", words::run_status(status).0));
                }
                None => {
                    self.tally.left += 1;
                    self.line(&tick, Tone::Good, "would run");
                }
            }
        }
        Ok(())
    }

    /// Runs all, so many at once. A first Ctrl-C starts nothing more and cancels what runs; a second interrupts it.
    async fn run(&mut self, mut ticks: VecDeque<Tick>, concurrency: usize) -> Result<(), Fault> {
        let cannot = |e: std::io::Error| Fault::external("cli.signals", format!("signals cannot be listened to: {e}"));
        let mut interrupt = signal(SignalKind::interrupt()).map_err(cannot)?;
        let mut terminate = signal(SignalKind::terminate()).map_err(cannot)?;
        let mut under_way: JoinSet<(Tick, Result<RunStatus, Fault>)> = JoinSet::new();
        let mut runs: Vec<RunId> = Vec::new();
        let mut stopped = false;
        loop {
            while !stopped && under_way.len() < concurrency {
                let Some(tick) = ticks.pop_front() else { break };
                let Some(handle) = self.start(&tick).await? else { continue };
                runs.push(handle.id());
                under_way.spawn(async move { (tick, handle.ended(true).await.map(|summary| summary.status)) });
            }
            if under_way.is_empty() {
                self.tally.left += ticks.len() as u64;
                return Ok(());
            }
            tokio::select! {
                biased;
                Some(ended) = under_way.join_next() => {
                    let lost = |e| Fault::internal("run.lost", format!("a run's end was not told: {e}"));
                    let (tick, status) = ended.map_err(lost)?;
                    self.ended(&tick, status?);
                }
                () = asked(&mut interrupt) => {
                    stopped = true;
                    for run in &runs {
                        // Those that have ended say so, and that is all there is to it.
                        let _ = self.engine.cancel(*run, "Ctrl-C").await;
                    }
                }
                () = asked(&mut terminate) => {
                    stopped = true;
                    self.engine.clone().close().await?;
                }
            }
        }
    }

    /// The run of a time, if there is something to run.
    async fn start(&mut self, tick: &Tick) -> Result<Option<RunHandle>, Fault> {
        let run = match self.engine.start_tick(self.plan.clone(), tick, true).await? {
            Started::Now(handle) => return Ok(Some(handle)),
            Started::Before(run) => run,
        };
        let status = self.engine.reader().run(run).await?.status;
        let left = !status.is_final() && self.engine.owner_of(run).await?.is_none();
        if left && status != RunStatus::Waiting {
            return self.engine.resume(run, &super::run::user()).await.map(Some);
        }
        self.tally.before += 1;
        self.line(tick, Tone::Dim, &format!("{} already, {run}", words::run_status(status).0));
        Ok(None)
    }

    fn ended(&mut self, tick: &Tick, status: RunStatus) {
        match status {
            RunStatus::Succeeded => self.tally.succeeded += 1,
            RunStatus::Failed => self.tally.failed += 1,
            _ => self.tally.stopped += 1,
        }
        let (word, tone) = words::run_status(status);
        self.line(tick, tone, word);
    }

    fn line(&self, tick: &Tick, tone: Tone, text: &str) {
        let there = tick.at.to_datetime().with_timezone(&self.calendar.zone);
        self.output.result(format!("{}  {}", there.format("%Y-%m-%d %a %H:%M %:z"), self.output.paint(tone, text)));
    }

    fn conclude(&self, dry: bool) -> Exit {
        let Tally { succeeded, failed, stopped, before, left } = self.tally;
        let parts = [
            (succeeded, "succeeded"),
            (failed, "failed"),
            (stopped, "stopped"),
            (before, "had a run already"),
            (left, if dry { "would run" } else { "not begun" }),
        ];
        let parts: Vec<String> =
            parts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
        let all =
            if parts.is_empty() { "no time of the schedule is in the range".to_owned() } else { parts.join(", ") };
        self.output.say(all);
        if stopped + left > 0 && !dry {
            self.output.say("the same command goes on");
            return Exit::Interrupted;
        }
        if failed > 0 { Exit::Failed } else { Exit::Ok }
    }
}

async fn asked(signal: &mut Signal) {
    if signal.recv().await.is_none() {
        std::future::pending::<()>().await;
    }
}
