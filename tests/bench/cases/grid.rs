//! A lab of 100 namespaces, 100 links and 10 bridges: built and destroyed by workflows with their whole journal, against
//! `ip -batch` making the same things in the shortest way it has, and against Mininet, in turns.

use std::{
    process::{Command, Stdio},
    sync::Arc,
    time::Instant,
};

use serde_json::json;
use windlass_hosts::{net, owner::Always};

use super::{Case, Cx};
use crate::{
    labs::{batch, impossible, ip, prefix, settle},
    report::{Row, Target, median},
    world::{Outcome, Running, World, launch, succeeded, words},
};

pub const CASE: Case =
    Case { name: "grid", what: "100 namespaces, 100 links, 10 bridges, against `ip -batch` and Mininet", run };

const NAME: &str = "grid";
/// Debian's Mininet is for Debian's Python, whichever comes first in the path.
const PYTHON: &str = "/usr/bin/python3";
const BUILD: &str = r#"fn run(input) {
    let plan = #{ namespaces: [], bridges: [], links: [] };
    for b in 0..input.bridges { plan.bridges.push(`b${b}`); }
    for n in 0..input.nodes {
        plan.namespaces.push(`n${n}`);
        plan.links.push(#{ a: `n${n}:eth0`, b: `b${n % input.bridges}` });
    }
    net::build(input.lab, plan).links.len()
}"#;

#[derive(Clone, Copy)]
struct Size {
    nodes: usize,
    bridges: usize,
}

fn run(cx: &Cx) -> Outcome<Vec<Row>> {
    if let Some(reason) = impossible() {
        let why = format!("NOTHING IS KNOWN about labs on this machine: {reason}");
        eprintln!("!!!! {NAME} SKIPPED: {why}");
        return Ok(vec![Row::skipped(NAME, why)]);
    }
    let size = Size { nodes: cx.options.size(100, 4), bridges: cx.options.size(10, 2) };
    let lab = format!("bench-{}", std::process::id());
    let world = World::with(cx.folder, NAME, vec![net::module(net::kernel(), Arc::new(Always("platform")))])?;
    let grants = ["net.read:*", "net.write:*"];
    world.script("bench/grid", &grants, BUILD)?;
    world.script("bench/destroy", &grants, "fn run(input) { net::destroy(input.lab) }")?;
    let engine = world.start(|_| {})?;
    let _left = Leftovers { engine: &engine, lab: &lab, size };
    let (mut ours, mut theirs, mut mininets) = (Vec::new(), Vec::new(), Vec::new());
    let has_mininet = has_mininet();
    for _ in 0..cx.options.size(5, 1) {
        ours.push(by_workflow(&engine, &lab, size)?);
        theirs.push(by_ip(size)?);
        if has_mininet {
            mininets.push(by_mininet(size)?);
        }
    }
    let [create, remove] = medians(&ours);
    let [ip_create, ip_inner, ip_remove] = medians(&theirs);
    let mut rows = vec![
        Row::info(NAME, "`ip -batch`, create (inner ends stay down)", ip_create, "ms"),
        Row::info(NAME, "one `ip -n … up` for each inner end", ip_inner, "ms"),
        Row::info(NAME, "`ip -batch`, remove", ip_remove, "ms"),
        Row::info(NAME, "workflow with its journal, create", create, "ms"),
        Row::info(NAME, "workflow with its journal, remove", remove, "ms"),
        cx.row(NAME, "create, against `ip -batch` creating", create / ip_create, "×", Target::AtMost(1.3)),
        Row::info(NAME, "remove, against `ip -batch` creating", remove / ip_create, "×"),
        Row::info(NAME, "create, against `ip -batch` and inner ends up", create / (ip_create + ip_inner), "×"),
        cx.row(NAME, "remove, against `ip -batch` removing", remove / ip_remove, "×", Target::AtMost(0.5)),
    ];
    if has_mininet {
        let [mininet_create, mininet_remove] = medians(&mininets);
        rows.push(Row::info(NAME, "Mininet, Linux bridges, create", mininet_create, "ms"));
        rows.push(Row::info(NAME, "Mininet, remove", mininet_remove, "ms"));
        rows.push(cx.row(NAME, "create, times as fast as Mininet", mininet_create / create, "×", Target::AtLeast(8.0)));
        rows.push(Row::info(NAME, "remove, times as fast as Mininet", mininet_remove / remove, "×"));
    } else {
        let why = "Mininet isn't here (Debian: mininet, bridge-utils, net-tools)";
        eprintln!("!!!! {NAME}: {why}");
        rows.push(Row::skipped(NAME, why));
    }
    for nodes in if cx.options.smoke { vec![] } else { vec![20, 300] } {
        let [created, removed] = by_workflow(&engine, &lab, Size { nodes, bridges: size.bridges })?;
        rows.push(Row::info(NAME, format!("growth: {nodes} links, create"), created, "ms"));
        rows.push(Row::info(NAME, format!("growth: {nodes} links, remove"), removed, "ms"));
    }
    Ok(rows)
}

fn medians<const N: usize>(rounds: &[[f64; N]]) -> [f64; N] {
    std::array::from_fn(|index| median(&mut rounds.iter().map(|round| round[index]).collect::<Vec<_>>()))
}

/// From the launch to the end of the run, milliseconds: creation, removal.
fn by_workflow(engine: &Running, lab: &str, size: Size) -> Outcome<[f64; 2]> {
    let input = json!({ "lab": lab, "nodes": size.nodes, "bridges": size.bridges });
    let started = Instant::now();
    let built = succeeded(engine, &launch(engine, "bench/grid", input)?)?;
    let created_ms = started.elapsed().as_secs_f64() * 1e3;
    if built.output != Some(json!(size.nodes)) {
        return Err(format!("the lab has {:?} links instead of {}", built.output, size.nodes));
    }
    settle();
    let started = Instant::now();
    succeeded(engine, &launch(engine, "bench/destroy", json!({ "lab": lab }))?)?;
    let removed_ms = started.elapsed().as_secs_f64() * 1e3;
    settle();
    Ok([created_ms, removed_ms])
}

/// Creation in one batch, bringing the inner ends up one by one, removal in one batch, milliseconds.
fn by_ip(size: Size) -> Outcome<[f64; 3]> {
    let prefix = prefix();
    let mut create = String::new();
    (0..size.nodes).for_each(|n| create.push_str(&format!("netns add {prefix}n{n}\n")));
    (0..size.bridges).for_each(|b| create.push_str(&format!("link add {prefix}b{b} up type bridge\n")));
    for n in 0..size.nodes {
        // Born in place: nothing is moved, and the host's end is up and on its bridge from the start. The other end stays
        // down: the kernel refuses to have both brought up at once, and a batch can't work in another namespace.
        let bridge = n % size.bridges;
        create.push_str(&format!(
            "link add {prefix}h{n} up master {prefix}b{bridge} type veth peer name eth0 netns {prefix}n{n}\n"
        ));
    }
    let started = Instant::now();
    batch(&create, false)?;
    let created_ms = started.elapsed().as_secs_f64() * 1e3;
    let started = Instant::now();
    for n in 0..size.nodes {
        ip(&["-n", &format!("{prefix}n{n}"), "link", "set", "eth0", "up"])?;
    }
    let inner_ms = started.elapsed().as_secs_f64() * 1e3;
    settle();
    let started = Instant::now();
    batch(&removal(size), false)?;
    let removed_ms = started.elapsed().as_secs_f64() * 1e3;
    settle();
    Ok([created_ms, inner_ms, removed_ms])
}

fn has_mininet() -> bool {
    let there = Command::new(PYTHON).args(["-c", "import mininet"]).stderr(Stdio::null()).status();
    there.is_ok_and(|status| status.success()) && Command::new("brctl").arg("--version").output().is_ok()
}

/// Creation and removal by Mininet, milliseconds, as it tells them itself: its start isn't counted.
fn by_mininet(size: Size) -> Outcome<[f64; 2]> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/bench/mininet_grid.py");
    let arguments = [script, &size.nodes.to_string(), &size.bridges.to_string()];
    let output = Command::new(PYTHON).args(arguments).output().map_err(words)?;
    settle();
    let text = String::from_utf8_lossy(&output.stdout);
    let mut times = text.split_whitespace().map(str::parse::<f64>);
    match (times.next(), times.next()) {
        (Some(Ok(created)), Some(Ok(removed))) => Ok([created, removed]),
        _ => Err(format!("Mininet failed: {}", String::from_utf8_lossy(&output.stderr).trim())),
    }
}

fn removal(size: Size) -> String {
    let prefix = prefix();
    let links = (0..size.nodes).map(|n| format!("link del {prefix}h{n}\n"));
    let bridges = (0..size.bridges).map(|b| format!("link del {prefix}b{b}\n"));
    let spaces = (0..size.nodes).map(|n| format!("netns del {prefix}n{n}\n"));
    links.chain(bridges).chain(spaces).collect()
}

/// Removes what a case that failed half way has left.
struct Leftovers<'a> {
    engine: &'a Running,
    lab: &'a str,
    size: Size,
}

impl Drop for Leftovers<'_> {
    fn drop(&mut self) {
        let destroyed = launch(self.engine, "bench/destroy", json!({ "lab": self.lab }))
            .and_then(|run| succeeded(self.engine, &run));
        if let Err(message) = destroyed {
            eprintln!("the lab `{}` is left over: {message}", self.lab);
        }
        // Fails for everything that is gone, which is all of it unless something went wrong.
        let _ = batch(&removal(self.size), true);
    }
}
