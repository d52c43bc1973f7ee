//! Labs from documents, by the real program on the real kernel.

mod containers;
mod crashes;
mod deploying;
mod drawings;
mod edits;
mod faults;
mod full;
mod kept;
mod looking;
mod machines;
mod networks;
mod outside;
mod owners;
mod quotas;
mod routers;
mod snapshots;
mod watching;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::Duration,
};

use serde_json::Value;
use tempfile::TempDir;
use windlass_hosts::lab_names::LabNames;
use windlass_tests::{Docker, Watched, can_make_namespaces, skip, wait_until, windlass_binary};

/// A data folder, and the labs that were made from it.
struct Place {
    _watched: Watched,
    folder: TempDir,
    labs: Vec<String>,
    /// What is kept of all commands: a configuration file.
    config: Option<PathBuf>,
    /// Folders on small disks, which go when the labs are gone.
    disks: Vec<PathBuf>,
    /// The machine's instance id, where it isn't the data folder's own.
    instance: Option<String>,
}

impl Place {
    /// A place for labs; `None`, said out loud, where none can be made.
    fn new() -> Option<Self> {
        if let Err(reason) = can_make_namespaces() {
            skip(&reason);
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        Some(Self {
            _watched: Watched::new(folder.path()),
            folder,
            labs: Vec::new(),
            config: None,
            disks: Vec::new(),
            instance: None,
        })
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Gives a folder a disk of so many MiB.
    fn small_disk(&mut self, folder: &Path, mib: u32) {
        windlass_tests::docker::small_disk(folder, mib);
        self.disks.push(folder.to_owned());
    }

    /// With the containers of this daemon, and with more lines of configuration.
    fn with_docker(docker: &Docker, more: &str) -> Option<Self> {
        let lines = format!("[hosts.docker]\nsocket = \"{}\"\n{more}", docker.socket().display());
        Some(Self::new()?.configured(&lines))
    }

    /// With a configuration.
    fn configured(mut self, toml: &str) -> Self {
        let path = self.folder.path().join("windlass.toml");
        std::fs::write(&path, toml).unwrap();
        self.config = Some(path);
        self
    }

    fn windlass(&self, crash_at: Option<&str>, arguments: &[&str]) -> Output {
        self.command(crash_at, arguments).output().expect("the program starts")
    }

    fn command(&self, crash_at: Option<&str>, arguments: &[&str]) -> Command {
        let mut command = Command::new(windlass_binary());
        command.arg("--data").arg(self.data()).arg("--workflows").arg(workflows()).args(arguments);
        if let Some(config) = &self.config {
            command.arg("--config").arg(config);
        }
        // A configuration that happens to be above the tests is none of theirs.
        command.current_dir(self.folder.path()).env_remove("WINDLASS_CRASH_AT");
        if let Some(instance) = &self.instance {
            command.env("WINDLASS_INSTANCE_ID", instance).env("WINDLASS_INSTANCE_ID_OVERRIDE_OK", "1");
        }
        command.envs(crash_at.map(|point| ("WINDLASS_CRASH_AT", point)));
        command
    }

    /// Runs a workflow; the record of its run.
    fn run(&self, workflow: &str, input: &Value) -> Value {
        let path = self.folder.path().join("input.json");
        std::fs::write(&path, input.to_string()).unwrap();
        let output = self.windlass(None, &["run", workflow, "--input", &path.to_string_lossy()]);
        let newest = self.newest();
        assert!(
            newest["workflow"] == workflow,
            "{workflow} wasn't launched: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        newest
    }

    fn newest(&self) -> Value {
        let output = self.windlass(None, &["--json", "runs", "ls"]);
        let runs: Value = serde_json::from_slice(&output.stdout).expect("a list of runs");
        runs[0].clone()
    }

    /// Deploys a document (YAML) that has to succeed; what the run says.
    fn deploy(&mut self, document: &Value) -> Value {
        let name = document["name"].as_str().unwrap().to_owned();
        if !self.labs.contains(&name) {
            self.labs.push(name);
        }
        let run = self.run("lab/deploy", document);
        assert_eq!(run["state"], "succeeded", "{:#}", run["problem"]);
        run["output"].clone()
    }

    /// The names of a lab in this machine's kernel.
    fn names(&self, lab: &str) -> LabNames {
        LabNames::new(&self.instance_id(), lab)
    }

    fn instance_id(&self) -> String {
        let own =
            || self.instance.clone().ok_or(()).or_else(|()| std::fs::read_to_string(self.data().join("instance_id")));
        let found = std::fs::read_to_string("/etc/windlass/instance_id").or_else(|_| own());
        found.expect("a run has made an instance id").trim().to_owned()
    }

    /// What the kernel has of a lab.
    fn kernel(&self, lab: &str) -> BTreeSet<String> {
        let names = self.names(lab);
        let text = format!("{}{}", ip(&["-o", "link"]), ip(&["netns", "list"]));
        let words = text.split([' ', ':', '@', '\n', '\\']);
        let ours = words.filter(|word| {
            [names.bridge_prefix(), names.vxlan_prefix(), names.node_prefix()]
                .iter()
                .any(|prefix| word.starts_with(prefix))
        });
        ours.map(|word| word.replacen(names.hash(), "HASH", 1)).collect()
    }

    /// Waits until a node reaches an address.
    fn reaches(&self, lab: &str, node: &str, address: &str) {
        let namespace = self.namespace(lab, node);
        let ping = ["netns", "exec", &namespace, "ping", "-c", "1", "-W", "1", address];
        wait_until(&format!("{node} to reach {address}"), Duration::from_secs(60), || {
            Command::new("ip").args(ping).output().is_ok_and(|output| output.status.success())
        });
    }

    /// The kernel's name of a node's namespace.
    fn namespace(&self, lab: &str, node: &str) -> String {
        let prefix = self.names(lab).node_prefix();
        let list = ip(&["netns", "list"]);
        let mut all = list.lines().filter_map(|line| line.split(' ').next());
        let found = all.find(|name| name.starts_with(&prefix) && name.ends_with(&format!("-{node}")));
        found.unwrap_or_else(|| panic!("{node} isn't there: {list}")).to_owned()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        for lab in &self.labs {
            _ = self.windlass(None, &["run", "lab/destroy", "--set", &format!("lab={lab}")]);
        }
        for disk in &self.disks {
            _ = nix::mount::umount2(disk, nix::mount::MntFlags::MNT_DETACH);
        }
    }
}

/// What Docker has of a lab, by name.
fn containers(docker: &Docker, lab: &str) -> Vec<String> {
    let names = docker.docker(&["ps", "--all", "--format", "{{.Names}}"]);
    names.lines().filter(|name| name.starts_with(&format!("windlass-{lab}-"))).map(str::to_owned).collect()
}

fn ip(arguments: &[&str]) -> String {
    let output = Command::new("ip").args(arguments).output().expect("iproute2 is there");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn workflows() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../workflows").canonicalize().expect("workflows are there")
}
