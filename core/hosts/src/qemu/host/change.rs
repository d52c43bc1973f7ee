//! Changing what machines are made of. Their disks stay, with all snapshots in them.

use std::{fs, path::PathBuf, time::Duration};

use serde_json::Value;
use windlass_model::{Code, Problem};
use windlass_script::host::OpCx;

use super::{
    super::spec::MachineSpec,
    Host, command,
    folder::{Before, Held, Record},
    images::Boot,
    make::{at_once, seeded},
    power, process, taps,
    tool::Tools,
};
use crate::{lab_id::LabId, lab_mark::run_of, lab_names::blake2b_4, support::system};

/// Changes of one machine that a run may make and take back.
const MAX_CHANGES: usize = 32;

/// Changes all of them, or none.
pub fn change(
    host: &Host,
    cx: &OpCx,
    lab: &LabId,
    specs: &[MachineSpec],
    grace: Duration,
) -> Result<Vec<Value>, Problem> {
    let tools = host.tools()?;
    let wanted = specs.iter().map(|spec| look(host, cx, lab, spec)).collect::<Result<Vec<_>, Problem>>()?;
    let (made, failure) = at_once(wanted.len(), |index| one(host, cx, lab, &tools, (&wanted[index], grace)));
    let Some(problem) = failure else { return Ok(made) };
    // What wasn't reached has no note of this step, and stays as it is.
    let back = |spec: &&MachineSpec| take_back(host, cx, lab, &spec.name, (Some(&cx.key), grace)).is_err();
    let left: Vec<&str> = wanted.iter().filter(back).map(|spec| spec.name.as_str()).collect();
    if left.is_empty() {
        return Err(problem.no_effect());
    }
    let message = format!("{}; these couldn't be changed back: {}", problem.message, left.join(", "));
    Err(Problem { message, no_effect: false, ..problem })
}

/// Looks at everything that can be wrong before anything is changed.
fn look(host: &Host, cx: &OpCx, lab: &LabId, spec: &MachineSpec) -> Result<MachineSpec, Problem> {
    Boot::of(&host.config, spec)?.images().try_for_each(|image| image.check_grant(cx))?;
    let spec = taps::attached(cx, lab, spec)?;
    let (held, record) = host.held(cx, lab, &spec.name)?;
    let conflict = |message: String, help: &str| Err(Problem::new(Code::Conflict, message).help(help).no_effect());
    if !record.spec.has_disk_of(&spec) {
        let message = format!("{}: a machine's `disk` and `disk_gb` can't be changed", spec.name);
        return conflict(message, "remove it with its disk, and make it anew: qemu::remove_machine");
    }
    if spec.has_disk() && !held.run().join(command::DISK).exists() {
        return conflict(
            format!("the disk of the machine {} is gone", spec.name),
            "remove what is left: qemu::remove_machine",
        );
    }
    // One that is done once more was counted before.
    let others = record.before.iter().filter(|before| before.key != cx.key);
    let changes = others.filter(|before| run_of(&before.key) == run_of(&cx.key)).count();
    if changes >= MAX_CHANGES {
        let message = format!("{}: a run may change a machine {MAX_CHANGES} times", spec.name);
        return Err(Problem::new(Code::LimitExceeded, message).no_effect());
    }
    Ok(spec)
}

fn one(
    host: &Host,
    cx: &OpCx,
    lab: &LabId,
    tools: &Tools,
    (spec, grace): (&MachineSpec, Duration),
) -> Result<Value, Problem> {
    let (mut held, record) = host.held(cx, lab, &spec.name)?;
    let before = match record.before.last().filter(|before| before.key == cx.key) {
        Some(begun) => begun.clone(),
        None => begin(cx, &mut held, record, spec)?,
    };
    let started = held.record.as_ref().and_then(|record| record.started.as_ref()).map(|started| &started.key);
    let is_new = started == Some(&cx.key);
    if process::lives(&held.path) && !is_new && (spec.start == Some(false) || !before.spec.runs_as(spec)) {
        power::stop(cx, &held, grace)?;
    }
    if before.spec.seed != spec.seed {
        set_aside(&held, &before)?;
    }
    seeded(cx, lab, tools, spec, &held)?;
    if spec.start != Some(false) {
        power::start(host, cx, lab, &mut held)?;
    }
    Ok(Host::report(&held.path, &spec.name, held.record.as_ref()))
}

/// Notes what it was, and what it is to be, in one.
fn begin(cx: &OpCx, held: &mut Held, mut record: Record, spec: &MachineSpec) -> Result<Before, Problem> {
    let ran = record.started.clone().filter(|_| process::lives(&held.path));
    let before = Before { key: cx.key.clone(), spec: record.spec.clone(), ran };
    // Nobody takes back what another run has changed before this one.
    let (own, others): (Vec<_>, Vec<_>) =
        record.before.into_iter().partition(|before| run_of(&before.key) == run_of(&cx.key));
    record.before = own;
    record.before.push(before.clone());
    record.spec = spec.clone();
    held.record = Some(record);
    held.save()?;
    for other in others {
        let _ = fs::remove_file(aside(held, &other.key));
    }
    Ok(before)
}

/// Takes back the change that a step has made; without one, the last. A machine that ran before runs again, if its TAPs are there.
pub fn take_back(
    host: &Host,
    cx: &OpCx,
    lab: &LabId,
    name: &str,
    (key, grace): (Option<&String>, Duration),
) -> Result<(), Problem> {
    let (mut held, record) = match host.held(cx, lab, name) {
        Err(problem) if problem.code == Code::NotFound => return Ok(()),
        found => found?,
    };
    let Some(before) = record.before.last().filter(|before| key.is_none_or(|key| before.key == *key)).cloned() else {
        return Ok(());
    };
    let is_same = record.started == before.ran;
    if before.ran.is_none() || !(is_same || before.spec.runs_as(&record.spec)) {
        power::stop(cx, &held, grace)?;
    }
    if before.spec.seed != record.spec.seed {
        put_back(&held, &before)?;
    }
    let mut record = Record { spec: before.spec, ..record };
    held.record = Some(record.clone());
    held.save()?;
    // Where a cable went meanwhile, it waits for that.
    let can_run = || match taps::again(cx, lab, &record.spec) {
        Err(problem) if problem.code == Code::NotFound => Ok(false),
        found => found.map(|_| true),
    };
    if before.ran.is_some() && can_run()? {
        power::start(host, cx, lab, &mut held)?;
        record.started = held.record.take().and_then(|record| record.started);
    }
    record.before.pop();
    held.record = Some(record);
    held.save()
}

/// Where the seed from before a change is.
fn aside(held: &Held, key: &str) -> PathBuf {
    held.run().join(format!("{}.{}", command::SEED, hex::encode(blake2b_4(key))))
}

fn set_aside(held: &Held, before: &Before) -> Result<(), Problem> {
    let (seed, kept) = (held.run().join(command::SEED), aside(held, &before.key));
    let done = match (before.spec.seed.is_some(), seed.exists() && !kept.exists()) {
        (_, false) => Ok(()),
        (true, true) => fs::rename(&seed, &kept),
        // Half of a change that a crash has interrupted.
        (false, true) => fs::remove_file(&seed),
    };
    done.map_err(|error| system("keeping the seed from before", &error))
}

fn put_back(held: &Held, before: &Before) -> Result<(), Problem> {
    let (seed, kept) = (held.run().join(command::SEED), aside(held, &before.key));
    let done = match (kept.exists(), before.spec.seed.is_some()) {
        (true, true) => fs::rename(&kept, &seed),
        // It hadn't been set aside yet.
        (false, true) => Ok(()),
        (_, false) if seed.exists() => fs::remove_file(&seed),
        (_, false) => Ok(()),
    };
    done.map_err(|error| system("putting the seed from before back", &error))
}
