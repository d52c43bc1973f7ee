//! One run that does one step after the other: each waits for its own commit, an undoable one for two.

use serde_json::json;

use super::{Case, Cx};
use crate::{
    disk,
    report::{Row, Target, median},
    wal,
    world::{Outcome, World, launch, succeeded},
};

pub const CASE: Case = Case { name: "steps", what: "one run, one durable step after the other", run };

const NAME: &str = "steps";

/// Steps and the disk's own syncs are measured in turns, so that both see the same disk.
const ROUNDS: usize = 10;

fn run(cx: &Cx) -> Outcome<Vec<Row>> {
    let world = World::new(cx.folder, NAME)?;
    let (count, syncs) = (cx.options.size(100, 10), cx.options.size(50, 5));
    world.script("bench/touch", &["bench.use:*"], "fn run(input) { for n in 0..input.count { bench::touch(n) } }")?;
    world.script("bench/make", &["bench.use:*"], "fn run(input) { for n in 0..input.count { bench::make(n) } }")?;
    let engine = world.start(|_| {})?;
    let mut rows = Vec::new();
    for (workflow, what, commits) in
        [("bench/touch", "a step, idempotent", 1.0), ("bench/make", "a step that can be undone", 2.0)]
    {
        // Once to warm up: the first run makes files grow, and compiles.
        succeeded(&engine, &launch(&engine, workflow, json!({ "count": count }))?)?;
        world.notes.gaps_ms();
        let (mut steps_ms, mut syncs_ms) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            syncs_ms.extend(disk::syncs_ms(cx.folder, syncs));
            succeeded(&engine, &launch(&engine, workflow, json!({ "count": count }))?)?;
            steps_ms.extend(world.notes.gaps_ms());
        }
        let sync_ms = median(&mut syncs_ms);
        let text = format!("{what}: median, against {commits} × {sync_ms:.3} ms of the disk");
        rows.push(cx.row(NAME, text, median(&mut steps_ms), "ms", Target::AtMost(2.0 * commits * sync_ms)));
        rows.extend(counted(&world, &engine, workflow, what, commits)?);
    }
    Ok(rows)
}

/// Commits and pages for each step, read off the database's log in a short run.
fn counted(
    world: &World,
    engine: &windlass_engine::Engine,
    workflow: &str,
    what: &str,
    commits: f64,
) -> Outcome<Option<Row>> {
    const STEPS: u32 = 100;
    let before = wal::look(&world.database());
    succeeded(engine, &launch(engine, workflow, json!({ "count": STEPS }))?)?;
    let Some((seen, pages)) = wal::look(&world.database()).zip(before).and_then(|(after, before)| after.since(before))
    else {
        return Ok(None);
    };
    // The launch and the end of the run are commits, too.
    let each = (seen as f64 - 2.0) / f64::from(STEPS);
    let pages = pages as f64 / f64::from(STEPS);
    let text = format!("{what}: commits ({pages:.1} pages each step)");
    Ok(Some(Row::new(NAME, text, each, "", Target::AtMost(commits))))
}
