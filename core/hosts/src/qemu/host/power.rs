//! Starting and ending a machine's process.

use std::{
    thread,
    time::{Duration, Instant},
};

use serde_json::json;
use windlass_model::{Code, Problem};
use windlass_script::host::OpCx;

use super::{
    Host, command,
    folder::{Held, Record, Started},
    images::Boot,
    process::{self, Process},
    qmp::Qmp,
    serial, taps,
};
use crate::{lab_id::LabId, support::system};

/// QEMU is up when it answers: on a machine that is very busy, too.
const UP_WITHIN: Duration = Duration::from_secs(30);
const ANSWER: Duration = Duration::from_secs(5);
const QUIT: Duration = Duration::from_secs(3);
const DEAD: Duration = Duration::from_secs(10);
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// Starts a machine. One that runs is left running.
pub fn start(host: &Host, cx: &OpCx, lab: &LabId, held: &mut Held) -> Result<(), Problem> {
    let Some(record) = held.record.clone() else {
        return Err(Problem::new(Code::Internal, "a machine without a record was to be started"));
    };
    let name = record.spec.name.clone();
    if process::lives(&held.path) {
        // A crash may have kept it from being noted, or from being what it is going to be.
        let process = up(cx, held, &record)?;
        let same = |noted: &Started| (noted.pid, noted.start_time) == (process.pid, process.start_time);
        let noted = record.started.as_ref().is_some_and(same);
        return if noted { Ok(()) } else { note(cx, held, &process, None) };
    }
    let tools = host.tools()?;
    let record = Record { spec: taps::again(cx, lab, &record.spec)?, ..record };
    let boot = Boot::of(&host.config, &record.spec)?;
    let accelerator = host.accelerator(&tools, record.spec.accelerator)?;
    let line = command::line(&record.spec, &boot, &record.uuid, accelerator);
    serial::begin_here(&held.path)?;
    // Its last words are those of this start.
    let _ = std::fs::remove_file(held.path.join(process::LOG));
    process::spawn(&held.path, &tools.qemu, &line, tools.user.as_ref())
        .map_err(|error| system(format!("starting QEMU for {name}"), &error))?;
    let process = up(cx, held, &record)?;
    held.record = Some(record);
    note(cx, held, &process, Some(accelerator))
}

/// Waits until QEMU answers; its own words if it doesn't.
fn up(cx: &OpCx, held: &Held, record: &Record) -> Result<Process, Problem> {
    let name = &record.spec.name;
    let begin = Instant::now();
    loop {
        let process = process::find(&held.path, Some(&record.uuid));
        if let Some(process) = process
            && Qmp::open(&held.run(), ANSWER).is_ok()
        {
            return Ok(process);
        }
        if !process::lives(&held.path) {
            let words = process::last_words(&held.path);
            let shown = if words.is_empty() { "it doesn't say why".into() } else { words.replace('\n', "; ") };
            return Err(Problem::new(
                Code::CommandFailed,
                format!("QEMU ended at once for the machine {name}: {shown}"),
            )
            .data(json!({ "stderr": words })));
        }
        if begin.elapsed() > UP_WITHIN.min(cx.timeout()) {
            return Err(Problem::new(Code::Unavailable, format!("the process of the machine {name} doesn't answer"))
                .help("something else may hold its folder, or the machine is overloaded")
                .data(json!({ "stderr": process::last_words(&held.path) })));
        }
        if cx.stopped() {
            return Err(Problem::new(Code::Cancelled, "the run was told to stop while this step was under way"));
        }
        thread::sleep(LOOK_AGAIN);
    }
}

fn note(cx: &OpCx, held: &mut Held, process: &Process, accelerator: Option<&str>) -> Result<(), Problem> {
    if let Some(record) = &mut held.record {
        let accelerator = accelerator.map_or_else(|| running_on(process.pid), str::to_owned);
        let (key, pid, start_time) = (cx.key.clone(), process.pid, process.start_time);
        record.started = Some(Started { key, pid, start_time, accelerator });
    }
    held.save()
}

/// What a process says on its command line that it runs guests with.
fn running_on(pid: i32) -> String {
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let kvm = line.split(|byte| *byte == 0).any(|word| word == b"pc,accel=kvm");
    if kvm { "kvm" } else { "tcg" }.to_owned()
}

/// Asks the guest to shut down, then QEMU to end, then makes it.
pub fn stop(cx: &OpCx, held: &Held, grace: Duration) -> Result<(), Problem> {
    let Some(process) = of(held)? else { return Ok(()) };
    let asked = Qmp::open(&held.run(), ANSWER).and_then(|mut qmp| {
        // A paused guest would never hear of it.
        qmp.ask("cont", json!({}))?;
        qmp.ask("system_powerdown", json!({}))
    });
    if asked.is_ok() && process.ended_while(grace, || !cx.stopped()) {
        return Ok(());
    }
    if cx.stopped() {
        return Err(Problem::new(Code::Cancelled, "the run was told to stop while this step was under way"));
    }
    let told = Qmp::open(&held.run(), ANSWER).and_then(|mut qmp| qmp.ask("quit", json!({})));
    if told.is_ok() && process.ended(QUIT) {
        return Ok(());
    }
    kill(held, &process)
}

/// Ends it without asking, and removes all that there is of it.
pub fn end_and_remove(held: Held) -> Result<(), Problem> {
    if let Some(process) = of(&held)? {
        kill(&held, &process)?;
    }
    held.remove()
}

/// Refuses what only a machine that runs can do.
pub fn must_run(held: &Held, name: &str) -> Result<(), Problem> {
    if process::lives(&held.path) {
        return Ok(());
    }
    Err(Problem::new(Code::Unavailable, format!("the machine {name} isn't running"))
        .help("start it: qemu::start_machine")
        .no_effect())
}

fn kill(held: &Held, process: &Process) -> Result<(), Problem> {
    let failed = |error: std::io::Error| system(format!("ending process {}", process.pid), &error);
    process.kill().map_err(failed)?;
    if !process.ended(DEAD) {
        let message = format!("process {} of {} doesn't end", process.pid, held.path.display());
        return Err(Problem::new(Code::System, message).help("it may wait for a disk; try again").retryable());
    }
    Ok(())
}

/// The process of a machine. One that holds its lock, and isn't known, is never touched.
fn of(held: &Held) -> Result<Option<Process>, Problem> {
    let begin = Instant::now();
    let uuid = held.record.as_ref().map(|record| record.uuid.as_str());
    loop {
        if !process::lives(&held.path) {
            return Ok(None);
        }
        // It may be about to become QEMU.
        if let Some(process) = process::find(&held.path, uuid) {
            return Ok(Some(process));
        }
        if begin.elapsed() > ANSWER {
            let message = format!("a process that isn't recognised holds {}", held.path.display());
            return Err(Problem::new(Code::Conflict, message)
                .help("see what it is (`fuser -v` on the file `lock` in there), and end it by hand"));
        }
        thread::sleep(LOOK_AGAIN);
    }
}
