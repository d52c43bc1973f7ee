//! A machine's serial line: what the guest says is kept, bounded, also while somebody is attached to it.

use std::{
    fs::{self, File, OpenOptions},
    io::{Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use windlass_model::{Code, Problem};
use windlass_script::host::OpCx;

use super::{
    super::pattern::Pattern,
    command::{SERIAL, SERIAL_LOG},
    folder, line, process,
    qmp::{Qmp, connect},
};
use crate::support::{self, system};

/// Where `wait_serial` begins to look: the place at which the machine was last started or written to.
const PLACE: &str = "serial.at";
/// How far back a pattern is looked for.
const WINDOW_BYTES: u64 = 1 << 20;
/// How much of the end is read for its last lines.
const TAIL_BYTES: u64 = 256 << 10;
const EVIDENCE_LINES: usize = 20;
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// How long another one's console may be in the way, and how long QEMU may take to read.
const PATIENCE: Duration = Duration::from_secs(10);

/// From here on it is looked for what the guest says.
pub fn begin_here(machine: &Path) -> Result<(), Problem> {
    place(machine, length(machine))
}

/// Waits for a pattern.
pub fn wait(cx: &OpCx, machine: &Path, name: &str, (pattern, limit): (&Pattern, Duration)) -> Result<Value, Problem> {
    let begin = Instant::now();
    let mut seen = None;
    loop {
        // First whether it lives, then what it said: its last words aren't missed.
        let lives = process::lives(machine);
        let from = placed(machine);
        let length = length(machine);
        if seen != Some((from, length)) {
            seen = Some((from, length));
            let said = read_from(machine, from.max(length.saturating_sub(WINDOW_BYTES)));
            if let Some((text, end)) = pattern.find(&said) {
                let (text, _) = support::text(text.as_bytes(), 4 << 10);
                let lines = last_lines(&said[..end], EVIDENCE_LINES);
                let waited = u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX);
                return Ok(json!({ "text": text, "lines": lines, "waited_ms": waited }));
            }
        }
        let evidence = |problem: Problem| {
            let lines = tail(machine, EVIDENCE_LINES);
            let shown = lines.rsplit('\n').find(|line| !line.trim().is_empty()).unwrap_or("nothing").to_owned();
            problem
                .help(format!("the last thing that it said: {shown}"))
                .data(json!({ "pattern": pattern.as_str(), "serial": lines }))
        };
        if !lives {
            let message = format!("the machine {name} has ended, and didn't say `{}`", pattern.as_str());
            return Err(evidence(Problem::new(Code::Unavailable, message)));
        }
        if begin.elapsed() >= limit {
            let ms = limit.as_millis();
            let message = format!("the machine {name} didn't say `{}` within {ms} ms", pattern.as_str());
            return Err(evidence(Problem::new(Code::WaitTimeout, message)));
        }
        if cx.stopped() {
            return Err(Problem::new(Code::Cancelled, "the run was told to stop while this step was under way"));
        }
        thread::sleep(LOOK_AGAIN);
    }
}

/// Types on the line. Somebody who is attached to it is waited for: it has one end only.
pub fn send(cx: &OpCx, machine: &Path, name: &str, text: &str) -> Result<(), Problem> {
    let run = machine.join("run");
    let limit = PATIENCE.min(cx.timeout());
    let begin = Instant::now();
    while !is_free(&run)? {
        if let Some(typist) = line::attached(&run) {
            begin_here(machine)?;
            match typist.types(text, limit.saturating_sub(begin.elapsed())) {
                line::Typed::All => return Ok(()),
                line::Typed::Stuck => return Err(unread_text(name)),
                // Who was attached has gone meanwhile, and nothing of it was begun.
                line::Typed::Nothing => {}
            }
        }
        if begin.elapsed() > limit || cx.stopped() {
            let message = format!("somebody is attached to the serial line of {name}");
            return Err(Problem::new(Code::Conflict, message)
                .help("a console of it is open: leave it, and try again")
                .retryable()
                .no_effect());
        }
        thread::sleep(LOOK_AGAIN);
    }
    let failed = |error: std::io::Error| system(format!("writing to the serial line of {name}"), &error);
    let mut line = connect(&run, SERIAL).map_err(|error| failed(error).no_effect())?;
    begin_here(machine)?;
    line.set_nonblocking(true).map_err(failed)?;
    let (mut left, begin) = (text.as_bytes(), Instant::now());
    // What it answers is in the log; read here, too, or it could not go on. Leaving early would lose what it hasn't read yet.
    while !left.is_empty() || unread(&line) > 0 {
        let mut answer = [0; 4 << 10];
        let heard = matches!(line.read(&mut answer), Ok(1..));
        let written = match line.write(left) {
            _ if left.is_empty() => 0,
            Ok(count) => count,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => 0,
            Err(error) => return Err(failed(error)),
        };
        left = &left[written..];
        if begin.elapsed() > limit {
            return Err(unread_text(name));
        }
        if !heard && written == 0 {
            thread::sleep(Duration::from_millis(2));
        }
    }
    Ok(())
}

fn unread_text(name: &str) -> Problem {
    let message = format!("the machine {name} doesn't read what is written to its serial line");
    Problem::new(Code::Unavailable, message).help("it may be paused, or without a driver for the line")
}

/// The last lines.
pub fn tail(machine: &Path, lines: usize) -> String {
    last_lines(&read_from(machine, length(machine).saturating_sub(TAIL_BYTES)), lines)
}

/// Cuts the log down to its newer half when it has outgrown its bound. The machine is held.
pub fn trim(machine: &Path, bound: u64) -> std::io::Result<()> {
    let length = length(machine);
    if length <= bound {
        return Ok(());
    }
    let kept = read_from(machine, length - bound / 2);
    // QEMU appends: whatever the length is, it writes at the end.
    let mut log = OpenOptions::new().append(true).custom_flags(libc::O_NOFOLLOW).open(log_of(machine))?;
    log.set_len(0)?;
    log.write_all(&kept)?;
    let _ = place(machine, placed(machine).saturating_sub(length - bound / 2));
    Ok(())
}

fn is_free(run: &Path) -> Result<bool, Problem> {
    let devices = Qmp::open(run, Duration::from_secs(5))?.ask("query-chardev", json!({}))?;
    let line = devices.as_array().and_then(|devices| devices.iter().find(|device| device["label"] == "serial"));
    Ok(line.and_then(|line| line["filename"].as_str()).is_some_and(|name| name.starts_with("disconnected:")))
}

/// Bytes that the other end hasn't read yet.
pub(super) fn unread(line: &impl std::os::fd::AsRawFd) -> libc::c_int {
    let mut count = 0;
    // SAFETY: the descriptor is open; SIOCOUTQ (the terminals' TIOCOUTQ) writes one number.
    match unsafe { libc::ioctl(line.as_raw_fd(), libc::TIOCOUTQ, &raw mut count) } {
        0 => count,
        _ => 0,
    }
}

fn log_of(machine: &Path) -> std::path::PathBuf {
    machine.join("run").join(SERIAL_LOG)
}

/// Not through a link: the folder is QEMU's to write to.
fn open_log(machine: &Path) -> std::io::Result<File> {
    OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(log_of(machine))
}

fn length(machine: &Path) -> u64 {
    open_log(machine).and_then(|log| log.metadata()).map_or(0, |metadata| metadata.len())
}

fn read_from(machine: &Path, from: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Ok(mut log) = open_log(machine)
        && log.seek(SeekFrom::Start(from)).is_ok()
    {
        let _ = log.take(WINDOW_BYTES * 8).read_to_end(&mut bytes);
    }
    bytes
}

fn place(machine: &Path, at: u64) -> Result<(), Problem> {
    let noted = folder::put(&machine.join(PLACE), at.to_string().as_bytes());
    noted.map_err(|error| system(format!("writing {}", machine.display()), &error))
}

fn placed(machine: &Path) -> u64 {
    fs::read_to_string(machine.join(PLACE)).ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// Without what only moves a cursor.
fn last_lines(said: &[u8], lines: usize) -> String {
    let text = String::from_utf8_lossy(said).replace('\r', "");
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}
