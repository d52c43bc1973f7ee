//! Making machines: several at a time, all of them or none. Whatever a crash leaves is gone on with by a repeat of the step.

use std::{
    ffi::OsStr,
    fs,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use parking_lot::Mutex;
use serde_json::Value;
use windlass_model::{Code, Problem};
use windlass_script::host::OpCx;

use super::super::spec::MachineSpec;
use super::{
    Host, command,
    folder::{self, Held, Record},
    images::{Boot, Image},
    not_ours, power, seed, taps,
    tool::Tools,
    user::User,
};
use crate::{
    lab_id::LabId,
    lab_mark::{run_of, short_instance},
    support::{invalid, system},
};

/// Machines that are made at a time.
const AT_A_TIME: usize = 4;
const GIB: u64 = 1 << 30;

/// A machine with what it boots from, looked at.
struct Plan {
    spec: MachineSpec,
    base: Option<Image>,
    /// Bytes of its disk.
    size: Option<u64>,
}

/// Makes all of them, or none.
pub fn create(host: &Host, cx: &OpCx, lab: &LabId, specs: &[MachineSpec]) -> Result<Vec<Value>, Problem> {
    let tools = host.tools()?;
    host.store.root()?;
    let plans = specs.iter().map(|spec| plan(host, cx, lab, &tools, spec)).collect::<Result<Vec<_>, Problem>>()?;
    let new = specs.iter().filter(|spec| !host.store.lab(lab).join(&spec.name).exists()).count();
    if host.store.count() + new > host.config.max_machines as usize {
        let message =
            format!("there may be {} machines on this machine, of all labs together", host.config.max_machines);
        return Err(Problem::new(Code::LimitExceeded, message)
            .help("the bound is `hosts.qemu.max_machines`")
            .no_effect());
    }
    // Those that are this call's to take back: new, or gone on with.
    let claimed = Mutex::new(Vec::new());
    let (made, failure) = at_once(plans.len(), |index| {
        let plan = &plans[index];
        let held = claim(host, cx, lab, &plan.spec).inspect(|_| claimed.lock().push(plan.spec.name.clone()))?;
        one(host, cx, lab, (&tools, plan), held)
    });
    match failure {
        None => Ok(made),
        Some(problem) => Err(take_back(host, cx, lab, claimed.into_inner(), problem)),
    }
}

/// Works on several machines at a time, until one fails: what was made, in order, and why not all.
pub fn at_once(count: usize, work: impl Fn(usize) -> Result<Value, Problem> + Sync) -> (Vec<Value>, Option<Problem>) {
    let (next, results) = (AtomicUsize::new(0), Mutex::new(vec![None; count]));
    thread::scope(|scope| {
        for _ in 0..AT_A_TIME.min(count) {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= count {
                        break;
                    }
                    let made = work(index);
                    if made.is_err() {
                        // The others would be taken back anyway.
                        next.store(count, Ordering::Relaxed);
                    }
                    results.lock()[index] = Some(made);
                }
            });
        }
    });
    let mut made = Vec::new();
    let mut failure = None;
    for result in results.into_inner() {
        match result {
            Some(Ok(report)) => made.push(report),
            Some(Err(problem)) => failure = failure.or(Some(problem)),
            None => {}
        }
    }
    (made, failure)
}

/// Looks at everything that can be wrong before anything is made.
fn plan(host: &Host, cx: &OpCx, lab: &LabId, tools: &Tools, spec: &MachineSpec) -> Result<Plan, Problem> {
    let boot = Boot::of(&host.config, spec)?;
    boot.images().try_for_each(|image| image.check_grant(cx))?;
    let spec = taps::attached(cx, lab, spec)?;
    let asked = spec.disk_gb.map(|size| u64::from(size) * GIB);
    let Some(base) = boot.disk else { return Ok(Plan { spec, base: None, size: asked }) };
    let holds = base.inspect(cx, tools, &host.config)?["virtual-size"].as_u64().unwrap_or(0);
    let most = u64::from(host.config.max_disk_gb) * GIB;
    if holds > most {
        let message =
            format!("{}: the image `{}` is a disk of {holds} bytes, and {most} are the most", spec.name, base.name);
        return Err(Problem::new(Code::LimitExceeded, message)
            .help("the bound is `hosts.qemu.max_disk_gb`")
            .no_effect());
    }
    if asked.is_some_and(|asked| asked < holds) {
        let message = format!(
            "{}: the image `{}` needs a disk of {holds} bytes, which `disk_gb` is less than",
            spec.name, base.name
        );
        return Err(invalid(message));
    }
    Ok(Plan { spec, base: Some(base), size: asked })
}

fn one(host: &Host, cx: &OpCx, lab: &LabId, (tools, plan): (&Tools, &Plan), mut held: Held) -> Result<Value, Problem> {
    furnish(cx, lab, tools, plan, &held)?;
    if plan.spec.start != Some(false) {
        power::start(host, cx, lab, &mut held)?;
    }
    Ok(Host::report(&held.path, &plan.spec.name, held.record.as_ref()))
}

/// The machine's folder: new, or what this run has begun.
fn claim(host: &Host, cx: &OpCx, lab: &LabId, spec: &MachineSpec) -> Result<Held, Problem> {
    let name = &spec.name;
    let record = Record {
        instance: short_instance(&cx.instance),
        lab: lab.key.clone(),
        key: cx.key.clone(),
        uuid: uuid(),
        spec: spec.clone(),
        started: None,
        snapshots: Default::default(),
        before: Vec::new(),
    };
    loop {
        let Some(held) = host.store.hold(cx, lab, name)? else {
            if let Some(made) = host.store.make(lab, name, &record)? {
                return Ok(made);
            }
            continue;
        };
        let Some(found) = held.record.as_ref().filter(|_| held.is_of(cx, lab)) else {
            return Err(not_ours(lab, name, held.record.as_ref()));
        };
        if found.run() != run_of(&cx.key) {
            let message =
                format!("the machine {name} is there already: run {} made it for the lab {}", found.run(), lab.name);
            return Err(Problem::new(Code::Conflict, message)
                .help(format!(
                    "remove it, or all of the lab with qemu::destroy(\"{}\"), or use another lab name",
                    lab.name
                ))
                .data(serde_json::json!({ "lab": lab.name, "run": found.run() }))
                .no_effect());
        }
        // An earlier version didn't keep by what mark its cables are found.
        let is_asked_for = |found: &MachineSpec| found.is_same(spec);
        if !is_asked_for(&found.spec) && !taps::attached(cx, lab, &found.spec).is_ok_and(|found| is_asked_for(&found)) {
            let message = format!("the machine {name} is there already, and isn't what is asked for");
            return Err(Problem::new(Code::Conflict, message)
                .help("remove it first: qemu::remove_machine")
                .no_effect());
        }
        return Ok(held);
    }
}

/// Its disk and its seed: each appears whole.
fn furnish(cx: &OpCx, lab: &LabId, tools: &Tools, plan: &Plan, held: &Held) -> Result<(), Problem> {
    let (spec, run) = (&plan.spec, held.run());
    User::give(tools.user.as_ref(), &run)?;
    if spec.has_disk() && !run.join(command::DISK).exists() {
        let new = format!("{}.new", command::DISK);
        let size = plan.size.map(|size| size.to_string());
        let mut args: Vec<&OsStr> = ["create", "-q", "-f", "qcow2"].map(OsStr::new).into();
        if let Some(base) = &plan.base {
            args.extend([OsStr::new("-F"), OsStr::new(base.format), OsStr::new("-b"), base.path.as_os_str()]);
        }
        args.push(OsStr::new(&new));
        args.extend(size.as_deref().map(OsStr::new));
        tools.image(cx, &run, args)?;
        let placed = fs::rename(run.join(&new), run.join(command::DISK));
        placed.map_err(|error| system(format!("making the disk of {}", spec.name), &error))?;
    }
    seeded(cx, lab, tools, spec, held)
}

/// Its seed, if it is to have one and hasn't yet.
pub fn seeded(cx: &OpCx, lab: &LabId, tools: &Tools, spec: &MachineSpec, held: &Held) -> Result<(), Problem> {
    if let Some(texts) = &spec.seed {
        let path = held.run().join(command::SEED);
        if !path.exists() {
            let disk = seed::disk(cx, spec, texts, &format!("{}/{}", lab.name, spec.name))?;
            folder::put(&path, &disk).map_err(|error| system(format!("making the seed of {}", spec.name), &error))?;
        }
        User::give(tools.user.as_ref(), &path)?;
    }
    Ok(())
}

/// Removes what this step has made; its error, which says what is left if anything is.
fn take_back(host: &Host, cx: &OpCx, lab: &LabId, claimed: Vec<String>, problem: Problem) -> Problem {
    let mut left = Vec::new();
    for name in claimed {
        let removed = match host.store.hold(cx, lab, &name) {
            Ok(Some(held))
                if held.is_of(cx, lab) && held.record.as_ref().is_some_and(|record| record.key == cx.key) =>
            {
                power::end_and_remove(held)
            }
            Ok(_) => Ok(()),
            Err(problem) => Err(problem),
        };
        if removed.is_err() {
            left.push(name);
        }
    }
    host.store.sweep(lab);
    if left.is_empty() {
        return problem.no_effect();
    }
    let message = format!("{}; what was made so far couldn't be taken back: {}", problem.message, left.join(", "));
    Problem { message, no_effect: false, ..problem }
}

/// A random one (version 4).
fn uuid() -> String {
    let mut bytes: [u8; 16] = rand::random();
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let text = hex::encode(bytes);
    format!("{}-{}-{}-{}-{}", &text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..])
}
