//! QEMU on this machine.

mod change;
mod command;
mod folder;
mod images;
pub mod line;
mod make;
mod power;
mod probe;
mod process;
mod qmp;
mod seed;
mod serial;
mod snapshots;
mod taps;
mod tool;
mod user;

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Once},
    thread,
    time::Duration,
};

use serde_json::{Value, json};
use windlass_model::{Code, Problem};
use windlass_script::host::OpCx;

use self::{
    folder::{Held, Record, Store, read_record},
    images::Image,
    tool::Tools,
};
use super::{Accelerator, Config, backend::Machines, pattern::Pattern, spec::MachineSpec};
use crate::{
    lab_id::{Holding, LabId},
    lab_mark::short_instance,
};

/// How often logs are looked at that may have outgrown their bound.
const TRIM: Duration = Duration::from_secs(5);
/// A QEMU that is asked how it is answers within this, or is taken to run.
const STATUS: Duration = Duration::from_millis(500);

/// Machines that QEMU runs.
pub struct Host {
    config: Config,
    store: Arc<Store>,
    trimming: Once,
}

/// Whether guests are run by the processor, and why not: `(works, why)`. `Err` where QEMU isn't installed.
pub fn kvm(config: &Config) -> Result<(bool, String), Problem> {
    let tools = Tools::find(&config.program, &config.user)?;
    // Whoever only asks makes no folder: without one it is found out each time.
    let found = probe::kvm(&tools, &config.folder);
    Ok((found.works, found.why))
}

impl Host {
    pub fn new(config: Config) -> Self {
        let store = Arc::new(Store::new(config.folder.clone()));
        Self { config, store, trimming: Once::new() }
    }

    fn tools(&self) -> Result<Tools, Problem> {
        self.trimming.call_once(|| {
            let (store, bound) = (self.store.clone(), self.config.serial_bytes);
            // It ends with the process; nothing waits for it.
            let _ = thread::Builder::new().name("qemu-logs".into()).stack_size(256 << 10).spawn(move || {
                loop {
                    thread::sleep(TRIM);
                    store.everywhere().iter().for_each(|machine| {
                        folder::while_held(machine, || trim(machine, bound));
                    });
                }
            });
        });
        Tools::find(&self.config.program, &self.config.user)
    }

    /// How a machine is run that asks for this.
    fn accelerator(&self, tools: &Tools, asked: Option<Accelerator>) -> Result<&'static str, Problem> {
        match asked.unwrap_or(self.config.accelerator) {
            Accelerator::Tcg => Ok("tcg"),
            wanted => {
                let kvm = probe::kvm(tools, self.store.root()?);
                match (kvm.works, wanted) {
                    (true, _) => Ok("kvm"),
                    (false, Accelerator::Kvm) => Err(Problem::new(Code::Unsupported, kvm.why)
                        .help("`accelerator: \"tcg\"` emulates, which works everywhere and is slow")
                        .no_effect()),
                    (false, _) => Ok("tcg"),
                }
            }
        }
    }

    /// A machine of the lab that is there, held.
    fn held(&self, cx: &OpCx, lab: &LabId, name: &str) -> Result<(Held, Record), Problem> {
        let Some(held) = self.store.hold(cx, lab, name)? else { return Err(absent(lab, name)) };
        match held.record.clone().filter(|_| held.is_of(cx, lab)) {
            Some(record) => Ok((held, record)),
            None => Err(not_ours(lab, name, held.record.as_ref())),
        }
    }

    /// The folder of a machine of the lab that is there.
    fn there(&self, lab: &LabId, name: &str) -> Result<std::path::PathBuf, Problem> {
        let path = self.store.lab(lab).join(name);
        if read_record(&path).is_some() { Ok(path) } else { Err(absent(lab, name)) }
    }

    /// What a machine is now.
    fn report(path: &Path, name: &str, record: Option<&Record>) -> Value {
        let run = path.join("run");
        let spec = record.map(|record| &record.spec);
        let lives = process::lives(path);
        let lost = spec.is_none_or(|spec| spec.has_disk() && !run.join(command::DISK).exists());
        let status = match (lives, lost) {
            (true, _) => qmp::Qmp::open(&run, STATUS)
                .and_then(|mut qmp| qmp.ask("query-status", json!({})))
                .map_or("running", |status| if status["status"] == "paused" { "paused" } else { "running" }),
            (false, true) => "missing",
            (false, false) => "stopped",
        };
        let started = record.and_then(|record| record.started.as_ref()).filter(|_| lives);
        let vnc = spec.is_some_and(|spec| spec.vnc == Some(true)).then(|| run.join(command::VNC));
        let taps = spec.map(MachineSpec::taps).unwrap_or_default().iter();
        let taps: Vec<Value> = taps.map(|tap| json!({ "at": tap.at, "interface": tap.interface })).collect();
        json!({ "name": name, "status": status, "pid": started.map(|started| started.pid), "taps": taps,
            "disk": spec.and_then(|spec| spec.disk.as_ref()), "disk_gb": spec.and_then(|spec| spec.disk_gb),
            "accelerator": started.map(|started| &started.accelerator), "serial": run.join(command::SERIAL), "vnc": vnc,
            "digest": spec.and_then(|spec| spec.digest.as_ref()),
            "labels": spec.and_then(|spec| spec.labels.clone()).unwrap_or_default(),
            "run": record.map(Record::run) })
    }
}

impl Machines for Host {
    fn info(&self, _: &OpCx) -> Result<Value, Problem> {
        let tools = self.tools()?;
        let kvm = probe::kvm(&tools, self.store.root()?);
        let accelerator = match (self.config.accelerator, kvm.works) {
            (Accelerator::Auto | Accelerator::Kvm, true) => "kvm",
            _ => "tcg",
        };
        Ok(json!({ "version": tools.version()?, "kvm": kvm.works, "why": kvm.why, "accelerator": accelerator }))
    }

    fn image(&self, cx: &OpCx, name: &str) -> Result<Value, Problem> {
        let image = Image::find(&self.config, name)?;
        image.check_grant(cx)?;
        let info = image.inspect(cx, &self.tools()?, &self.config)?;
        Ok(json!({ "name": image.name, "path": image.path, "format": image.format, "bytes": info["virtual-size"] }))
    }

    fn create(&self, cx: &OpCx, lab: &LabId, specs: &[MachineSpec]) -> Result<Vec<Value>, Problem> {
        make::create(self, cx, lab, specs)
    }

    fn start(&self, cx: &OpCx, lab: &LabId, name: &str) -> Result<Value, Problem> {
        let (mut held, _) = self.held(cx, lab, name)?;
        power::start(self, cx, lab, &mut held)?;
        Ok(Self::report(&held.path, name, held.record.as_ref()))
    }

    fn change(&self, cx: &OpCx, lab: &LabId, specs: &[MachineSpec], grace: Duration) -> Result<Vec<Value>, Problem> {
        change::change(self, cx, lab, specs, grace)
    }

    fn take_back(&self, cx: &OpCx, lab: &LabId, names: &[String], grace: Duration) -> Result<(), Problem> {
        let undone = (cx.undoes.as_ref(), grace);
        let back = |index: usize| change::take_back(self, cx, lab, &names[index], undone).map(|()| Value::Null);
        let (_, failure) = make::at_once(names.len(), back);
        failure.map_or(Ok(()), Err)
    }

    fn stop(&self, cx: &OpCx, lab: &LabId, name: &str, grace: Duration) -> Result<Value, Problem> {
        let (held, record) = match self.held(cx, lab, name) {
            // An undo of a start: what isn't there doesn't run.
            Err(problem) if cx.undoes.is_some() && problem.code == Code::NotFound => return Ok(Value::Null),
            found => found?,
        };
        let started_by = record.started.as_ref().map(|started| &started.key);
        if cx.undoes.is_none() || started_by == cx.undoes.as_ref() {
            power::stop(cx, &held, grace)?;
        }
        Ok(Self::report(&held.path, name, held.record.as_ref()))
    }

    fn remove(&self, cx: &OpCx, lab: &LabId, names: &[String]) -> Result<(), Problem> {
        for name in names {
            let Some(held) = self.store.hold(cx, lab, name)? else { continue };
            if let Some(undone) = &cx.undoes {
                // What another step has made is left alone, and that is success.
                if held.is_of(cx, lab) && held.record.as_ref().is_some_and(|record| record.key == *undone) {
                    power::end_and_remove(held)?;
                }
                continue;
            }
            if held.record.is_some() && !held.is_of(cx, lab) {
                return Err(not_ours(lab, name, held.record.as_ref()));
            }
            power::end_and_remove(held)?;
        }
        self.store.sweep(lab);
        Ok(())
    }

    fn destroy(&self, cx: &OpCx, lab: &LabId) -> Result<usize, Problem> {
        let names = self.store.machines(lab)?;
        self.remove(cx, lab, &names)?;
        self.store.sweep(lab);
        Ok(names.len())
    }

    fn labs(&self, cx: &OpCx, organisation: &str) -> BTreeMap<String, Holding> {
        let mut labs: BTreeMap<String, Holding> = BTreeMap::new();
        for (lab, path) in self.store.by_lab() {
            let record = read_record(&path);
            let is_other = record.as_ref().is_some_and(|record| record.instance != short_instance(&cx.instance));
            let lab = LabId::parse(&lab).filter(|lab| lab.organisation == organisation && !is_other);
            let Some(lab) = lab else { continue };
            let held = labs.entry(lab.name).or_default();
            held.nodes.extend(path.file_name().map(|name| name.to_string_lossy().into_owned()));
            // What is known of it may be lost: it takes its part all the same.
            let spec = record.map(|record| record.spec).unwrap_or_default();
            held.cpus += f64::from(spec.cpus());
            held.memory_mb += u64::from(spec.memory_mb());
        }
        labs
    }

    fn list(&self, _: &OpCx, lab: &LabId) -> Result<Vec<Value>, Problem> {
        let folder = self.store.lab(lab);
        let report = |name: String| {
            let path = folder.join(&name);
            Self::report(&path, &name, read_record(&path).as_ref())
        };
        Ok(self.store.machines(lab)?.into_iter().map(report).collect())
    }

    fn wait_serial(&self, cx: &OpCx, lab: &LabId, name: &str, wait: (&Pattern, Duration)) -> Result<Value, Problem> {
        serial::wait(cx, &self.there(lab, name)?, name, wait)
    }

    fn send_serial(&self, cx: &OpCx, lab: &LabId, name: &str, text: &str) -> Result<(), Problem> {
        let (held, _) = self.held(cx, lab, name)?;
        power::must_run(&held, name)?;
        serial::send(cx, &held.path, name, text)
    }

    fn serial(&self, _: &OpCx, lab: &LabId, name: &str, lines: usize) -> Result<Value, Problem> {
        Ok(serial::tail(&self.there(lab, name)?, lines).into())
    }

    fn snapshot(&self, cx: &OpCx, lab: &LabId, name: &str, tag: &str) -> Result<Value, Problem> {
        let (mut held, _) = self.held(cx, lab, name)?;
        snapshots::save(cx, &self.tools()?, &mut held, tag)
    }

    fn restore(&self, cx: &OpCx, lab: &LabId, name: &str, tag: &str) -> Result<Value, Problem> {
        let (mut held, _) = self.held(cx, lab, name)?;
        let tools = self.tools()?;
        let has_memory = snapshots::look(cx, &tools, &held, tag)?;
        match (has_memory, process::lives(&held.path)) {
            (true, _) => {
                power::start(self, cx, lab, &mut held)?;
                snapshots::restore_running(cx, &held, tag)?;
            }
            (false, false) => snapshots::restore_stopped(cx, &tools, &held, tag)?,
            (false, true) => {
                return Err(Problem::new(
                    Code::Conflict,
                    format!("the snapshot {tag} holds the disk only, and {name} runs"),
                )
                .help("stop the machine first: qemu::stop_machine")
                .no_effect());
            }
        }
        Ok(Self::report(&held.path, name, held.record.as_ref()))
    }

    fn forget(&self, cx: &OpCx, lab: &LabId, name: &str, tag: &str) -> Result<(), Problem> {
        let mut held = match self.held(cx, lab, name) {
            Err(problem) if problem.code == Code::NotFound => return Ok(()),
            found => found?.0,
        };
        snapshots::forget(cx, &self.tools()?, &mut held, tag)
    }

    fn snapshots(&self, cx: &OpCx, lab: &LabId, name: &str) -> Result<Vec<Value>, Problem> {
        let (held, _) = self.held(cx, lab, name)?;
        Ok(snapshots::list(cx, &self.tools()?, &held)?.into_values().collect())
    }
}

/// What can't be cut now is cut the next time.
fn trim(machine: &Path, bound: u64) {
    let _ = serial::trim(machine, bound);
    let _ = process::trim_log(machine);
}

/// See `qemu::sockets`.
pub fn sockets(config: &Config, instance: &str, lab: &LabId, name: &str) -> Option<super::Sockets> {
    let path = folder::Store::new(config.folder.clone()).lab(lab).join(name);
    let record = read_record(&path)
        .filter(|record| record.instance == crate::lab_mark::short_instance(instance) && record.lab == lab.key)?;
    let vnc = (record.spec.vnc == Some(true)).then_some(command::VNC);
    Some(super::Sockets { folder: path.join("run"), serial: command::SERIAL, vnc })
}

pub fn machines(config: &Config, instance: &str, lab: &LabId) -> Result<Vec<Value>, Problem> {
    let store = folder::Store::new(config.folder.clone());
    let (folder, instance) = (store.lab(lab), crate::lab_mark::short_instance(instance));
    let ours = store.machines(lab)?.into_iter().filter_map(|name| {
        let path = folder.join(&name);
        let record = read_record(&path).filter(|record| record.instance == instance && record.lab == lab.key)?;
        Some(Host::report(&path, &name, Some(&record)))
    });
    Ok(ours.collect())
}

fn absent(lab: &LabId, name: &str) -> Problem {
    Problem::new(Code::NotFound, format!("the lab {} has no machine {name}", lab.name))
        .help("qemu::machines(lab) lists what there is")
        .no_effect()
}

fn not_ours(lab: &LabId, name: &str, record: Option<&Record>) -> Problem {
    let message = match record {
        Some(record) if record.lab == lab.key => {
            format!("the machine {name} of the lab {} was made by another Windlass that used this folder", lab.name)
        }
        Some(_) => format!("the folder of the machine {name} is another lab's"),
        None => format!("what was known of the machine {name} of the lab {} is lost", lab.name),
    };
    Problem::new(Code::Conflict, message)
        .help(format!("qemu::destroy(\"{}\") removes what is left of the lab's machines", lab.name))
        .no_effect()
}
