//! Launches, one after the other: how long until a run is on disk and taken, and how many commits that costs.

use std::time::Instant;

use serde_json::json;

use super::{Case, Cx};
use crate::{
    report::{Row, Target, median},
    wal,
    world::{Outcome, World, launch, succeeded},
};

pub const CASE: Case = Case { name: "launch", what: "a run is launched and taken by a worker", run };

const NAME: &str = "launch";
const AT_ONCE: usize = 50;

fn run(cx: &Cx) -> Outcome<Vec<Row>> {
    let world = World::new(cx.folder, NAME)?;
    world.script("bench/empty", &[], "fn run(input) { input.n }")?;
    let engine = world.start(|config| config.workers = AT_ONCE)?;
    succeeded(&engine, &launch(&engine, "bench/empty", json!({ "n": 0 }))?)?;
    let (mut took_ms, mut commits, mut counted) = (Vec::new(), 0, 0);
    for _ in 0..cx.options.size(6, 1) {
        // Runs are taken, but their scripts wait: all commits in between are those of launches.
        world.gate.close();
        let before = wal::look(&world.database());
        let mut runs = Vec::new();
        for n in 0..AT_ONCE {
            let started = Instant::now();
            runs.push(launch(&engine, "bench/empty", json!({ "n": n }))?);
            took_ms.push(started.elapsed().as_secs_f64() * 1e3);
        }
        let taken = engine.load().0;
        let seen = wal::look(&world.database()).zip(before).and_then(|(after, before)| after.since(before));
        world.gate.open();
        if taken != AT_ONCE {
            return Err(format!("of {AT_ONCE} launched runs, only {taken} were taken at once"));
        }
        if let Some((seen, _)) = seen {
            (commits, counted) = (commits + seen, counted + AT_ONCE);
        }
        for run in &runs {
            succeeded(&engine, run)?;
        }
    }
    if counted == 0 {
        return Err("the database's log began anew in every round: no commits could be counted".to_owned());
    }
    let each = commits as f64 / counted as f64;
    let launch_ms = median(&mut took_ms);
    Ok(vec![
        Row::new(NAME, "commits a launch, taken by a worker", each, "", Target::AtMost(1.0)),
        Row::info(NAME, "launch: median", launch_ms, "ms"),
        Row::info(NAME, "launch, against the disk's own sync", launch_ms / cx.sync_ms(), "×"),
    ])
}
