//! Many runs at once: group commit lets them share the disk's syncs.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{Case, Cx};
use crate::{
    machine,
    report::{Row, Target},
    wal,
    world::{Outcome, World, launch, succeeded},
};

pub const CASE: Case = Case { name: "crowd", what: "64 runs at once, every step synced", run };

const NAME: &str = "crowd";
const RUNS: usize = 64;

fn run(cx: &Cx) -> Outcome<Vec<Row>> {
    let world = World::new(cx.folder, NAME)?;
    let body = format!("fn run(input) {{ bench::meet({RUNS}); let n = 0; while bench::tick(n) {{ n += 1; }} n }}");
    world.script("bench/crowd", &["bench.use:*"], &body)?;
    let engine = world.start(|config| config.workers = RUNS)?;
    let sync_before_ms = cx.sync_ms();
    let time = if cx.options.smoke { Duration::from_millis(200) } else { Duration::from_secs(cx.options.seconds) };
    // Set when all have met and the first of them ticks; until then there is time enough.
    world.notes.tick_for(Duration::from_secs(600));
    let runs: Vec<_> = (0..RUNS).map(|_| launch(&engine, "bench/crowd", json!({}))).collect::<Outcome<_>>()?;
    crate::world::wait_until("the runs to meet", Duration::from_secs(30), || world.notes.count() >= RUNS as u64)?;
    let (started, first, own_s) = (Instant::now(), world.notes.count(), machine::own_s());
    let look = wal::look(&world.database());
    world.notes.tick_for(time);
    std::thread::sleep(Duration::from_millis(100).min(time));
    let later = wal::look(&world.database());
    for run in &runs {
        succeeded(&engine, run)?;
    }
    // All ticks that were called are on disk now, for their runs have ended.
    let (elapsed, steps) = (started.elapsed().as_secs_f64(), (world.notes.count() - first) as f64);
    let rate = steps / elapsed;
    let step_us = (machine::own_s() - own_s) / steps * 1e6;
    let sync_ms = (sync_before_ms + cx.sync_ms()) / 2.0;
    let recorded: usize = engine.steps(&runs[0]).map_err(crate::world::words)?.len();
    let mut rows = vec![
        cx.row(NAME, format!("{RUNS} runs: synced steps"), rate, "/s", Target::AtLeast(30_000.0)),
        // Each run waits for its own step: not more than as many as there are runs can share a sync.
        Row::info(
            NAME,
            format!("that many share a sync of {sync_ms:.3} ms (at most {RUNS} can)"),
            rate * sync_ms / 1e3,
            "steps",
        ),
        Row::info(NAME, "processor time of a step, all threads", step_us, "µs"),
        Row::info(NAME, "steps in the first run's journal", recorded as f64, ""),
    ];
    if let Some((commits, pages)) = look.zip(later).and_then(|(before, after)| after.since(before)) {
        rows.push(Row::info(
            NAME,
            format!("pages in a commit ({commits} commits seen)"),
            pages as f64 / commits as f64,
            "",
        ));
    }
    Ok(rows)
}
