//! The lab logic over the twin in memory: every op, and steps that are cut off after each of their effects.

mod trust;

use std::{collections::BTreeMap, os::fd::OwnedFd, sync::Arc};

use parking_lot::Mutex;
use serde_json::{Value, json};
use windlass_model::Code;
use windlass_script::host::{Args, Undo};

use super::{
    backend::*,
    fault::{Fault, Kind},
    lab::Machine,
    ops,
    rehearse::Twin,
    *,
};
use crate::{
    net,
    owner::{Always, PLATFORM},
    testing::Bench,
};

const GRANTS: &[&str] = &["docker.*:*"];

/// Where all containers are, and the network stack beside it.
#[derive(Clone)]
struct World {
    twin: Arc<Twin>,
    stack: Arc<dyn net::NetBackend>,
}

impl World {
    fn new() -> Self {
        Self { twin: Arc::new(Twin::default()), stack: net::rehearsal() }
    }

    /// The module in this world; after so many changes the engine answers no more.
    fn bench(&self, changes: usize) -> Bench {
        let backend = Box::new(Interrupted { twin: self.twin.clone(), left: Mutex::new(changes) });
        let (spaces, organisations) = (net::spaces(self.stack.clone()), Arc::new(Always(PLATFORM)));
        Bench::new(ops::module(Machine { backend, spaces, organisations, config: Config::default() }), GRANTS)
    }

    fn namespaces(&self) -> Vec<String> {
        self.stack.namespaces().unwrap()
    }
}

struct Interrupted {
    twin: Arc<Twin>,
    left: Mutex<usize>,
}

impl Interrupted {
    fn change<'a, T: Send + 'a>(&'a self, make: impl FnOnce(&'a Twin) -> Answer<'a, T>) -> Answer<'a, T> {
        let mut left = self.left.lock();
        match left.checked_sub(1) {
            Some(less) => {
                *left = less;
                make(&self.twin)
            }
            None => Box::pin(std::future::ready(Err(Fault::new(Kind::Away, "interrupted")))),
        }
    }
}

impl Backend for Interrupted {
    fn info(&self) -> Answer<'_, Value> {
        self.twin.info()
    }
    fn containers<'a>(&'a self, labels: &'a [(String, String)]) -> Answer<'a, Vec<Container>> {
        self.twin.containers(labels)
    }
    fn inspect<'a>(&'a self, container: &'a str) -> Answer<'a, Option<Container>> {
        self.twin.inspect(container)
    }
    fn create<'a>(&'a self, new: &'a NewContainer) -> Answer<'a, String> {
        self.change(|twin| twin.create(new))
    }
    fn start<'a>(&'a self, container: &'a str) -> Answer<'a, ()> {
        self.change(|twin| twin.start(container))
    }
    fn stop<'a>(&'a self, container: &'a str, timeout_s: u32) -> Answer<'a, ()> {
        self.change(|twin| twin.stop(container, timeout_s))
    }
    fn remove<'a>(&'a self, container: &'a str) -> Answer<'a, ()> {
        self.change(|twin| twin.remove(container))
    }
    fn netns<'a>(&'a self, container: &'a str) -> Answer<'a, OwnedFd> {
        self.change(|twin| twin.netns(container))
    }
    fn exec<'a>(&'a self, container: &'a str, exec: &'a Exec) -> Answer<'a, Option<Finished>> {
        self.twin.exec(container, exec)
    }
    fn logs<'a>(&'a self, container: &'a str, tail: u32, bytes: usize) -> Answer<'a, Vec<u8>> {
        self.twin.logs(container, tail, bytes)
    }
    fn put<'a>(&'a self, container: &'a str, folder: &'a str, archive: Vec<u8>) -> Answer<'a, ()> {
        self.change(|twin| twin.put(container, folder, archive))
    }
    fn get<'a>(&'a self, container: &'a str, path: &'a str, bytes: usize) -> Answer<'a, Vec<u8>> {
        self.twin.get(container, path, bytes)
    }
    fn stats<'a>(&'a self, container: &'a str) -> Answer<'a, Value> {
        self.twin.stats(container)
    }
    fn event<'a>(&'a self, container: &'a str, events: &'a [&'a str], since: Option<String>) -> Answer<'a, Value> {
        self.twin.event(container, events, since)
    }
    fn image<'a>(&'a self, name: &'a str) -> Answer<'a, Option<Image>> {
        self.twin.image(name)
    }
    fn images(&self) -> Answer<'_, Vec<Image>> {
        self.twin.images()
    }
    fn pull<'a>(&'a self, name: &'a str, tell: Tell<'a>) -> Answer<'a, ()> {
        self.twin.pull(name, tell)
    }
    fn load<'a>(&'a self, archive: Archive) -> Answer<'a, Vec<String>> {
        self.twin.load(archive)
    }
    fn import<'a>(&'a self, archive: Archive, name: &'a str, label: (&'a str, &'a str)) -> Answer<'a, ()> {
        self.twin.import(archive, name, label)
    }
    fn remove_image<'a>(&'a self, name: &'a str) -> Answer<'a, ()> {
        self.twin.remove_image(name)
    }
    fn commit<'a>(&'a self, container: &'a str, image: &'a str, label: (&'a str, &'a str)) -> Answer<'a, ()> {
        self.twin.commit(container, image, label)
    }
    fn network<'a>(&'a self, name: &'a str) -> Answer<'a, Option<BTreeMap<String, String>>> {
        self.twin.network(name)
    }
    fn create_network<'a>(&'a self, name: &'a str, labels: &'a [(String, String)]) -> Answer<'a, ()> {
        self.change(|twin| twin.create_network(name, labels))
    }
    fn remove_network<'a>(&'a self, name: &'a str) -> Answer<'a, ()> {
        self.change(|twin| twin.remove_network(name))
    }
}

fn specs() -> Value {
    let node =
        |name: &str| json!({ "name": name, "image": "frr:9", "files": [{ "path": "/etc/conf", "content": name }] });
    json!(["t", [node("r1"), node("r2")]])
}

fn undo(bench: &mut Bench, name: &str, given: &Value) {
    let op = bench.op(name);
    let Undo::Op { name: undo, args } = op.undo else { panic!("no undo") };
    let args = args(&Args::new(op.params, given.as_array().unwrap().clone()));
    bench.cx.undoes = Some(bench.cx.key.clone());
    bench.call(undo, args.into()).unwrap_or_else(|problem| panic!("{problem:?}"));
    bench.cx.undoes = None;
}

#[test]
fn a_step_that_was_cut_off_is_finished_or_undone() {
    let mut changes = 0;
    loop {
        let world = World::new();
        let broken = world.bench(changes).call("create_nodes", specs()).is_err();
        let again = world.bench(usize::MAX);
        let made = again.call("create_nodes", specs()).unwrap_or_else(|problem| panic!("after {changes}: {problem:?}"));
        assert!(made.as_array().unwrap().iter().all(|node| node["status"] == "running"), "after {changes}: {made}");
        assert_eq!(world.namespaces().len(), 2, "after {changes}");
        assert_eq!(
            again.call("copy_out", json!(["t", "r2", "/etc/conf"])).unwrap()["content"],
            "r2",
            "after {changes}"
        );

        let world = World::new();
        let _ = world.bench(changes).call("create_nodes", specs());
        let mut bench = world.bench(usize::MAX);
        undo(&mut bench, "create_nodes", &specs());
        assert_eq!(bench.call("nodes", json!(["t"])).unwrap(), json!([]), "after {changes}");
        assert!(world.namespaces().is_empty(), "after {changes}: {:?}", world.namespaces());
        if !broken {
            break;
        }
        changes += 1;
    }
    assert!(changes >= 12, "two nodes take {changes} changes only");
}

#[test]
fn a_removal_that_was_cut_off_is_finished() {
    for changes in 0..6 {
        let world = World::new();
        world.bench(usize::MAX).call("create_nodes", specs()).unwrap();
        let broken = world.bench(changes).call("destroy", json!(["t"])).is_err();
        assert_eq!(broken, changes < 4, "{changes}");
        let bench = world.bench(usize::MAX);
        bench.call("destroy", json!(["t"])).unwrap();
        assert!(world.namespaces().is_empty() && bench.call("nodes", json!(["t"])).unwrap() == json!([]), "{changes}");
    }
}

#[test]
fn an_undo_leaves_what_another_run_made_meanwhile() {
    let world = World::new();
    let mut first = world.bench(usize::MAX);
    first.call("create_nodes", specs()).unwrap();
    first.call("destroy", json!(["t"])).unwrap();
    let mut second = world.bench(usize::MAX);
    second.cx.key = "01other/1".into();
    second.call("create_nodes", specs()).unwrap();
    undo(&mut first, "create_nodes", &specs());
    assert_eq!(second.call("nodes", json!(["t"])).unwrap().as_array().unwrap().len(), 2);
    assert_eq!(world.namespaces().len(), 2);
    let problem = first.call("create_nodes", specs()).unwrap_err();
    assert_eq!((problem.code, &problem.data["run"]), (Code::Conflict, &json!("01other")));
    // A namespace that `net` made isn't a node's, and is never taken for one that died.
    let net = Bench::new(net::module(world.stack.clone(), Arc::new(Always(PLATFORM))), &[]);
    net.call("create_namespace", json!(["t", "r9"])).unwrap();
    let problem = second.call("create_node", json!(["t", { "name": "r9", "image": "frr:9" }])).unwrap_err();
    assert_eq!(problem.code, Code::Conflict, "{problem:?}");
    second.call("destroy", json!(["t"])).unwrap();
    assert_eq!(world.namespaces().len(), 1, "that of `net` stays");
}

#[test]
fn both_grants_are_asked_for() {
    let world = World::new();
    let mut bench = world.bench(usize::MAX);
    bench.cx.grants = vec!["docker.run:image=frr:*".into()];
    let problem = bench.call("create_nodes", specs()).unwrap_err();
    assert_eq!((problem.code, &problem.data["grant"]), (Code::PermissionDenied, &json!("docker.write:t")));
    let op = bench.op("create_nodes");
    let windlass_script::host::Permission::Needs { scope, .. } = &op.permission else { panic!("it needs none") };
    assert_eq!(scope(&Args::new(op.params, specs().as_array().unwrap().clone())), ["image=frr:9"]);
}

#[test]
fn nodes_are_told_the_names_of_others_when_they_are_made_and_later() {
    let mut bench = World::new().bench(usize::MAX);
    let [lab, nodes] = [&specs()[0], &specs()[1]].map(Clone::clone);
    bench.call("create_nodes", json!([lab, nodes, { "hosts": { "r2": ["10.0.0.2", "fd00::2"] } }])).unwrap();
    let file = |bench: &mut Bench| {
        let read = bench.call("copy_out", json!(["t", "r1", "/etc/hosts"])).unwrap();
        read["content"].as_str().unwrap().to_owned()
    };
    let first = file(&mut bench);
    assert!(
        ["127.0.0.1\tlocalhost\n", "10.0.0.2\tr2\n", "fd00::2\tr2\n"].iter().all(|one| first.contains(one)),
        "{first}"
    );

    bench.call("copy_in", json!(["t", "r1", "/etc/hosts", format!("{first}10.9.9.9 mine\n")])).unwrap();
    bench.call("set_hosts", json!(["t", ["r1", "r2"], { "r3": ["10.0.0.3"] }])).unwrap();
    let second = file(&mut bench);
    assert!(["localhost", "10.9.9.9 mine\n", "10.0.0.3\tr3\n"].iter().all(|one| second.contains(one)), "{second}");
    assert!(!second.contains("r2"), "{second}");
    let wrong = json!(["t", ["r1"], { "r3 bank.example": ["10.0.0.3"] }]);
    assert_eq!(bench.call("set_hosts", wrong).unwrap_err().code, Code::InvalidArgument);
    assert_eq!(bench.call("set_hosts", json!(["t", ["none"], {}])).unwrap_err().code, Code::NotFound);
}
