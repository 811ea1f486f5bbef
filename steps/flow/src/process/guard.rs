//! The guard's side. It runs without an async runtime: two threads and a wait.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    os::{
        fd::AsFd,
        unix::{net::UnixStream, process::CommandExt, process::ExitStatusExt},
    },
    process::{Command, ExitCode, Stdio},
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use super::{
    protocol::{KILL, Order, Report, TERMINATE},
    table::descendants,
};

/// Runs one command for an engine that waits at the other end of standard input. Reads no argument.
pub fn guard_main() -> ExitCode {
    match guard() {
        Ok(()) => ExitCode::SUCCESS,
        // Nobody is there to be told: the engine is gone, or this was started by hand.
        Err(_) => ExitCode::from(2),
    }
}

fn guard() -> io::Result<()> {
    let socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let mut commands = BufReader::new(socket.try_clone()?);
    let mut line = String::new();
    // An engine that died before it gave the order leaves nothing behind.
    if commands.read_line(&mut line)? == 0 {
        return Ok(());
    }
    let order: Order = serde_json::from_str(&line)?;
    let mut stdin = vec![0; usize::try_from(order.stdin).unwrap_or(0)];
    commands.read_exact(&mut stdin)?;
    adopt_orphans();

    let Some((program, arguments)) = order.argv.split_first() else {
        return Err(io::Error::other("no command"));
    };
    let started = Command::new(program)
        .args(arguments)
        .current_dir(&order.cwd)
        .stdin(if stdin.is_empty() { Stdio::null() } else { Stdio::piped() })
        .process_group(0)
        .spawn();
    let mut child = match started {
        Ok(child) => child,
        Err(e) => {
            let missing = e.kind() == io::ErrorKind::NotFound;
            return send(&socket, &Report::NotStarted { missing, message: e.to_string() });
        }
    };
    if let Some(mut pipe) = child.stdin.take() {
        // On a thread of its own, because a command may read its input late or never.
        thread::spawn(move || pipe.write_all(&stdin));
    }
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    thread::spawn(move || obey(commands, group));

    let status = child.wait()?;
    end_tree(group);
    let report = match status.code() {
        Some(code) => Report::Exited(code),
        None => Report::Signalled(status.signal().unwrap_or(0)),
    };
    send(&socket, &report)
}

/// Passes on what the engine asks; its death is the last thing it asks.
fn obey(mut commands: impl Read, group: Option<Pid>) {
    let mut byte = [0];
    loop {
        match commands.read(&mut byte) {
            Ok(1) if byte[0] == TERMINATE => {
                if let Some(group) = group {
                    let _ = kill_process_group(group, Signal::TERM);
                }
            }
            // After this the command has ended, and the main thread reports it.
            Ok(1) if byte[0] == KILL => end_tree(group),
            Ok(1) => {}
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Ok(_) | Err(_) => {
                end_tree(group);
                std::process::exit(0);
            }
        }
    }
}

/// Kills the group and every descendant, those too that left the group. Ends when none is left, or
/// after two seconds, for what is stuck in the kernel.
fn end_tree(group: Option<Pid>) {
    let me = i32::try_from(std::process::id()).unwrap_or(0);
    for _ in 0..2_000 {
        if let Some(group) = group {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let left = descendants(me);
        if left.is_empty() {
            return;
        }
        for process in left {
            if let Some(pid) = Pid::from_raw(process.pid) {
                let _ = kill_process(pid, Signal::KILL);
            }
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// Grandchildren whose parent ended become children of the guard, so that none is lost sight of. The
/// name keeps `pkill millwork` from ending the guard together with the engine.
#[cfg(target_os = "linux")]
fn adopt_orphans() {
    let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
    let _ = rustix::thread::set_name(c"mw-guard");
}

#[cfg(not(target_os = "linux"))]
fn adopt_orphans() {}

fn send(mut socket: &UnixStream, report: &Report) -> io::Result<()> {
    let mut line = serde_json::to_vec(report)?;
    line.push(b'\n');
    socket.write_all(&line)
}
