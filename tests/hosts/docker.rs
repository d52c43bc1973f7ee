//! The `docker` module on a real daemon: every op, links that stay, containers that are killed, daemons that are restarted, whose is
//! whose.

#[path = "docker/broken.rs"]
mod broken;
#[path = "docker/images.rs"]
mod images;
#[path = "docker/inside.rs"]
mod inside;
#[path = "docker/links.rs"]
mod links;
#[path = "docker/owners.rs"]
mod owners;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};
use windlass_hosts::{docker, net, owner::Always};
use windlass_model::Problem;
use windlass_script::host::{Args, HostModule, Undo, testing::TestCx};
use windlass_tests::{Docker, docker::IMAGE};

/// A lab of this test's own on a daemon, destroyed when the test ends.
pub(super) struct Lab {
    pub(super) docker: Arc<Docker>,
    pub(super) name: String,
    pub(super) run: String,
    nodes: HostModule,
    net: HostModule,
    runtime: tokio::runtime::Runtime,
}

impl Lab {
    pub(super) fn new() -> Option<Self> {
        Some(Self::on(Docker::shared()?))
    }

    pub(super) fn on(docker: Arc<Docker>) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("wd{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        Self::of(docker, &name, "platform", docker::Config::default())
    }

    pub(super) fn of(docker: Arc<Docker>, name: &str, organisation: &'static str, config: docker::Config) -> Self {
        let config = docker::Config { socket: docker.socket(), folders: vec![docker.folder().to_owned()], ..config };
        let nodes = docker::module(&config, net::spaces(net::kernel()), Arc::new(Always(organisation)))
            .expect("it can be meant");
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        Self {
            docker,
            name: name.into(),
            run: "01testrun".into(),
            nodes,
            net: net::module(net::kernel(), std::sync::Arc::new(windlass_hosts::owner::Always("platform"))),
            runtime,
        }
    }

    pub(super) fn call_as(&self, op: &str, args: Value, undoes: Option<String>) -> Result<Value, Problem> {
        let (module, op) = match op.strip_prefix("net::") {
            Some(op) => (&self.net, op),
            None => (&self.nodes, op),
        };
        let op = module.ops.iter().find(|one| one.name == op).unwrap_or_else(|| panic!("no op {op}"));
        let mut cx = TestCx::new(&["docker.*:*"]);
        (cx.key, cx.undoes, cx.timeout) = (format!("{}/1", self.run), undoes, Duration::from_secs(120));
        (op.run)(&cx.on(&self.runtime), &Args::new(op.params, args.as_array().unwrap().clone()))
    }

    /// Calls an op on this lab with the arguments after the first.
    pub(super) fn call(&self, op: &str, rest: Value) -> Result<Value, Problem> {
        self.call_as(op, self.with_lab(&rest), None)
    }

    fn with_lab(&self, rest: &Value) -> Value {
        let lab = [Value::from(self.name.clone())];
        lab.into_iter().chain(rest.as_array().unwrap().iter().cloned()).collect()
    }

    pub(super) fn ok(&self, op: &str, rest: Value) -> Value {
        self.call(op, rest.clone()).unwrap_or_else(|problem| panic!("{op} {rest}: {problem:?}"))
    }

    pub(super) fn plain(&self, op: &str, args: Value) -> Result<Value, Problem> {
        self.call_as(op, args, None)
    }

    /// Takes a call of an op back.
    pub(super) fn undo(&self, op: &str, rest: &Value) {
        let forward = self.nodes.ops.iter().find(|one| one.name == op).unwrap();
        let Undo::Op { name, args } = &forward.undo else { panic!("{op} has no undo") };
        let given = Args::new(forward.params, self.with_lab(rest).as_array().unwrap().clone());
        let undo = args(&given);
        self.call_as(name, undo.into(), Some(format!("{}/1", self.run)))
            .unwrap_or_else(|problem| panic!("{problem:?}"));
    }

    pub(super) fn create(&self, names: &[&str]) -> Value {
        let specs: Vec<Value> = names.iter().map(|name| node(name)).collect();
        self.ok("create_nodes", json!([specs]))
    }

    pub(super) fn status(&self, name: &str) -> Value {
        let all = self.ok("nodes", json!([]));
        all.as_array().unwrap().iter().find(|one| one["name"] == name).cloned().unwrap_or_default()
    }

    pub(super) fn container(&self, name: &str) -> String {
        self.status(name)["container"].as_str().unwrap().to_owned()
    }

    /// Whether one node reaches an address.
    pub(super) fn pings(&self, name: &str, address: &str) -> bool {
        let args = json!([name, ["ping", "-c1", "-W2", address], { "ok_codes": [0, 1] }]);
        self.ok("exec", args)["code"] == 0
    }

    /// Containers of this lab, by Docker's own account.
    pub(super) fn containers(&self) -> Vec<String> {
        let filter = format!("name=windlass-{}-", self.name);
        let said = self.docker.docker(&["ps", "--all", "--filter", &filter, "--format", "{{.Names}}"]);
        said.lines().map(str::to_owned).collect()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = (self.call("destroy", json!([])), self.call("net::destroy", json!([])));
    }
}

/// A node that does nothing until it is stopped.
pub(super) fn node(name: &str) -> Value {
    json!({ "name": name, "image": IMAGE, "command": ["sleep", "1000"] })
}
