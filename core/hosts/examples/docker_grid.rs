//! How long nodes take to be made and removed, beside `docker run -d`, four at a time, in the same run. Needs root and a daemon with
//! an image that has `sleep`.
//!
//! `cargo run --release -p windlass-hosts --example docker_grid SOCKET IMAGE [nodes] [rounds]`

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a measurement for people at a terminal"
)]

use std::{
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use windlass_hosts::{docker, net, owner::Always};
use windlass_script::host::{Args, HostModule, testing::TestCx};

const LAB: &str = "docker-grid-bench";

fn main() {
    let argument = |position| std::env::args().nth(position);
    let (socket, image) = (argument(1).expect("the socket"), argument(2).expect("the image"));
    let number = |position| argument(position).and_then(|text| text.parse::<usize>().ok());
    let (nodes, rounds) = (number(3).unwrap_or(20), number(4).unwrap_or(3));
    let config = docker::Config { socket: socket.clone().into(), ..docker::Config::default() };
    let module = docker::module(&config, net::spaces(net::kernel()), Arc::new(Always("platform"))).expect("the module");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let call = |name: &str, args: Value| call(&module, &runtime, name, args);
    println!("{}", call("info", json!([])));
    call("destroy", json!([LAB]));
    let mut samples: [Vec<Duration>; 5] = Default::default();
    for _ in 0..rounds {
        samples[0].push(timed(|| run_with_docker(&socket, &image, nodes)));
        samples[1].push(timed(|| remove_with_docker(&socket, nodes)));
        samples[2].push(timed(|| run_with_docker(&socket, &image, 2 * nodes)));
        remove_with_docker(&socket, 2 * nodes);
        let specs: Vec<Value> = (0..nodes)
            .map(|node| json!({ "name": format!("n{node}"), "image": image, "command": ["sleep", "1000"] }))
            .collect();
        samples[3].push(timed(|| {
            let made = call("create_nodes", json!([LAB, specs]));
            assert!(made.as_array().unwrap().iter().all(|node| node["status"] == "running"), "{made}");
        }));
        let said = call("exec", json!([LAB, "n0", ["echo", "hello"]]));
        assert_eq!(said["stdout"], "hello\n");
        samples[4].push(timed(|| assert_eq!(call("destroy", json!([LAB]))["nodes"], nodes)));
    }
    let [run, remove, twice, create, destroy] = samples.map(median_ms);
    println!("{nodes} nodes; medians of {rounds} rounds, four at a time");
    println!("docker run -d         {run:8.1} ms   {nodes} containers");
    println!(
        "docker run -d         {twice:8.1} ms   {} containers, as many as nodes with what holds their namespaces",
        2 * nodes
    );
    println!("docker rm -f          {remove:8.1} ms");
    println!(
        "docker::create_nodes  {create:8.1} ms   {:.2} × as many nodes, {:.2} × as many containers",
        create / run,
        create / twice
    );
    println!("docker::destroy       {destroy:8.1} ms");
}

fn run_with_docker(socket: &str, image: &str, count: usize) {
    let line = format!("docker -H unix://{socket} run -d --network none --name wgd{{}} {image} sleep 1000");
    four_at_a_time(&line, count);
}

fn remove_with_docker(socket: &str, count: usize) {
    four_at_a_time(&format!("docker -H unix://{socket} rm -f wgd{{}}"), count);
}

fn four_at_a_time(line: &str, count: usize) {
    let script = format!("seq 1 {count} | xargs -P4 -I{{}} {line}");
    let done = Command::new("sh").args(["-c", &script]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    done.expect("sh can be run");
}

fn call(module: &HostModule, runtime: &tokio::runtime::Runtime, name: &str, args: Value) -> Value {
    let op = module.ops.iter().find(|op| op.name == name).expect("the op is there");
    let args = Args::new(op.params, args.as_array().unwrap().clone());
    let mut cx = TestCx::new(&["docker.*:*"]);
    cx.timeout = Duration::from_secs(120);
    (op.run)(&cx.on(runtime), &args).unwrap_or_else(|problem| panic!("{name}: {problem:?}"))
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
