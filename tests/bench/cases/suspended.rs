//! A hundred thousand runs that wait: what they hold in memory, and how late they wake.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use serde_json::json;
use windlass_model::{RunId, RunState};

use super::{Case, Cx};
use crate::{
    machine::resident_bytes,
    report::{Row, Target, quantile},
    world::{Outcome, Running, World, launch, wait_until, words},
};

pub const CASE: Case =
    Case { name: "suspended", what: "100,000 runs wait, 60,000 of them wake at 1,000 a second", run };

const NAME: &str = "suspended";
const LAUNCHERS: usize = 64;
const WAKES_PER_SECOND: usize = 1_000;
const HOUR_MS: i64 = 3_600_000;

fn run(cx: &Cx) -> Outcome<Vec<Row>> {
    let world = World::new(cx.folder, NAME)?;
    world.script("bench/sleeper", &[], "fn run(input) { sleep_until(input.at); input.at }")?;
    let engine = world.start(|_| {})?;
    let (far, near) = (cx.options.size(40_000, 100), cx.options.size(60_000, 200));

    let started = Instant::now();
    let late_ms = engine.now_ms() + HOUR_MS;
    launch_all(&engine, far, |_| late_ms)?;
    let waiting = || engine.counts().ok().and_then(|counts| count(&counts, RunState::Waiting));
    wait_until("the first runs to wait", Duration::from_secs(60), || waiting() == Some(far as u64))?;
    let far_took = started.elapsed();
    // Those that wake are launched next: the first is due once all of them are there, with a reserve.
    let near_takes =
        far_took.mul_f64(near as f64 / far as f64 * 1.25) + Duration::from_secs(cx.options.size(12, 1) as u64);
    let first_ms = engine.now_ms() + near_takes.as_millis() as i64;
    let due_ms = |index: usize| first_ms + (index * 1_000 / WAKES_PER_SECOND) as i64;
    let near_started = Instant::now();
    let runs = launch_all(&engine, near, due_ms)?;
    let all_wait = || waiting() == Some((far + near) as u64) || engine.now_ms() >= first_ms;
    wait_until("all runs to wait", Duration::from_secs(120), all_wait)?;
    let launched_in = far_took + near_started.elapsed();
    // Script threads that have nothing to do end after a while.
    wait_until("script threads to end", Duration::from_secs(30), || engine.load() == (0, 0))?;
    let in_time = engine.now_ms() < first_ms;
    let (threads, (resident, anonymous)) = (engine.load().1, resident_bytes());

    wait_until("all wakes", Duration::from_secs(150), || {
        std::thread::sleep(Duration::from_millis(200));
        engine.counts().ok().and_then(|counts| count(&counts, RunState::Succeeded)) == Some(near as u64)
    })?;
    let mut late_ms = Vec::with_capacity(near);
    for (index, run) in runs {
        let step = engine.steps(&run).map_err(words)?.pop().ok_or("a woken run has no step")?;
        let finished_ms = step.finished_at_ms.ok_or("a woken run's step has no end")?;
        late_ms.push((finished_ms - due_ms(index)) as f64);
    }
    let total = far + near;
    let mut rows = vec![
        cx.row(NAME, format!("{total} runs wait: resident memory"), resident as f64 / 1e6, "MB", Target::AtMost(200.0)),
        Row::info(NAME, "of that, not mapped files", anonymous as f64 / 1e6, "MB"),
        Row::new(NAME, "and script threads", threads as f64, "", Target::AtMost(0.0)),
        cx.row(NAME, "wakes, lateness: 99 of 100", quantile(&mut late_ms, 0.99), "ms", Target::AtMost(1_000.0)),
        Row::info(NAME, "wakes, lateness: median", quantile(&mut late_ms, 0.5), "ms"),
        Row::info(NAME, "wakes, lateness: worst", quantile(&mut late_ms, 1.0), "ms"),
        Row::new(NAME, format!("of {near} due runs, woken"), late_ms.len() as f64, "", Target::AtLeast(near as f64)),
        Row::info(
            NAME,
            format!("launch from {LAUNCHERS} threads, until they sleep"),
            total as f64 / launched_in.as_secs_f64(),
            "runs/s",
        ),
    ];
    // A smoke test leaves no time for that.
    if !in_time && !cx.options.smoke {
        rows.push(Row::failed(
            NAME,
            "the first wakes came before memory was measured: this machine is too slow for this case",
        ));
    }
    Ok(rows)
}

fn count(counts: &[(RunState, u64)], state: RunState) -> Option<u64> {
    counts.iter().find(|(of, _)| *of == state).map(|(_, count)| *count)
}

/// Launches so many sleepers from many threads; their numbers and ids.
fn launch_all(engine: &Running, count: usize, at_ms: impl Fn(usize) -> i64 + Sync) -> Outcome<Vec<(usize, RunId)>> {
    let (next, launched, problem) = (AtomicUsize::new(0), Mutex::new(Vec::with_capacity(count)), Mutex::new(None));
    std::thread::scope(|scope| {
        for _ in 0..LAUNCHERS {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= count {
                        return;
                    }
                    match launch(engine, "bench/sleeper", json!({ "at": at_ms(index) })) {
                        Ok(run) => launched.lock().push((index, run)),
                        Err(message) => {
                            *problem.lock() = Some(message);
                            next.store(count, Ordering::Relaxed);
                        }
                    }
                }
            });
        }
    });
    match problem.into_inner() {
        Some(message) => Err(message),
        None => Ok(launched.into_inner()),
    }
}
