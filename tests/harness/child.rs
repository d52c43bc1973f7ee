//! A process that a crash test kills: works on the world in a folder until nothing is left to do without a person.

use std::{path::Path, sync::Arc, time::Duration};

use windlass_model::{RunState, query::RunFilter};
use windlass_tests::World;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().expect("usage: windlass-test-child FOLDER [WORKFLOW]");
    let world = World::open(Path::new(&folder), Arc::new(|_| {}));
    if let Some(workflow) = arguments.next() {
        world.launch(&workflow, serde_json::json!({}));
    }
    let engine = world.engine();
    // A minute and more.
    for _ in 0..12_000 {
        let runs = engine.runs(&RunFilter::default()).expect("runs can be listed");
        let settled = |state: RunState| state.is_ended() || matches!(state, RunState::RollbackStuck);
        let waits = |due: Option<i64>| due.is_none_or(|due| due > engine.now_ms());
        if runs.iter().all(|run| settled(run.state) || (run.state == RunState::Waiting && waits(run.due_at_ms))) {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("the runs of {folder} come to no end");
}
