//! Nodes: which are missing, which have to be made anew, which don't run, which go.

use serde_json::{Value, json};

use super::{Action, Comparison};
use crate::lab::{
    document::{Node, NodeKind},
    spec,
};

const STARTUP_DIFFERS: &str = "the commands of its `startup` differ";

impl<'a> Comparison<'a> {
    pub(super) fn nodes(&mut self) {
        let (document, actual) = (self.document, self.actual);
        for node in &document.nodes {
            match node.kind {
                NodeKind::Namespace => self.namespace(node),
                NodeKind::Container => self.container(node),
                NodeKind::Machine => self.machine(node),
            }
        }
        let is = |name: &str, kind: NodeKind| document.node(name).is_some_and(|node| node.kind == kind);
        for gone in actual.docker.iter().filter(|one| !is(&one.name, NodeKind::Container)) {
            self.plan.remove_containers.push(gone.name.clone());
            self.leaves(&gone.name, "container");
        }
        for gone in actual.qemu.iter().filter(|one| !is(&one.name, NodeKind::Machine)) {
            self.plan.remove_machines.push(gone.name.clone());
            self.leaves(&gone.name, "machine");
        }
        // A container's namespace goes with it.
        for gone in actual.net.namespaces.iter().filter(|one| actual.container(&one.name).is_none()) {
            if !is(&gone.name, NodeKind::Namespace) {
                self.plan.remove.namespaces.push(gone.name.clone());
                // The namespace of a container that is there no more is in the way of the one that is made now.
                if document.node(&gone.name).is_none_or(|node| node.kind == NodeKind::Machine) {
                    self.leaves(&gone.name, "namespace");
                }
            }
        }
    }

    fn leaves(&mut self, name: &str, kind: &'static str) {
        self.leaving.insert(name.to_owned());
        let why = match self.document.node(name) {
            Some(node) => format!("the document has a {} of this name", node.kind),
            None => "the document doesn't have it".to_owned(),
        };
        self.differs(Action::Remove, kind, name, why);
    }

    fn namespace(&mut self, node: &'a Node) {
        let taken = self.actual.container(&node.name).is_some();
        if self.actual.namespace(&node.name).is_some() && !taken {
            let is_new = self.actual.fresh.contains(&node.name);
            let was_set: Vec<_> = self.were(&node.name).filter(|_| !is_new).map(sysctls_of).collect();
            let is_gone = |key: &str| !sysctls_of(node).any(|(set, _)| set == key);
            let is_unset = was_set.iter().flat_map(Clone::clone).any(|(key, _)| is_gone(key));
            if is_unset || !is_new && self.starts_otherwise(node) {
                // Nobody knows what the kernel would have without it, nor what commands have left behind.
                let why = if is_unset { "a kernel setting is taken out of the document" } else { STARTUP_DIFFERS };
                self.differs(Action::Replace, "namespace", &node.name, why);
                self.plan.remove.namespaces.push(node.name.clone());
                self.plan.base.namespaces.push(node.name.clone());
                self.sysctls(node);
                self.made_anew(node);
            } else if was_set.into_iter().any(|was| !was.eq(sysctls_of(node))) {
                self.differs(Action::Change, "node", &node.name, "its kernel settings differ");
                self.sysctls(node);
            }
            return;
        }
        self.plan.base.namespaces.push(node.name.clone());
        self.differs(Action::Add, "namespace", &node.name, "it isn't there");
        self.sysctls(node);
        self.made_anew(node);
    }

    fn container(&mut self, node: &'a Node) {
        let Some(spec) = spec::node(self.document, node) else { return };
        let there = self.actual.container(&node.name);
        match there.map(|there| (there.status.as_str(), there.digest.as_deref())) {
            None | Some(("missing", _)) => {
                self.differs(Action::Add, "container", &node.name, "it isn't there");
                if there.is_some() {
                    self.plan.remove_containers.push(node.name.clone());
                }
            }
            Some((_, digest)) if digest != spec["digest"].as_str() => {
                self.differs(Action::Replace, "container", &node.name, "what it is made from differs");
                self.plan.remove_containers.push(node.name.clone());
            }
            // In one that was only created nothing has run yet.
            Some((status, _)) if status != "created" && self.starts_otherwise(node) => {
                self.differs(Action::Replace, "container", &node.name, STARTUP_DIFFERS);
                self.plan.remove_containers.push(node.name.clone());
            }
            Some(("running", _)) => {
                self.tell(node);
                // `ip netns delete` takes a name away, and what runs there goes on.
                if self.actual.namespace(&node.name).is_none() {
                    self.differs(Action::Change, "container", &node.name, "its network namespace has lost its name");
                    self.plan.revive.push(node.name.clone());
                }
                return self.ready(node);
            }
            Some((status, _)) => {
                self.tell(node);
                // `created`: links come first, and a crash may have come between.
                self.differs(Action::Start, "container", &node.name, format!("it is {status}"));
                let list = if status == "created" { &mut self.plan.start_containers } else { &mut self.plan.revive };
                list.push(node.name.clone());
                // Stopping ends what a paused one has been doing.
                if status != "paused" {
                    self.plan.stopped.push(node.name.clone());
                }
                self.startup(node);
                return self.ready(node);
            }
        }
        self.plan.containers.push(spec);
        self.plan.start_containers.push(node.name.clone());
        self.made_anew(node);
        self.ready(node);
    }

    fn machine(&mut self, node: &'a Node) {
        let Some(spec) = spec::node(self.document, node) else { return };
        let there = self.actual.machine(&node.name);
        match there.map(|there| (there.status.as_str(), there.digest.as_deref())) {
            None | Some(("missing", _)) => {
                self.differs(Action::Add, "machine", &node.name, "it isn't there");
                if there.is_some() {
                    self.plan.remove_machines.push(node.name.clone());
                }
                self.plan.machines.push(spec);
            }
            Some((_, digest)) if digest != spec["digest"].as_str() => return self.another_machine(node, spec),
            Some(("running" | "paused", _)) => return,
            Some((status, _)) => {
                self.differs(Action::Start, "machine", &node.name, format!("it is {status}"));
                self.plan.start_machines.push(node.name.clone());
            }
        }
        self.ready(node);
    }

    /// A machine is made of something else by now. All but its disk can be changed; the disk is kept wherever it can be.
    fn another_machine(&mut self, node: &'a Node, spec: Value) {
        let Some(there) = self.actual.machine(&node.name) else { return };
        let (disk, disk_gb) = (spec["disk"].as_str(), spec["disk_gb"].as_u64());
        let had_disk = there.disk.is_some() || there.disk_gb.is_some();
        if (there.disk.as_deref(), there.disk_gb) != (disk, disk_gb) {
            let what = if there.disk.as_deref() == disk { "its disk's size" } else { "the image of its disk" };
            let why = match had_disk {
                true => format!("{what} differs: its disk is made anew, and its snapshots go with the old one"),
                false => "it has a disk now".to_owned(),
            };
            self.differs(Action::Replace, "machine", &node.name, why);
            self.plan.remove_machines.push(node.name.clone());
            self.plan.machines.push(spec);
            return self.ready(node);
        }
        let is_up = matches!(there.status.as_str(), "running" | "paused");
        let was = self.kept.and_then(|kept| spec::node(kept, kept.node(&node.name)?));
        let goes_on = is_up && was.is_some_and(|was| same_guest(&was, &spec));
        let why = match (goes_on, had_disk) {
            (true, _) => "its labels differ",
            (false, true) => "what it is made from differs: it is started anew on its disk",
            (false, false) => "what it is made from differs: it is started anew",
        };
        self.differs(Action::Change, "machine", &node.name, why);
        self.plan.change_machines.push(spec);
        if !goes_on {
            self.restarted.insert(node.name.as_str());
            self.ready(node);
        }
    }

    /// Machines that an earlier version has made know the kernel's names of their TAPs only, and those may be others' by now.
    pub(super) fn told_their_taps(&mut self) {
        let (document, actual) = (self.document, self.actual);
        let is_told = |name: &String| actual.machine(name).is_some_and(|there| !there.knows_no_taps());
        let (started, restarted) =
            (std::mem::take(&mut self.plan.start_machines), std::mem::take(&mut self.plan.restart_machines));
        let known: Vec<String> =
            self.plan.change_machines.iter().filter_map(|spec| Some(spec["name"].as_str()?.to_owned())).collect();
        let specs = |names: Vec<&String>| -> Vec<Value> {
            names.into_iter().filter_map(|name| spec::node(document, document.node(name)?)).collect()
        };
        self.plan.change_machines.extend(specs(
            started.iter().chain(&restarted).filter(|name| !is_told(name) && !known.contains(name)).collect(),
        ));
        self.plan.start_machines = started.into_iter().filter(is_told).collect();
        self.plan.restart_machines = restarted.into_iter().filter(is_told).collect();
    }

    fn made_anew(&mut self, node: &'a Node) {
        self.fresh.insert(&node.name);
        self.startup(node);
    }

    /// Whether a node came up with other commands than those of the document. Of one whose lab's document isn't known nobody can say it:
    /// it is left alone. What was only tried doesn't count: a deployment that fails takes back the nodes that it has made.
    fn starts_otherwise(&self, node: &Node) -> bool {
        let was = self.kept.and_then(|kept| kept.node(&node.name));
        was.is_some_and(|was| was.kind == node.kind && was.startup != node.startup)
    }

    fn startup(&mut self, node: &Node) {
        let call = |argv| json!({ "node": node.name, "kind": node.kind, "argv": argv });
        self.plan.startup.extend(node.startup.iter().map(call));
    }

    pub(super) fn sysctls(&mut self, node: &Node) {
        for (key, value) in sysctls_of(node) {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            self.plan.sysctls.push(json!({ "node": node.name, "key": key, "value": value }));
        }
    }

    fn ready(&mut self, node: &Node) {
        let waits = node.own.contains_key("health") || node.ready.as_ref().is_some_and(|ready| ready.serial.is_some());
        if waits {
            let within = node.ready.as_ref().map_or("2m", |ready| ready.within.as_str());
            let serial = node.ready.as_ref().and_then(|ready| ready.serial.as_deref());
            self.plan.ready.push(json!({ "node": node.name, "kind": node.kind, "within": within, "serial": serial }));
        }
    }
}

/// A node's kernel settings, in the order of their keys.
pub(super) fn sysctls_of(node: &Node) -> impl Iterator<Item = (&String, &Value)> + Clone {
    node.own.get("sysctls").and_then(Value::as_object).into_iter().flatten()
}

/// Whether a guest may go on as it runs.
fn same_guest(was: &Value, now: &Value) -> bool {
    let guest = |spec: &Value| {
        let kept =
            spec.as_object().into_iter().flatten().filter(|(key, _)| !matches!(key.as_str(), "labels" | "digest"));
        kept.map(|(key, value)| (key.clone(), value.clone())).collect::<Vec<_>>()
    };
    guest(was) == guest(now)
}
