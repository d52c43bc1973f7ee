//! A lab that is changed while it runs: links added to one of 100 nodes, one after the other, each a step with its journal; all of them
//! removed at once; and many labs on one machine.

use std::{collections::HashSet, sync::Arc, time::Instant};

use serde_json::{Value, json};
use windlass_hosts::{lab_names::LabNames, net, owner::Always};

use super::{Case, Cx};
use crate::{
    labs::{impossible, settle},
    report::{Row, Target, median},
    world::{Outcome, Running, World, launch, succeeded},
};

pub const CASE: Case =
    Case { name: "links", what: "links added to a lab of 100 nodes, 100 links removed, 300 labs of 10 nodes", run };

const NAME: &str = "links";
/// As `World` has it.
const INSTANCE: &str = "bench";
const GRANTS: [&str; 2] = ["net.read:*", "net.write:*"];

const BUILD: &str = r#"fn run(input) {
    let plan = #{ namespaces: [], bridges: ["b"], links: [] };
    for n in 0..input.nodes { plan.namespaces.push(`n${n}`); }
    if input.links { for n in 0..input.nodes { plan.links.push(#{ a: `n${n}:eth0`, b: "b" }); } }
    net::build(input.lab, plan);
    net::links(input.lab)
}"#;
/// The last link's removal isn't timed: it leaves the lab as it was.
const ADD: &str = r#"fn run(input) {
    for n in 0..input.links { net::connect(input.lab, `n${n}:live`, "b"); }
    input.links
}"#;
const HUNDRED: &str = r#"fn run(input) {
    let plan = #{ namespaces: ["x"], bridges: ["b"], links: [] };
    for n in 0..input.links { plan.links.push(#{ a: `x:e${n}`, b: "b" }); }
    net::build(input.lab, plan).links.len()
}"#;
const DESTROY: &str = "fn run(input) { net::destroy(input.lab) }";

fn run(cx: &Cx) -> Outcome<Vec<Row>> {
    if let Some(reason) = impossible() {
        let why = format!("NOTHING IS KNOWN about labs on this machine: {reason}");
        eprintln!("!!!! {NAME} SKIPPED: {why}");
        return Ok(vec![Row::skipped(NAME, why)]);
    }
    let world = World::with(cx.folder, NAME, vec![net::module(net::kernel(), Arc::new(Always("platform")))])?;
    for (name, body) in [("build", BUILD), ("add", ADD), ("hundred", HUNDRED), ("destroy", DESTROY)] {
        world.script(&format!("bench/{name}"), &GRANTS, body)?;
    }
    let engine = world.start(|_| {})?;
    let labs = Labs { engine: &engine, prefix: prefix(cx.options.size(300, 3)) };
    let mut rows = live(cx, &labs)?;
    rows.extend(many(cx, &labs)?);
    Ok(rows)
}

/// Names of so many labs begin with this, and some of them would have the same four digits in the kernel; of three labs, hardly ever.
fn prefix(count: usize) -> String {
    let prefix = |number: usize| format!("bl{}x{number}", std::process::id());
    let clashes = |prefix: &String| {
        let hashes = (0..count).map(|number| LabNames::new(INSTANCE, &format!("{prefix}-{number}")).hash().to_owned());
        hashes.collect::<HashSet<_>>().len() < count
    };
    (0..64).map(prefix).find(clashes).unwrap_or_else(|| prefix(0))
}

struct Labs<'a> {
    engine: &'a Running,
    prefix: String,
}

impl Labs<'_> {
    fn name(&self, number: usize) -> String {
        format!("{}-{number}", self.prefix)
    }

    /// Runs a workflow, and gives what it returned and how long it took, milliseconds.
    fn run(&self, workflow: &str, input: Value) -> Outcome<(Value, f64)> {
        let started = Instant::now();
        let record = succeeded(self.engine, &launch(self.engine, workflow, input)?)?;
        Ok((record.output.unwrap_or_default(), started.elapsed().as_secs_f64() * 1e3))
    }

    fn destroy(&self, number: usize) -> Outcome<f64> {
        let (_, took) = self.run("bench/destroy", json!({ "lab": self.name(number) }))?;
        Ok(took)
    }
}

impl Drop for Labs<'_> {
    fn drop(&mut self) {
        // What isn't there is destroyed already.
        for number in 0..2 {
            if let Err(message) = self.destroy(number) {
                eprintln!("the lab `{}` is left over: {message}", self.name(number));
            }
        }
    }
}

fn live(cx: &Cx, labs: &Labs<'_>) -> Outcome<Vec<Row>> {
    let (nodes, links) = (cx.options.size(100, 4), cx.options.size(50, 2));
    let (mut added, mut removed) = (Vec::new(), Vec::new());
    for _ in 0..cx.options.size(5, 1) {
        labs.run("bench/build", json!({ "lab": labs.name(0), "nodes": nodes, "links": true }))?;
        let (_, took) = labs.run("bench/add", json!({ "lab": labs.name(0), "links": links }))?;
        added.push(took / links as f64);
        labs.destroy(0)?;
        settle();
        labs.run("bench/hundred", json!({ "lab": labs.name(1), "links": nodes }))?;
        removed.push(labs.destroy(1)?);
        settle();
    }
    Ok(vec![
        cx.row(NAME, format!("a link added to a lab of {nodes} nodes"), median(&mut added), "ms", Target::AtMost(10.0)),
        cx.row(
            NAME,
            format!("{nodes} links removed, with their bridge"),
            median(&mut removed),
            "ms",
            Target::AtMost(150.0),
        ),
    ])
}

/// Labs side by side: each is found whole, and no name in the kernel is two labs'.
fn many(cx: &Cx, labs: &Labs<'_>) -> Outcome<Vec<Row>> {
    let (count, nodes) = (cx.options.size(300, 3), cx.options.size(10, 2));
    let (mut names, mut hashes, mut moved) = (HashSet::new(), HashSet::new(), 0);
    let mut made = 0;
    let mut times = Vec::new();
    let mut built = || -> Outcome<()> {
        for number in 0..count {
            let input = json!({ "lab": labs.name(number), "nodes": nodes, "links": true });
            let (links, took) = labs.run("bench/build", input)?;
            made += 1;
            times.push(took);
            let name = labs.name(number);
            let first = LabNames::new(INSTANCE, &name);
            let host =
                |link: &Value| link["interface"].as_str().map(str::to_owned).filter(|_| link["namespace"].is_null());
            let bridge = links.as_array().into_iter().flatten().find(|link| link["kind"] == "bridge").and_then(host);
            let bridge = bridge.ok_or_else(|| format!("the lab {name} has no bridge"))?;
            // Another lab has the four digits that this one would have had.
            moved += usize::from(!bridge.starts_with(&first.bridge_prefix()));
            hashes.insert(bridge.get(4..8).unwrap_or_default().to_owned());
            let host = links.as_array().into_iter().flatten().filter(|link| link["namespace"].is_null());
            for link in host.filter_map(|link| link["interface"].as_str()) {
                if !names.insert(link.to_owned()) {
                    return Err(format!("{link} is of two labs"));
                }
            }
        }
        Ok(())
    };
    let outcome = built();
    for number in 0..made {
        labs.destroy(number)?;
    }
    outcome?;
    // A bridge and an outer end of each link.
    let expected = count * (nodes + 1);
    if names.len() != expected {
        return Err(format!("{} links on the host instead of {expected}", names.len()));
    }
    if hashes.len() != count {
        return Err(format!("{count} labs have {} hashes", hashes.len()));
    }
    let some = times.len().min(10);
    let (first, last) = (median(&mut times[..some].to_vec()), median(&mut times[times.len() - some..].to_vec()));
    Ok(vec![
        cx.row(NAME, format!("{count} labs of {nodes} nodes: names that are two labs'"), 0.0, "", Target::AtMost(0.0)),
        Row::info(
            NAME,
            format!("{count} labs of {nodes} nodes: clashes of hashes that were resolved"),
            moved as f64,
            "",
        ),
        Row::info(NAME, format!("{count} labs of {nodes} nodes: building one of the first"), first, "ms"),
        Row::info(NAME, format!("{count} labs of {nodes} nodes: building one of the last"), last, "ms"),
    ])
}
