//! What isn't kept goes, in small commits beside launches; what stands, who did what, and what others need stays.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::json;
use windlass_engine::{Engine, Time, VirtualClock};
use windlass_model::{
    RunId, WaitReason,
    audit::{AuditFilter, NewAudit},
    document::{Change, Expected},
};
use windlass_tests::{World, wait_until};

use super::databases::{Database, on_each_database};

const DAY_MS: i64 = 86_400_000;

struct House {
    world: World,
    engine: Engine,
    clock: Arc<VirtualClock>,
}

fn house(database: Database) -> House {
    let clock: Arc<VirtualClock> = Arc::default();
    let used = clock.clone();
    let world = database.world_with(move |config| config.time = Time::Virtual(used.clone()));
    House { engine: world.engine(), world, clock }
}

impl House {
    fn script(&self, name: &str, header: &str, body: &str) {
        self.world.script(name, header, body);
    }

    fn is_there(&self, run: &RunId) -> bool {
        self.engine.run(run).unwrap().is_some()
    }
}

fn what_stands_and_who_did_what_stays(house: House) {
    house.script("t/makes", "", r#"fn run(input) { probe::make("stays"); 1 }"#);
    house.script("t/brief", r#"retention: "1d""#, r#"fn run(input) { artifact("a.txt", "text"); 1 }"#);
    house.script("t/brief_makes", r#"retention: "1d""#, r#"fn run(input) { probe::make("brief"); 1 }"#);
    let engine = &house.engine;
    let runs: Vec<RunId> =
        ["t/makes", "t/brief", "t/brief_makes"].map(|name| house.world.launch(name, json!({}))).to_vec();
    runs.iter().for_each(|run| drop(house.world.end(run)));
    let entry = NewAudit {
        actor: "ann".into(),
        organisation: "platform".into(),
        action: "test".into(),
        target: "x".into(),
        source: "test".into(),
        before: json!(null),
        after: json!(null),
    };
    engine.audit(entry).unwrap();
    let document = |id: &str, expires_at_ms| Change::Put {
        kind: "ledger".into(),
        id: id.into(),
        organisation: "platform".into(),
        body: json!({ "amount": 7 }),
        keys: Vec::new(),
        expires_at_ms,
        expected: Expected::Any,
    };
    let now_ms = engine.now_ms();
    engine.change(vec![document("kept", None), document("expires", Some(now_ms + DAY_MS))]).unwrap();
    assert_eq!(engine.retention(None, None).unwrap(), windlass_model::query::RetentionCounts::default());
    // Two days on: the brief one goes; the one that left something behind would be taken for an open one elsewhere.
    house.clock.advance_by(2 * DAY_MS);
    let plan = engine.retention(Some(engine.now_ms() - DAY_MS), None).unwrap();
    assert_eq!((plan.runs, plan.runs_needed, plan.artifacts, plan.documents), (1, 1, 1, 1), "{plan:?}");
    assert!(plan.artifact_bytes > 0);
    assert_eq!(engine.prune_artifacts(Some(engine.now_ms() - DAY_MS), None, 10).unwrap(), 1);
    assert_eq!(engine.artifacts(&runs[1]).unwrap().len(), 0);
    assert!(house.is_there(&runs[1]), "artifacts go alone");
    assert_eq!((engine.prune_documents(10).unwrap(), engine.prune_some(10).unwrap()), (1, 1));
    assert_eq!(runs.iter().map(|run| house.is_there(run)).collect::<Vec<_>>(), [true, false, true]);
    // After the default all of them go, and what stands stays in the inventory.
    house.clock.advance_by(200 * DAY_MS);
    assert_eq!(engine.prune_some(10).unwrap(), 2);
    assert_eq!(engine.resources(None, true).unwrap().len(), 2, "what is there has to be known");
    assert!(engine.document("ledger", "kept").unwrap().is_some());
    assert_eq!(engine.audit_log(&AuditFilter::default()).unwrap().len(), 1);
    assert_eq!(engine.retention(None, None).unwrap(), windlass_model::query::RetentionCounts::default());
}

fn children_wait_for_their_parents_and_hold_up_nobody(house: House) {
    house.script("t/child", r#"retention: "1h""#, "fn run(input) { 1 }");
    house.script(
        "t/parent",
        "",
        r#"fn run(input) { for n in 0..12 { child("t/child", #{ n: n }); } wait_signal("go") }"#,
    );
    house.script("t/other", r#"retention: "1h""#, "fn run(input) { 1 }");
    let parent = house.world.launch("t/parent", json!({}));
    wait_until("all children to be done", Duration::from_secs(60), || {
        house.engine.run(&parent).unwrap().is_some_and(|run| run.waiting_on == [WaitReason::Signal])
    });
    let other = house.world.launch("t/other", json!({}));
    house.world.end(&other);
    house.clock.advance_by(2 * 3_600_000);
    // Fewer in a commit than there are children at the front.
    assert_eq!(house.engine.prune_some(5).unwrap(), 1);
    assert!(!house.is_there(&other));
    assert_eq!(house.engine.retention(None, None).unwrap().runs_needed, 12);
    house.engine.signal(&parent, "go", json!(1), "ann", None).unwrap();
    house.world.end(&parent);
    let gone: u64 = (0..4).map(|_| house.engine.prune_some(5).unwrap()).sum();
    assert_eq!(gone, 12);
}

fn the_oldest_artifacts_go_when_there_are_too_many_bytes(house: House) {
    house.script("t/keeps", "", r#"fn run(input) { artifact("a.txt", "0123456789"); 1 }"#);
    let mut runs = Vec::new();
    for _ in 0..5 {
        let run = house.world.launch("t/keeps", json!({}));
        house.world.end(&run);
        runs.push(run);
        house.clock.advance_by(1_000);
    }
    assert_eq!(house.engine.retention(None, Some(25)).unwrap().artifacts, 3);
    assert_eq!(house.engine.prune_artifacts(None, Some(25), 2).unwrap(), 2);
    assert_eq!(house.engine.prune_artifacts(None, Some(25), 2).unwrap(), 1);
    assert_eq!(house.engine.prune_artifacts(None, Some(25), 2).unwrap(), 0);
    let left: Vec<usize> = runs.iter().map(|run| house.engine.artifacts(run).unwrap().len()).collect();
    assert_eq!(left, [0, 0, 0, 1, 1]);
}

/// `WINDLASS_PRUNED_RUNS` says how many are removed while others are launched: 300 if nothing is said.
fn launches_go_on_while_many_are_removed(house: House) {
    let count: usize = std::env::var("WINDLASS_PRUNED_RUNS").ok().and_then(|text| text.parse().ok()).unwrap_or(300);
    house.script("t/old", r#"retention: "1h""#, "fn run(input) { log(\"x\"); 1 }");
    house.script("t/new", "", "fn run(input) { 1 }");
    let old: Vec<RunId> = (0..count).map(|_| house.world.launch("t/old", json!({}))).collect();
    old.iter().for_each(|run| drop(house.world.end(run)));
    house.clock.advance_by(2 * 3_600_000);
    let timed = || {
        let began = Instant::now();
        house.world.launch("t/new", json!({}));
        began.elapsed()
    };
    let quiet: Vec<Duration> = (0..50).map(|_| timed()).collect();
    let done = AtomicBool::new(false);
    let (busy, removed, longest, took) = std::thread::scope(|scope| {
        let pruning = scope.spawn(|| {
            let (began, mut removed, mut longest) = (Instant::now(), 0, Duration::ZERO);
            loop {
                let commit = Instant::now();
                let count = house.engine.prune_some(100).unwrap();
                longest = longest.max(commit.elapsed());
                removed += count;
                if count == 0 {
                    done.store(true, Ordering::Relaxed);
                    return (removed, longest, began.elapsed());
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        let mut busy = Vec::new();
        // At least one, however soon the others are gone.
        loop {
            busy.push(timed());
            if done.load(Ordering::Relaxed) {
                break;
            }
        }
        let (removed, longest, took) = pruning.join().unwrap();
        (busy, removed, longest, took)
    });
    let at = |mut all: Vec<Duration>, part: usize| {
        all.sort_unstable();
        all.get(all.len() * part / 100).copied().unwrap_or_default()
    };
    eprintln!(
        "{removed} runs removed in {took:?}, the longest commit {longest:?}; launches: quiet p50 {:?} p99 {:?}, meanwhile p50 {:?} p99 {:?} of {}",
        at(quiet.clone(), 50),
        at(quiet, 99),
        at(busy.clone(), 50),
        at(busy.clone(), 99),
        busy.len()
    );
    assert_eq!(removed, count as u64);
    assert!(!busy.is_empty() && longest < Duration::from_secs(30), "the writer is held up: {longest:?}");
}

#[test]
fn an_engine_removes_large_old_runs_by_itself() {
    let mut world = World::new();
    // Each is larger than what goes in one commit.
    let body = "fn run(input) { for n in 0..6_000 { log(`line ${n}`); } 1 }";
    world.script("t/large", r#"retention: "1ms""#, body);
    let runs = [world.launch("t/large", json!({})), world.launch("t/large", json!({}))];
    runs.iter().for_each(|run| drop(world.end(run)));
    // It looks when it starts, and an hour later.
    world.restart();
    wait_until("both to be gone", Duration::from_secs(60), || {
        runs.iter().all(|run| world.engine().run(run).unwrap().is_none())
    });
}

on_each_database!(house:
    what_stands_and_who_did_what_stays,
    children_wait_for_their_parents_and_hold_up_nobody,
    the_oldest_artifacts_go_when_there_are_too_many_bytes,
    launches_go_on_while_many_are_removed,
);
