//! A long journal is read and replayed: what a restart, an upgrade's verdict and each wake-up cost.

use std::time::{Duration, Instant};

use serde_json::json;
use windlass_engine::{Durability, Verdict};
use windlass_model::{RunState, query::RunFilter};

use super::{Case, Cx};
use crate::{
    report::{Row, Target, median},
    world::{Outcome, Running, World, launch, wait_until, words},
};

pub const CASE: Case = Case { name: "replay", what: "a run of 50,000 recorded steps is replayed on one thread", run };

const NAME: &str = "replay";

fn run(cx: &Cx) -> Outcome<Vec<Row>> {
    let world = World::new(cx.folder, NAME)?;
    let count = cx.options.size(50_000, 200);
    let body = "fn run(input) { for n in 0..input.count { bench::echo(n) } wait_signal(\"go\") }";
    world.script("bench/long", &["bench.use:*"], body)?;
    // The journal is only written to be read: its writing isn't measured, and needn't wait for the disk.
    let writer = world.start(|config| config.durability = Durability::Off)?;
    let run = launch(&writer, "bench/long", json!({ "count": count }))?;
    wait_until("the journal to be written", Duration::from_secs(120), || {
        let filter = RunFilter { states: vec![RunState::Waiting], ..RunFilter::default() };
        writer.runs(&filter).is_ok_and(|runs| !runs.is_empty())
    })?;
    drop(writer);
    let engine: Running = world.start(|_| {})?;
    let (mut load_ms, mut all_ms) = (Vec::new(), Vec::new());
    for _ in 0..cx.options.size(9, 2) {
        let started = Instant::now();
        let steps = engine.steps(&run).map_err(words)?;
        load_ms.push(started.elapsed().as_secs_f64() * 1e3);
        drop(steps);
        let started = Instant::now();
        match engine.verdict(&run).map_err(words)? {
            Verdict::Compatible { replayed, .. } if replayed == count => {}
            other => return Err(format!("the run doesn't replay: {other:?}")),
        }
        all_ms.push(started.elapsed().as_secs_f64() * 1e3);
    }
    let (load_ms, all_ms, count) = (median(&mut load_ms), median(&mut all_ms), count as f64);
    let replay = count / (all_ms - load_ms).max(1e-6) * 1e3;
    Ok(vec![
        cx.row(NAME, "replay, one thread: steps", replay, "/s", Target::AtLeast(500_000.0)),
        Row::info(NAME, "load from the database before that: steps", count / load_ms * 1e3, "/s"),
        Row::info(NAME, "load and replay together: steps", count / all_ms * 1e3, "/s"),
    ])
}
