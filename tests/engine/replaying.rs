//! Launch, replay, idempotency, divergence, steps in doubt, bounds.

use serde_json::json;
use windlass_engine::{Launch, Verdict};
use windlass_model::{Code, EventKind, RunState, StepState, WaitReason, wait::Resolution};
use windlass_tests::World;

#[test]
fn a_run_returns_what_its_script_returns_and_tells_every_step() {
    let world = World::new();
    world.script(
        "t/simple",
        "",
        r#"fn run(input) { probe::touch(input.name); log("half way"); probe::read("b").verb }"#,
    );
    let run = world.launch("t/simple", json!({ "name": "a" }));
    let record = world.end(&run);
    assert_eq!((record.state, record.output), (RunState::Succeeded, Some(json!("read"))));
    let events = world.engine().events(&run, 0, 100).unwrap();
    let numbers: Vec<i64> = events.iter().map(|event| event.seq).collect();
    assert_eq!(numbers, (1..=events.len() as i64).collect::<Vec<_>>(), "no gap, no double");
    let kinds: Vec<EventKind> = events.iter().map(|event| event.kind).collect();
    assert_eq!(kinds.first(), Some(&EventKind::RunLaunched));
    assert_eq!(kinds.last(), Some(&EventKind::RunSucceeded));
    assert_eq!(kinds.iter().filter(|kind| **kind == EventKind::StepSucceeded).count(), 2);
    assert_eq!(kinds.iter().filter(|kind| **kind == EventKind::Log).count(), 1);
}

#[test]
fn the_same_key_and_input_give_the_same_run_and_another_input_is_refused() {
    let world = World::new();
    world.script("t/once", "", r#"fn run(input) { probe::touch(input.name) }"#);
    let launch = |name: &str| Launch {
        priority: None,
        workflow: "t/once".into(),
        input: json!({ "name": name }),
        by: "test".into(),
        idempotency_key: Some("key".into()),
        tags: vec![],
        organisation: String::new(),
    };
    let first = world.engine().launch(launch("a")).unwrap();
    let second = world.engine().launch(launch("a")).unwrap();
    assert_eq!((first.run, second.existing), (second.run.clone(), true));
    assert_eq!(world.engine().launch(launch("b")).unwrap_err().code, Code::IdempotencyConflict);
    world.end(&second.run);
    assert_eq!(world.witness.count("touch", "a"), 1);
}

#[test]
fn a_run_goes_on_where_it_was_after_a_restart_and_repeats_nothing() {
    let mut world = World::new();
    world.script(
        "t/long",
        "",
        r#"fn run(input) {
            probe::touch("before"); log("once");
            let answer = wait_signal("go");
            probe::touch("after");
            answer.n
        }"#,
    );
    let run = world.launch("t/long", json!({}));
    world.waits(&run);
    world.restart();
    assert_eq!(world.engine().run(&run).unwrap().unwrap().state, RunState::Waiting);
    world.engine().signal(&run, "go", json!({ "n": 7 }), "test", None).unwrap();
    assert_eq!(world.end(&run).output, Some(json!(7)));
    assert_eq!((world.witness.count("touch", "before"), world.witness.count("touch", "after")), (1, 1));
    let events = world.engine().events(&run, 0, 100).unwrap();
    assert_eq!(events.iter().filter(|event| event.kind == EventKind::Log).count(), 1, "output is emitted once");
}

#[test]
fn editing_a_file_never_changes_a_run_in_flight_and_the_verdict_shows_the_divergence() {
    let world = World::new();
    let before = r#"fn run(input) {
        probe::touch("a");
        wait_signal("go");
        probe::touch("b")
    }"#;
    world.script("t/edited", "", before);
    let run = world.launch("t/edited", json!({}));
    world.waits(&run);

    world.script("t/edited", "", &before.replace(r#"touch("b")"#, r#"touch("c")"#));
    match world.engine().verdict(&run).unwrap() {
        Verdict::Compatible { replayed, next } => {
            assert_eq!(replayed, 1);
            assert_eq!(&*next.unwrap().op, "wait_signal");
        }
        other => panic!("{other:?}"),
    }
    world.script("t/edited", "", &before.replace(r#"touch("a")"#, r#"touch("x")"#));
    match world.engine().verdict(&run).unwrap() {
        Verdict::Diverges { divergence } => {
            let current = divergence.current.unwrap();
            assert!(divergence.recorded.args.contains("\"a\"") && current.args.contains("\"x\""));
            assert_eq!(divergence.recorded.site.line, current.site.line);
            assert!(current.site.line > 1 && current.site.column > 1, "{current:?}");
        }
        other => panic!("{other:?}"),
    }
    world.engine().signal(&run, "go", json!(null), "test", None).unwrap();
    assert_eq!(world.end(&run).state, RunState::Succeeded);
    assert_eq!((world.witness.count("touch", "b"), world.witness.count("touch", "x")), (1, 0));
}

#[test]
fn an_open_run_can_be_upgraded_to_scripts_that_fit_its_journal() {
    let world = World::new();
    world.script("t/up", "", r#"fn run(input) { probe::touch("a"); wait_signal("go"); probe::touch("old") }"#);
    let run = world.launch("t/up", json!({}));
    world.waits(&run);
    world.script("t/up", "", r#"fn run(input) { probe::touch("a"); wait_signal("go"); probe::touch("new") }"#);
    assert!(world.engine().upgrade(&run, "test").unwrap().is_compatible());
    world.engine().signal(&run, "go", json!(null), "test", None).unwrap();
    world.end(&run);
    assert_eq!((world.witness.count("touch", "old"), world.witness.count("touch", "new")), (0, 1));
}

#[test]
fn a_script_that_calls_otherwise_on_replay_is_stopped_before_it_does_anything() {
    let world = World::new();
    world.script("t/flip", "", r#"fn run(input) { probe::touch("a"); wait_signal("go"); probe::touch("b") }"#);
    let run = world.launch("t/flip", json!({}));
    world.waits(&run);
    // Another script under the same digest is what a bug in the sandbox would look like.
    world.tamper(&run, r#"touch("a")"#, r#"touch("z")"#);
    world.engine().signal(&run, "go", json!(null), "test", None).unwrap();
    let record = world.end(&run);
    let problem = record.problem.unwrap();
    assert_eq!((record.state, problem.code), (RunState::Failed, Code::Divergence));
    assert!(problem.message.contains("\"a\"") && problem.message.contains("\"z\""), "{}", problem.message);
    assert_eq!((world.witness.count("touch", "z"), world.witness.count("touch", "b")), (0, 0));
}

/// A run whose process died between an effect that must not be repeated and its record.
fn in_doubt(world: &mut World) -> windlass_model::RunId {
    world.script("t/doubt", "", r#"fn run(input) { let r = probe::once("pay"); probe::touch("after"); r.verb }"#);
    let run = world.crash("t/doubt", "effect.after:1");
    world.waits(&run);
    let record = world.engine().run(&run).unwrap().unwrap();
    assert_eq!(record.waiting_on, vec![WaitReason::InDoubt]);
    assert_eq!(world.witness.count("once", "pay"), 1);
    run
}

#[test]
fn a_step_in_doubt_is_never_repeated_unless_an_operator_says_that_it_did_not_happen() {
    let mut world = World::new();
    let run = in_doubt(&mut world);
    let path = "0".parse().unwrap();
    let result = json!({ "verb": "by hand" });
    world.engine().resolve(&run, &path, Resolution::Happened { result }, "operator").unwrap();
    let record = world.end(&run);
    assert_eq!((record.state, record.output), (RunState::Succeeded, Some(json!("by hand"))));
    assert_eq!(world.witness.count("once", "pay"), 1);
}

#[test]
fn a_step_in_doubt_that_did_not_happen_is_performed() {
    let mut world = World::new();
    let run = in_doubt(&mut world);
    world.engine().resolve(&run, &"0".parse().unwrap(), Resolution::Perform, "operator").unwrap();
    assert_eq!(world.end(&run).state, RunState::Succeeded);
    assert_eq!(world.witness.count("once", "pay"), 2);
}

#[test]
fn doubts_that_are_resolved_while_the_run_goes_on_already_are_taken_up() {
    // On a busy machine all branches but one may have been recorded when the process dies.
    assert!((0..20).any(|_| doubts_resolved() > 1), "there was never more than one step in doubt");
}

/// Resolves what is in doubt while the run goes on; how many steps.
fn doubts_resolved() -> usize {
    let mut world = World::new();
    let script = r#"fn run(input) { parallel_map((0..12).map(|n| n), |n| { probe::once("pay" + n); n }).len() }"#;
    let script = script.replace("(0..12).map(|n| n)", "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]");
    world.script("t/doubts", "", &script);
    let run = world.crash("t/doubts", "effect.after:12");
    world.waits(&run);
    let mut resolved = 0;
    // The first word has the run go on while the next ones are spoken.
    while !world.engine().run(&run).unwrap().unwrap().state.is_ended() {
        let steps = world.engine().steps(&run).unwrap();
        for step in steps.into_iter().filter(|step| step.state == StepState::InDoubt) {
            let result = json!({ "verb": "by hand" });
            let spoken = world.engine().resolve(&run, &step.path, Resolution::Happened { result }, "operator");
            resolved += usize::from(spoken.is_ok());
        }
    }
    let record = world.end(&run);
    assert_eq!((record.state, record.output), (RunState::Succeeded, Some(json!(12))), "{:?}", record.problem);
    resolved
}

#[test]
fn a_step_in_doubt_can_be_failed() {
    let mut world = World::new();
    let run = in_doubt(&mut world);
    world.engine().resolve(&run, &"0".parse().unwrap(), Resolution::Fail, "operator").unwrap();
    let record = world.end(&run);
    assert_eq!((record.state, record.problem.unwrap().code), (RunState::RolledBack, Code::FailedByOperator));
    assert_eq!(world.witness.count("touch", "after"), 0);
}

#[test]
fn a_journal_that_is_too_long_says_so_and_continue_as_new_starts_a_fresh_one() {
    let world = World::with(|config| config.bounds.steps_per_run = 20);
    world.script("t/endless", "", r#"fn run(input) { for i in 0..100 { probe::touch("x"); } }"#);
    let problem = world.end(&world.launch("t/endless", json!({}))).problem.unwrap();
    assert!(problem.code == Code::LimitExceeded && problem.message.contains("steps_per_run"), "{problem:?}");

    world.script(
        "t/chain",
        "",
        r#"fn run(input) {
            if input.n == 0 { probe::make("kept"); }
            for i in 0..10 { probe::touch("y"); }
            if input.n == 3 { return "done"; }
            continue_as_new(#{ n: input.n + 1 })
        }"#,
    );
    let mut run = world.launch("t/chain", json!({ "n": 0 }));
    let mut last = world.end(&run);
    for _ in 0..3 {
        run = world.continued(&run);
        last = world.end(&run);
    }
    assert_eq!((last.state, last.output), (RunState::Succeeded, Some(json!("done"))));
    assert_eq!(world.witness.count("touch", "y"), 40);
    let kept = world.engine().resources(Some(&run), true).unwrap();
    assert_eq!(kept.len(), 1, "the inventory goes along: {kept:?}");
}

#[test]
fn values_are_the_same_on_the_first_evaluation_and_on_replay() {
    let mut world = World::new();
    world.script(
        "t/values",
        "",
        r#"fn run(input) {
            let a = now(); let b = random(); let c = uuid();
            kv_set("t/x", #{ n: 1.0, list: [1, "two", ()] });
            let d = kv_get("t/x");
            wait_signal("go");
            [a, b, c, d]
        }"#,
    );
    let run = world.launch("t/values", json!({}));
    world.waits(&run);
    let recorded: Vec<_> = world.engine().steps(&run).unwrap();
    world.restart();
    world.engine().signal(&run, "go", json!(null), "test", None).unwrap();
    let output = world.end(&run).output.unwrap();
    let value = |index: usize| match recorded[index].outcome.as_ref().unwrap() {
        windlass_model::Outcome::Value(text) => serde_json::from_str::<serde_json::Value>(text).unwrap(),
        other => panic!("{other:?}"),
    };
    assert_eq!((&output[0], &output[1], &output[2]), (&value(0), &value(1), &value(2)));
    assert_eq!(output[3], json!({ "n": 1.0, "list": [1, "two", null] }));
}

#[test]
fn a_run_that_takes_its_process_down_again_and_again_is_parked() {
    let mut world = World::with(|config| config.bounds.recoveries = 3);
    world.script("t/killer", "", r#"fn run(input) { probe::touch("a"); probe::touch("b") }"#);
    let run = world.crash("t/killer", "effect.after:1");
    for _ in 0..3 {
        world.crash_again("effect.after:1");
    }
    let record = world.waits(&run);
    assert_eq!(record.waiting_on, vec![WaitReason::Parked], "{record:?}");
    world.engine().unpark(&run, "operator").unwrap();
    assert_eq!(world.end(&run).state, RunState::Succeeded);
}
