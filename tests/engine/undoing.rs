//! Undo: automatic, by closure, on cancellation, stuck and freed.

use serde_json::json;
use windlass_model::{Code, ResourceState, RunState, undo::StuckAction};
use windlass_tests::World;

const MAKE_THREE: &str = r#"fn run(input) {
    probe::make("a");
    probe::keyed("b");
    on_rollback("tell them", || probe::touch("told"));
    probe::make("c");
    probe::refuse("d")
}"#;

#[test]
fn a_failed_run_undoes_what_it_did_last_first() {
    let world = World::new();
    world.script("t/undo", "", MAKE_THREE);
    let run = world.launch("t/undo", json!({}));
    let record = world.end(&run);
    let problem = record.problem.unwrap();
    assert_eq!((record.state, problem.code), (RunState::RolledBack, Code::System));
    assert_eq!(problem.site.unwrap().line, 6 + world.header_lines());
    let verbs: Vec<String> =
        world.witness.lines().iter().map(|line| line.split(' ').take(2).collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(verbs, ["make a", "keyed b", "make c", "refuse d", "unmake c", "touch told", "unmake b", "unmake a"]);
    let resources = world.engine().resources(Some(&run), false).unwrap();
    assert!(resources.iter().all(|resource| resource.state == ResourceState::Gone), "{resources:?}");
}

#[test]
fn without_rollback_everything_stays_and_can_be_cancelled_later() {
    let world = World::new();
    world.script("t/keep", r#"rollback: "none""#, MAKE_THREE);
    let run = world.launch("t/keep", json!({}));
    assert_eq!(world.end(&run).state, RunState::Failed);
    assert_eq!(world.witness.standing(), ["a", "b", "c"]);
    world.engine().cancel(&run, "test", None).unwrap();
    assert_eq!(world.ended_as(&run, RunState::Cancelled).state, RunState::Cancelled);
    assert!(world.witness.standing().is_empty());
}

#[test]
fn a_cancelled_run_is_undone_wherever_it_is() {
    let world = World::new();
    world.script("t/waiting", "", r#"fn run(input) { probe::make("w"); wait_signal("never") }"#);
    world.script("t/busy", "", r#"fn run(input) { probe::make("s"); probe::slow("x", 60000) }"#);
    world.script("t/spinning", "", r#"fn run(input) { probe::make("l"); loop { probe::touch("spin") } }"#);
    for name in ["t/waiting", "t/busy", "t/spinning"] {
        let run = world.launch(name, json!({}));
        world.has_made(&run);
        world.engine().cancel(&run, "test", Some("no longer wanted".into())).unwrap();
        assert_eq!(world.end(&run).state, RunState::Cancelled, "{name}");
    }
    assert!(world.witness.standing().is_empty(), "{:?}", world.witness.standing());
}

#[test]
fn a_script_cannot_catch_its_cancellation() {
    let world = World::new();
    world.script(
        "t/stubborn",
        "",
        r#"fn run(input) {
        probe::make("m");
        loop { try { probe::slow("x", 60000) } catch { probe::touch("caught") } }
    }"#,
    );
    let run = world.launch("t/stubborn", json!({}));
    world.has_made(&run);
    world.engine().cancel(&run, "test", None).unwrap();
    assert_eq!(world.end(&run).state, RunState::Cancelled);
    assert_eq!(world.witness.count("touch", "caught"), 0);
}

fn stuck(world: &World) -> windlass_model::RunId {
    world.script("t/stuck", "", r#"fn run(input) { probe::make("first"); probe::make("stuck"); fail("no") }"#);
    let run = world.launch("t/stuck", json!({}));
    world.ended_as(&run, RunState::RollbackStuck);
    assert_eq!(world.witness.standing(), ["first", "stuck"]);
    run
}

#[test]
fn a_stuck_undo_is_retried_when_an_operator_says_so() {
    let world = World::new();
    let run = stuck(&world);
    world.witness.saw("free stuck ");
    world.engine().unstick(&run, StuckAction::Retry, "operator").unwrap();
    assert_eq!(world.ended_as(&run, RunState::RolledBack).state, RunState::RolledBack);
    assert!(world.witness.standing().is_empty());
}

#[test]
fn a_stuck_undo_can_be_skipped_or_adopted() {
    for (action, state) in [(StuckAction::Skip, ResourceState::Live), (StuckAction::Adopt, ResourceState::Adopted)] {
        let world = World::new();
        let run = stuck(&world);
        world.engine().unstick(&run, action, "operator").unwrap();
        world.ended_as(&run, RunState::RolledBack);
        assert_eq!(world.witness.standing(), ["stuck"]);
        let resources = world.engine().resources(Some(&run), false).unwrap();
        let left = resources.iter().find(|resource| &*resource.resource.id == "stuck").unwrap();
        assert_eq!(left.state, state);
    }
}

#[test]
fn an_undo_goes_on_after_a_crash_in_its_middle() {
    let mut world = World::new();
    world.script("t/undo", "", MAKE_THREE);
    // The forward part performs four effects; the undo dies after its second.
    let run = world.crash("t/undo", "effect.after:6");
    assert_eq!(world.end(&run).state, RunState::RolledBack);
    assert!(world.witness.standing().is_empty());
    assert!(world.witness.count("touch", "told") >= 1);
}

#[test]
fn closures_registered_in_branches_are_found_again() {
    let world = World::new();
    world.script("t/inside", "", r#"fn run(input) {
        parallel_map(["x", "y"], |name| { probe::make(name); on_rollback(`undo ${name}`, || probe::touch(`told-${name}`)); });
        fail("late")
    }"#);
    let run = world.launch("t/inside", json!({}));
    assert_eq!(world.end(&run).state, RunState::RolledBack);
    assert_eq!((world.witness.count("touch", "told-x"), world.witness.count("touch", "told-y")), (1, 1));
    assert!(world.witness.standing().is_empty());
}

#[test]
fn a_cancellation_at_any_moment_leaves_no_run_in_between() {
    let world = World::new();
    world.script(
        "t/short",
        "",
        r#"fn run(input) { probe::make(input.name); sleep("1ms"); probe::touch("t"); "done" }"#,
    );
    let runs: Vec<_> = (0..60_u64)
        .map(|n| {
            let run = world.launch("t/short", json!({ "name": format!("n{n}") }));
            std::thread::sleep(std::time::Duration::from_micros(n * 150));
            // It may be over already.
            let _ = world.engine().cancel(&run, "test", None);
            run
        })
        .collect();
    let mut kept = Vec::new();
    for (n, run) in runs.iter().enumerate() {
        match world.end(run).state {
            RunState::Succeeded => kept.push(format!("n{n}")),
            state => assert_eq!(state, RunState::Cancelled),
        }
    }
    assert_eq!(world.witness.standing(), kept);
    assert!(kept.len() < 60, "no cancellation was in time");
}

#[test]
fn a_run_that_exceeds_a_bound_can_still_be_undone() {
    let world = World::with(|config| {
        config.bounds.steps_per_run = 10;
        config.bounds.output_bytes = 2_000;
    });
    world.script("t/steps", "", r#"fn run(input) { probe::make("s"); for n in 0..50 { probe::touch("x"); } }"#);
    world.script(
        "t/output",
        "",
        r#"fn run(input) {
            probe::make("o");
            on_rollback("say so", || { log("undoing"); probe::touch("told"); });
            loop { log("0123456789012345678901234567890123456789"); probe::read("r"); }
        }"#,
    );
    for name in ["t/steps", "t/output"] {
        let record = world.end(&world.launch(name, json!({})));
        assert_eq!((record.state, record.problem.unwrap().code), (RunState::RolledBack, Code::LimitExceeded), "{name}");
    }
    assert!(world.witness.standing().is_empty());
    assert_eq!(world.witness.count("touch", "told"), 1);
}

#[test]
fn an_undo_step_in_doubt_sticks_and_goes_on_once_an_operator_has_spoken() {
    let mut world = World::new();
    world.script(
        "t/doubt",
        "",
        r#"fn run(input) { probe::make("a"); on_rollback("refund", || probe::once("refund")); fail("no") }"#,
    );
    // Making, registering the closure, and in the undo the refund: killed before that is recorded.
    let run = world.crash("t/doubt", "effect.after:3");
    world.ended_as(&run, RunState::RollbackStuck);
    assert_eq!(world.witness.count("once", "refund"), 1);
    let steps = world.engine().steps(&run).unwrap();
    let doubtful = steps.iter().find(|step| step.outcome.is_none()).unwrap().path.clone();
    let happened = windlass_model::wait::Resolution::Happened { result: json!("by hand") };
    world.engine().resolve(&run, &doubtful, happened, "operator").unwrap();
    world.engine().unstick(&run, StuckAction::Retry, "operator").unwrap();
    world.ended_as(&run, RunState::RolledBack);
    assert_eq!(world.witness.count("once", "refund"), 1, "it isn't done twice");
    assert!(world.witness.standing().is_empty());
}

#[test]
fn a_stuck_undo_survives_a_crash_at_every_commit() {
    let mut kills = 0;
    // Lazy events may ride on one commit or another, so each number is tried several times.
    for n in (1..=16).cycle().take(48) {
        let mut world = World::new();
        world.script("t/stuck", "", r#"fn run(input) { probe::make("first"); probe::make("stuck"); fail("no") }"#);
        let killed = world.child(Some("t/stuck"), Some(&format!("commit.after:{n}")));
        if world.engine().runs(&Default::default()).unwrap().is_empty() {
            continue;
        }
        let run = world.top_run();
        world.ended_as(&run, RunState::RollbackStuck);
        assert_eq!(world.witness.standing(), ["first", "stuck"], "commit {n}: nothing is undone past the stuck entry");
        world.witness.saw("free stuck ");
        world.engine().unstick(&run, StuckAction::Retry, "operator").unwrap();
        world.ended_as(&run, RunState::RolledBack);
        assert!(world.witness.standing().is_empty(), "commit {n}");
        kills += usize::from(killed);
    }
    assert!(kills > 24, "only {kills} children were killed");
}

/// Why the undo is stuck, as its entry says.
fn stuck_for(world: &World, run: &windlass_model::RunId) -> String {
    world.ended_as(run, RunState::RollbackStuck);
    let entries = world.engine().undo_list(run).unwrap();
    entries.into_iter().find_map(|entry| entry.error).unwrap().message
}

#[test]
fn an_undo_that_comes_to_no_end_is_stuck() {
    let endless = |body: &str| format!(r#"fn run(input) {{ on_rollback("wait", || {{ {body} }}); fail("no") }}"#);
    let world = World::with(|config| config.bounds.undo_steps = 20);
    world.script("t/steps", "", &endless(r#"loop { probe::touch("x"); }"#));
    let run = world.launch("t/steps", json!({}));
    let why = stuck_for(&world, &run);
    assert!(why.contains("20 steps") && why.contains("`undo_steps`"), "{why}");
    assert_eq!(world.witness.count("touch", "x"), 20);
    // It is tried again as often, and then left.
    world.engine().unstick(&run, StuckAction::Retry, "operator").unwrap();
    stuck_for(&world, &run);
    assert_eq!(world.witness.count("touch", "x"), 40);
    world.engine().unstick(&run, StuckAction::Skip, "operator").unwrap();
    world.ended_as(&run, RunState::RolledBack);

    let world = World::with(|config| config.bounds.undo_ms = 300);
    world.script("t/time", "", &endless(r#"loop { try { sleep("50ms") } catch { } }"#));
    world.script("t/slow", "", &endless(r#"probe::slow("x", 60000)"#));
    for name in ["t/time", "t/slow"] {
        let why = stuck_for(&world, &world.launch(name, json!({})));
        assert!(why.contains("300 ms") && why.contains("`undo_ms`"), "{name}: {why}");
    }
}

#[test]
fn a_journal_has_a_bound_across_restarts_and_its_run_is_undone() {
    let world = World::with(|config| config.bounds.journal_bytes = 100_000);
    let body = r#"fn run(input) {
        probe::make("a");
        on_rollback("say so", || { kv_get("x"); probe::touch("told"); });
        let text = "0123456789";
        for n in 0..10 { text += text; if text.len() > 4000 { break; } }
        kv_set("x", text);
        for n in 0..100 { kv_get("x"); sleep("1ms"); probe::touch("round"); }
    }"#;
    world.script("t/journal", "", body);
    let record = world.end(&world.launch("t/journal", json!({})));
    let problem = record.problem.unwrap();
    assert_eq!((record.state, problem.code), (RunState::RolledBack, Code::LimitExceeded), "{problem}");
    assert!(problem.message.contains("100000 bytes") && problem.message.contains("`journal_bytes`"), "{problem}");
    assert!((10..20).contains(&world.witness.count("touch", "round")), "{}", world.witness.count("touch", "round"));
    assert_eq!(world.witness.count("touch", "told"), 1);
    assert!(world.witness.standing().is_empty());
}
