//! The `qemu` module with real guests: a small Linux that boots in seconds, emulated.

mod changes;
mod disks;
mod life;
mod marks;
mod network;

use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use serde_json::{Value, json};
use tempfile::TempDir;
use windlass_hosts::{net, owner::Always, qemu};
use windlass_model::Problem;
use windlass_script::host::{Args, HostModule, Undo, testing::TestCx};
use windlass_tests::{
    Watched, can_make_namespaces,
    guest::{APPEND, Guest},
    skip,
};

/// A lab of this test's own, in a folder of its own; destroyed when the test ends.
pub struct Lab {
    pub name: String,
    pub run: String,
    _watched: Watched,
    pub folder: TempDir,
    pub config: qemu::Config,
    organisation: &'static str,
    qemu: HostModule,
    net: HostModule,
    runtime: tokio::runtime::Runtime,
}

impl Lab {
    /// With the small guest; `None`, said out loud, where it can't be had.
    pub fn real() -> Option<Self> {
        let guest = match Guest::get() {
            Ok(guest) => guest,
            Err(reason) => {
                skip(&reason);
                return None;
            }
        };
        let folder = tempfile::tempdir().unwrap();
        let images = folder.path().join("images");
        std::fs::create_dir(&images).unwrap();
        for file in ["vmlinuz", "initrd.gz"] {
            std::fs::copy(guest.folder.join(file), images.join(file)).unwrap();
        }
        let config = qemu::Config {
            folder: folder.path().join("qemu"),
            images: vec![images],
            accelerator: qemu::Accelerator::Tcg,
            ..qemu::Config::default()
        };
        Some(Self::with(folder, config, "platform"))
    }

    fn with(folder: TempDir, config: qemu::Config, organisation: &'static str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("wq{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let qemu = qemu::module(&config, std::sync::Arc::new(Always(organisation))).unwrap();
        let net = net::module(net::kernel(), std::sync::Arc::new(windlass_hosts::owner::Always("platform")));
        let (run, watched) = ("01testrun".into(), Watched::new(folder.path()));
        Self { name, run, _watched: watched, folder, config, organisation, qemu, net, runtime }
    }

    /// Looks at the lab as another process does, which knows nothing of what this one did.
    pub fn reopen(&mut self) {
        self.qemu = qemu::module(&self.config, std::sync::Arc::new(Always(self.organisation))).unwrap();
    }

    /// With the net module as well; `None`, said out loud, where networks can't be made.
    pub fn with_networks() -> Option<Self> {
        if let Err(reason) = can_make_namespaces() {
            skip(&reason);
            return None;
        }
        Self::real()
    }

    /// Calls an op on this lab with the arguments after the first.
    pub fn call(&self, name: &str, rest: Value) -> Result<Value, Problem> {
        self.call_as(name, rest, None)
    }

    /// As the undo of the step with this key.
    pub fn call_as(&self, name: &str, rest: Value, undoes: Option<String>) -> Result<Value, Problem> {
        let (module, name) = match name.strip_prefix("net::") {
            Some(name) => (&self.net, name),
            None => (&self.qemu, name),
        };
        let op = module.ops.iter().find(|op| op.name == name).unwrap();
        let mut args = vec![Value::from(self.name.clone())];
        args.extend(rest.as_array().unwrap().iter().cloned());
        if op.params.first().is_none_or(|param| param.name != "lab") {
            args.remove(0);
        }
        let mut cx = TestCx::new(&["qemu.run:*"]);
        cx.timeout = std::time::Duration::from_secs(120);
        (cx.key, cx.undoes) = (format!("{}/1", self.run), undoes);
        (op.run)(&cx.on(&self.runtime), &Args::new(op.params, args))
    }

    pub fn ok(&self, name: &str, rest: Value) -> Value {
        self.call(name, rest.clone()).unwrap_or_else(|problem| panic!("{name} {rest}: {problem:#?}"))
    }

    /// Undoes a call with these arguments as its step does.
    pub fn undo(&self, name: &str, rest: &Value) {
        let op = self.qemu.ops.iter().find(|op| op.name == name).unwrap();
        let Undo::Op { name: undo, args } = &op.undo else { panic!("{name} has no undo") };
        let mut forward = vec![Value::from(self.name.clone())];
        forward.extend(rest.as_array().unwrap().iter().cloned());
        let rest = Value::from(args(&Args::new(op.params, forward)).split_off(1));
        let answer = self.call_as(undo, rest.clone(), Some(format!("{}/1", self.run)));
        answer.unwrap_or_else(|problem| panic!("{undo} {rest}: {problem:#?}"));
    }

    /// What boots the small guest.
    pub fn guest(&self, name: &str) -> Value {
        json!({ "name": name, "kernel": "vmlinuz", "initrd": "initrd.gz", "append": APPEND, "memory_mb": 96 })
    }

    /// The same with more to it.
    pub fn guest_with(&self, name: &str, more: Value) -> Value {
        let mut spec = self.guest(name);
        for (key, value) in more.as_object().unwrap() {
            spec[key] = value.clone();
        }
        spec
    }

    /// Waits for what a guest says.
    pub fn says(&self, name: &str, pattern: &str) -> String {
        self.ok("wait_serial", json!([name, pattern, "90s"]))["text"].as_str().unwrap().to_owned()
    }

    /// Has a guest execute a line, and waits for what it says then.
    pub fn told(&self, name: &str, line: &str, pattern: &str) -> String {
        self.ok("send_serial", json!([name, format!("{line}\n")]));
        self.says(name, pattern)
    }

    pub fn status(&self, name: &str) -> String {
        let all = self.ok("machines", json!([]));
        let found = all.as_array().unwrap().iter().find(|machine| machine["name"] == name);
        found.map_or("absent", |machine| machine["status"].as_str().unwrap()).to_owned()
    }

    pub fn machine(&self, name: &str) -> PathBuf {
        self.config.folder.join("labs").join(&self.name).join(name)
    }

    pub fn images(&self) -> &Path {
        &self.config.images[0]
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = self.call("destroy", json!([]));
        if can_make_namespaces().is_ok() {
            let _ = self.call("net::destroy", json!([]));
        }
    }
}
