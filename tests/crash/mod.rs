//! A process is killed at every commit and between every effect and its record; afterwards the run ends as if nothing
//! had happened.

mod lab;

use std::{
    collections::HashMap,
    sync::atomic::{AtomicUsize, Ordering},
};

use serde_json::json;
use windlass_model::{EventKind, RunState};
use windlass_tests::World;

const CHILD: &str = r#"fn run(input) { probe::touch("child"); input.n + 1 }"#;

const EVERYTHING: &str = r#"fn run(input) {
    log("begin");
    probe::touch("first");
    probe::keyed("server");
    probe::make("volume");
    on_rollback("tell", || probe::touch("told"));
    kv_set("crash/count", 1);
    let both = parallel_map(["x", "y"], |name| { probe::keyed(`disk-${name}`); probe::read(name).verb });
    lock("crash");
    sleep("1ms");
    unlock("crash");
    let grown = child("t/child", #{ n: 41 });
    log("end");
    if input?.fail == true { fail("as asked"); }
    [both, grown, kv_get("crash/count")]
}"#;

/// The second branch waits as a row for what the third one has, which comes to its end late in a replay and gives nothing back.
const LEFT: &str = r#"fn run(input) {
    parallel_map([0, 1, 2], |n| {
        if n == 0 { for i in 0..20 { now(); } }
        else if n == 1 { sleep("1ms"); lock("crash"); probe::touch("early") }
        else { lock("crash"); probe::touch("in"); sleep("200ms"); probe::touch("out") }
    }, #{ limit: 2 });
    7
}"#;

/// Kills a child at the `n`th pass of `point`, lets another one finish the job, and checks the world. Whether the child
/// came to that point.
fn killed_at(point: &str, n: usize, body: &str, check: fn(&World, &str)) -> bool {
    let mut world = World::new();
    world.script("t/child", "", CHILD);
    world.script("t/everything", "", body);
    let at = format!("{point}:{n}");
    let killed = world.child(Some("t/everything"), Some(&at));
    let launched = !world.engine().runs(&Default::default()).unwrap().is_empty();
    if launched {
        check(&world, &at);
    } else {
        assert!(killed && point.starts_with("commit"), "the launch was lost at {at}");
    }
    killed
}

fn everything_happened_once(world: &World, at: &str) {
    let run = world.top_run();
    let record = world.end(&run);
    assert_eq!(record.state, RunState::Succeeded, "{at}: {record:#?}");
    assert_eq!(record.output, Some(json!([["read", "read"], 42, 1])), "{at}");
    for name in ["server", "disk-x", "disk-y"] {
        assert_eq!(world.witness.count("keyed", name), 1, "{at}: {name} has a key, so it is made once");
    }
    for (verb, name) in [("touch", "first"), ("make", "volume"), ("touch", "child")] {
        let count = world.witness.count(verb, name);
        assert!((1..=2).contains(&count), "{at}: {verb} {name} happened {count} times");
    }
    let events = world.engine().events(&run, 0, 1_000).unwrap();
    let numbers: Vec<i64> = events.iter().map(|event| event.seq).collect();
    assert_eq!(numbers, (1..=events.len() as i64).collect::<Vec<_>>(), "{at}: events without a gap");
    let mut logs: HashMap<String, usize> = HashMap::new();
    for event in events.iter().filter(|event| event.kind == EventKind::Log) {
        *logs.entry(event.data["message"].to_string()).or_default() += 1;
    }
    assert!(logs.len() == 2 && logs.values().all(|count| *count == 1), "{at}: {logs:?}");
    assert!(world.engine().locks().unwrap().is_empty(), "{at}: a lock is left");
}

fn nothing_is_left(world: &World, at: &str) {
    let run = world.top_run();
    let record = world.end(&run);
    assert_eq!(record.state, RunState::RolledBack, "{at}: {record:#?}");
    assert!(world.witness.standing().is_empty(), "{at}: {:?}", world.witness.standing());
    assert!(world.witness.count("touch", "told") >= 1, "{at}");
    assert!(world.engine().resources(None, true).unwrap().is_empty(), "{at}");
}

fn at_every(point: &str, body: &str, check: fn(&World, &str)) {
    // Four children at a time. How many passes there are varies a little from run to run (lazy events ride on one commit
    // or another): the search ends once several children came to their end unharmed.
    let (unharmed, next) = (AtomicUsize::new(0), AtomicUsize::new(1));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while unharmed.load(Ordering::Relaxed) < 6 {
                    let killed = killed_at(point, next.fetch_add(1, Ordering::Relaxed), body, check);
                    unharmed.fetch_add(usize::from(!killed), Ordering::Relaxed);
                }
            });
        }
    });
    let passes = next.into_inner() - unharmed.into_inner();
    assert!(passes > 8, "{point} was passed {passes} times only: the test doesn't kill where it should");
    eprintln!("killed at {passes} passes of {point}");
}

#[test]
fn killed_before_every_commit() {
    at_every("commit.before", EVERYTHING, everything_happened_once);
}

#[test]
fn killed_after_every_commit() {
    at_every("commit.after", EVERYTHING, everything_happened_once);
}

#[test]
fn killed_before_every_effect() {
    at_every("effect.before", EVERYTHING, everything_happened_once);
}

#[test]
fn killed_between_every_effect_and_its_record() {
    at_every("effect.after", EVERYTHING, everything_happened_once);
}

#[test]
fn killed_at_every_commit_of_a_run_that_is_undone() {
    let failing = EVERYTHING.replace("input?.fail == true", "true");
    for point in ["commit.before", "commit.after", "effect.before", "effect.after"] {
        at_every(point, &failing, nothing_is_left);
    }
}

fn all_branches_came_to_their_end(world: &World, at: &str) {
    let run = world.top_run();
    let record = world.end(&run);
    assert_eq!((record.state, record.output), (RunState::Succeeded, Some(json!(7))), "{at}");
    let names: Vec<String> =
        world.witness.lines().iter().map(|line| line.split(' ').nth(1).unwrap_or_default().to_owned()).collect();
    let place =
        |wanted: &str| names.iter().rposition(|name| name == wanted).unwrap_or_else(|| panic!("{at}: {names:?}"));
    let (early, inside, out) = (place("early"), place("in"), place("out"));
    assert!(early < inside || early > out, "{at}: two branches are inside of one lock: {names:?}");
    assert!(world.engine().locks().unwrap().is_empty(), "{at}: a lock is left");
}

#[test]
fn killed_at_every_commit_while_a_branch_leaves_a_lock_to_another() {
    for point in ["commit.before", "commit.after"] {
        at_every(point, LEFT, all_branches_came_to_their_end);
    }
}
