//! Twenty containers as nodes of a lab, made by a workflow with its whole journal, against as many by `docker run -d`, four at a time, in
//! turns. A node is two containers: what holds its namespace is one of its own.

use std::{
    process::{Command, Stdio},
    sync::Arc,
    time::Instant,
};

use serde_json::json;
use windlass_hosts::{docker, net, owner::Always};
use windlass_tests::{Docker, docker::IMAGE};

use super::{Case, Cx};
use crate::{
    labs::{impossible, settle},
    report::{Row, Target, median},
    world::{Outcome, Running, World, launch, succeeded, words},
};

pub const CASE: Case =
    Case { name: "containers", what: "20 nodes that are containers, against `docker run -d`, four at a time", run };

const NAME: &str = "containers";
const MAKE: &str = r#"fn run(input) {
    let nodes = [];
    for n in 0..input.nodes { nodes.push(#{ name: `n${n}`, image: input.image, command: ["sleep", "1000"] }); }
    docker::create_nodes(input.lab, nodes).filter(|node| node.status == "running").len()
}"#;

fn run(cx: &Cx) -> Outcome<Vec<Row>> {
    let daemon = match impossible() {
        None => Docker::start(),
        Some(_) => None,
    };
    let Some(daemon) = daemon else {
        let why = "NOTHING IS KNOWN about containers on this machine: it has no Docker that this may start";
        eprintln!("!!!! {NAME} SKIPPED: {why}");
        return Ok(vec![Row::skipped(NAME, why)]);
    };
    let nodes = cx.options.size(20, 2);
    let config = docker::Config { socket: daemon.socket(), ..docker::Config::default() };
    let module = docker::module(&config, net::spaces(net::kernel()), Arc::new(Always("platform"))).map_err(words)?;
    let world = World::with(cx.folder, NAME, vec![module])?;
    let grants = ["docker.read:*", "docker.write:*", "docker.run:*"];
    world.script("bench/containers", &grants, MAKE)?;
    world.script("bench/remove", &grants, "fn run(input) { docker::destroy(input.lab).nodes }")?;
    let engine = world.start(|_| {})?;
    let lab = format!("bench-{}", std::process::id());
    // What is made once for a daemon isn't counted.
    by_workflow(&engine, &lab, 1)?;
    by_docker(&daemon, 1)?;
    let (mut ours, mut theirs, mut twice) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..cx.options.size(5, 1) {
        ours.push(by_workflow(&engine, &lab, nodes)?);
        theirs.push(by_docker(&daemon, nodes)?);
        twice.push(by_docker(&daemon, 2 * nodes)?);
    }
    let [create, remove] = medians(&ours);
    let [run, rm] = medians(&theirs);
    let [both, _] = medians(&twice);
    Ok(vec![
        Row::info(NAME, format!("`docker run -d`, {nodes} containers"), run, "ms"),
        Row::info(NAME, format!("`docker run -d`, {} containers", 2 * nodes), both, "ms"),
        Row::info(NAME, "`docker rm -f`", rm, "ms"),
        Row::info(NAME, format!("workflow with its journal, {nodes} nodes"), create, "ms"),
        Row::info(NAME, "workflow with its journal, remove", remove, "ms"),
        cx.row(NAME, "create, against `docker run -d` of as many", create / run, "×", Target::AtMost(1.15)),
        Row::info(NAME, "create, against `docker run -d` of as many containers", create / both, "×"),
        Row::info(NAME, "remove, against `docker rm -f`", remove / rm, "×"),
    ])
}

fn medians(rounds: &[[f64; 2]]) -> [f64; 2] {
    std::array::from_fn(|index| median(&mut rounds.iter().map(|round| round[index]).collect::<Vec<_>>()))
}

/// From the launch to the end of the run, milliseconds: creation, removal.
fn by_workflow(engine: &Running, lab: &str, nodes: usize) -> Outcome<[f64; 2]> {
    let timed = |workflow: &str, input| {
        let began = Instant::now();
        let run = succeeded(engine, &launch(engine, workflow, input)?)?;
        let ms = began.elapsed().as_secs_f64() * 1e3;
        settle();
        match run.output == Some(json!(nodes)) {
            true => Ok(ms),
            false => Err(format!("{workflow}: {:?} instead of {nodes}", run.output)),
        }
    };
    let created = timed("bench/containers", json!({ "lab": lab, "nodes": nodes, "image": IMAGE }))?;
    Ok([created, timed("bench/remove", json!({ "lab": lab }))?])
}

/// Creation and removal by the command line, four at a time, milliseconds.
fn by_docker(daemon: &Docker, count: usize) -> Outcome<[f64; 2]> {
    let socket = daemon.socket().display().to_string();
    let timed = |line: String| {
        let script = format!("seq 1 {count} | xargs -P4 -I{{}} {line}");
        let began = Instant::now();
        let mut shell = Command::new("sh");
        let done = shell.args(["-c", &script]).stdout(Stdio::null()).status().map_err(words)?;
        let ms = began.elapsed().as_secs_f64() * 1e3;
        settle();
        if done.success() { Ok(ms) } else { Err(format!("`{line}` failed")) }
    };
    let run = format!("docker -H unix://{socket} run -d --network none --name wb{{}} {IMAGE} sleep 1000");
    let created = timed(run)?;
    Ok([created, timed(format!("docker -H unix://{socket} rm -f wb{{}}"))?])
}
