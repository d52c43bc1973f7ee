//! What things cost when there are more of them: steps before, watchers beside, runs in the database.

use serde_json::json;
use windlass_model::RunState;

use super::{Case, Cx};
use crate::{
    report::{Row, median},
    world::{Outcome, Running, World, launch, succeeded, wait_until},
};

pub const CASE: Case = Case { name: "growth", what: "the price of more steps, more watchers, more runs", run };

const NAME: &str = "growth";

fn run(cx: &Cx) -> Outcome<Vec<Row>> {
    let world = World::new(cx.folder, NAME)?;
    world.script("bench/touch", &["bench.use:*"], "fn run(input) { for n in 0..input.count { bench::touch(n) } }")?;
    world.script("bench/wait", &[], "fn run(input) { wait_signal(\"never\") }")?;
    let engine = world.start(|_| {})?;
    let few = cx.options.size(400, 10);
    step_ms(&world, &engine, 20)?;
    let alone_ms = step_ms(&world, &engine, few)?;
    let mut rows = vec![Row::info(NAME, "a step, nothing else there", alone_ms, "ms")];

    let watchers = cx.options.size(1_000, 10);
    let run = launch(&engine, "bench/touch", json!({ "count": few }))?;
    let watching: Vec<_> = (0..watchers).map(|_| engine.watch(&run)).collect();
    succeeded(&engine, &run)?;
    rows.push(Row::info(
        NAME,
        format!("a step, {watchers} watchers of its run"),
        median(&mut world.notes.gaps_ms()),
        "ms",
    ));
    drop(watching);

    let many = cx.options.size(10_000, 20);
    let run = launch(&engine, "bench/touch", json!({ "count": many }))?;
    succeeded(&engine, &run)?;
    let mut gaps_ms = world.notes.gaps_ms();
    let mut last = gaps_ms.split_off(gaps_ms.len().saturating_sub(few));
    rows.push(Row::info(NAME, format!("a step, after {many} steps of its run"), median(&mut last), "ms"));

    let runs = cx.options.size(10_000, 20);
    std::thread::scope(|scope| {
        let launchers: Vec<_> = (0..20)
            .map(|_| {
                scope.spawn(|| (0..runs / 20).try_for_each(|_| launch(&engine, "bench/wait", json!({})).map(drop)))
            })
            .collect();
        launchers
            .into_iter()
            .try_for_each(|thread| thread.join().unwrap_or_else(|_| Err("a launcher panicked".to_owned())))
    })?;
    wait_until("all runs to wait", std::time::Duration::from_secs(60), || {
        let counts = engine.counts().unwrap_or_default();
        counts.iter().any(|(state, count)| *state == RunState::Waiting && *count as usize >= runs / 20 * 20)
    })?;
    rows.push(Row::info(NAME, format!("a step, beside {runs} runs that wait"), step_ms(&world, &engine, few)?, "ms"));
    Ok(rows)
}

fn step_ms(world: &World, engine: &Running, count: usize) -> Outcome<f64> {
    world.notes.gaps_ms();
    succeeded(engine, &launch(engine, "bench/touch", json!({ "count": count }))?)?;
    Ok(median(&mut world.notes.gaps_ms()))
}
