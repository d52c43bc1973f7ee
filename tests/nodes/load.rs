//! Runs with effects that an independent witness counts, for tests in which the database goes away.

use std::{
    collections::HashMap,
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use serde_json::{Value, json};
use windlass_tests::{
    faults::witness::{self, Seen},
    free_port,
    nodes::Nodes,
    wait_until,
};

use super::workflow;

/// All runs have to be at their end within this time, once everything is there again.
const PATIENCE: Duration = Duration::from_secs(120);
const STEPS: usize = 3;

const BODY: &str = r#"
const RETRY = #{ attempts: 100, delay: "100ms", max_delay: "400ms" };

fn run(input) {
    for n in 0..3 {
        http::post(global::AT + "/post/" + input.name + "/p" + n, #{}, #{ expect: [200], timeout: "5s" });
        http::post_keyed(global::AT + "/keyed/" + input.name + "/k" + n, #{}, #{ expect: [200], timeout: "5s" });
        sleep("100ms");
    }
    input.name
}
"#;

/// What is launched, and what came of it.
pub struct Load {
    witness: SocketAddr,
    /// Names, and the ids that launches were answered with.
    launched: Mutex<HashMap<String, String>>,
}

impl Load {
    pub fn new() -> Self {
        let witness: SocketAddr = ([127, 0, 0, 1], free_port()).into();
        // It ends with the process.
        std::thread::spawn(move || witness::serve(witness));
        wait_until("the witness", PATIENCE, || TcpStream::connect(witness).is_ok());
        Self { witness, launched: Mutex::default() }
    }

    pub fn workflow(&self) -> (&'static str, String) {
        workflow("nodes/load", Some(self.witness), "", &format!("const AT = \"http://{}\";\n{BODY}", self.witness))
    }

    /// Launches so many, at all nodes in turn, from several threads; returns at once, `wait` waits.
    pub fn launch<'s>(&'s self, scope: &'s std::thread::Scope<'s, '_>, nodes: &'s Nodes, prefix: &str, count: usize) {
        const CUSTOMERS: usize = 4;
        for customer in 0..CUSTOMERS {
            let prefix = prefix.to_owned();
            scope.spawn(move || {
                for n in (customer..count).step_by(CUSTOMERS) {
                    let name = format!("{prefix}{n}");
                    let run = nodes.launch_once(n, "nodes/load", &json!({ "name": name }), &name);
                    self.launched.lock().insert(name, run);
                }
            });
        }
    }

    /// How many launches were answered.
    pub fn launched(&self) -> usize {
        self.launched.lock().len()
    }

    /// How many effects the witness has seen.
    pub fn effects(&self) -> usize {
        witness::ask(self.witness).len()
    }

    /// When the next effect is seen, as a time since `since`.
    pub fn goes_on(&self, since: Instant) -> Duration {
        let before = self.effects();
        wait_until("work to go on", PATIENCE, || self.effects() > before);
        since.elapsed()
    }

    /// Waits until all have ended, decides what is in doubt by what the witness saw, and compares. How many were in doubt.
    pub fn settle(&self, nodes: &Nodes) -> usize {
        let launched = self.launched.lock().clone();
        let (mut open, mut doubts) = (launched.clone(), 0);
        let until = Instant::now() + PATIENCE;
        while !open.is_empty() {
            open.retain(|name, run| {
                let record = nodes.run(0, run);
                assert_eq!(record["input"]["name"], json!(name), "{record}");
                match record["state"].as_str().unwrap_or_default() {
                    "succeeded" => return false,
                    "failed" | "rolled_back" | "cancelled" | "rollback_stuck" => panic!("{record}"),
                    "waiting" => doubts += self.decide(nodes, name, run),
                    _ => {}
                }
                assert!(Instant::now() < until, "{record} doesn't end; {}", nodes.log(0));
                true
            });
            std::thread::sleep(Duration::from_millis(100));
        }
        // Nothing that was acknowledged is missing, and nothing is there that nobody launched.
        let mut there = Vec::new();
        let mut page = nodes.good(0, "GET", "runs?workflow=nodes/load&limit=100", None);
        loop {
            there.extend(
                page["items"].as_array().expect("a list").iter().map(|run| run["id"].as_str().unwrap().to_owned()),
            );
            let Some(next) = page["next"].as_str() else { break };
            page = nodes.good(0, "GET", &format!("runs?workflow=nodes/load&limit=100&cursor={next}"), None);
        }
        assert_eq!(there.len(), launched.len());
        assert!(launched.values().all(|run| there.contains(run)));
        let seen = witness::ask(self.witness);
        for name in launched.keys() {
            let of = |kind: &str, step: String| -> Vec<&Seen> {
                seen.iter().filter(|seen| seen.run == *name && seen.kind == kind && seen.name == step).collect()
            };
            for n in 0..STEPS {
                assert_eq!(of("post", format!("p{n}")).len(), 1, "{name} p{n}: at most once, and not forgotten");
                let keyed = of("keyed", format!("k{n}"));
                assert_eq!(keyed.iter().filter(|seen| seen.effective).count(), 1, "{name} k{n}: {keyed:?}");
            }
        }
        doubts
    }

    fn decide(&self, nodes: &Nodes, name: &str, run: &str) -> usize {
        let steps = nodes.good(0, "GET", &format!("runs/{run}/steps?limit=100"), None);
        let doubtful = steps["items"].as_array().into_iter().flatten().filter(|step| step["state"] == "in_doubt");
        let mut decided = 0;
        for step in doubtful {
            let args = step["args"].to_string();
            let seen = witness::ask(self.witness);
            let happened =
                seen.iter().any(|seen| seen.run == name && args.contains(&format!("/post/{name}/{}", seen.name)));
            let word = match happened {
                true => json!({ "step": step["path"], "resolution": "happened", "result": { "status": 200 } }),
                false => json!({ "step": step["path"], "resolution": "perform" }),
            };
            nodes.good(0, "POST", &format!("runs/{run}/resolve"), Some(&word));
            decided += 1;
        }
        decided
    }
}

/// Whether all nodes say that they are well.
pub fn well(nodes: &Nodes, count: usize) -> bool {
    (0..count)
        .all(|node| nodes.ask(node, "GET", "runs?limit=1", None).is_some_and(|(status, _): (u16, Value)| status == 200))
}
