//! States of a machine that are kept inside its own disk: the disk, and the memory of one that runs.

use std::{collections::BTreeMap, ffi::OsStr};

use serde_json::{Value, json};
use windlass_model::{Code, Problem};
use windlass_script::host::OpCx;

use super::{
    command::{DISK, DISK_NODE},
    folder::Held,
    process,
    qmp::Qmp,
    tool::Tools,
};
use crate::lab_mark::run_of;

/// Of one machine, at most.
const MAX_SNAPSHOTS: usize = 32;

/// Keeps the state that the machine is in.
pub fn save(cx: &OpCx, tools: &Tools, held: &mut Held, tag: &str) -> Result<Value, Problem> {
    needs_disk(held)?;
    let there = list(cx, tools, held)?;
    let made_by = held.record.as_ref().and_then(|record| record.snapshots.get(tag)).cloned();
    if let Some(found) = there.get(tag) {
        return match made_by.is_some_and(|key| run_of(&key) == run_of(&cx.key)) {
            true => Ok(found.clone()),
            false => {
                Err(Problem::new(Code::Conflict, format!("there is a snapshot {tag} already, which another run made"))
                    .help("choose another tag, or remove it with qemu::delete_snapshot")
                    .no_effect())
            }
        };
    }
    if there.len() >= MAX_SNAPSHOTS {
        let message = format!("a machine has {MAX_SNAPSHOTS} snapshots at most");
        return Err(Problem::new(Code::LimitExceeded, message).help("qemu::delete_snapshot removes one").no_effect());
    }
    // Noted first: what a crash leaves without a record would be nobody's.
    if let Some(record) = &mut held.record {
        record.snapshots.insert(tag.to_owned(), cx.key.clone());
    }
    held.save()?;
    match process::lives(&held.path) {
        true => job(cx, held, "snapshot-save", json!({ "tag": tag, "vmstate": DISK_NODE, "devices": [DISK_NODE] }))?,
        false => image(cx, tools, held, "-c", tag)?,
    }
    list(cx, tools, held)?
        .remove(tag)
        .ok_or_else(|| Problem::new(Code::System, format!("the snapshot {tag} isn't there")))
}

/// What is there of a snapshot; whether the machine has to run for it.
pub fn look(cx: &OpCx, tools: &Tools, held: &Held, tag: &str) -> Result<bool, Problem> {
    needs_disk(held)?;
    let there = list(cx, tools, held)?;
    let found = there.get(tag).ok_or_else(|| {
        Problem::new(Code::NotFound, format!("the machine has no snapshot {tag}"))
            .help("qemu::snapshots lists what there is")
            .no_effect()
    })?;
    Ok(found["memory"] == true)
}

/// Takes a running machine back, memory and all.
pub fn restore_running(cx: &OpCx, held: &Held, tag: &str) -> Result<(), Problem> {
    job(cx, held, "snapshot-load", json!({ "tag": tag, "vmstate": DISK_NODE, "devices": [DISK_NODE] }))
}

/// Takes a stopped machine's disk back.
pub fn restore_stopped(cx: &OpCx, tools: &Tools, held: &Held, tag: &str) -> Result<(), Problem> {
    image(cx, tools, held, "-a", tag)
}

/// Forgets a state. One that isn't there is forgotten already.
pub fn forget(cx: &OpCx, tools: &Tools, held: &mut Held, tag: &str) -> Result<(), Problem> {
    needs_disk(held)?;
    let made_by = held.record.as_ref().and_then(|record| record.snapshots.get(tag)).cloned();
    // An undo takes back what its own step has made.
    if cx.undoes.is_some() && made_by != cx.undoes {
        return Ok(());
    }
    if list(cx, tools, held)?.contains_key(tag) {
        match process::lives(&held.path) {
            true => job(cx, held, "snapshot-delete", json!({ "tag": tag, "devices": [DISK_NODE] }))?,
            false => image(cx, tools, held, "-d", tag)?,
        }
    }
    if let Some(record) = &mut held.record {
        record.snapshots.remove(tag);
    }
    held.save()
}

/// Snapshots by tag.
pub fn list(cx: &OpCx, tools: &Tools, held: &Held) -> Result<BTreeMap<String, Value>, Problem> {
    let disk = held.run().join(DISK);
    if !disk.exists() {
        return Ok(BTreeMap::new());
    }
    let info = tools.image(cx, &held.run(), ["info", "-U", "--output=json", "-f", "qcow2", DISK].map(OsStr::new))?;
    let info: Value = serde_json::from_str(&info).unwrap_or_default();
    let of = |one: &Value| {
        let (bytes, seconds) = (one["vm-state-size"].as_u64()?, one["date-sec"].as_i64()?);
        let tag = one["name"].as_str()?.to_owned();
        let made_by = held.record.as_ref().and_then(|record| record.snapshots.get(&tag));
        let described = json!({ "tag": tag, "memory": bytes > 0, "bytes": bytes, "created_s": seconds,
            "run": made_by.map(|key| run_of(key)) });
        Some((tag, described))
    };
    Ok(info["snapshots"].as_array().into_iter().flatten().filter_map(of).collect())
}

fn needs_disk(held: &Held) -> Result<(), Problem> {
    match held.record.as_ref().is_some_and(|record| record.spec.has_disk()) {
        true => Ok(()),
        false => {
            Err(Problem::new(Code::Unsupported, "a machine without a disk has no snapshots: they are kept in its disk")
                .help("give it one: `disk_gb: 1`")
                .no_effect())
        }
    }
}

fn job(cx: &OpCx, held: &Held, command: &str, arguments: Value) -> Result<(), Problem> {
    Qmp::open(&held.run(), cx.timeout())?.job(command, arguments, || !cx.stopped())
}

fn image(cx: &OpCx, tools: &Tools, held: &Held, flag: &str, tag: &str) -> Result<(), Problem> {
    tools.image(cx, &held.run(), ["snapshot", flag, tag, DISK].map(OsStr::new)).map(|_| ())
}
