//! How long a lab takes to build and destroy, beside `ip -batch` doing the same in the same run. Needs root.
//!
//! `cargo run --release -p windlass-hosts --example net_grid [nodes] [rounds]`

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a measurement for people at a terminal"
)]

use std::{
    fmt::Write as _,
    io::Write as _,
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use windlass_hosts::owner::{Always, PLATFORM};
use windlass_script::host::{Args, HostModule, testing::TestCx};

const BRIDGES: usize = 10;
const LAB: &str = "net-grid-bench";
/// The kernel goes on removing namespaces after the calls have returned: it is left alone before the next measurement.
const SETTLE: Duration = Duration::from_millis(1_500);

fn main() {
    let number = |position| std::env::args().nth(position).and_then(|text| text.parse::<usize>().ok());
    let (nodes, rounds) = (number(1).unwrap_or(100), number(2).unwrap_or(5));
    let module = windlass_hosts::net::module(windlass_hosts::net::kernel(), Arc::new(Always(PLATFORM)));
    let mut samples: [Vec<Duration>; 7] = Default::default();
    remove_with_ip(nodes);
    call(&module, "destroy", json!([LAB]));
    for _ in 0..rounds {
        let create = batch(nodes);
        samples[0].push(timed(|| ip_batch(&create)));
        samples[1].push(timed(|| remove_with_ip(nodes)));
        std::thread::sleep(SETTLE);
        let plan = plan(nodes);
        samples[2].push(timed(|| {
            let made = call(&module, "build", json!([LAB, plan]));
            assert_eq!(made["links"].as_array().map(Vec::len), Some(nodes));
        }));
        let links = call(&module, "links", json!([LAB]));
        let up = |link: &&Value| link["kind"] == "veth" && link["up"] == true;
        assert_eq!(links.as_array().unwrap().iter().filter(up).count(), 2 * nodes, "not all links are up");
        // One more link on a lab of this size, live.
        samples[4].push(timed(|| drop(call(&module, "connect", json!([LAB, "n0:eth1", "lan1"])))));
        samples[5].push(timed(|| drop(call(&module, "describe", json!([LAB])))));
        samples[6].push(timed(|| drop(call(&module, "disconnect", json!([LAB, "n0:eth1"])))));
        samples[3].push(timed(|| {
            let gone = call(&module, "destroy", json!([LAB]));
            assert_eq!(gone["namespaces"], nodes);
        }));
        std::thread::sleep(SETTLE);
    }
    let [ip_create, ip_remove, build, destroy, connect, describe, disconnect] = samples.map(median_ms);
    println!("{nodes} namespaces, {nodes} veths, {BRIDGES} bridges; medians of {rounds} rounds");
    println!("ip -batch create  {ip_create:8.1} ms");
    println!("ip -batch remove  {ip_remove:8.1} ms");
    println!("net::build        {build:8.1} ms   {:.2} × ip -batch create (bound 1.20)", build / ip_create);
    println!("net::connect      {connect:8.1} ms   one more link (bound 10)");
    println!("net::disconnect   {disconnect:8.1} ms   one link");
    println!("net::describe     {describe:8.1} ms");
    // Most of it is the kernel's own: it waits for a grace period with each bridge, whoever removes it.
    println!("net::destroy      {destroy:8.1} ms   {:.2} × ip -batch remove (bound 0.50)", destroy / ip_remove);
}

/// What `ip` is told: everything born in its place.
fn batch(nodes: usize) -> String {
    let mut lines = String::new();
    for node in 0..nodes {
        writeln!(lines, "netns add wgb{node}").unwrap();
    }
    for bridge in 0..BRIDGES {
        writeln!(lines, "link add wgbbr{bridge} up type bridge").unwrap();
    }
    for node in 0..nodes {
        writeln!(lines, "link add eth0 netns wgb{node} up type veth peer name wgbv{node}").unwrap();
        writeln!(lines, "link set wgbv{node} master wgbbr{} up", node % BRIDGES).unwrap();
    }
    lines
}

fn remove_with_ip(nodes: usize) {
    let mut lines = String::new();
    for bridge in 0..BRIDGES {
        writeln!(lines, "link del wgbbr{bridge}").unwrap();
    }
    for node in 0..nodes {
        writeln!(lines, "netns del wgb{node}").unwrap();
    }
    ip_batch(&lines);
}

fn ip_batch(lines: &str) {
    let mut ip = Command::new("ip")
        .args(["-force", "-batch", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("`ip` can be run");
    ip.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    ip.wait().unwrap();
}

fn plan(nodes: usize) -> Value {
    let link = |node| json!({ "a": format!("n{node}:eth0"), "b": format!("lan{}", node % BRIDGES) });
    json!({
        "namespaces": (0..nodes).map(|node| format!("n{node}")).collect::<Vec<_>>(),
        "bridges": (0..BRIDGES).map(|bridge| format!("lan{bridge}")).collect::<Vec<_>>(),
        "links": (0..nodes).map(link).collect::<Vec<_>>(),
    })
}

fn call(module: &HostModule, name: &str, args: Value) -> Value {
    let op = module.ops.iter().find(|op| op.name == name).expect("the op is there");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let args = Args::new(op.params, args.as_array().unwrap().clone());
    (op.run)(&TestCx::new(&[]).on(&runtime), &args).unwrap_or_else(|problem| panic!("{name}: {problem}"))
}

fn timed(work: impl FnOnce()) -> Duration {
    let began = Instant::now();
    work();
    began.elapsed()
}

fn median_ms(mut samples: Vec<Duration>) -> f64 {
    samples.sort();
    samples.get(samples.len() / 2).map_or(0.0, Duration::as_secs_f64) * 1e3
}
