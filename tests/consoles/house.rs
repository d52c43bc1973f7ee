//! A server with labs, and people who may various things with them.

use std::{
    process::{Command, Stdio},
    time::Duration,
};

use serde_json::{Value, json};
use windlass_tests::{ApiServer, Process, can_make_namespaces, console::Console, skip, sweep::sweep, wait_until};

const MAKE: &str = "const WORKFLOW = #{ name: \"lab/make\", title: \"Make\", permissions: [\"net.write:*\"] };\n\
                    fn run(input) { net::create_namespaces(input.lab, input.nodes) }\n";
const REMOVE: &str = "const WORKFLOW = #{ name: \"lab/remove\", title: \"Remove\", permissions: [\"net.write:*\"] };\n\
                      fn run(input) { net::destroy(input.lab); }\n";

/// A server with labs.
pub struct Labs {
    pub server: ApiServer,
    made: Vec<(&'static str, &'static str)>,
    /// Namespaces that its last run has made.
    namespaces: Vec<String>,
}

impl Labs {
    /// With these settings; none where namespaces can't be made.
    pub fn start(settings: &str) -> Option<Self> {
        Self::with(settings, &[])
    }

    /// The same with further workflows.
    pub fn with(settings: &str, further: &[(&str, &str)]) -> Option<Self> {
        Self::of(settings, &[&[("lab/make", MAKE), ("lab/remove", REMOVE)], further].concat())
    }

    /// The same with these workflows alone.
    pub fn of(settings: &str, workflows: &[(&str, &str)]) -> Option<Self> {
        if let Err(why) = can_make_namespaces() {
            skip(&why);
            return None;
        }
        let server = ApiServer::start_with(workflows, &[], settings);
        Some(Self { server, made: Vec::new(), namespaces: Vec::new() })
    }

    /// A lab of an organisation, with a node `r1` and a node `r2`.
    pub fn lab(&mut self, organisation: &'static str, lab: &'static str) {
        let made = self.run("lab/make", organisation, lab);
        let names = made.as_array().into_iter().flatten().filter_map(|one| one["namespace"].as_str());
        self.namespaces = names.map(str::to_owned).collect();
        self.made.push((organisation, lab));
    }

    /// Removes it.
    pub fn remove(&mut self, organisation: &'static str, lab: &'static str) {
        self.made.retain(|made| *made != (organisation, lab));
        self.run("lab/remove", organisation, lab);
    }

    /// Names of the namespaces of the lab that was made last.
    pub fn namespaces(&self) -> &[String] {
        &self.namespaces
    }

    /// The name of a node's namespace, as `ip netns` has it.
    pub fn namespace(&self, node: &str) -> String {
        let found = self.namespaces();
        found.iter().find(|name| name.ends_with(&format!("-{node}"))).cloned().unwrap_or_else(|| panic!("{found:?}"))
    }

    /// A telnet server in a node of `demo`, whose terminals are shells, until it is dropped.
    pub fn telnetd(&self, node: &str, address: &str) -> Process {
        let mut command = Command::new("ip");
        command.args([
            "netns",
            "exec",
            &self.namespace(node),
            "busybox",
            "telnetd",
            "-F",
            "-l",
            "/bin/sh",
            "-b",
            address,
        ]);
        let server = Process::start(command.stdin(Stdio::null())).unwrap();
        wait_until("telnetd to listen", Duration::from_secs(60), || {
            self.kinds(node).as_array().is_some_and(|kinds| kinds.contains(&json!("telnet")))
        });
        server
    }

    /// The consoles that a node of `demo` has.
    pub fn kinds(&self, node: &str) -> Value {
        self.server.get(&format!("/api/v1/labs/demo/nodes/{node}/consoles")).expect(200).json()["kinds"].clone()
    }

    fn run(&self, workflow: &str, organisation: &str, lab: &str) -> Value {
        let input = json!({ "lab": lab, "nodes": ["r1", "r2"] });
        let body = json!({ "workflow": workflow, "input": input, "organisation": organisation });
        let run = self.server.post("/api/v1/runs", &body).expect(201).json()["id"].as_str().unwrap().to_owned();
        let record = self.server.ended(&run);
        assert_eq!(record["state"], "succeeded", "{record}");
        record["output"].clone()
    }

    /// The admin at a console: `demo/nodes/r1/console?kind=shell`.
    #[track_caller]
    pub fn console(&self, path: &str) -> Console {
        Console::with_token(&self.server, path, &self.server.token)
    }
}

impl Drop for Labs {
    fn drop(&mut self) {
        for (organisation, lab) in std::mem::take(&mut self.made) {
            match std::thread::panicking() {
                // The server may be the reason.
                true => sweep(&self.server, organisation, lab),
                false => drop(self.run("lab/remove", organisation, lab)),
            }
        }
    }
}

/// The way to the shell of a node.
pub fn shell(lab: &str, node: &str, rest: &str) -> String {
    format!("{lab}/nodes/{node}/console?kind=shell{rest}")
}
