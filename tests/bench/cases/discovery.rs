//! From a change to a lab that somebody makes by hand, when `ip link` has returned, to its event at somebody who follows: through the
//! kernel, the server's watch, the journal and the stream.

use std::{io::Write as _, net::TcpStream, sync::mpsc, time::Duration};

use serde_json::{Value, json};
use windlass_tests::ApiServer;

use super::{
    Case, Cx,
    first_event::{PATIENCE, follow},
};
use crate::{
    client::{Connection, now_us},
    labs::{impossible, ip},
    report::{Row, Target, median, quantile},
    world::{Outcome, words},
};

pub const CASE: Case =
    Case { name: "discovery", what: "what somebody does to a lab by hand reaches somebody who follows", run };

const NAME: &str = "discovery";
const KIND: &str = "lab.changed_link";
/// So that a change is alone.
const PAUSE: Duration = Duration::from_millis(30);
const BUILD: &str = r#"const WORKFLOW = #{ name: "lab/bench", title: "A lab", permissions: ["net.*:*"] };
fn run(input) {
    let plan = #{ namespaces: [], bridges: ["b"], links: [] };
    for n in 0..input.nodes { plan.namespaces.push(`n${n}`); plan.links.push(#{ a: `n${n}:eth0`, b: "b" }); }
    net::build(input.lab, plan);
    #{ bridge: net::links(input.lab)[0].interface, node: net::list_namespaces(input.lab)[0].namespace }
}
"#;
const DESTROY: &str = r#"const WORKFLOW = #{ name: "lab/bench-gone", title: "No lab", permissions: ["net.*:*"] };
fn run(input) { net::destroy(input.lab) }
"#;

fn run(cx: &Cx) -> Outcome<Vec<Row>> {
    if let Some(reason) = impossible() {
        let why = format!("NOTHING IS KNOWN about labs on this machine: {reason}");
        eprintln!("!!!! {NAME} SKIPPED: {why}");
        return Ok(vec![Row::skipped(NAME, why)]);
    }
    let server = ApiServer::start_in(cx.folder, &[("lab/bench", BUILD), ("lab/bench-gone", DESTROY)], &[], "");
    let lab = Lab { server: &server, name: format!("bd{}", std::process::id()) };
    let mut rows = Vec::new();
    for nodes in if cx.options.smoke { vec![2] } else { vec![10, 100] } {
        let made = lab.run("lab/bench", json!({ "lab": lab.name, "nodes": nodes }))?;
        let text = |key: &str| made[key].as_str().unwrap_or_default().to_owned();
        let (bridge, node) = (text("bridge"), text("node"));
        let count = cx.options.size(100, 3);
        let on_host = measured(&server, count, |mtu| ip(&["link", "set", &bridge, "mtu", mtu]))?;
        let inside = measured(&server, count, |mtu| ip(&["-n", &node, "link", "set", "eth0", "mtu", mtu]))?;
        for (place, mut times) in [("on the host", on_host), ("in a node", inside)] {
            let what = format!("{nodes} nodes, a change {place}: `ip` returns to event heard, median of {count}");
            let middle = median(&mut times);
            let row = cx.row(NAME, what, middle, "ms", Target::AtMost(5.0));
            // The target is about a lab as people have them; the large one is for the picture.
            rows.push(if nodes > 10 { row.without_target() } else { row });
            rows.push(Row::info(NAME, "the same, worst 1 of 20", quantile(&mut times, 0.95), "ms"));
        }
        lab.run("lab/bench-gone", json!({ "lab": lab.name }))?;
        crate::labs::settle();
    }
    rows.push(Row::info(NAME, "the disk's own sync, once in each of these", cx.sync_ms(), "ms"));
    Ok(rows)
}

struct Lab<'a> {
    server: &'a ApiServer,
    name: String,
}

impl Lab<'_> {
    fn run(&self, workflow: &str, input: Value) -> Outcome<Value> {
        let run = self.server.launch(workflow, &input);
        let record = self.server.ended(&run);
        match record["state"] == "succeeded" {
            true => Ok(record["output"].clone()),
            false => Err(format!("{workflow}: {}", record["problem"])),
        }
    }
}

impl Drop for Lab<'_> {
    fn drop(&mut self) {
        if let Err(message) = self.run("lab/bench-gone", json!({ "lab": self.name })) {
            eprintln!("the lab `{}` is left over: {message}", self.name);
        }
    }
}

/// Milliseconds from each change's end to its event. An event that comes before `ip` has ended took none.
fn measured(server: &ApiServer, count: usize, change: impl Fn(&str) -> Outcome<()>) -> Outcome<Vec<f64>> {
    let (tell, told) = mpsc::channel();
    let connection = Connection::to(server.address(), &server.token)?;
    let mut follower = TcpStream::connect(server.address()).map_err(words)?;
    follower.set_read_timeout(Some(PATIENCE)).map_err(words)?;
    let path = format!("/api/v1/events?kinds={KIND}");
    follower.write_all(&connection.request("GET", &path, "")).map_err(words)?;
    std::thread::scope(|scope| {
        let arrivals = scope.spawn(move || follow(follower, KIND, count + 1, &tell));
        let one = |number: usize| -> Outcome<f64> {
            std::thread::sleep(PAUSE);
            change(if number.is_multiple_of(2) { "1400" } else { "1300" })?;
            let changed = now_us();
            let (arrived, _): (u64, String) = told.recv_timeout(PATIENCE).map_err(words)?;
            Ok(arrived.saturating_sub(changed) as f64 / 1e3)
        };
        // The stream and the watch have begun when the first one is heard.
        std::thread::sleep(Duration::from_millis(500));
        one(1)?;
        let times = (0..count).map(one).collect::<Outcome<Vec<f64>>>()?;
        arrivals.join().map_err(|_| "the follower's thread panicked".to_owned())??;
        Ok(times)
    })
}
