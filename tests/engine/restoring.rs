//! A backup that is older than the world comes back: what had happened since isn't done twice.

use serde_json::json;
use windlass_engine::Store;
use windlass_model::{RunId, RunState, StepState, audit::NewAudit, query::RunFilter, wait::Resolution};
use windlass_tests::{World, wait_until};

const BODY: &str = r#"fn run(input) {
    probe::once("before");
    wait_signal("go");
    probe::keyed("thing");
    probe::touch("again");
    probe::once("after");
    child("t/child", #{});
    probe::once("last");
    "done"
}"#;

/// The run at its wait, the backup of that moment, and the world after it.
fn lived_on(world: &mut World) -> (RunId, std::path::PathBuf) {
    world.script("t/child", "", r#"fn run(input) { probe::keyed("inner"); probe::once("inner"); 1 }"#);
    world.script("t/run", "", BODY);
    let run = world.launch("t/run", json!({}));
    world.waits_on_signal(&run, "go");
    let database = world.stop_for_surgery();
    let copy = database.with_extension("backup");
    Store::copy_file(&database, &copy).unwrap();
    world.engine().signal(&run, "go", json!(null), "test", None).unwrap();
    world.ended_as(&run, RunState::Succeeded);
    let database = world.stop_for_surgery();
    Store::close_file(&database).unwrap();
    std::fs::copy(&copy, &database).unwrap();
    (run, database)
}

fn resolve_next(world: &World, run: &RunId, path: &str, resolution: Resolution) {
    let doubted = || {
        let steps = world.engine().steps(run).unwrap();
        steps.iter().any(|step| step.path.to_string() == path && step.state == StepState::InDoubt)
    };
    wait_until(&format!("step {path} to be in doubt"), std::time::Duration::from_secs(60), doubted);
    world.engine().resolve(run, &path.parse().unwrap(), resolution, "ann").unwrap();
}

#[test]
fn steps_that_the_backup_does_not_know_of_are_doubted_looked_up_or_repeated() {
    let mut world = World::new();
    let (run, database) = lived_on(&mut world);
    let url = format!("sqlite:{}", database.display());
    let now_ms = i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap();
    assert_eq!(Store::mark_restored(&url, now_ms, false, NewAudit::default()).unwrap(), 1);
    world.engine().signal(&run, "go", json!(null), "test", None).unwrap();

    resolve_next(&world, &run, "4", Resolution::Happened { result: json!({}) });
    assert_eq!((world.witness.count("once", "before"), world.witness.count("once", "after")), (1, 1));
    assert_eq!(world.witness.count("keyed", "thing"), 1, "it was found by its key");
    assert_eq!(world.witness.count("touch", "again"), 2, "twice is the same as once");
    // The child of before is unknown; this one's keys are others, so that its keyed step is in doubt, too.
    let children = || world.engine().runs(&RunFilter { parent: Some(run.clone()), ..RunFilter::default() }).unwrap();
    wait_until("the child", std::time::Duration::from_secs(60), || !children().is_empty());
    let child = children()[0].id.clone();
    resolve_next(&world, &child, "0", Resolution::Happened { result: json!({}) });
    resolve_next(&world, &child, "1", Resolution::Perform);
    world.ended_as(&child, RunState::Succeeded);
    assert_eq!((world.witness.count("keyed", "inner"), world.witness.count("once", "inner")), (1, 2));
    // After "it happened" the next one may have happened as well; what a person has said wasn't done is done, once.
    // `child` is two steps: the launch, and the wait.
    resolve_next(&world, &run, "7", Resolution::Perform);
    world.ended_as(&run, RunState::Succeeded);
    assert_eq!(world.witness.count("once", "last"), 2);
    world.stop_for_surgery();
    assert_eq!(Store::verify(&url).unwrap().findings, []);
}

#[test]
fn without_the_mark_the_run_simply_goes_on() {
    let mut world = World::new();
    let (run, database) = lived_on(&mut world);
    let url = format!("sqlite:{}", database.display());
    Store::mark_restored(&url, 1, true, NewAudit::default()).unwrap();
    world.engine().signal(&run, "go", json!(null), "test", None).unwrap();
    world.ended_as(&run, RunState::Succeeded);
    assert_eq!(world.witness.count("once", "after"), 2);
}
