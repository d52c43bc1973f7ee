//! Machines in memory, for rehearsals: every image is there, and every guest says what it is waited for.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use parking_lot::Mutex;
use serde_json::{Value, json};
use windlass_model::{Code, Problem};
use windlass_script::host::OpCx;

use super::{
    backend::Machines,
    pattern::Pattern,
    spec::{MachineSpec, TapSpec},
};
use crate::{
    lab_id::{Holding, LabId},
    lab_mark::run_of,
};

/// What there is.
#[derive(Default)]
pub struct Twin(Mutex<BTreeMap<(String, String), Machine>>);

struct Machine {
    key: String,
    spec: MachineSpec,
    running: bool,
    started_by: Option<String>,
    snapshots: BTreeMap<String, (bool, String)>,
    /// What it was before each change: who changed it, and whether it ran.
    before: Vec<(String, MachineSpec, bool)>,
}

impl Twin {
    fn with<T>(
        &self,
        lab: &LabId,
        name: &str,
        work: impl FnOnce(&mut Machine) -> Result<T, Problem>,
    ) -> Result<T, Problem> {
        let mut all = self.0.lock();
        let missing = || {
            Problem::new(Code::NotFound, format!("the lab {} has no machine {name}", lab.name))
                .help("qemu::machines(lab) lists what there is")
                .no_effect()
        };
        work(all.get_mut(&(lab.key.clone(), name.to_owned())).ok_or_else(missing)?)
    }
}

impl Machine {
    fn report(&self) -> Value {
        let socket = |kind: &str| format!("/var/lib/windlass/qemu/{}/{kind}", self.spec.name);
        let tap = |tap: &TapSpec| json!({ "at": tap.at, "interface": tap.interface });
        json!({ "name": self.spec.name, "status": if self.running { "running" } else { "stopped" },
            "taps": self.spec.taps().iter().map(tap).collect::<Vec<_>>(), "disk": self.spec.disk, "disk_gb": self.spec.disk_gb,
            "pid": self.running.then_some(1), "accelerator": self.running.then_some("tcg"), "serial": socket("serial"),
            "vnc": (self.spec.vnc == Some(true)).then(|| socket("vnc")), "digest": self.spec.digest,
            "labels": self.spec.labels.clone().unwrap_or_default(), "run": run_of(&self.key) })
    }

    fn start(&mut self, cx: &OpCx) {
        if !self.running {
            (self.running, self.started_by) = (true, Some(cx.key.clone()));
        }
    }

    fn needs_disk(&self) -> Result<(), Problem> {
        match self.spec.has_disk() {
            true => Ok(()),
            false => Err(Problem::new(Code::Unsupported, "a machine without a disk has no snapshots").no_effect()),
        }
    }
}

impl Machines for Twin {
    fn info(&self, _: &OpCx) -> Result<Value, Problem> {
        let why = "a rehearsal starts no guest";
        Ok(json!({ "version": "0", "kvm": false, "why": why, "accelerator": "tcg" }))
    }

    fn image(&self, _: &OpCx, name: &str) -> Result<Value, Problem> {
        super::spec::check_image(name)?;
        let format = if name.ends_with(".qcow2") { "qcow2" } else { "raw" };
        Ok(
            json!({ "name": name, "path": format!("/var/lib/windlass/images/{name}"), "format": format, "bytes": 1 << 30 }),
        )
    }

    fn create(&self, cx: &OpCx, lab: &LabId, specs: &[MachineSpec]) -> Result<Vec<Value>, Problem> {
        check_grants(cx, specs)?;
        let mut all = self.0.lock();
        let key = |spec: &MachineSpec| (lab.key.clone(), spec.name.clone());
        for spec in specs {
            let other = all.get(&key(spec));
            if other.is_some_and(|other| run_of(&other.key) != run_of(&cx.key) || other.spec != *spec) {
                return Err(
                    Problem::new(Code::Conflict, format!("the machine {} is there already", spec.name)).no_effect()
                );
            }
        }
        let made = specs.iter().map(|spec| {
            let machine = all.entry(key(spec)).or_insert_with(|| Machine {
                key: cx.key.clone(),
                spec: spec.clone(),
                running: false,
                started_by: None,
                snapshots: BTreeMap::new(),
                before: Vec::new(),
            });
            if spec.start != Some(false) {
                machine.start(cx);
            }
            machine.report()
        });
        Ok(made.collect())
    }

    fn change(&self, cx: &OpCx, lab: &LabId, specs: &[MachineSpec], _: Duration) -> Result<Vec<Value>, Problem> {
        check_grants(cx, specs)?;
        for spec in specs {
            self.with(lab, &spec.name, |machine| match machine.spec.has_disk_of(spec) {
                true => Ok(()),
                false => {
                    let message = format!("{}: a machine's `disk` and `disk_gb` can't be changed", spec.name);
                    Err(Problem::new(Code::Conflict, message).no_effect())
                }
            })?;
        }
        let change = |spec: &MachineSpec| {
            self.with(lab, &spec.name, |machine| {
                if machine.before.last().is_none_or(|(by, ..)| *by != cx.key) {
                    machine.before.push((cx.key.clone(), machine.spec.clone(), machine.running));
                }
                machine.running &= spec.start != Some(false) && machine.spec.runs_as(spec);
                machine.spec = spec.clone();
                if spec.start != Some(false) {
                    machine.start(cx);
                }
                Ok(machine.report())
            })
        };
        specs.iter().map(change).collect()
    }

    fn take_back(&self, cx: &OpCx, lab: &LabId, names: &[String], _: Duration) -> Result<(), Problem> {
        for name in names {
            let back = self.with(lab, name, |machine| {
                let own =
                    |(by, ..): &mut (String, MachineSpec, bool)| cx.undoes.as_ref().is_none_or(|undone| by == undone);
                if let Some((_, spec, ran)) = machine.before.pop_if(own) {
                    (machine.spec, machine.running) = (spec, ran);
                }
                Ok(())
            });
            back.or_else(|problem| if problem.code == Code::NotFound { Ok(()) } else { Err(problem) })?;
        }
        Ok(())
    }

    fn start(&self, cx: &OpCx, lab: &LabId, name: &str) -> Result<Value, Problem> {
        self.with(lab, name, |machine| {
            machine.start(cx);
            Ok(machine.report())
        })
    }

    fn stop(&self, cx: &OpCx, lab: &LabId, name: &str, _: Duration) -> Result<Value, Problem> {
        let stopped = self.with(lab, name, |machine| {
            if cx.undoes.is_none() || machine.started_by == cx.undoes {
                machine.running = false;
            }
            Ok(machine.report())
        });
        match stopped {
            Err(problem) if cx.undoes.is_some() && problem.code == Code::NotFound => Ok(Value::Null),
            stopped => stopped,
        }
    }

    fn remove(&self, cx: &OpCx, lab: &LabId, names: &[String]) -> Result<(), Problem> {
        let names: BTreeSet<&String> = names.iter().collect();
        let goes = |machine: &Machine| cx.undoes.as_ref().is_none_or(|undone| machine.key == *undone);
        self.0.lock().retain(|(key, name), machine| *key != lab.key || !names.contains(name) || !goes(machine));
        Ok(())
    }

    fn destroy(&self, _: &OpCx, lab: &LabId) -> Result<usize, Problem> {
        let mut all = self.0.lock();
        let before = all.len();
        all.retain(|(key, _), _| *key != lab.key);
        Ok(before - all.len())
    }

    fn labs(&self, _: &OpCx, organisation: &str) -> BTreeMap<String, Holding> {
        let mut labs: BTreeMap<String, Holding> = BTreeMap::new();
        for ((key, name), machine) in &*self.0.lock() {
            let Some(lab) = LabId::parse(key).filter(|lab| lab.organisation == organisation) else { continue };
            let held = labs.entry(lab.name).or_default();
            held.nodes.insert(name.clone());
            held.cpus += f64::from(machine.spec.cpus());
            held.memory_mb += u64::from(machine.spec.memory_mb());
        }
        labs
    }

    fn list(&self, _: &OpCx, lab: &LabId) -> Result<Vec<Value>, Problem> {
        Ok(self.0.lock().iter().filter(|((key, _), _)| *key == lab.key).map(|(_, machine)| machine.report()).collect())
    }

    fn wait_serial(&self, _: &OpCx, lab: &LabId, name: &str, wait: (&Pattern, Duration)) -> Result<Value, Problem> {
        self.with(lab, name, |machine| match machine.running {
            true => Ok(json!({ "text": wait.0.as_str(), "lines": wait.0.as_str(), "waited_ms": 0 })),
            false => Err(Problem::new(Code::Unavailable, format!("the machine {name} isn't running"))),
        })
    }

    fn send_serial(&self, _: &OpCx, lab: &LabId, name: &str, _: &str) -> Result<(), Problem> {
        self.with(lab, name, |machine| match machine.running {
            true => Ok(()),
            false => Err(Problem::new(Code::Unavailable, format!("the machine {name} isn't running")).no_effect()),
        })
    }

    fn serial(&self, _: &OpCx, lab: &LabId, name: &str, _: usize) -> Result<Value, Problem> {
        self.with(lab, name, |_| Ok(Value::from("")))
    }

    fn snapshot(&self, cx: &OpCx, lab: &LabId, name: &str, tag: &str) -> Result<Value, Problem> {
        self.with(lab, name, |machine| {
            machine.needs_disk()?;
            let (running, own) = (machine.running, cx.key.clone());
            let (memory, by) = machine.snapshots.entry(tag.to_owned()).or_insert((running, own));
            if run_of(by) != run_of(&cx.key) {
                return Err(Problem::new(Code::Conflict, format!("there is a snapshot {tag} already")).no_effect());
            }
            Ok(json!({ "tag": tag, "memory": *memory, "bytes": i32::from(*memory), "created_s": 0, "run": run_of(by) }))
        })
    }

    fn restore(&self, cx: &OpCx, lab: &LabId, name: &str, tag: &str) -> Result<Value, Problem> {
        self.with(lab, name, |machine| {
            machine.needs_disk()?;
            match machine.snapshots.get(tag).map(|(memory, _)| *memory) {
                None => Err(Problem::new(Code::NotFound, format!("the machine has no snapshot {tag}")).no_effect()),
                Some(false) if machine.running => {
                    let message = format!("the snapshot {tag} holds the disk only, and {name} runs");
                    Err(Problem::new(Code::Conflict, message).no_effect())
                }
                Some(memory) => {
                    if memory {
                        machine.start(cx);
                    }
                    Ok(machine.report())
                }
            }
        })
    }

    fn forget(&self, cx: &OpCx, lab: &LabId, name: &str, tag: &str) -> Result<(), Problem> {
        let forgotten = self.with(lab, name, |machine| {
            let goes = |(_, by): &(bool, String)| cx.undoes.as_ref().is_none_or(|undone| by == undone);
            if machine.snapshots.get(tag).is_some_and(goes) {
                machine.snapshots.remove(tag);
            }
            Ok(())
        });
        forgotten.or_else(|problem| if problem.code == Code::NotFound { Ok(()) } else { Err(problem) })
    }

    fn snapshots(&self, _: &OpCx, lab: &LabId, name: &str) -> Result<Vec<Value>, Problem> {
        self.with(lab, name, |machine| {
            let each = machine.snapshots.iter().map(|(tag, (memory, by))| {
                json!({ "tag": tag, "memory": memory, "bytes": i32::from(*memory), "created_s": 0, "run": run_of(by) })
            });
            Ok(each.collect())
        })
    }
}

fn check_grants(cx: &OpCx, specs: &[MachineSpec]) -> Result<(), Problem> {
    for image in specs.iter().flat_map(MachineSpec::images) {
        let scope = format!("image={image}");
        if !cx.is_granted("qemu.run", &scope) {
            let grant = format!("qemu.run:{scope}");
            let message = format!("a machine with the image `{image}` needs the grant `{grant}`");
            return Err(Problem::new(Code::PermissionDenied, message).data(json!({ "grant": grant })).no_effect());
        }
    }
    Ok(())
}
