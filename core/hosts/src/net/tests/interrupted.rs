//! A process that is killed in the middle of an operation leaves a part of it. The same step repeated makes the rest of
//! it, and its undo removes that part.

use std::{
    os::fd::BorrowedFd,
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};

use super::super::{ChangeWatch, Fault, LinkWatch, NetBackend, rehearsal, types::*};
use super::own;
use crate::testing::Bench;

/// A stack that answers nothing more once so many changes were made.
struct Interrupted {
    stack: Arc<dyn NetBackend>,
    left: Mutex<usize>,
}

impl Interrupted {
    fn made<T>(&self, change: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
        let mut left = self.left.lock().unwrap();
        *left = left.checked_sub(1).ok_or_else(|| Fault::new(libc::EIO, "interrupted"))?;
        change()
    }
}

impl NetBackend for Interrupted {
    fn lock(&self) -> Result<Box<dyn Send>, Fault> {
        self.stack.lock()
    }
    fn namespaces(&self) -> Result<Vec<String>, Fault> {
        self.stack.namespaces()
    }
    fn add_namespaces(&self, new: &[NewNamespace]) -> Vec<Result<(), Fault>> {
        let add = |one: &NewNamespace| self.stack.add_namespaces(std::slice::from_ref(one)).pop().unwrap();
        new.iter().map(|one| self.made(|| add(one))).collect()
    }
    fn remove_namespaces(&self, names: &[String]) -> Vec<Result<(), Fault>> {
        let remove = |one: &String| self.stack.remove_namespaces(std::slice::from_ref(one)).pop().unwrap();
        names.iter().map(|one| self.made(|| remove(one))).collect()
    }
    fn adopt_namespace(&self, new: &NewNamespace, netns: BorrowedFd<'_>) -> Result<(), Fault> {
        self.made(|| self.stack.adopt_namespace(new, netns))
    }
    fn is_own_namespace(&self, netns: BorrowedFd<'_>) -> Result<bool, Fault> {
        self.stack.is_own_namespace(netns)
    }
    fn is_namespace(&self, name: &str, netns: BorrowedFd<'_>) -> Result<bool, Fault> {
        self.stack.is_namespace(name, netns)
    }
    fn is_inhabited(&self, name: &str) -> Result<bool, Fault> {
        self.stack.is_inhabited(name)
    }
    fn links(&self, places: &[Place]) -> Vec<Result<Vec<Link>, Fault>> {
        self.stack.links(places)
    }
    fn link(&self, place: &Place, name: &str) -> Result<Option<Link>, Fault> {
        self.stack.link(place, name)
    }

    fn aliases(&self, namespaces: &[String]) -> Vec<Result<Option<String>, Fault>> {
        self.stack.aliases(namespaces)
    }
    fn addresses(&self, place: &Place) -> Result<Vec<Address>, Fault> {
        self.stack.addresses(place)
    }
    fn routes(&self, place: &Place) -> Result<Vec<Route>, Fault> {
        self.stack.routes(place)
    }
    fn qdiscs(&self, place: &Place) -> Result<Vec<Qdisc>, Fault> {
        self.stack.qdiscs(place)
    }
    fn forwarding(&self, place: &Place) -> Result<(bool, Option<bool>), Fault> {
        self.stack.forwarding(place)
    }
    fn survey(&self, places: &[Place]) -> Vec<Result<Survey, Fault>> {
        self.stack.survey(places)
    }
    fn apply(&self, batches: &[Batch]) -> Vec<Vec<Result<(), Fault>>> {
        let one = |place: &Place, change: &Change| {
            let batch = Batch { place: place.clone(), changes: vec![change.clone()] };
            self.made(|| self.stack.apply(&[batch]).pop().unwrap().pop().unwrap())
        };
        batches.iter().map(|batch| batch.changes.iter().map(|change| one(&batch.place, change)).collect()).collect()
    }
    fn assume_devices(&self, names: &[String]) {
        self.stack.assume_devices(names);
    }
    fn capabilities(&self) -> Result<Vec<Capability>, Fault> {
        self.stack.capabilities()
    }
    fn listen(&self) -> Result<Box<dyn ChangeWatch>, Fault> {
        self.stack.listen()
    }
    fn watch(&self, place: &Place) -> Result<Box<dyn LinkWatch>, Fault> {
        self.stack.watch(place)
    }
}

/// A lab with a step that was interrupted after so many changes; whether it was.
fn interrupted(after: usize, name: &str, args: &Value) -> (Bench, bool) {
    let stack = rehearsal();
    let mut bench = Bench::new(own(stack.clone()), &[]);
    super::two_nodes(&bench);
    bench.cx.key = "01testrun/9".into();
    let mut other = Bench::new(own(Arc::new(Interrupted { stack, left: Mutex::new(after) })), &[]);
    other.cx.key = bench.cx.key.clone();
    let broken = other.call(name, args.clone()).is_err();
    (bench, broken)
}

/// The lab without what is drawn anew for each link.
fn described(bench: &Bench) -> Value {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                fields.remove("mac");
                fields.values_mut().for_each(strip);
            }
            Value::Array(items) => items.iter_mut().for_each(strip),
            _ => {}
        }
    }
    let mut lab = bench.call("describe", json!(["t"])).unwrap();
    strip(&mut lab);
    lab
}

#[test]
fn a_step_that_was_interrupted_is_finished_or_undone() {
    let calls = [
        ("create_namespaces", json!(["t", ["r4", "r5"]])),
        ("create_bridge", json!(["t", "lan2", { "stp": true, "mtu": 1400 }])),
        ("connect", json!(["t", { "at": "r1:eth1", "addresses": ["10.9.0.1/30"] }, "lan1", { "mtu": 1400 }])),
        ("connect", json!(["t", { "at": "r1:p0", "addresses": ["10.9.0.1/30"] }, "r2:p0"])),
        ("create_tap", json!(["t", "vm1:eth0", { "bridge": "lan1" }])),
        ("create_vxlan", json!(["t", "wan", { "id": 7, "remote": "192.0.2.9", "bridge": "lan1" }])),
        ("create_macvlan", json!(["t", "r1:ext0", "up0", { "addresses": ["192.0.2.7/24"] }])),
        ("attach_device", json!(["t", "up0", "lan1"])),
        (
            "build",
            json!(["t", {
                "namespaces": ["x1"], "bridges": ["lanx"],
                "vxlans": [{ "name": "wan", "id": 7, "remote": "192.0.2.9", "bridge": "lanx" }],
                "devices": [{ "device": "up0", "bridge": "lanx" }],
                "macvlans": [{ "at": "x1:ext0", "device": "up0" }],
                "links": [{ "a": "x1:eth0", "b": "lanx" }, { "a": "x1:p0", "b": "r1:p1" }],
                "addresses": [{ "at": "x1:eth0", "address": "10.8.0.1/24" }],
                "routes": [{ "namespace": "x1", "to": "default", "via": "10.8.0.2" }], "forwarding": ["x1"],
            }]),
        ),
    ];
    for (name, args) in calls {
        let (whole, broken) = interrupted(usize::MAX, name, &args);
        assert!(!broken, "{name}");
        let (before, wanted) = (described(&interrupted(0, name, &args).0), described(&whole));
        let mut changes = 0;
        while let (bench, true) = interrupted(changes, name, &args) {
            bench.call(name, args.clone()).unwrap_or_else(|problem| panic!("{name} after {changes}: {problem:?}"));
            assert_eq!(described(&bench), wanted, "{name} after {changes}");
            let (mut bench, _) = interrupted(changes, name, &args);
            bench.cx.undoes = Some(bench.cx.key.clone());
            let op = bench.op(name);
            let windlass_script::host::Undo::Op { name: undo, args: undo_args } = &op.undo else { panic!("no undo") };
            let given = windlass_script::host::Args::new(op.params, args.as_array().unwrap().clone());
            bench.call(undo, Value::from(undo_args(&given))).unwrap();
            assert_eq!(described(&bench), before, "{undo} of {name} after {changes}");
            changes += 1;
        }
        assert!(changes >= 2, "{name} makes {changes} changes only");
    }
}
